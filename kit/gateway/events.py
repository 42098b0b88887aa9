"""Frames become typed events; what we do not know is kept as it came.

Both APIs give the same few types, so that one `match` reads either. `type` is the wire's own
name, `raw` the wire's own object: nothing is lost in translation, and an event type invented
tomorrow arrives as `Event` with both.

    Event
    ├── TextDelta          more of the answer's text
    ├── ReasoningDelta     more of the reasoning the model shows (summary or text)
    ├── RefusalDelta       more of a refusal
    ├── ArgumentsDelta     more of a function call's arguments
    ├── CitationAdded      an annotation of the text: a source
    ├── ItemAdded/ItemDone an output item opened, closed: a message, a search, a function call
    ├── SearchProgress     a hosted search started, searches, is done
    ├── Snapshot           the response as it stands (created, queued, in progress)
    ├── Finished           the response as it ended; exactly one, and last
    └── Failure            an `error` frame, in any of its three shapes
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

__all__ = [
    "TERMINAL",
    "ArgumentsDelta",
    "CitationAdded",
    "Event",
    "Failure",
    "Finished",
    "ItemAdded",
    "ItemDone",
    "ReasoningDelta",
    "RefusalDelta",
    "SearchProgress",
    "Snapshot",
    "TextDelta",
    "Wire",
    "chat_events",
    "error_of",
    "first_choice",
    "flat_annotation",
    "has_error",
    "joined_text",
    "objects",
    "response_event",
    "text_at",
]

Wire = dict[str, Any]
"""A JSON object as the wire had it."""

TERMINAL = {
    "response.completed",
    "response.failed",
    "response.incomplete",
    "response.cancelled",
}
"""Event types that end a response. `cancelled` is not in the specification but LiteLLM knows it."""


@dataclass(slots=True)
class Event:
    """Anything a stream says. `sequence_number` is for resuming only, and often missing."""

    type: str
    raw: Wire = field(repr=False)  # long, and the type and text say what a reader looks for

    @property
    def sequence_number(self) -> int | None:
        number = self.raw.get("sequence_number")
        return number if isinstance(number, int) else None


@dataclass(slots=True)
class TextDelta(Event):
    text: str


@dataclass(slots=True)
class ReasoningDelta(Event):
    text: str


@dataclass(slots=True)
class RefusalDelta(Event):
    text: str


@dataclass(slots=True)
class ArgumentsDelta(Event):
    text: str


@dataclass(slots=True)
class CitationAdded(Event):
    """`annotation` is flat, also where the wire nests it."""

    annotation: Wire


@dataclass(slots=True)
class ItemAdded(Event):
    item: Wire


@dataclass(slots=True)
class ItemDone(Event):
    item: Wire


@dataclass(slots=True)
class SearchProgress(Event):
    """`phase`: `in_progress`, `searching` or `completed`."""

    phase: str


@dataclass(slots=True)
class Snapshot(Event):
    response: Wire = field(repr=False)


@dataclass(slots=True)
class Finished(Event):
    response: Wire = field(repr=False)


@dataclass(slots=True)
class Failure(Event):
    """`error` holds `message`, and `code`, `type`, `param` where the gateway gave them."""

    error: Wire


_Reader = Callable[[str, Wire], Event]


def text_at(raw: Wire, key: str = "delta") -> str:
    """The text under `key`; "" where there is none, or something else."""
    value = raw.get(key)
    return value if isinstance(value, str) else ""


def _object(raw: Wire, key: str) -> Wire:
    value = raw.get(key)
    return cast(Wire, value) if isinstance(value, dict) else {}


def _typed(kind: Callable[[str, Wire, Any], Event], read: Callable[[Wire], Any]) -> _Reader:
    def read_event(type_: str, raw: Wire) -> Event:
        return kind(type_, raw, read(raw))

    return read_event


def _text_delta(type_: str, raw: Wire) -> Event:
    return TextDelta(type_, raw, text_at(raw))


def _search(type_: str, raw: Wire) -> Event:
    return SearchProgress(type_, raw, type_.rpartition(".")[2])


_READERS: Mapping[str, _Reader] = {
    "response.output_text.delta": _text_delta,
    "response.refusal.delta": _typed(RefusalDelta, text_at),
    "response.reasoning_summary_text.delta": _typed(ReasoningDelta, text_at),
    "response.reasoning_text.delta": _typed(ReasoningDelta, text_at),
    "response.reasoning.delta": _typed(ReasoningDelta, text_at),
    "response.function_call_arguments.delta": _typed(ArgumentsDelta, text_at),
    "response.custom_tool_call_input.delta": _typed(ArgumentsDelta, text_at),
    "response.mcp_call_arguments.delta": _typed(ArgumentsDelta, text_at),
    "response.output_text.annotation.added": _typed(
        CitationAdded, lambda raw: flat_annotation(_object(raw, "annotation"))
    ),
    "response.output_item.added": _typed(ItemAdded, lambda raw: _object(raw, "item")),
    "response.output_item.done": _typed(ItemDone, lambda raw: _object(raw, "item")),
    "response.web_search_call.in_progress": _search,
    "response.web_search_call.searching": _search,
    "response.web_search_call.completed": _search,
    "response.created": _typed(Snapshot, lambda raw: _object(raw, "response")),
    "response.queued": _typed(Snapshot, lambda raw: _object(raw, "response")),
    "response.in_progress": _typed(Snapshot, lambda raw: _object(raw, "response")),
} | {type_: _typed(Finished, lambda raw: _object(raw, "response")) for type_ in TERMINAL}


def response_event(raw: Wire, name: str = "message") -> Event:
    """The typed event of a frame; `name` is the frame's own, for objects without `type`."""
    type_ = raw.get("type")
    if not isinstance(type_, str):
        if raw.get("error"):
            return Failure("error", raw, error_of(raw))
        type_ = name
    reader = _READERS.get(type_)
    if reader is not None:
        return reader(type_, raw)
    if type_ == "error":
        return Failure(type_, raw, error_of(raw))
    return Event(type_, raw)


def has_error(raw: Wire) -> bool:
    """Whether a response, a completion or a chunk of one holds an error that says something."""
    return any(map(_says_something, (raw.get("error"), first_choice(raw).get("error"))))


def _says_something(error: Any) -> bool:
    return any(cast(Wire, error).values()) if isinstance(error, dict) else bool(error)


def first_choice(raw: Wire) -> Wire:
    """The first choice of a completion, or of a chunk of one; empty where there is none."""
    choices = objects(raw.get("choices"))
    return choices[0] if choices else {}


def error_of(raw: Wire) -> Wire:
    """The error in an `error` frame: nested, flat, chat style, in the choice or a bare string."""
    error = raw.get("error") or first_choice(raw).get("error")
    if isinstance(error, dict):
        return cast(Wire, error)
    if isinstance(error, str):
        return {"message": error}
    return {key: raw[key] for key in ("message", "code", "param") if key in raw}


def chat_events(chunk: Wire) -> list[Event]:
    """The typed events of one chat completion chunk; none for one that says nothing new."""
    events: list[Event] = []
    for choice in objects(chunk.get("choices")):
        delta = _object(choice, "delta")
        if text := joined_text(delta.get("content")):
            events.append(TextDelta("chat.delta", chunk, text))
        reasoning = joined_text(delta.get("reasoning_content"))
        if text := reasoning or joined_text(delta.get("reasoning")):
            events.append(ReasoningDelta("chat.delta", chunk, text))
        if text := joined_text(delta.get("refusal")):
            events.append(RefusalDelta("chat.delta", chunk, text))
        for call in objects(delta.get("tool_calls")):
            if text := text_at(_object(call, "function"), "arguments"):
                events.append(ArgumentsDelta("chat.delta", chunk, text))
        for annotation in objects(delta.get("annotations")):
            events.append(CitationAdded("chat.delta", chunk, flat_annotation(annotation)))
    if has_error(chunk):
        events.append(Failure("error", chunk, error_of(chunk)))
    return events or [Event("chat.chunk", chunk)]


def flat_annotation(annotation: Wire) -> Wire:
    """Chat nests a citation under its own type; responses do not, or should not."""
    type_ = str(annotation.get("type"))
    inner = annotation.get(type_)
    if not isinstance(inner, dict):
        return annotation
    outer = {key: value for key, value in annotation.items() if key != type_}
    return {**outer, **cast(Wire, inner), "type": type_}


def joined_text(content: Any) -> str:
    """The text of a chat's message, or of more of it, which some servers send in parts."""
    if isinstance(content, str):
        return content
    return "".join(text_at(part, "text") for part in objects(content))


def objects(value: Any) -> list[Wire]:
    """The objects in a list from the wire; whatever else stands there is passed over."""
    if not isinstance(value, list):
        return []
    return [cast(Wire, one) for one in cast(list[Any], value) if isinstance(one, dict)]
