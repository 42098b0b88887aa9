"""What a live card shows: how things stand, what has happened, and the text so far (pure).

Rule: a page is told changes only. `news` is for pages that have all that was told before, `whole`
for one that has just opened; both lead to the same picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from kit.gateway.card import printable
from kit.notebook.diary import Row
from kit.notebook.growing import Growing

__all__ = ["Board", "Facts"]

LONGEST_FACT = 300


@dataclass(frozen=True, slots=True)
class Facts:
    """One line for each thing a person wants to know; "" where there is nothing to say.

    status: `running`, `completed`, `failed`, `cancelled` or `stopped`. again: how what is shown is
    found once the kernel is gone, where that does not end it. seconds: since it began.
    silent: seconds since anything was heard. The page counts both on by itself.
    """

    phase: str = ""
    status: str = "running"
    model: str = ""
    tokens: str = ""
    spend: str = ""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    silent: float = 0.0
    again: str = ""


class Board:
    """What one widget's pages have been told."""

    def __init__(self) -> None:
        self._growing = Growing()
        self._facts = Facts()
        self._rows: list[Row] = []

    def news(self, text: str, facts: Facts, rows: Sequence[Row] = ()) -> dict[str, Any]:
        """What to tell now; {} where nothing has changed but the time."""
        told = self._growing.grown(text)
        changed = [(place, row) for place, row in enumerate(rows) if self._is_new(place, row)]
        for place, row in changed:
            self._rows[place : place + 1] = [row]
        if changed:
            told["rows"] = [[place, row.document()] for place, row in changed]
        before, self._facts = self._facts, _printable(facts)
        if told or _timeless(before) != _timeless(self._facts):
            told["facts"] = asdict(self._facts)
        return told

    def whole(self) -> dict[str, Any]:
        """What to tell a page that knows nothing yet."""
        rows = [[place, row.document()] for place, row in enumerate(self._rows)]
        return {"all": True, **self._growing.whole(), "rows": rows, "facts": asdict(self._facts)}

    def _is_new(self, place: int, row: Row) -> bool:
        return place >= len(self._rows) or self._rows[place] != row


def _printable(facts: Facts) -> Facts:
    """They hold a model's words as well: what it searches for, the functions it asks for."""
    words = {name: _line(one) for name, one in asdict(facts).items() if isinstance(one, str)}
    return replace(facts, **words, notes=tuple(_line(note) for note in facts.notes))


def _line(text: str) -> str:
    return printable(text[:LONGEST_FACT])


def _timeless(facts: Facts) -> dict[str, Any]:
    return asdict(facts) | {"seconds": 0, "silent": 0}
