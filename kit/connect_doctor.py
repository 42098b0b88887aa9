"""The doctor for whoever is configured: what it finds is kept, and clients and relay go by it.

Rule: the cheap probes are a few hundred tokens and run when a person asks for the doctor; what
may cost more has to be asked for by name. Forgetting asks nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import Any

from kit import connect
from kit.blocking import iterate
from kit.gateway import capabilities_file
from kit.gateway.capabilities import Capabilities, Seen
from kit.gateway.card import lasted, printable
from kit.gateway.doctor import examine
from kit.gateway.doctor_examination import Patience
from kit.gateway.doctor_report import Report
from kit.gateway.proxies import Proxies
from kit.gateway.transport import open_transport

__all__ = ["doctor", "forget_seen", "intent", "seen_last"]

ABOUT_TOKENS = 700
"""Of the cheap probes: 470 with the sandbox, more with models that reason or talk."""

LOOK_SECONDS = 0.5
"""Between two looks at how far it is, for whoever wants to be told."""

_OF_THE_MOMENT = ("reachable", "tls", "key", "models", "cost")

_reports: dict[tuple[str, str], Report] = {}
"""The last of this process for each gateway and model as they were asked for."""


def doctor(
    model: str | None = None, *, all: bool = False, progress: Callable[[str], None] | None = None
) -> Report:
    """What the configured gateway really does, tried out with about 700 tokens.

    model: else the one the cells ask. all: also a web search and responses in the background,
    whose price is not known before. progress: called with a line, about twice a second, that says
    what is asked now. It takes some seconds mostly, and six minutes at most (nine with `all`).

    The report shows itself as a table; `.frame` is the same for pandas, `.usable` says whether a
    cell would get an answer, and `.cause` why not. What was seen is kept for a week (a "no" for a
    day), for this user: `%kit doctor --forget` forgets it. Raises ConfigError; what the gateway
    does is in the report.
    """
    client = connect.client().inner
    found = client.settings
    transport = open_transport(ca_file=found.ca_file, proxies=Proxies.from_variables(found.proxies))
    ask = functools.partial(
        examine, client.endpoint, transport, model=model, dear=all, ledger=connect.ledger
    )
    report: Report | None = None
    for step in iterate(_steps, ask):
        if isinstance(step, Report):
            report = step
        elif progress is not None:
            progress(step)
    assert report is not None
    _reports[client.endpoint.identity, model or client.endpoint.model or ""] = report
    seen = {
        one.name: Seen(one.verdict, one.how, report.at)
        for one in report.findings
        if one.name not in _OF_THE_MOMENT and one.how != "model"
    }
    if report.model and report["reachable"].verdict == "yes" and report["key"].verdict == "yes":
        with contextlib.suppress(OSError):  # a full disk: it is only not remembered
            capabilities_file.remember(found.user_data, report.gateway, report.model, seen)
    return report


async def _steps(
    ask: Callable[..., Coroutine[Any, Any, Report]],
) -> AsyncGenerator[Sequence[str | Report], None]:
    """Now and then a line about what is asked, and the report at the end."""
    doing, began = "", time.monotonic()

    def hear(what: str) -> None:
        nonlocal doing
        doing = what

    task = asyncio.create_task(ask(progress=hear))
    try:
        while not task.done():
            await asyncio.wait([task], timeout=LOOK_SECONDS)
            if doing and not task.done():
                yield [f"Asking: {doing}, {lasted(time.monotonic() - began)}"]
        yield [task.result()]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def intent(model: str | None = None, *, all: bool = False) -> str:
    """What is about to be asked and what it may take, and what is not asked or may cost."""
    endpoint = connect.client().endpoint
    chosen = model or endpoint.model
    whom = printable(endpoint.identity)
    things = f"small questions, about {ABOUT_TOKENS} tokens"
    about = f" about {printable(chosen)}: {things}" if chosen else f" for its models, then {things}"
    minutes = Patience().at_most(dear=all) / 60
    first = f"Asking {whom}{about}, {minutes:.0f} min at most."
    if all:
        more = "Then a web search, and work in the background; their price is not known before."
    else:
        more = "A web search and work in the background may cost: --all asks for them as well."
    return f"{first}\n{more}"


def seen_last() -> str | None:
    """What the doctor said last of the model that the cells ask, in some words, and when.

    None where it has said nothing of it.
    """
    client = connect.client().inner
    known, before = client.known(), 0.0
    if known.seen:
        before = max(one.at for one in known.seen.values())
    report = _reports.get((client.endpoint.identity, client.endpoint.model or ""))
    if report is not None and report.at >= before:
        verdict = "usable" if report.usable else f"not usable: {report.cause}"
        return _dated(verdict, report.at)
    return _dated(_kept_verdict(known), before) if known.seen else None


def _kept_verdict(known: Capabilities) -> str:
    return "usable" if known.answers else "not usable"


def _dated(verdict: str, at: float) -> str:
    return f"{verdict} ({lasted(time.time() - at)} ago)"


def forget_seen(model: str | None = None) -> str:
    """Forget what the doctor has seen of the gateway, or of one model; a line that says so."""
    client = connect.client().inner
    identity = client.endpoint.identity
    for gateway, name in list(_reports):
        if gateway == identity and model in (None, name):
            del _reports[gateway, name]
    try:
        count = capabilities_file.forget(client.settings.user_data, identity, model)
    except OSError as error:
        return f"It could not be forgotten: {error.strerror}."
    whom = printable(identity) if model is None else f"{printable(model)} at {printable(identity)}"
    if not count:
        return f"Nothing is kept of {whom}."
    of_all = "" if model is not None else f" ({count} model{'' if count == 1 else 's'})"
    return f"What the doctor saw of {whom} is forgotten{of_all}."
