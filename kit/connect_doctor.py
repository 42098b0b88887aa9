"""The doctor for whoever is configured: what it finds is kept, and clients and relay go by it.

Rule: the cheap probes are a few hundred tokens and run when a person asks for the doctor; what
may cost more has to be asked for by name. Forgetting asks nobody.
"""

from __future__ import annotations

import contextlib
import time

from kit import connect
from kit.blocking import run
from kit.gateway import capabilities_file
from kit.gateway.capabilities import Seen
from kit.gateway.card import lasted, printable
from kit.gateway.doctor import CHEAP_NAMES, DEAR_NAMES, examine
from kit.gateway.doctor_report import Report
from kit.gateway.proxies import Proxies
from kit.gateway.transport import open_transport

__all__ = ["doctor", "forget_seen", "intent", "seen_last"]

ABOUT_TOKENS = 700
"""Of the cheap probes: 450 with the sandbox, more with models that reason."""

_OF_THE_MOMENT = ("reachable", "tls", "key", "models", "cost")


def doctor(model: str | None = None, *, all: bool = False) -> Report:
    """What the configured gateway really does, tried out with about 700 tokens.

    model: else the one the cells ask. all: also a web search and responses in the background,
    whose price is not known before.

    The report shows itself as a table; `.frame` is the same for pandas, `.usable` says whether a
    cell would get an answer. What was seen is kept for a week, for this user: `%kit doctor
    --forget` forgets it. Raises ConfigError; what the gateway does is in the report.
    """
    client = connect.client().inner
    found = client.settings
    transport = open_transport(ca_file=found.ca_file, proxies=Proxies.from_variables(found.proxies))
    report = run(examine, client.endpoint, transport, model=model, dear=all, ledger=connect.ledger)
    seen = {
        one.name: Seen(one.verdict, one.how, report.at)
        for one in report.findings
        if one.name not in _OF_THE_MOMENT and one.how != "model"
    }
    if report.model and report["reachable"].verdict == "yes" and report["key"].verdict == "yes":
        with contextlib.suppress(OSError):  # a full disk: it is only not remembered
            capabilities_file.remember(found.user_data, report.gateway, report.model, seen)
    return report


def intent(model: str | None = None, *, all: bool = False) -> str:
    """What is about to be asked, and what it may take, in one line."""
    endpoint = connect.client().endpoint
    chosen = model or endpoint.model
    asked = f" about {printable(chosen)}" if chosen else ""
    more = (
        "then a web search and responses in the background, whose price is not known before"
        if all
        else f"nothing of {', '.join(DEAR_NAMES)}: --all asks for those as well, and may cost"
    )
    return (
        f"Asking {printable(endpoint.identity)}{asked}: {len(CHEAP_NAMES)} small things, about "
        f"{ABOUT_TOKENS} tokens; {more}."
    )


def seen_last() -> str | None:
    """How long ago the model that the cells ask was examined; None where nothing is known."""
    seen = connect.client().inner.known().seen.values()
    return f"{lasted(time.time() - max(one.at for one in seen))} ago" if seen else None


def forget_seen(model: str | None = None) -> str:
    """Forget what the doctor has seen of the gateway, or of one model; a line that says so."""
    client = connect.client().inner
    identity = client.endpoint.identity
    try:
        count = capabilities_file.forget(client.settings.user_data, identity, model)
    except OSError as error:
        return f"It could not be forgotten: {error.strerror}."
    what = f"{count} model" + ("" if count == 1 else "s")
    return f"What the doctor saw of {printable(identity)} is forgotten ({what})."
