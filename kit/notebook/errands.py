"""What a person asks of a widget, done in a thread of its own: the kernel stays free.

Rule: one at a time, and the page knows which, as the part `busy`; what fails is told in the
widget, as the part `problem`, and lands in no cell.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from kit.errors import KitError
from kit.notebook.edge import unforeseen
from kit.notebook.slate import Slate

__all__ = ["Errands", "told_as"]

log = logging.getLogger(__name__)


class Errands:
    """The errands of one widget, whose pages `slate` tells."""

    def __init__(self, slate: Slate) -> None:
        self._slate = slate
        self._free = threading.Lock()

    def do(self, name: str, work: Callable[[], None]) -> bool:
        """Begin this, unless another errand is under way; whether it has begun."""
        if not self._free.acquire(blocking=False):
            return False
        self._slate.put(busy=name, problem="", said="")
        # No context goes along: what is displayed meanwhile would count as the running cell's.
        thread = threading.Thread(target=self._work, args=(work,), name=f"kit-{name}", daemon=True)
        thread.start()
        return True

    def _work(self, work: Callable[[], None]) -> None:
        problem = ""
        try:
            work()
        except Exception as error:  # a thread's traceback would land in some other cell
            problem = told_as(error)
        finally:
            self._slate.put(busy="", **({"problem": problem} if problem else {}))
            self._free.release()


def told_as(error: Exception) -> str:
    """An error as a widget shows it: its own lines, or that nobody foresaw it."""
    if isinstance(error, KitError):
        return str(error)
    log.debug("An errand failed (%s).", type(error).__name__)
    return str(unforeseen(error))
