"""The doctor: asks a gateway little questions, and says what it really does.

    head     does it answer, is the key taken, which models are there
    cheap    a dozen calls of some tokens each, over both APIs
    dear     a web search and the background, only where somebody asks for them

Rule: it judges the gateway and not the model, waits for nothing longer than its patience, and
whatever fails is a finding. It raises nothing that a gateway does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import httpx

from kit import errors
from kit.gateway import doctor_verdicts as verdicts
from kit.gateway.capabilities import Seen
from kit.gateway.doctor_conclusion import HERE, conclude, conclude_dear
from kit.gateway.doctor_dear import DEAR
from kit.gateway.doctor_examination import Examination, Patience, Spent
from kit.gateway.doctor_failures import says_why, told_of
from kit.gateway.doctor_finding import Finding, finding
from kit.gateway.doctor_probes import CHEAP, HEAD
from kit.gateway.doctor_report import Report
from kit.gateway.doctor_tidy import forget, tidy
from kit.gateway.doctor_words import LABELS, NAMES, Told
from kit.gateway.failures import is_of_provider
from kit.gateway.ledger import Ledger
from kit.settings import Endpoint

__all__ = ["DEAR_NAMES", "examine"]

Probe = tuple[Callable[[Examination], Awaitable[None]], tuple[str, ...], str]

DEAR_NAMES = tuple(name for _, names, _ in DEAR for name in names)


async def examine(
    endpoint: Endpoint,
    transport: httpx.AsyncBaseTransport,
    *,
    model: str | None = None,
    dear: bool = False,
    ledger: Ledger | None = None,
    patience: Patience | None = None,
    progress: Callable[[str], None] = lambda doing: None,
) -> Report:
    """What the gateway does with that model: the one given, configured, or the only one.

    dear: run the probes whose price is not known before. progress: told what is asked now, in some
    words. The transport is closed afterwards.
    """
    patience = patience or Patience()
    began, now = time.monotonic(), time.time()
    at = Examination(endpoint, transport, model or endpoint.model or "", patience, ledger)
    at.heed = _counting(progress, dear=dear)
    try:
        await _asked(at, dear=dear)
    finally:
        await forget(at)
        await at.client.aclose()
    took = time.monotonic() - began
    return Report(
        endpoint.identity,
        at.model,
        _findings(at, dear=dear),
        now,
        at.tap.count,
        at.tokens or None,
        took,
        beside=() if model else _beside(endpoint, at.model),
    )


def _beside(endpoint: Endpoint, model: str) -> tuple[str, ...]:
    """The models that others ask than what was looked at: nothing here tells of them.

    What runs on this machine is known, and its research takes its time.
    """
    if endpoint.identity in HERE:
        return ()
    others = (
        ("%%chat asks", "", endpoint.chat_model),
        ("Research asks", "--all ", endpoint.research_model),
    )
    return tuple(
        f"{who} {other}: %kit doctor {option}--model {other} looks at it."
        for who, option, other in others
        if other and other != model
    )


async def _asked(at: Examination, *, dear: bool) -> None:
    """All that is to be asked, as far as there is somebody to ask."""
    patience, headed = at.patience, await _headed(at)
    if headed:
        await _all(at, CHEAP, patience.probe, patience.cheap_all)
    conclude(at)
    if headed and dear and at.holds("responses"):
        at.most = at.tokens + patience.dear_tokens
        await _all(at, DEAR, patience.dear, patience.dear_all)
        conclude_dear(at)


def _findings(at: Examination, *, dear: bool) -> tuple[Finding, ...]:
    """Those that were noted, and of the others why not."""
    left, cheap_left = Told(Seen("unknown", "not asked")), Told(Seen("unknown", "dear"))
    return tuple(
        finding(name, at.seen.get(name, cheap_left if name in DEAR_NAMES and not dear else left))
        for name in NAMES
    )


def _counting(progress: Callable[[str], None], *, dear: bool) -> Callable[[str], None]:
    probes = (HEAD, *CHEAP, *(DEAR if dear else ()))
    places = {names[0]: place for place, (_, names, _) in enumerate(probes, 1)}
    return lambda name: progress(f"{LABELS[name]} ({places[name]} of {len(probes)})")


async def _headed(at: Examination) -> bool:
    """Whether there is somebody to ask, and whom to ask for."""
    await _run(at, HEAD, at.patience.probe)
    refused = at.says("reachable") != "yes" or at.says("key") == "no"
    return bool(at.model) and not refused


async def _all(at: Examination, probes: tuple[Probe, ...], each: float, together: float) -> None:
    """One after the other, as long as there is time; two without any answer are the last."""
    until, silent = time.monotonic() + together, 0
    patience = at.patience.first if probes is CHEAP else each
    for probe in probes:
        _, names, needs = probe
        left = until - time.monotonic()
        if silent >= 2 or left <= 0 or (needs and _waited(at, needs)):
            for name in names:
                at.seen.setdefault(name, Told(Seen("unknown", "waited")))
            continue
        if needs and not at.holds(needs):
            continue
        silent = silent + 1 if await _run(at, probe, min(patience, left)) else 0
        if silent or at.holds(names[0]):  # the model is there, or was waited for
            patience = each


def _waited(at: Examination, name: str) -> bool:
    """Whether no answer came in time of that, or it was not asked for the same reason."""
    return name in at.seen and at.seen[name].seen.how in ("late", "waited")


async def _run(at: Examination, probe: Probe, seconds: float) -> bool:
    """Run one. What it could not note is noted from its failure; whether nothing came at all."""
    ask, names, _ = probe
    at.heed(names[0])
    try:
        async with asyncio.timeout(seconds):
            await ask(at)
        return False
    except (errors.KitError, TimeoutError) as error:
        told = _told(at, names[0], error, seconds)
        left = [name for name in names if name not in at.seen]
        for name in left[:1]:  # what failed; behind it nothing was asked
            at.seen[name] = told
        _note_key(at, error)
        return verdicts.unanswered(told.seen)
    except Spent:
        for name in names:
            at.note(name, Seen("unknown", "spent"))
        return False
    finally:
        await tidy(at)


def _told(at: Examination, name: str, error: BaseException, waited: float) -> Told:
    """What a failure says of what was asked."""
    told = told_of(error, *at.secrets, waited=waited)
    if name == "reachable":
        distrusted = "certificate" in told.happened
        return replace(told, seen=Seen("no", "certificate" if distrusted else told.seen.how))
    if name in ("chat", "responses"):
        if not isinstance(error, TimeoutError | errors.ModelUnknown) and at.hear(name):
            how = "strange" if told.seen.how == "broken" else told.seen.how
            return replace(told, seen=Seen(told.seen.verdict, how))
    elif says_why(told.seen):
        return Told(told.seen, theirs=told.theirs if name != "retrieve" else "")
    return told


def _note_key(at: Examination, error: BaseException) -> None:
    """Some gateways list their models to anybody, and look at the key afterwards."""
    if not isinstance(error, errors.AuthenticationFailed) or is_of_provider(error):
        return
    if "key" not in at.seen:
        keyed = at.endpoint.api_key is not None
        at.note("key", verdicts.of_key_error(error, keyed=keyed))
