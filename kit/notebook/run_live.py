"""A run in the output of a cell: it goes on when its cell has long been over, and ends as plain
output.

    show     the card with how the run stands, as static output that needs no kernel; below it,
             where the page can show one, a live card
    go_on    a thread follows the run and tells the page
    watch    the same in the caller's thread, for a cell that waits

Rule: the card watches and nothing more. Closing the tab, restarting the kernel and stopping a cell
that waits end the card; the run goes on, and the static output says how to find it. Stop alone,
pressed twice, ends the run.
"""

from __future__ import annotations

import logging
import threading
import time
from asyncio import CancelledError
from typing import Any

from kit.blocking import Batches
from kit.errors import Interrupted, KitError
from kit.notebook import frontend
from kit.notebook.board import Facts
from kit.notebook.diary import Diary
from kit.notebook.render import pause_for, plain
from kit.relay.card import name_card, run_bundle, run_card
from kit.relay.glance import money
from kit.relay.report import text_of
from kit.relay.run import Run

__all__ = ["RunCard", "RunNews"]

LOOK_SECONDS = 0.25
LOOK_LIVE_SECONDS = 0.05
LONGEST_LIVE = 20_000
"""Characters of a growing report that a card shows where it is no widget; the rest waits."""

SURE = "End the run for good?"

log = logging.getLogger(__name__)


class RunNews:
    """What a live card shows of a run: its report so far, how it stands, what has happened."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.diary = Diary()
        self._noted = 0
        self._text: list[str] = []

    def take(self) -> str:
        """Take in what is new; the report so far."""
        events = self.run.inner.events
        for event in events[self._noted : (known := len(events))]:
            self.diary.note(event)
            self._text.append(event.text)
        self._noted = known
        self._text = ["".join(self._text)]
        return self._text[0]

    def facts(self) -> Facts:
        """How it stands."""
        glance = self.run.inner.glance
        heard = time.time() - glance.heard if glance.heard else 0.0
        problem = (glance.problem,) if glance.problem else ()
        return Facts(
            phase=glance.doing,
            status=glance.status,
            model=glance.model,
            tokens=_tokens(glance),
            spend=money(glance.cost, glance.estimate),
            notes=(*problem, *glance.warnings),
            seconds=self.run.seconds or 0.0,
            silent=max(heard, 0.0),
            again=f"The run goes on: kit.run({self.run.id!r}) finds it again.",
        )


class RunCard:
    """The card of one run, in the output of the cell that made it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._news = RunNews(run)
        self._handle: Any = None
        self._live: Any = None
        self._live_handle: Any = None
        self._due = 0.0

    def show(self, shell: Any, *, busy: bool) -> None:
        """Put the card where the cell is. `busy`: the cell will wait for the run."""
        from IPython.display import DisplayHandle

        if self.run.inner.ended or not frontend.shows_widgets(shell, busy=busy):
            self._place(self._bundle())
            return
        from kit.notebook.live import LiveCard

        self._place(run_bundle(name_card(self.run.question, self.run.id)))
        self._live = LiveCard(busy=busy, sure=SURE)
        self._live_handle = DisplayHandle()
        form = {"text/plain": "", **self._live.display()}
        self._live_handle.display(form, raw=True)

    def go_on(self) -> threading.Thread:
        """Follow the run in a thread of its own."""
        # Without this cell's context: an update then counts as the running cell's, and programs
        # that execute notebooks (nbclient) hear of that one alone. Its display id says where.
        thread = threading.Thread(target=self._follow, name="kit-card", daemon=True)
        thread.start()
        return thread

    def watch(self) -> None:
        """Follow the run here. Raises Interrupted when that is stopped; the run goes on."""
        try:
            self._watch()
        except KeyboardInterrupt:
            again = f"kit.run({self.run.id!r}) finds it again."
            raise Interrupted(f"Stopped waiting; the research goes on: {again}") from None

    def _follow(self) -> None:
        try:
            self._watch()
        except KitError as error:
            self._place(_plain_bundle(f"{error}\nkit.run({self.run.id!r}) looks again."))
        except CancelledError:  # the process ends
            pass
        except Exception as error:  # a thread's traceback would land in some other cell
            log.debug("A card stopped (%s).", type(error).__name__)

    def _watch(self) -> None:
        batches = Batches(self.run.inner.follow)
        try:
            while batches.next(self._pause) is not None:
                self._look()
            self._look()
        finally:
            batches.close()
            self._end_live()
        self._place({kind: form for kind, form in self.run._repr_mimebundle_().items()})

    @property
    def _pause(self) -> float:
        return LOOK_LIVE_SECONDS if self._live is not None and self._live.heard else LOOK_SECONDS

    def _look(self) -> None:
        """Show what is new: in the live card, or in the static one where there is none."""
        if self._live is not None and self._live.is_late:
            self._end_live()
        if self._live is not None:
            self._live.show(self._news.take(), self._news.facts(), self._news.diary.rows)
            if self._live.stopped.is_set():
                self._live.stopped.clear()
                self.run.cancel()
        elif time.monotonic() >= self._due:
            self._place(self._bundle())

    def _end_live(self) -> None:
        """Take the live card away: nothing stays of it in the notebook."""
        if self._live is not None:
            self._live_handle.update({}, raw=True)
            self._live.close(self._news.facts() if self.run.inner.ended else None)
            self._live = None

    def _bundle(self) -> dict[str, str]:
        began, inner = time.monotonic(), self.run.inner
        text = text_of(None, inner.events)[:LONGEST_LIVE]
        card = run_card(self.run.question, self.run.id, inner.glance, self.run.seconds, time.time())
        bundle = run_bundle(card, None, text)
        now = time.monotonic()
        self._due = now + max(LOOK_SECONDS, pause_for(len(text), now - began))
        return bundle

    def _place(self, bundle: dict[str, str]) -> None:
        from IPython.display import DisplayHandle

        bundle = {**bundle, "text/plain": plain(bundle["text/plain"])}
        if self._handle is None:
            self._handle = DisplayHandle()
            self._handle.display(bundle, raw=True)
        else:
            self._handle.update(bundle, raw=True)


def _tokens(glance: Any) -> str:
    if not (glance.read or glance.written):
        return ""
    about = "about " if glance.estimate else ""
    return f"{about}{glance.read:,} in, {glance.written:,} out"


def _plain_bundle(text: str) -> dict[str, str]:
    return {"text/plain": text}
