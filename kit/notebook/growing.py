"""A text that grows, as what a page has to be told to show it (pure).

    settled   HTML of the blocks that are complete: told once, kept by the page
    tail      HTML of the block that is being written: short, told anew each time
    raw       that block as text, where it is too long for that; `more` of it is added

Rule: everything is cleaned before it is told, and no letter is told to nobody: what a page has is
all of the text, whatever pieces it came in.
"""

from __future__ import annotations

from typing import Any

from kit.clean import clean_growing
from kit.clean_reading import tidy

__all__ = ["Growing"]

LONGEST_TAIL = 8_000
"""Characters of an unfinished block that are written as HTML again and again."""


class Growing:
    """What one page has of the text. The messages of `grown` are for all that have what it has."""

    def __init__(self) -> None:
        self._text = ""
        self._taken = 0
        self._tail = ""
        self._raw = 0  # characters of the tail that were told as text
        self._look = 0
        self._settled: list[str] = []

    def grown(self, text: str) -> dict[str, Any]:
        """What to tell now that `text` is the whole of it; {} where nothing is new."""
        if text == self._text:
            return {}
        told: dict[str, Any] = {}
        if not text.startswith(self._text):  # another turn has begun, or the gateway meant another
            self.__init__()
            told["clear"] = True
        self._take(text)
        return told | self._told()

    def whole(self) -> dict[str, Any]:
        """What to tell a page that has nothing yet."""
        self._raw = self._look = 0
        before = "".join(self._settled)
        told = self._told()
        return told | {"clear": True, "settled": before + told.get("settled", "")}

    def _take(self, text: str) -> None:
        more = text[self._taken :]
        if more.endswith("\r"):  # half of a line's end, perhaps
            more = more[:-1]
        self._text, self._taken = text, self._taken + len(more)
        self._tail += tidy(more)

    def _told(self) -> dict[str, Any]:
        told: dict[str, Any] = {}
        html: str | None = None
        if len(self._tail) >= self._look and (read := clean_growing(self._tail)) is not None:
            lines, complete, html = read
            if lines:
                self._tail, self._raw = "\n".join(self._tail.split("\n")[lines:]), 0
                self._settled.append(complete)
                told["settled"] = complete
        if html is not None and len(self._tail) <= LONGEST_TAIL:
            self._look = self._raw = 0
            return told | {"tail": html}
        # A long block is read again when it is a quarter longer: not at every letter.
        self._look = max(self._look, len(self._tail) * 5 // 4)
        return told | self._as_text()

    def _as_text(self) -> dict[str, Any]:
        before, self._raw = self._raw, len(self._tail)
        return {"more": self._tail[before:]} if before else {"raw": self._tail}
