"""What a person asks of a widget, done in a thread of its own: the kernel stays free.

    do        one at a time; the page knows which, as the part `busy`
    do_once   the same, of what costs money: done once for the part `number`, which is another then
    end       the end of a run, which waits for nothing; the page knows of which, as `ending`

Rule: what fails and what is refused is told in the widget, as the part `problem`, and lands in no
cell.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from kit.errors import KitError
from kit.notebook.edge import unforeseen
from kit.notebook.slate import Slate

__all__ = ["Errands", "told_as"]

LONGEST_NAME = 100

log = logging.getLogger(__name__)

Work = Callable[[], object]


class Errands:
    """The errands of one widget, whose pages `slate` tells."""

    def __init__(self, slate: Slate) -> None:
        self._slate = slate
        self._busy = ""
        self._ending: list[str] = []
        self._number = 1
        self._lock = threading.Lock()
        slate.put(busy="", ending=[], number=self._number, problem="", said="")

    def do(self, name: str, work: Work) -> bool:
        """Begin this, unless another errand is under way; whether it has begun."""
        with self._lock:
            if self._busy:
                why = f"Not done, because “{self._busy}” is still under way: try again after it."
                self._slate.put(problem=why)
                return False
            self._busy = name
            self._slate.put(busy=name, problem="", said="")
        self._begin(name, work, self._done)
        return True

    def do_once(self, number: Any, name: str, work: Work) -> bool:
        """Do this, unless it has been asked for with that number: a button was pressed twice."""
        with self._lock:
            if number != self._number:
                return False
            self._number += 1
            self._slate.put(number=self._number)
        return self.do(name, work)

    def end(self, run: str, work: Work) -> bool:
        """End this run, whatever else is under way."""
        run = run[:LONGEST_NAME]
        with self._lock:
            if run in self._ending:
                self._slate.put(problem=f"{run} is being ended already.")
                return False
            self._ending.append(run)
            self._slate.put(ending=[*self._ending], problem="", said="")
        self._begin("end", work, lambda: self._ended(run))
        return True

    def _begin(self, name: str, work: Work, then: Work) -> None:
        # No context goes along: what is displayed meanwhile would count as the running cell's.
        threading.Thread(
            target=self._work, args=(work, then), name=f"kit-{name}", daemon=True
        ).start()

    def _work(self, work: Work, then: Work) -> None:
        try:
            work()
        except Exception as error:  # a thread's traceback would land in some other cell
            self._slate.put(problem=told_as(error))
        finally:
            then()

    def _done(self) -> None:
        with self._lock:
            self._busy = ""
            self._slate.put(busy="")

    def _ended(self, run: str) -> None:
        with self._lock:
            self._ending.remove(run)
            self._slate.put(ending=[*self._ending])


def told_as(error: Exception) -> str:
    """An error as a widget shows it: its own lines, or that nobody foresaw it."""
    if isinstance(error, KitError):
        return str(error)
    log.debug("An errand failed (%s).", type(error).__name__)
    return str(unforeseen(error))
