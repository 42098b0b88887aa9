"""Chat completions: chunks in, one completion out; and a completion told as response items.

Rules: tool calls are merged by `index`, else by `id`, else by position (several in one chunk), else
with the last one; the first name that is not empty is the name (some servers repeat it). Some give
every call one index: another id that brings a name is another call there. Without a name it is not,
since others make up an id for each fragment. `choices` may be empty in any chunk, and a
`finish_reason` too, which then says nothing. A body that ends without one and without `[DONE]` was
cut, and is no success.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, cast

from kit.gateway.citations import listed_annotations
from kit.gateway.events import (
    Wire,
    error_of,
    first_choice,
    flat_annotation,
    has_error,
    joined_text,
    objects,
)
from kit.gateway.item import MAX_OBJECTS, too_many

__all__ = [
    "ChatAssembly",
    "finish_of",
    "is_completion",
    "items_of_completion",
    "status_of_completion",
]

_LISTS = ("citations", "search_results")
"""Of sources: beside the choices, mostly the same one on every chunk."""

_Place = tuple[int, int]
"""Of a tool call: its index, and 0 or, for another under that index, how many calls were before."""

_JOINED = ("content", "refusal", "reasoning_content", "reasoning")


@dataclass(slots=True)
class _Call:
    """One tool call while its fragments arrive."""

    id: Any = None
    name: Any = None
    arguments: list[str] = field(default_factory=list[str])

    def whole(self) -> Wire:
        function = {"name": self.name, "arguments": "".join(self.arguments)}
        return {"id": self.id, "type": "function", "function": function}


class ChatAssembly:
    """One chat completion as far as it has arrived. Only the first choice is read.

    `terminal`: a `finish_reason` came. `error`: the last error frame, or None.
    """

    last_sequence: int | None = None

    def __init__(self) -> None:
        self.terminal = False
        self.error: Wire | None = None
        self._head: Wire = {}
        self._texts: dict[str, list[str]] = {}
        self._message: Wire = {"role": "assistant"}
        self._calls: dict[_Place, _Call] = {}
        self._place_of: dict[str, _Place] = {}
        self._latest: dict[int, _Place] = {}
        self._last: _Place = (0, 0)
        self._next_index = 0
        self._notes: dict[str, Wire] = {}
        self._listed: dict[str, dict[str, Any]] = {key: {} for key in _LISTS}
        self._finish: str | None = None

    def feed(self, chunk: Wire) -> None:
        """Take one chunk. Never raises on what it does not know."""
        if has_error(chunk):
            self.error = error_of(chunk)
        else:
            self._take_head(chunk)
        for choice in objects(chunk.get("choices")):
            if choice.get("index", 0) in (0, None):
                self._take(choice)

    def finish(self) -> None:
        """`[DONE]` came: whatever is here is all there will be."""
        self.terminal = True

    @property
    def text(self) -> str:
        """The visible text so far."""
        return "".join(self._texts.get("content", ()))

    def response(self) -> Wire:
        """The completion object, in the shape of an answer that was not streamed."""
        message = {**self._message}
        for key, pieces in self._texts.items():
            message[key] = "".join(pieces)
        message.setdefault("content", None)
        if self._calls:
            message["tool_calls"] = [call.whole() for _, call in sorted(self._calls.items())]
        if self._notes:
            message["annotations"] = list(self._notes.values())
        choice = {"index": 0, "message": message, "finish_reason": self._finish}
        lists = {key: list(found.values()) for key, found in self._listed.items() if found}
        return {**self._head, **lists, "object": "chat.completion", "choices": [choice]}

    def _take_head(self, chunk: Wire) -> None:
        for key, value in chunk.items():
            if key in _LISTS and isinstance(value, list):
                self._take_list(key, cast(list[Any], value))
            elif key != "choices" and (value or key not in ("usage", *_LISTS)):
                self._head[key] = value

    def _take_list(self, key: str, value: list[Any]) -> None:
        if value and value != self._head.get(key):
            self._head[key] = value
            for one in value:
                self._listed[key].setdefault(json.dumps(one, sort_keys=True), one)
            self._check_size()

    def _take(self, choice: Wire) -> None:
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, dict):
            for key, value in cast(Wire, delta).items():
                self._take_field(key, value)
        if finish := finish_of(choice):
            self._finish = finish
            self.terminal = True

    def _take_field(self, key: str, value: Any) -> None:
        if key in _JOINED:
            if isinstance(value, str | list):
                self._texts.setdefault(key, []).append(joined_text(value))
        elif key == "tool_calls":
            fragments = objects(value)
            for place, fragment in enumerate(fragments):
                self._take_call(fragment, place if len(fragments) > 1 else None)
        elif key == "annotations":
            for note in objects(value):  # some servers repeat all of them in every chunk
                self._notes.setdefault(json.dumps(note, sort_keys=True), note)
            self._check_size()
        elif value is not None:
            self._message[key] = value

    def _take_call(self, fragment: Wire, place: int | None) -> None:
        """Note a fragment of a call; `place` among several fragments of one chunk."""
        id_ = fragment.get("id")
        id_ = id_ if isinstance(id_, str) else ""
        function = fragment.get("function")
        function = cast(Wire, function) if isinstance(function, dict) else {}
        index = fragment.get("index")
        if isinstance(index, int):
            at = self._place_under(index, id_, named=bool(function.get("name")))
        elif id_:
            at = self._place_of.get(id_, (self._next_index, 0))
        else:
            at = self._last if place is None else (place, 0)
        self._last = self._latest[at[0]] = at
        if id_:
            self._place_of.setdefault(id_, at)
        self._next_index = max(self._next_index, at[0] + 1)
        call = self._calls.setdefault(at, _Call())
        self._check_size()
        call.id = call.id or id_
        call.name = call.name or function.get("name")
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            call.arguments.append(arguments)
        elif arguments is not None:  # a server that forgot to write them as text
            call.arguments.append(json.dumps(arguments))

    def _place_under(self, index: int, id_: str, *, named: bool) -> _Place:
        """The place of the call that a fragment with this index belongs to."""
        latest = self._latest.get(index, (index, 0))
        call = self._calls.get(latest)
        if call is None or not id_ or call.id in ("", id_):
            return latest
        known = self._place_of.get(id_)
        if known is not None and known[0] == index:
            return known
        return (index, len(self._calls)) if named else latest

    def _check_size(self) -> None:
        listed = sum(map(len, self._listed.values()))
        if len(self._calls) + len(self._notes) + listed > MAX_OBJECTS:
            raise too_many()


def is_completion(raw: Wire) -> bool:
    """Whether an object of the wire is a chat completion, be it one without any choice."""
    return "choices" in raw or raw.get("object") == "chat.completion"


def finish_of(choice: Wire) -> str | None:
    """Why a choice ended; None while it goes on, which some servers spell as text."""
    reason = choice.get("finish_reason")
    said = isinstance(reason, str) and reason.strip() not in ("", "null")
    return reason if said else None


def status_of_completion(completion: Wire) -> tuple[str, str | None]:
    """The response status that a completion amounts to, and why it is incomplete."""
    reason = finish_of(first_choice(completion))
    if reason == "error" or has_error(completion):
        return "failed", None
    if reason == "length":
        return "incomplete", "max_output_tokens"
    if reason == "content_filter":
        return "incomplete", "content_filter"
    return "completed", None


def items_of_completion(completion: Wire) -> list[Wire]:
    """The first choice as output items of the responses API, so that one reader serves both."""
    message = first_choice(completion).get("message")
    if not isinstance(message, dict):
        return []
    message = cast(Wire, message)
    items: list[Wire] = []
    told = joined_text(message.get("reasoning_content"))
    if reasoning := told or joined_text(message.get("reasoning")):
        part = {"type": "summary_text", "text": reasoning}
        items.append({"type": "reasoning", "summary": [part]})
    if content := _parts_of_message(message, completion):
        items.append({"type": "message", "role": "assistant", "content": content})
    return items + [_function_call(call) for call in objects(message.get("tool_calls"))]


def _parts_of_message(message: Wire, completion: Wire) -> list[Wire]:
    parts: list[Wire] = []
    if content := joined_text(message.get("content")):
        notes = [*map(flat_annotation, objects(message.get("annotations")))]
        notes += listed_annotations(completion, notes)
        parts.append({"type": "output_text", "text": content, "annotations": notes})
    if refusal := joined_text(message.get("refusal")):
        parts.append({"type": "refusal", "refusal": refusal})
    return parts


def _function_call(call: Wire) -> Wire:
    function = call.get("function")
    function = cast(Wire, function) if isinstance(function, dict) else {}
    return {
        "type": "function_call",
        "call_id": call.get("id"),
        "name": function.get("name"),
        "arguments": function.get("arguments") or "",
    }
