"""Events in, one response out: assembly that trusts positions, not ids.

Rules, each learnt from a gateway that broke the opposite one:
1. The state is a map from `output_index` to item. `item_id` and the response's own id may change
   with every event; they are looked at only where the index is missing.
2. A delta for something never opened opens it. Gaps are legal. A second `added` replaces.
3. What a `.done` says overwrites the deltas before it; there may have been none.
4. The last word is the truth, except where it is silent: what the terminal response or a closed
   item leaves empty (all output, a text, its annotations) is filled in from the stream.
5. The end of the bytes is not the end of the response: without a terminal event there is none.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from kit.gateway.events import TERMINAL, Wire, error_of, objects

__all__ = ["ResponseAssembly"]

MAX_PARTS = 10_000
"""Parts of one item; an index beyond it is taken for the last."""


class _Slot(NamedTuple):
    """Where a kind of text lives: in a part of an item's list, or (no list) in the item itself."""

    item: str
    field: str
    parts: str = ""
    part: str = ""


_SLOTS = {
    "response.output_text": _Slot("message", "text", "content", "output_text"),
    "response.refusal": _Slot("message", "refusal", "content", "refusal"),
    "response.reasoning_text": _Slot("reasoning", "text", "content", "reasoning_text"),
    "response.reasoning": _Slot("reasoning", "text", "content", "reasoning_text"),
    "response.reasoning_summary_text": _Slot("reasoning", "text", "summary", "summary_text"),
    "response.function_call_arguments": _Slot("function_call", "arguments"),
    "response.custom_tool_call_input": _Slot("custom_tool_call", "input"),
    "response.mcp_call_arguments": _Slot("mcp_call", "arguments"),
    "response.code_interpreter_call_code": _Slot("code_interpreter_call", "code"),
}
_DELTAS = {f"{name}.delta": slot for name, slot in _SLOTS.items()}
_DONES = {f"{name}.done": slot for name, slot in _SLOTS.items()}
_PART_SLOTS = {slot.part: slot for slot in reversed(_SLOTS.values()) if slot.part}
_SNAPSHOTS = {"response.created", "response.queued", "response.in_progress"} | TERMINAL

_PARTS = {
    f"response.{part}.{phase}"
    for part in ("content_part", "reasoning_summary_part")
    for phase in ("added", "done")
}

_Key = tuple[int, str, int]
"""Item index, name of the list of parts ("" for the item itself), place in it."""


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
        self._items: dict[int, Wire] = {}
        self._deltas: dict[_Key, list[str]] = {}
        self._index_of: dict[str, int] = {}

    def feed(self, raw: Wire) -> None:
        """Take one event's object. Never raises on what it does not know."""
        type_ = raw.get("type")
        number = raw.get("sequence_number")
        if isinstance(number, int) and number > (self.last_sequence or -1):
            self.last_sequence = number
        if type_ in _DELTAS:
            self._add_text(raw, _DELTAS[type_])
        elif type_ in _SNAPSHOTS:
            self._take_response(raw, cast(str, type_))
        elif type_ in _DONES:
            self._close_text(raw, _DONES[type_])
        elif type_ == "response.output_item.added":
            self._open_item(raw)
        elif type_ == "response.output_item.done":
            self._close_item(raw)
        elif type_ in _PARTS:
            self._take_part(raw)
        elif type_ == "response.output_text.annotation.added":
            self._annotate(raw)
        elif isinstance(type_, str) and type_.startswith("response.web_search_call."):
            self._search(raw, type_.rpartition(".")[2])
        elif type_ == "error" or (type_ is None and raw.get("error")):
            self.error = error_of(raw)

    def items(self) -> dict[int, Wire]:
        """The items so far by output index, with all text that has arrived."""
        for key, deltas in self._deltas.items():
            if deltas:
                self._write(key, "".join(deltas))
        return dict(sorted(self._items.items()))

    @property
    def text(self) -> str:
        """The visible text so far."""
        return "".join(
            str(part.get("text") or "")
            for item in self.items().values()
            if item.get("type") == "message"
            for part in objects(item.get("content"))
            if part.get("type") == "output_text"
        )

    def response(self) -> Wire:
        """The response object: as the gateway ended it, or as far as it has come."""
        streamed = self.items()
        final = objects(self._head.get("output"))
        if self.terminal and final:
            output = [filled(item, streamed.get(at)) for at, item in enumerate(final)]
        else:
            output = list(streamed.values()) or final
        status = self._head.get("status")
        if not self.terminal and status not in ("queued", "in_progress"):
            status = "in_progress"
        return {**self._head, "status": status, "output": output}

    # -- responses and items ---------------------------------------------------------------

    def _take_response(self, raw: Wire, type_: str) -> None:
        response = raw.get("response")
        response = cast(Wire, response) if isinstance(response, dict) else {}
        self._head = {**self._head, **response}
        if type_ in TERMINAL:
            self.terminal = True
            self._head["status"] = response.get("status") or type_.removeprefix("response.")

    def _open_item(self, raw: Wire) -> None:
        item = raw.get("item")
        if isinstance(item, dict):
            index = self._index(raw, opening=True)
            self._drop_deltas(index)
            self._items[index] = dict(cast(Wire, item))

    def _close_item(self, raw: Wire) -> None:
        item = raw.get("item")
        if isinstance(item, dict):
            index = self._index(raw)
            streamed = self.items().get(index)
            self._drop_deltas(index)
            self._items[index] = filled(cast(Wire, item), streamed)

    def _search(self, raw: Wire, phase: str) -> None:
        item = self._item(self._index(raw), "web_search_call", raw)
        if item.get("type") == "web_search_call":
            item["status"] = phase

    def _item(self, index: int, type_: str, raw: Wire) -> Wire:
        """The item at `index`, opened where nobody did."""
        item = self._items.get(index)
        if item is None:
            item = self._items[index] = {"type": type_, "id": raw.get("item_id")}
            if type_ == "message":
                item["role"] = "assistant"
        return item

    def _index(self, raw: Wire, *, opening: bool = False) -> int:
        """Which item an event speaks of: its index, else its id, else the last one."""
        index = raw.get("output_index")
        item = raw.get("item")
        item_id = cast(Wire, item).get("id") if isinstance(item, dict) else raw.get("item_id")
        if not isinstance(index, int):
            last = max(self._items, default=-1)
            known = self._index_of.get(item_id) if isinstance(item_id, str) else None
            index = known if known is not None else last + 1 if opening else max(last, 0)
        if isinstance(item_id, str):
            self._index_of[item_id] = index
        return index

    # -- parts and texts -------------------------------------------------------------------

    def _part(self, raw: Wire, slot: _Slot) -> tuple[Wire, _Key]:
        """The object that holds this event's text, and the key of its deltas."""
        index = self._index(raw)
        item = self._item(index, slot.item, raw)
        if not slot.parts:
            return item, (index, slot.field, 0)
        place = raw.get("summary_index" if slot.parts == "summary" else "content_index", 0)
        place = min(place, MAX_PARTS) if isinstance(place, int) and place >= 0 else 0
        parts = item.get(slot.parts)
        if not isinstance(parts, list):
            parts = item[slot.parts] = []
        parts = cast(list[Wire], parts)
        while len(parts) <= place:
            parts.append({"type": slot.part, slot.field: ""})
        return parts[place], (index, slot.parts, place)

    def _add_text(self, raw: Wire, slot: _Slot) -> None:
        delta = raw.get("delta")
        if not isinstance(delta, str):
            return
        # the hot path: a key already known needs no look at the item
        index, place = raw.get("output_index"), raw.get("content_index", 0)
        known = self._deltas.get((index, slot.parts or slot.field, place))  # type: ignore[arg-type]
        if known is None or slot.parts == "summary":
            part, key = self._part(raw, slot)
            known = self._deltas.setdefault(key, [str(part.get(slot.field) or "")])
        known.append(delta)

    def _close_text(self, raw: Wire, slot: _Slot) -> None:
        whole = raw.get(slot.field)
        part, key = self._part(raw, slot)
        if isinstance(whole, str):
            self._deltas.pop(key, None)
            part[slot.field] = whole
        if not slot.parts and raw.get("name"):
            part.setdefault("name", raw["name"])

    def _take_part(self, raw: Wire) -> None:
        part = raw.get("part")
        if not isinstance(part, dict):
            return
        part = cast(Wire, part)
        slot = _PART_SLOTS.get(str(part.get("type")))
        if slot is None:
            slot = _Slot("message", "text", "content", str(part.get("type")))
        holder, key = self._part(raw, slot)
        streamed = "".join(self._deltas.pop(key, []))
        new = filled(part, {**holder, slot.field: streamed} if streamed else holder)
        holder.clear()
        holder.update(new)

    def _annotate(self, raw: Wire) -> None:
        annotation = raw.get("annotation")
        if isinstance(annotation, dict):
            part, _ = self._part(raw, _SLOTS["response.output_text"])
            known = part.get("annotations")
            if not isinstance(known, list):
                known = part["annotations"] = []
            if annotation not in known:
                cast(list[Any], known).append(annotation)

    def _write(self, key: _Key, text: str) -> None:
        index, name, place = key
        self._deltas[key] = [text]
        item = self._items[index]
        parts = item.get(name)
        if name in ("content", "summary") and isinstance(parts, list):
            part = cast(list[Wire], parts)[place]
            part["refusal" if part.get("type") == "refusal" else "text"] = text
        else:
            item[name] = text

    def _drop_deltas(self, index: int) -> None:
        for key in [key for key in self._deltas if key[0] == index]:
            del self._deltas[key]


def filled(final: Wire, streamed: Wire | None) -> Wire:
    """`final` with what it leaves empty taken from `streamed`, if both are of one type."""
    if streamed is None or final.get("type") != streamed.get("type"):
        return final
    merged = {**streamed, **{key: value for key, value in final.items() if value not in _EMPTY}}
    for key in ("content", "summary"):
        ours, theirs = objects(final.get(key)), objects(streamed.get(key))
        if ours:
            pairs = [*theirs[: len(ours)], *[None] * (len(ours) - len(theirs))]
            merged[key] = [filled(one, other) for one, other in zip(ours, pairs, strict=True)]
    return {**{key: merged.get(key) for key in final}, **merged}


_EMPTY: tuple[Any, ...] = (None, "", [], {})
