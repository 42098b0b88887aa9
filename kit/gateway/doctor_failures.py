"""From a failure to what is said of it, and whether what answered is a gateway at all (pure).

Rule: the client's own errors have the right words for a person, so a finding says what they say:
what happened as what it means, what they tell you to do as the advice.
"""

from __future__ import annotations

import re

from kit import errors
from kit.errors import redact
from kit.gateway.body import is_answer
from kit.gateway.capabilities import Seen
from kit.gateway.card import printable
from kit.gateway.doctor_tap import Heard
from kit.gateway.doctor_verdicts import of_error
from kit.gateway.doctor_words import Told, said

__all__ = ["says_why", "strange", "told_of"]

LONGEST = 300
SAYS = " The gateway says: "
"""Behind it stands what is not ours, in a message of kit.gateway.failures."""

_NOWHERE = (404, 405, 410, 501)
"""What a server answers that does not know the path, or not what to do there."""


def told_of(error: BaseException, *secrets: str, waited: float | None = None) -> Told:
    """What came of a probe that failed. `waited`: seconds of one that was given up."""
    seen = of_error(error)
    if isinstance(error, TimeoutError):
        return Told(seen, happened=f"No answer came within {waited or 0:g} s.")
    ours, _, theirs = redact(str(error), *secrets).partition(SAYS)
    happened, advice = _parted(ours.partition("\nRequest id: ")[0][:LONGEST], error)
    words = _ended(said(theirs.partition("\n")[0], *secrets)) if theirs else ""
    return Told(seen, happened=_ended(happened), advice=_ended(advice), theirs=words)


_FIRST = re.compile(r"((?:\([^()]*\)|[.:;](?=\S)|[^.:;\n])+)[.:;\n]?\s*(.*)", re.S)
_TO_DO = ("check", "set", "try", "tell", "wait", "ask", "shorten", "run", "use", "put")


def _parted(ours: str, error: BaseException) -> tuple[str, str]:
    """What happened, and what to do, where the message says that as the next thing."""
    if isinstance(error, errors.ResponseFailed):  # its reason stands behind the colon
        return ours, ""
    found = _FIRST.match(ours)
    if found is None:
        return ours, ""
    to_do = found[2]
    first = to_do.partition(" ")[0].rstrip(".,").lower()
    return found[1], to_do[:1].upper() + to_do[1:] if first in _TO_DO else ""


def _ended(text: str) -> str:
    line = printable(text)
    return line if not line or line.endswith((".", "…", "?", "!")) else f"{line}."


def says_why(seen: Seen) -> bool:
    """Whether our own words for the verdict say it: a refusal of just what was asked."""
    return seen.verdict == "no" and seen.how != "model"


def strange(heard: Heard | None, *, listing: bool = False) -> str:
    """What is sent that no gateway sends, in a few words; "" where it may be one.

    listing: models were asked for, and not an answer.
    """
    if heard is None or heard.is_cut:
        return ""
    status = heard.status
    if "html" in heard.kind or heard.kept[:200].lstrip().startswith(b"<"):
        return "it sends a web page" + ("" if status == 200 else f" (status {status})")
    if 300 <= status < 400:
        return f"it redirects elsewhere (status {status})"
    if status in _NOWHERE:
        return f"it knows nothing of what is asked (status {status})"
    if status >= 300 or "event-stream" in heard.kind:
        return ""
    found = heard.object
    known = isinstance(found.get("data"), list) if listing else is_answer(found)
    if known or found.get("error"):
        return ""
    return "it sends JSON that is no answer of a model" if found else "it sends something else"
