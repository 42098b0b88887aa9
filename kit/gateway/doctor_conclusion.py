"""What several probes tell together.

Rule: a server is called no gateway only where nothing that came from it could be one's: neither
its list of models nor any answer.
"""

from __future__ import annotations

from dataclasses import replace

from kit.gateway.capabilities import Seen
from kit.gateway.doctor_examination import APIS, Examination
from kit.gateway.doctor_failures import strange
from kit.gateway.doctor_words import Told

__all__ = ["HERE", "conclude", "conclude_dear"]

HERE = ("sandbox", "local")
"""Whose answers cost nothing, and who wants no key of the user's."""


def conclude(at: Examination) -> None:
    """After the cheap probes, or what came of them."""
    answers = at.known.answers
    if not answers:
        what = _is_none(at)
        if what:
            at.seen["reachable"] = _none(what)
        _advise(at, _ADDRESS if what else _OTHERS, refused=not what)
    if answers:
        _send_to_the_other(at)
        free = at.endpoint.api_key is None or at.endpoint.identity in HERE
        at.note("key", Seen("yes", "open" if free else ""))
    elif "key" not in at.seen and at.says("reachable") == "yes":
        at.note("key", Seen())
    _conclude_cost(at)


def _is_none(at: Examination) -> str:
    """What the server sends that no gateway sends; "" where it may be one."""
    heard = at.strange.get("models")
    if heard is None or at.listed:
        return ""
    asked = [name for name in APIS if name in at.seen]
    if any(name not in at.strange for name in asked):
        return ""
    if asked:
        return strange(at.strange[asked[0]])
    what = strange(heard, listing=True)
    return "" if "it knows nothing" in what else what  # the list alone may be missing


def _none(what: str) -> Told:
    """Where it redirects, and where a page says that it failed, that is the next step."""
    advice = ""
    if "redirects" in what:
        advice = "Set LITELLM_BASE_URL to the final address of the gateway."
    elif "page" in what and what.endswith(_BEHIND):
        advice = "Check that the gateway runs behind it, and LITELLM_BASE_URL."
    happened = f"A server answers, but not as a gateway: {what}."
    return Told(Seen("no", "no gateway"), happened=happened, advice=advice)


_BEHIND = tuple(f"(status {status})" for status in (500, 502, 503, 504))
"""How servers say that what they stand before failed."""


def _advise(at: Examination, advice: str, *, refused: bool) -> None:
    """No API that is refused sends to the other one, which does not answer either.

    refused: those alone; else every one.
    """
    for name in APIS if refused else ("models", *APIS):
        told = at.seen.get(name)
        if told is None or (refused and (told.seen.verdict, told.seen.how) != ("no", "refused")):
            continue
        at.seen[name] = replace(told, advice=advice)


_ADDRESS = "Check LITELLM_BASE_URL."
_OTHERS = "Try another model, or tell whoever runs the gateway."


def _send_to_the_other(at: Examination) -> None:
    """Of an API that is refused our words say it: the other one answers."""
    for name in APIS:
        told = at.seen.get(name)
        if told is not None and (told.seen.verdict, told.seen.how) == ("no", "refused"):
            at.seen[name] = Told(told.seen, theirs=told.theirs)


def _conclude_cost(at: Examination) -> None:
    whole, streamed = at.costs.get("whole"), at.costs.get("streamed")
    if not at.costs:
        return
    if at.endpoint.identity in HERE:
        at.note("cost", Seen("yes", "free"))
    elif whole is not None and streamed is not None:
        at.note("cost", Seen("yes"))
    elif whole is not None or streamed is not None:
        at.note("cost", Seen("partly", "whole" if whole is not None else "streamed"))
    else:
        at.note("cost", Seen("no"))


def conclude_dear(at: Examination) -> None:
    """Nothing was asked of a background that is not there."""
    if at.says("background") == "no":
        for name in ("cursor", "cancel"):
            at.note(name, Seen("unknown", "no background"))
