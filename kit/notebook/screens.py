"""Where an answer is shown: a notebook's cell, a terminal, a captured cell, nowhere.

    screen          while it arrives                 at its end
    LiveScreen      one display: a live card, or     the same display, static
                    updated text where no widget
                    can be shown
    TerminalScreen  the text, as it comes            sources and usage below it
    StillScreen     nothing                          one display
    NoScreen        nothing                          nothing

The only place that displays. A saved notebook holds exactly one output per cell.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any, Protocol

from kit.errors import InputError, ProtocolError
from kit.notebook import frontend
from kit.notebook.render import bundle_of, code_of, ending_of, live_bundle, pause_for, plain

__all__ = ["LiveScreen", "NoScreen", "Screen", "StillScreen", "TerminalScreen", "screen_for"]

_FIRST_SHOWN = 0.3
"""Seconds before anything is shown: an answer that is there sooner is shown once, whole."""
_TERMINAL_PAUSE = 0.03
"""Seconds between two writes to a terminal."""


_CARD_PAUSE = 1 / 80
"""Seconds between two messages to a live card."""


class Doing(Protocol):
    """What the model does, in the words of whoever listens to it."""

    diary: Any

    def line(self, now: float) -> str: ...

    def cards(self) -> list[Any]: ...

    def facts(self, now: float) -> Any: ...


class Screen(Protocol):
    """`show` is called whenever it `is_due`, then `finish` for a whole answer, else `close`.

    `stopped`: a person pressed the screen's own Stop.
    """

    @property
    def stopped(self) -> bool: ...

    def is_due(self) -> bool: ...

    def show(self, text: str, doing: Doing) -> None: ...

    def finish(self, answer: Any, notes: Sequence[str]) -> None: ...

    def close(self, partial: Any, notes: Sequence[str]) -> None: ...


def screen_for(shell: Any, format: str, *, quiet: bool, still: bool) -> Screen:
    """The screen of this cell: `quiet` shows nothing, `still` nothing before the end."""
    if quiet:
        return NoScreen(shell, format)
    publishes = frontend.publishes(shell)
    if publishes and not still:
        return LiveScreen(shell, format)
    if not publishes and not hasattr(shell, "kernel") and format in ("markdown", "text", "code"):
        return TerminalScreen(shell, format)
    return StillScreen(shell, format)


class NoScreen:
    """Shows nothing; still checks JSON and hands code on, because that was asked for."""

    def __init__(self, shell: Any, format: str) -> None:
        self._shell = shell
        self._format = format

    @property
    def stopped(self) -> bool:
        return False

    def is_due(self) -> bool:
        return False

    def show(self, text: str, doing: Doing) -> None:
        pass

    def finish(self, answer: Any, notes: Sequence[str]) -> None:
        if self._format == "json":
            bundle_of(answer, "json")
        self._hand_on(answer)

    def close(self, partial: Any, notes: Sequence[str]) -> None:
        pass

    def _hand_on(self, answer: Any) -> None:
        """Put the code into the next cell, where a person reads it before running it."""
        if self._format != "code":
            return
        code = code_of(answer.text)
        if code is None:
            raise InputError(
                "There is no code in the answer, so nothing was put into a cell; "
                "the answer is in kit.last."
            )
        self._shell.set_next_input(code, replace=False)


class StillScreen(NoScreen):
    """One display at the end."""

    def finish(self, answer: Any, notes: Sequence[str]) -> None:
        try:
            bundle = bundle_of(answer, self._format, notes)
        except ProtocolError:
            self.close(answer, notes)
            raise
        self._place(bundle)
        self._hand_on(answer)

    def close(self, partial: Any, notes: Sequence[str]) -> None:
        if partial is not None:
            self._place(bundle_of(partial, "text" if self._format == "text" else "markdown", notes))

    def _place(self, bundle: dict[str, str]) -> None:
        from IPython.display import publish_display_data

        publish_display_data(bundle)


class LiveScreen(StillScreen):
    """One display, at a pace that the page can follow, then replaced for good."""

    def __init__(self, shell: Any, format: str) -> None:
        super().__init__(shell, format)
        self._handle: Any = None
        self._card: Any = None
        self._due = 0.0  # not known before the call has begun
        self._shown: tuple[Any, ...] = ("", "", [])

    @property
    def stopped(self) -> bool:
        return self._card is not None and self._card.stopped.is_set()

    def is_due(self) -> bool:
        self._due = self._due or time.monotonic() + _FIRST_SHOWN
        return time.monotonic() >= self._due

    def show(self, text: str, doing: Doing) -> None:
        started = time.monotonic()
        if self._handle is None and frontend.shows_widgets(self._shell, busy=True):
            self._begin_card()
        if self._card is None or not self._show_card(text, doing):
            self._show_text(text, doing)
        else:
            self._due = time.monotonic() + max(_CARD_PAUSE, 2 * (time.monotonic() - started))

    def close(self, partial: Any, notes: Sequence[str]) -> None:
        if partial is None and self._handle is not None:
            self._place({"text/plain": ""})  # takes the status line away
        super().close(partial, notes)
        self._end_card()

    def finish(self, answer: Any, notes: Sequence[str]) -> None:
        try:
            super().finish(answer, notes)
        finally:
            self._end_card()

    def _begin_card(self) -> None:
        from kit.notebook.live import LiveCard

        self._card = LiveCard(busy=True)
        self._place({"text/plain": "", **self._card.display()})

    def _show_card(self, text: str, doing: Doing) -> bool:
        """Whether the card shows it, or may still come to."""
        if self._card.is_late:
            return False
        doing.cards()  # what was urgent is shown
        self._card.show(text, doing.facts(time.monotonic()), doing.diary.rows)
        return True

    def _end_card(self) -> None:
        if self._card is not None:
            self._card.close()
            self._card = None

    def _show_text(self, text: str, doing: Doing) -> None:
        started = time.monotonic()
        status, cards = doing.line(started), doing.cards()
        if (text, status, cards) == self._shown or not (text or status or cards):
            return
        self._shown = (text, status, cards)
        bundle = live_bundle(text, status, cards)
        self._place({"text/plain": bundle["text/plain"]} if self._format == "text" else bundle)
        now = time.monotonic()
        self._due = now + pause_for(len(text), now - started)

    def _place(self, bundle: dict[str, Any]) -> None:
        from IPython.display import DisplayHandle

        if self._handle is None:
            self._handle = DisplayHandle()
            self._handle.display(bundle, raw=True)
        else:
            self._handle.update(bundle, raw=True)


class TerminalScreen(NoScreen):
    """The text as it comes, then sources and usage: a terminal cannot take anything back."""

    def __init__(self, shell: Any, format: str) -> None:
        super().__init__(shell, format)
        self._written = ""
        self._told: list[str] = []
        self._due = 0.0

    def is_due(self) -> bool:
        return time.monotonic() >= self._due

    def show(self, text: str, doing: Doing) -> None:
        self._show(text, doing.cards())

    def _show(self, text: str, cards: Sequence[Any]) -> None:
        self._tell(cards)
        if not text.startswith(self._written):  # the gateway says at the end that it meant another
            self._write("\n\n")
            self._written = ""
        self._write(plain(text[len(self._written) :]))
        self._written = text
        self._due = time.monotonic() + _TERMINAL_PAUSE

    def finish(self, answer: Any, notes: Sequence[str]) -> None:
        self.close(answer, notes)
        self._hand_on(answer)

    def close(self, partial: Any, notes: Sequence[str]) -> None:
        if partial is None:
            self._write("\n" if self._written else "")
            return
        from kit.gateway.card import call_card

        calls = [call_card(call) for call in partial.tool_calls]
        self._show(partial.text or partial.refusal, calls)
        ending = ending_of(partial, notes)
        self._write(f"\n\n{ending}\n" if ending else "\n")

    def _tell(self, cards: Sequence[Any]) -> None:
        """A line when a call begins, and one when it has ended."""
        from kit.gateway.card import bundle_of_card

        for place, card in enumerate(cards):
            said = card.status
            if place == len(self._told):
                self._told.append("")
            if said not in ("waiting", self._told[place]):
                self._told[place] = said
                self._write(f"{plain(bundle_of_card(card)['text/plain'])}\n")

    def _write(self, text: str) -> None:
        if text:
            sys.stdout.write(text)
            sys.stdout.flush()
