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

import httpx

from kit import errors
from kit.gateway import doctor_verdicts as verdicts
from kit.gateway.capabilities import Seen
from kit.gateway.doctor_dear import DEAR
from kit.gateway.doctor_examination import Examination, Patience, Spent
from kit.gateway.doctor_probes import CHEAP, HEAD
from kit.gateway.doctor_report import Report, finding
from kit.gateway.doctor_words import NAMES
from kit.gateway.ledger import Ledger
from kit.settings import Endpoint

__all__ = ["CHEAP_NAMES", "DEAR_NAMES", "examine"]

Probe = tuple[Callable[[Examination], Awaitable[None]], tuple[str, ...], str]

DEAR_NAMES = tuple(name for _, names, _ in DEAR for name in names)
CHEAP_NAMES = tuple(name for name in NAMES if name not in DEAR_NAMES)


async def examine(
    endpoint: Endpoint,
    transport: httpx.AsyncBaseTransport,
    *,
    model: str | None = None,
    dear: bool = False,
    ledger: Ledger | None = None,
    patience: Patience | None = None,
) -> Report:
    """What the gateway does with that model: the one given, configured, or the only one.

    dear: run the probes whose price is not known before. The transport is closed afterwards.
    """
    patience = patience or Patience()
    began, now = time.monotonic(), time.time()
    at = Examination(endpoint, transport, model or endpoint.model or "", patience, ledger)
    try:
        if await _headed(at):
            await _all(at, CHEAP, patience.probe, patience.cheap_all)
            _conclude(at)
            if dear and at.says("responses") == "yes":
                at.most = at.tokens + patience.dear_tokens
                await _all(at, DEAR, patience.dear, patience.dear_all)
                _conclude_dear(at)
    finally:
        await at.client.aclose()
    left = Seen("unknown", "not asked"), ""
    cheap_left = Seen("unknown", "dear"), ""
    found = [
        finding(name, *at.seen.get(name, cheap_left if name in DEAR_NAMES and not dear else left))
        for name in NAMES
    ]
    took = time.monotonic() - began
    return Report(
        endpoint.identity, at.model, tuple(found), now, at.tap.count, at.tokens or None, took
    )


async def _headed(at: Examination) -> bool:
    """Whether there is somebody to ask, and whom to ask for."""
    await _run(at, HEAD, at.patience.probe)
    refused = at.says("reachable") != "yes" or at.says("key") == "no"
    return bool(at.model) and not refused


async def _all(at: Examination, probes: tuple[Probe, ...], each: float, together: float) -> None:
    """One after the other, as long as there is time; two without any answer are the last."""
    until, silent = time.monotonic() + together, 0
    for probe in probes:
        _, _, needs = probe
        left = until - time.monotonic()
        if silent >= 2 or left <= 0:
            return
        if needs and at.says(needs) not in ("yes", "partly"):
            continue
        silent = silent + 1 if await _run(at, probe, min(each, left)) else 0


async def _run(at: Examination, probe: Probe, seconds: float) -> bool:
    """Run one. What it could not note is noted from its failure; whether nothing came at all."""
    ask, names, _ = probe
    try:
        async with asyncio.timeout(seconds):
            await ask(at)
        return False
    except (errors.KitError, TimeoutError) as error:
        seen, words = verdicts.of_error(error), at.words(error)
        if isinstance(error, errors.ConnectionFailed) and "certificate" in words:
            seen = Seen("no", "certificate")
        elif names[0] == "reachable":
            seen = Seen("no", seen.how)
        left = [name for name in names if name not in at.seen]
        for name in left[:1]:  # what failed; behind it nothing was asked
            at.note(name, seen, words if seen.how != "key" else "")
        _note_key(at, error)
        return verdicts.unanswered(seen)
    except Spent:
        for name in names:
            at.note(name, Seen("unknown", "spent"))
        return False


def _note_key(at: Examination, error: BaseException) -> None:
    """Some gateways list their models to anybody, and look at the key afterwards."""
    if isinstance(error, errors.AuthenticationFailed) and "key" not in at.seen:
        keyed = at.endpoint.api_key is not None
        at.note("key", verdicts.of_key_error(error, keyed=keyed))


def _conclude(at: Examination) -> None:
    """What several probes tell together."""
    if "yes" in (at.says("chat"), at.says("responses")):
        at.note("key", Seen("yes", "" if at.endpoint.api_key else "open"))
    elif "key" not in at.seen:
        at.note("key", Seen())
    whole, streamed = at.costs.get("whole"), at.costs.get("streamed")
    if not at.costs:
        return
    if whole is not None and streamed is not None:
        at.note("cost", Seen("yes"))
    elif whole is not None or streamed is not None:
        at.note("cost", Seen("partly", "whole" if whole is not None else "streamed"))
    else:
        at.note("cost", Seen("no"))


def _conclude_dear(at: Examination) -> None:
    if at.says("background") == "no":
        for name in ("cursor", "cancel"):
            at.note(name, Seen("no", "no background"))
