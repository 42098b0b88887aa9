"""One output item while it arrives: said by its opening, its pieces and its end.

Rule: note each event as it comes and put the item together only when somebody looks, so that no
stream makes us look twice at what came before. What a `done` says wins over the pieces; where it
is silent (no text, no annotations) the pieces stay.
"""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import Any, NamedTuple, cast

from kit.errors import ProtocolError
from kit.gateway.events import Wire, objects

__all__ = ["MAX_OBJECTS", "StreamedItem", "TextSlot", "filled", "too_many"]

MAX_OBJECTS = 400_000
"""Items, parts and annotations of one response; more fill a memory and mean nothing."""

_EMPTY: tuple[Any, ...] = (None, "", [], {})


class TextSlot(NamedTuple):
    """Where a kind of text lives: in a part of an item's list, or (no list) in the item itself."""

    item: str
    field: str
    parts: str = ""
    part: str = ""

    def place(self, raw: Wire) -> int:
        """Which part an event means; the first where it does not say."""
        place = raw.get("summary_index" if self.parts == "summary" else "content_index")
        return place if self.parts and isinstance(place, int) and place >= 0 else 0


class StreamedItem:
    """An item of a response as far as it has arrived. `closed`: its `done` has come."""

    def __init__(self, head: Wire) -> None:
        self.closed = False
        self._head = dict(head)
        self._final: Wire = {}
        self._parts: dict[str, dict[int, Wire]] = {}
        self._pieces: dict[tuple[str, int, str], list[str]] = {}
        self._notes: dict[tuple[str, int], dict[str, Wire]] = {}

    @property
    def type(self) -> Any:
        return self._final.get("type") or self._head.get("type")

    @property
    def id(self) -> Any:
        """As it was opened."""
        return self._head.get("id")

    def set(self, key: str, value: Any) -> None:
        """Note a field of the item itself."""
        self._head[key] = value

    def name(self, name: str) -> None:
        """Note a name where none is known yet."""
        self._head["name"] = self._head.get("name") or name

    def close(self, final: Wire) -> None:
        """What the item says of itself at its end."""
        self.closed = True
        self._final.update(_said(final))

    def pieces(self, slot: TextSlot, place: int) -> list[str]:
        """The pieces of one text, to be added to; opened where nobody did."""
        key = (slot.parts, place, slot.field)
        known = self._pieces.get(key)
        if known is None:
            holder = self.part(slot, place) if slot.parts else self._head
            before = holder.get(slot.field)
            known = self._pieces[key] = [before] if isinstance(before, str) else []
        return known

    def part(self, slot: TextSlot, place: int) -> Wire:
        """One part of the item, opened where nobody did."""
        parts = self._parts.get(slot.parts)
        if parts is None:
            opened = objects(self._head.get(slot.parts))
            parts = self._parts[slot.parts] = {at: dict(one) for at, one in enumerate(opened)}
        if place not in parts:
            parts[place] = {"type": slot.part, slot.field: ""} if slot.field else {}
        return parts[place]

    def take_part(self, slot: TextSlot, place: int, part: Wire) -> None:
        """What a part says of itself when it opens or ends."""
        self.part(slot, place).update(_said(part))
        text = part.get(slot.field)
        if isinstance(text, str) and text:
            self.pieces(slot, place)[:] = [text]

    def annotate(self, slot: TextSlot, place: int, note: Wire) -> None:
        """Note an annotation of a part, once."""
        self.part(slot, place)
        mark = json.dumps(note, sort_keys=True)
        self._notes.setdefault((slot.parts, place), {}).setdefault(mark, note)

    def whole(self) -> Wire:
        """The item as it stands."""
        item = dict(self._head)
        for (name, place, field), pieces in self._pieces.items():
            text = "".join(pieces)
            pieces[:] = [text]
            if name:
                self._parts[name][place][field] = text
            else:
                item[field] = text
        for name in self._parts:
            item[name] = self._whole_parts(name)
        return filled(self._final, item) if self._final else item

    def _whole_parts(self, name: str) -> list[Wire]:
        parts: list[Wire] = []
        for place, part in sorted(self._parts[name].items()):
            notes = self._notes.get((name, place))
            streamed = {"annotations": list(notes.values())} if notes else {}
            parts.append({**part, **streamed, **_said(part)})
        return parts


def filled(final: Wire, streamed: Wire | None) -> Wire:
    """`final` with what it leaves empty taken from `streamed`, if both are of one type."""
    if streamed is None or not _alike(final, streamed):
        return final
    merged = {**final, **streamed, **_said(final)}
    for name in ("content", "summary"):
        ours, theirs = objects(final.get(name)), objects(streamed.get(name))
        if ours:
            pairs = zip_longest(ours, theirs[: len(ours)], fillvalue=cast(Wire, {}))
            merged[name] = [
                {**one, **other, **_said(one)} if _alike(one, other) else one
                for one, other in pairs
            ]
    return merged


def too_many() -> ProtocolError:
    return ProtocolError(
        f"The gateway sent more than {MAX_OBJECTS:,} items and annotations in one response; "
        "the stream was closed."
    )


def _alike(final: Wire, streamed: Wire) -> bool:
    return final.get("type") in (None, streamed.get("type"))


def _said(wire: Wire) -> Wire:
    """The fields that say something."""
    return {key: value for key, value in wire.items() if value not in _EMPTY}
