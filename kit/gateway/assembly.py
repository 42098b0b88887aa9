"""Events in, one response out: assembly that trusts positions, not ids.

Rules, each learnt from a gateway that broke the opposite one:
1. The state is a map from `output_index` to item. `item_id` and the response's own id may change
   with every event; they are looked at only where the index is missing, or has several items.
2. A delta for something never opened opens it. Gaps are legal. A second `added` replaces, unless it
   has another id: then it is another item under that index, and stands behind the first.
3. What a `.done` says overwrites the deltas before it; there may have been none.
4. The last word is the truth, except where it is silent: what the terminal response or a closed
   item leaves empty (all output, a text, its annotations) is filled in from the stream.
5. The end of the bytes is not the end of the response: without a terminal event there is none,
   and nothing that follows it counts.
"""

from __future__ import annotations

from typing import Any, cast

from kit.gateway.events import TERMINAL, Wire, error_of, objects
from kit.gateway.item import MAX_OBJECTS, StreamedItem, TextSlot, filled, too_many

__all__ = ["ResponseAssembly"]

_SLOTS = {
    "response.output_text": TextSlot("message", "text", "content", "output_text"),
    "response.refusal": TextSlot("message", "refusal", "content", "refusal"),
    "response.reasoning_text": TextSlot("reasoning", "text", "content", "reasoning_text"),
    "response.reasoning": TextSlot("reasoning", "text", "content", "reasoning_text"),
    "response.reasoning_summary_text": TextSlot("reasoning", "text", "summary", "summary_text"),
    "response.function_call_arguments": TextSlot("function_call", "arguments"),
    "response.custom_tool_call_input": TextSlot("custom_tool_call", "input"),
    "response.mcp_call_arguments": TextSlot("mcp_call", "arguments"),
    "response.code_interpreter_call_code": TextSlot("code_interpreter_call", "code"),
}
_DELTAS = {f"{name}.delta": slot for name, slot in _SLOTS.items()}
_DONES = {f"{name}.done": slot for name, slot in _SLOTS.items()}
_PART_SLOTS = {slot.part: slot for slot in _SLOTS.values() if slot.part}
_UNKNOWN_PART = TextSlot("message", "", "content")
_TEXT = _SLOTS["response.output_text"]
_SNAPSHOTS = {"response.created", "response.queued", "response.in_progress"} | TERMINAL
_Place = tuple[int, int]
"""Of an item: its `output_index`, and 0 or, for another under that, how many items were before."""

_ENDED = {type_.removeprefix("response.") for type_ in TERMINAL}
_PARTS = {
    f"response.{part}.{phase}"
    for part in ("content_part", "reasoning_summary_part")
    for phase in ("added", "done")
}


class ResponseAssembly:
    """One response of `/v1/responses` as far as it has arrived.

    `terminal`: the gateway said how it ended. `error`: the last `error` frame, or None.
    `last_sequence`: the highest sequence number seen, for resuming; None where there are none.
    """

    def __init__(self) -> None:
        self.terminal = False
        self.error: Wire | None = None
        self.last_sequence: int | None = None
        self._head: Wire = {}
        self._items: dict[_Place, StreamedItem] = {}
        self._latest: dict[int, _Place] = {}
        self._place_of: dict[tuple[int, str], _Place] = {}
        self._last = -1  # the highest index
        self._index_of: dict[str, int] = {}
        self._objects = 0

    def feed(self, raw: Wire) -> None:
        """Take one event's object. Never raises on what it does not know.

        Raises ProtocolError for more objects than any response has.
        """
        type_ = raw.get("type")
        number = raw.get("sequence_number")
        if isinstance(number, int) and (self.last_sequence is None or number > self.last_sequence):
            self.last_sequence = number
        if self.terminal:
            return
        if not isinstance(type_, str):
            if raw.get("error"):
                self.error = error_of(raw)
        elif type_ in _DELTAS:
            self._add_text(raw, _DELTAS[type_])
        elif type_ in _SNAPSHOTS:
            self._take_response(raw, type_)
        elif type_ in _DONES:
            self._close_text(raw, _DONES[type_])
        else:
            self._take_other(raw, type_)

    @property
    def text(self) -> str:
        """The visible text so far."""
        output = self.response()["output"] if self.terminal else self._streamed("message").values()
        return "".join(
            str(part.get("text") or "")
            for item in output
            if item.get("type") == "message"
            for part in objects(item.get("content"))
            if part.get("type") == "output_text"
        )

    def response(self) -> Wire:
        """The response object: as the gateway ended it, or as far as it has come."""
        streamed = self._streamed()
        final = objects(self._head.get("output"))
        if self.terminal and final:
            in_order = list(streamed.values())
            if len(in_order) == len(final):  # then the order says more than indexes with gaps
                streamed = {(at, 0): item for at, item in enumerate(in_order)}
            output = [filled(item, streamed.get((at, 0))) for at, item in enumerate(final)]
        else:
            output = list(streamed.values()) or final
        status = self._head.get("status")
        if not self.terminal and status not in ("queued", "in_progress"):
            status = "in_progress"
        return {**self._head, "status": status, "output": output}

    def _streamed(self, type_: str | None = None) -> dict[_Place, Wire]:
        """The items so far in order, with all text that has arrived; or those of one type."""
        return {
            place: item.whole()
            for place, item in sorted(self._items.items())
            if type_ is None or item.type == type_
        }

    # -- the response and its items --------------------------------------------------------

    def _take_response(self, raw: Wire, type_: str) -> None:
        response = raw.get("response")
        if isinstance(response, dict):
            self._head.update(cast(Wire, response))
        if type_ in TERMINAL:
            self.terminal = True
            ended = type_.removeprefix("response.")
            if ended in ("failed", "cancelled") or self._head.get("status") not in _ENDED:
                self._head["status"] = ended  # a failure is one, whatever stands inside

    def _take_other(self, raw: Wire, type_: str) -> None:
        if type_ == "response.output_item.added":
            self._open_item(raw)
        elif type_ == "response.output_item.done":
            self._close_item(raw)
        elif type_ in _PARTS:
            self._take_part(raw)
        elif type_ == "response.output_text.annotation.added":
            self._annotate(raw)
        elif type_.startswith("response.web_search_call."):
            self._item(raw, "web_search_call").set("status", type_.rpartition(".")[2])
        elif type_ == "error":
            self.error = error_of(raw)

    def _open_item(self, raw: Wire) -> None:
        item = _object(raw, "item")
        if item is None:
            return
        index = raw.get("output_index")
        if not isinstance(index, int):
            index = self._index_of.get(_id(item), self._last + 1)
        place = self._place(index, _id(item))
        before = self._items.get(place)
        if before is not None and _id(item) and before.id not in (None, "", _id(item)):
            place = (index, len(self._items))
        self._open(place, item)

    def _close_item(self, raw: Wire) -> None:
        item = _object(raw, "item")
        if item is not None:
            about = {"output_index": raw.get("output_index"), "item_id": item.get("id")}
            self._item(about, str(item.get("type"))).close(item)

    def _item(self, raw: Wire, type_: str) -> StreamedItem:
        """The item an event speaks of, opened where nobody did."""
        index = raw.get("output_index")
        if not isinstance(index, int):
            index = self._guess(_id(raw, "item_id"), type_)
        place = self._place(index, _id(raw, "item_id"))
        item = self._items.get(place)
        if item is not None:
            return item
        role = {"role": "assistant"} if type_ == "message" else {}
        return self._open(place, {"type": type_, "id": raw.get("item_id"), **role})

    def _guess(self, item_id: str, type_: str) -> int:
        """The index of an event without one: its id's, else that of an open item of its type."""
        known = self._index_of.get(item_id)
        if known is not None:
            return known
        last = self._items.get(self._place(self._last, ""))
        fits = last is not None and last.type == type_ and not last.closed
        return self._last if fits else self._last + 1

    def _place(self, index: int, item_id: str) -> _Place:
        """Where an item under this index is: of the id if one there has it, else the latest."""
        latest = self._latest.get(index, (index, 0))
        return self._place_of.get((index, item_id), latest)

    def _open(self, place: _Place, head: Wire) -> StreamedItem:
        self._count()
        index = place[0]
        self._last = max(self._last, index)
        self._latest[index] = place
        if item_id := _id(head):
            self._index_of[item_id] = index
            self._place_of[index, item_id] = place
        item = self._items[place] = StreamedItem(head)
        return item

    def _count(self) -> None:
        self._objects += 1
        if self._objects > MAX_OBJECTS:
            raise too_many()

    # -- parts and texts -------------------------------------------------------------------

    def _add_text(self, raw: Wire, slot: TextSlot) -> None:
        delta = raw.get("delta")
        if isinstance(delta, str):
            self._pieces(raw, slot).append(delta)

    def _close_text(self, raw: Wire, slot: TextSlot) -> None:
        whole = raw.get(slot.field)
        pieces = self._pieces(raw, slot)
        if isinstance(whole, str) and whole:
            pieces[:] = [whole]
        if not slot.parts and isinstance(raw.get("name"), str):
            self._item(raw, slot.item).name(raw["name"])

    def _pieces(self, raw: Wire, slot: TextSlot) -> list[str]:
        pieces = self._item(raw, slot.item).pieces(slot, slot.place(raw))
        if not pieces:
            self._count()
        return pieces

    def _take_part(self, raw: Wire) -> None:
        part = _object(raw, "part")
        if part is not None:
            self._count()
            slot = _PART_SLOTS.get(str(part.get("type")), _UNKNOWN_PART)
            self._item(raw, slot.item).take_part(slot, slot.place(raw), part)

    def _annotate(self, raw: Wire) -> None:
        note = _object(raw, "annotation")
        if note is not None:
            self._item(raw, _TEXT.item).annotate(_TEXT, _TEXT.place(raw), note)
            self._count()


def _object(raw: Wire, key: str) -> Wire | None:
    value: Any = raw.get(key)
    return cast(Wire, value) if isinstance(value, dict) else None


def _id(raw: Wire, key: str = "id") -> str:
    value = raw.get(key)
    return value if isinstance(value, str) else ""
