"""A live card in the page, from the kernel's side.

    display     the form of an output that shows it, for front ends that can
    show        how things stand now; a page that has said hello is told what is new
    close       the card is gone; what stays in the notebook is the static output instead of it

Rule: safe from any thread. Whoever shows something and whoever answers the page never wait for
each other longer than a message takes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from kit.notebook import frontend
from kit.notebook.board import Board, Facts
from kit.notebook.diary import Row

__all__ = ["LiveCard"]


class LiveCard:
    """One card. `stopped` is set where a person presses Stop; `heard` once a page shows it.

    busy: the cell keeps the kernel busy meanwhile. sure: what to ask before it is stopped.
    """

    def __init__(self, *, busy: bool, sure: str = "") -> None:
        from kit.notebook.page import Page

        self.heard = False
        self.stopped = threading.Event()
        self._busy, self._late = busy, False
        self._lock = threading.Lock()
        self._board = Board()
        self._began = time.monotonic()
        programs = ("parts", "live", "live_entry")
        self._page: Any = Page(*programs, name="live card", hear=self._hear, sure=sure)

    def display(self) -> dict[str, Any]:
        """What to display, beside the forms for other front ends."""
        return self._page.view()

    @property
    def is_late(self) -> bool:
        """Whether no page has said hello in time. Once late, it stays so."""
        waited = time.monotonic() - self._began
        if not self._late and not self.heard and waited > frontend.HELLO_SECONDS:
            self._late = True
            frontend.missed(busy=self._busy)
        return self._late

    def show(self, text: str, facts: Facts, rows: Sequence[Row] = ()) -> None:
        """How things stand now."""
        with self._lock:
            news = self._board.news(text, facts, rows)
            if news and self.heard:
                self._page.tell(news)

    def close(self, ended: Facts | None = None) -> None:
        """Take it away.

        ended: what it says from now on in a page that was loaded again. JupyterLab does not tell
        such a page of the display that is put in its place, so that there it has to stay.
        """
        if ended is None or not self._page.opened_again:
            self._page.close()
            return
        with self._lock:
            self._page.tell({"facts": asdict(ended)})

    def _hear(self, word: str, said: Mapping[str, Any]) -> None:
        if word == "stop":
            self.stopped.set()
        elif word == "hello":
            frontend.met(busy=self._busy)
            with self._lock:
                self.heard = True
                self._page.tell(self._board.whole())
