"""From what came to a verdict (pure).

Rule: a verdict is about the gateway. What a model wrote counts only where it is the word that the
probe itself gave, and its absence alone proves nothing: then the gateway's count of the tokens it
read decides, and where there is none, nobody knows.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, cast

from kit import errors
from kit.gateway.answer import Answer
from kit.gateway.capabilities import Seen
from kit.gateway.checking import is_hollow
from kit.gateway.doctor_tap import Heard
from kit.gateway.events import TERMINAL, CitationAdded, Event, Wire, objects
from kit.gateway.failures import is_of_provider, is_out_of_reach
from kit.gateway.following import PENDING
from kit.gateway.json_text import read_json
from kit.gateway.unreached import is_overlong

__all__ = [
    "after_cancel",
    "citations",
    "fetched",
    "form",
    "is_short",
    "memory",
    "of_error",
    "of_key_error",
    "searched",
    "shutdowns",
    "streamed",
    "tool_memory",
    "tool_turn",
    "unanswered",
]


def of_error(error: BaseException) -> Seen:
    """What a failure says of what was asked: "no" where the gateway refused just that."""
    match error:
        case errors.ModelUnknown():
            return Seen("no", "model")
        case errors.BadRequest() if is_short(error):
            return Seen("unknown", "short")
        case errors.BadRequest() | errors.NotFound():
            return Seen("no", "refused")
        case errors.AuthenticationFailed():
            return Seen("unknown", "provider" if is_of_provider(error) else "key")
        case errors.QuotaExceeded():
            return Seen("unknown", "quota")
        case errors.RateLimited():
            return Seen("unknown", "busy")
        case errors.TimedOut() | TimeoutError():
            return Seen("unknown", "late")
        case errors.ServerFailed() | errors.ResponseFailed():
            return Seen("unknown", "failed")
        case errors.ConnectionBroken() if is_overlong(error):
            return Seen("unknown", "header")
        case _:
            return Seen("unknown", "broken")


_SHORT = re.compile(r"(?i)max_(?:completion_|output_)?tokens[^.]{0,60}\breached\b")


def is_short(error: BaseException) -> bool:
    """Whether the answer was to be too short: a model that reasons had not begun it by then."""
    return isinstance(error, errors.BadRequest) and bool(_SHORT.search(str(error)))


def of_key_error(error: errors.AuthenticationFailed, *, keyed: bool) -> Seen:
    """Why a key is not accepted."""
    if not keyed:
        return Seen("no", "missing")
    if error.status == 400:
        return Seen("no", "no database")
    return Seen("unknown", "key") if error.status == 403 else Seen("no", "refused")


def unanswered(seen: Seen) -> bool:
    """Whether nothing came back that can be read: a second such probe would be as vain."""
    return seen.how in ("late", "broken", "header")


def streamed(api: str, heard: Heard | None, error: BaseException | None) -> tuple[Seen, str]:
    """What a stream is like, and what it lacks that the specification promises."""
    if isinstance(error, errors.StreamInterrupted | errors.ProtocolError) or _is_broken(error):
        return Seen("no", "cut"), ""
    if error is not None:
        return of_error(error), ""
    if heard is None or "json" in heard.kind:
        return Seen("partly", "whole"), ""
    frames = heard.frames
    raw = [found for one in frames if (found := _object(one.data))]
    lacks: list[str] = []
    if not any(one.data.startswith("[DONE]") for one in frames):
        lacks.append("[DONE]")
    if api == "responses":
        if not any(one.event != "message" for one in frames):
            lacks.append("event lines")
        if not any(one.get("type") in TERMINAL for one in raw):
            return Seen("no", "cut"), ""
        lacks += _numbering(raw)
    return Seen("yes"), f"It lacks {', '.join(lacks)}." if lacks else ""


def _is_broken(error: BaseException | None) -> bool:
    """Whether streams fail here. An overload, or a provider that is away, is of the moment."""
    if not isinstance(error, errors.ServerFailed) or is_out_of_reach(error):
        return False
    return error.status == 500


def _numbering(raw: Sequence[Wire]) -> list[str]:
    events = [one for one in raw if str(one.get("type")).startswith("response.")]
    numbers = [one.get("sequence_number") for one in events]
    known = [one for one in numbers if isinstance(one, int)]
    if len(known) < len(numbers):
        return ["numbers" if not known else "some numbers"]
    steps = {after - before for before, after in itertools.pairwise(known)}
    return [] if steps <= {1} else ["an unbroken count"]


def _object(data: str) -> Wire:
    try:
        found = read_json(data)
    except (ValueError, RecursionError):
        return {}
    return cast(Wire, found) if isinstance(found, dict) else {}


def memory(marker: str, first: Answer, second: Answer) -> Seen:
    """Whether the second turn, which only names the first, was made with it.

    The first is the longer one: with it read again, more tokens were read than in it.
    """
    if marker.lower() in second.text.lower():
        return Seen("yes")
    before = first.usage.input_tokens if first.usage else 0
    after = second.usage.input_tokens if second.usage else 0
    if not (before and after) or before == after:
        return Seen("unknown")
    return Seen("yes", "counted") if after > before else Seen("no", "forgotten")


def tool_memory(marker: str, control: Answer | BaseException | None, second: Answer) -> Seen:
    """The same of a turn behind a function. `control`: it again, with all that was said before.

    The first turn's tokens prove nothing here: a prompt with functions is longer or shorter by
    what `tool_choice` says, and a bridge may have kept the call and forgotten the question.
    """
    if marker.lower() in second.text.lower():
        return Seen("yes")
    whole = control.usage.input_tokens if isinstance(control, Answer) and control.usage else 0
    after = second.usage.input_tokens if second.usage else 0
    if not (whole and after):
        return Seen("unknown")
    if after >= whole:
        return Seen("yes", "counted")
    return Seen("no", "forgotten") if after < whole - FRAMING_TOKENS else Seen("unknown")


FRAMING_TOKENS = 8
"""By which the same turns may differ in the way they are put; the question alone is longer."""


def tool_turn(first: Answer, second: Answer | BaseException | None) -> Seen:
    """`second`: what came of the turn with the outputs; None where nothing was called."""
    if not first.function_calls:
        return Seen("unknown", "short" if first.status == "incomplete" else "not called")
    if isinstance(second, Answer):
        return Seen("yes")
    seen = of_error(second) if second is not None else Seen()
    return Seen("partly", "second turn") if seen.verdict == "no" else seen


def form(answer: Answer, marker: str) -> Seen:
    """Whether the answer is of the form, which allows one word that only the form names."""
    try:
        found: Any = json.loads(answer.text)
    except (ValueError, RecursionError):
        cut = answer.status == "incomplete" and answer.text.lstrip()[:1] in ("", "{")
        return Seen("unknown", "short") if cut else Seen("no", "ignored")
    if not isinstance(found, dict):
        return Seen("no", "ignored")
    held = cast(Mapping[str, Any], found).get("word") == marker
    return Seen("yes") if held else Seen("partly", "json")


def searched(answer: Answer) -> Seen:
    """Whether a search was done, from what the gateway reports and not from the text."""
    if answer.searches or answer.citations:
        return Seen("yes")
    kept = any("search" in str(tool.get("type")) for tool in objects(answer.raw.get("tools")))
    if kept:
        return Seen("unknown")
    return Seen("unknown", "short") if answer.status == "incomplete" else Seen("no", "dropped")


def citations(answer: Answer, events: Sequence[Event]) -> Seen:
    """Whether sources came while the text did."""
    if any(isinstance(event, CitationAdded) for event in events):
        return Seen("yes")
    return Seen("partly", "final") if answer.citations else Seen("unknown")


def after_cancel(at_once: Answer, later: Answer | None, *, polled: bool = False) -> Seen:
    """`later`: as it stood some seconds afterwards.

    polled: the gateway keeps the response itself, so that only its own status can be seen.
    """
    if at_once.status not in ("cancelled", *PENDING):
        return Seen("unknown", "ended")
    if later is None:
        return Seen("unknown", "unseen")
    if later.status == "cancelled":
        return Seen("partly", "status") if polled else Seen("yes")
    return Seen("partly", "goes on") if later.status in (*PENDING, "completed") else Seen("yes")


def fetched(first: Answer, again: Answer) -> Seen:
    """Whether what was fetched by the id of `first` is that answer.

    Its id does not tell: LiteLLM names a response anew at each look.
    """
    lost = is_hollow(again) or (bool(first.output) and not again.output)
    another = again.id != first.id and again.text != first.text
    return Seen("no", "empty") if lost or another else Seen("yes")


# -- models --------------------------------------------------------------------------------------

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def shutdowns(listed: Wire, info: Wire) -> dict[str, date]:
    """When which model ends, from `/models` and from LiteLLM's `/model/info`."""
    found: dict[str, date] = {}
    for one in objects(info.get("data")):
        about = one.get("model_info")
        about = cast(Wire, about) if isinstance(about, dict) else {}
        _put(found, one.get("model_name"), about.get("deprecation_date"))
    for one in objects(listed.get("data")):
        _put(found, one.get("id"), one.get("shutdown_date") or one.get("deprecation_date"))
    return found


def _put(found: dict[str, date], name: Any, given: Any) -> None:
    day = _day(given)
    if isinstance(name, str) and day is not None:
        found[name] = day


def _day(given: Any) -> date | None:
    try:
        if isinstance(given, str) and (day := _DAY.match(given)):
            return date.fromisoformat(day[0])
        if isinstance(given, int | float) and not isinstance(given, bool) and given > 0:
            return datetime.fromtimestamp(given, UTC).date()
    except (ValueError, OverflowError, OSError):
        pass
    return None
