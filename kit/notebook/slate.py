"""What the pages of one widget have been told, part by part, so that one that opens can be too.

    put      a part is so from now on; told where that is new
    keep     the same, told to nobody: what came from a page
    begin    another run is shown: its live card starts anew
    live     what is new in the live card (see board.py)
    greet    everything, for a page that has just opened

Rule: safe from any thread, and what is told comes in the order in which it became so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from kit.notebook.board import Board, Facts
from kit.notebook.diary import Row

__all__ = ["Slate"]

Tell = Callable[[dict[str, Any]], None]


class Slate:
    """`tell` takes a message to all pages. Nothing is told before the first has said hello."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._heard = False
        self._parts: dict[str, Any] = {}
        self._board: Board | None = None
        self._lock = threading.Lock()

    def __getitem__(self, part: str) -> Any:
        return self._parts.get(part)

    def put(self, **parts: Any) -> None:
        with self._lock:
            news = {
                name: part
                for name, part in parts.items()
                if name not in self._parts or self._parts[name] != part
            }
            self._parts.update(news)
            self._say(news)

    def keep(self, **parts: Any) -> None:
        with self._lock:
            self._parts.update(parts)

    def say(self, **news: Any) -> None:
        """Something that is told once and not kept: whoever opens later gets it another way."""
        with self._lock:
            self._say(news)

    def begin(self) -> None:
        with self._lock:
            self._board = Board()
            self._say({"live": self._board.whole()})

    def live(self, text: str, facts: Facts, rows: Sequence[Row]) -> None:
        with self._lock:
            if self._board is not None and (news := self._board.news(text, facts, rows)):
                self._say({"live": news})

    def greet(self, **more: Any) -> None:
        with self._lock:
            self._heard = True
            live = {"live": self._board.whole()} if self._board is not None else {}
            self._say({"all": True, **self._parts, **live, **more})

    def _say(self, news: dict[str, Any]) -> None:
        if news and self._heard:
            self._tell(news)
