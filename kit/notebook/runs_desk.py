"""The runs table from the kernel's side: takes what its pages say, tells them what is so.

    rows, total, since   the runs, each as it stands; how many there are; when it was looked
    run, live, result    the run that is open (see open_run.py)
    busy, ending, number, problem   what is being done, or was refused (see errands.py)
    said                 what was done

Rule: the kernel looks when a page asks for it, and a page asks only while a person can see it: a
hidden one, one that is gone, and a closed widget cost nothing. What is new is told alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from kit.connect_research import run as find_run
from kit.connect_research import standing
from kit.gateway.card import printable
from kit.notebook.errands import Errands, told_as
from kit.notebook.open_run import OpenRun
from kit.notebook.slate import Slate, Tell
from kit.relay.glance import money
from kit.relay.run import Run

__all__ = ["Listed", "RunsDesk"]

MOST_RUNS = 500
LOOK_SECONDS = 1.5
"""Two looks are at least so far from each other, however many pages ask for them."""
LONGEST_QUESTION = 300

Listed = dict[str, Any]


class RunsDesk:
    """`shown` is called with the rows whenever they have changed."""

    def __init__(self, tell: Tell, shown: Callable[[list[Listed]], None]) -> None:
        self.rows: list[Listed] = []
        self._shown = shown
        self._slate = Slate(tell)
        self._errands = Errands(self._slate)
        self._opened: OpenRun | None = None
        self._looking = threading.Lock()
        self._looked = 0.0
        self._closed = False
        self._slate.put(run=None, trouble="")

    def hear(self, word: str, said: Mapping[str, Any]) -> None:
        """Do what a page says; returns at once."""
        id = said.get("id")
        match word:
            case "hello":
                self._closed = False  # it is shown again
                self._slate.greet()
                self.look()
            case "look":
                self.look()
            case "close":
                self._close()
            case "stop" if self._opened is not None:
                run = self._opened.run
                self._errands.end(run.id, lambda: self._cancel(run))
            case "cancel" if isinstance(id, str):
                self._errands.end(id, lambda: self._cancel(find_run(id)))
            case "open" if isinstance(id, str):
                self._errands.do(word, lambda: self._open(find_run(id)))
            case "retry" if isinstance(id, str):
                number = said.get("number")
                self._errands.do_once(number, word, lambda: self._retry(find_run(id)))
            case _:
                pass

    def look(self, *, now: bool = False) -> None:
        """Look how the runs stand, in a thread; `now`: even if it has just been done."""
        if self._closed or (not now and time.monotonic() - self._looked < LOOK_SECONDS):
            return
        if self._looking.acquire(blocking=False):  # else it is being looked already
            threading.Thread(target=self._look, name="kit-runs", daemon=True).start()

    def close(self) -> None:
        """Look and watch no more."""
        self._closed = True
        self._close()

    def listed(self) -> list[Listed]:
        """The runs, each as a page is told it; the newest first."""
        return [_row(inner.entry, status) for inner, status in standing(MOST_RUNS)]

    def _look(self) -> None:
        try:
            before, rows = {row["id"]: row for row in self.rows}, self.listed()
            news = [row for row in rows if before.get(row["id"]) != row]
            gone = [*(before.keys() - {row["id"] for row in rows})]
            self._slate.keep(rows=rows, most=MOST_RUNS)
            if news or gone or not self._looked:
                self.rows = rows
                self._slate.say(news=news, gone=gone, most=MOST_RUNS)
                self._shown(rows)
            self._slate.put(trouble="")
        except Exception as error:  # a thread's traceback would land in some other cell
            self._slate.put(trouble=told_as(error))
        finally:
            self._looked = time.monotonic()
            self._looking.release()

    def _open(self, run: Run) -> None:
        if self._opened is not None:
            self._opened.close()
        if self._closed:  # while it was looked for
            return
        self._opened = OpenRun(run, self._slate, lambda run: self.look(now=True))
        self._opened.begin()

    def _close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None
        self._slate.put(run=None, result=None)

    def _cancel(self, run: Run) -> None:
        before = run.status
        run.cancel()
        said = f"{run.id} is cancelled." if run.status == "cancelled" else f"{run.id} is {before}."
        self._slate.put(said=said)
        self.look(now=True)

    def _retry(self, run: Run) -> None:
        again = run.retry()
        self._slate.put(said=f"{again.id} has begun.")
        self._open(again)
        self.look(now=True)


def _row(entry: Any, status: str) -> Listed:
    question = printable(entry.question[: 4 * LONGEST_QUESTION])
    return {
        "id": entry.name,
        "question": question[:LONGEST_QUESTION],
        "status": status,
        "asked": entry.asked,
        "cost": entry.cost,
        "money": "$0" if entry.cost == 0 else money(entry.cost),
        "gateway": printable(entry.gateway or entry.relay)[:LONGEST_QUESTION],
        "known": bool(entry.arguments),
    }
