"""A yes from the panel before a call that costs money.

Rule: an answer counts for the question that it names, once, and a stop is a no: nothing that was
pressed for one question is taken for the next.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from kit.notebook.chat_page import consent

__all__ = ["Consent"]

CONSENT_SECONDS = 1_800.0


class Consent:
    """Asks one question at a time. `question`: what is asked now, for the page; None for nothing.

    changed: called when that has changed.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self.question: Mapping[str, Any] | None = None
        self._changed = changed
        self._number = 0
        self._allowed = False
        self._answered = threading.Event()
        self._stopped = False

    def begin(self) -> None:
        """Another turn: what was stopped before is over."""
        self._stopped = False

    def stop(self) -> None:
        """A no to what is asked, and to what would be asked in this turn."""
        self._stopped = True
        self._answered.set()

    def answer(self, number: Any, yes: bool) -> None:
        """What a person said to the question of that number."""
        if self.question is not None and number == self.question["number"]:
            self._allowed = yes
            self._answered.set()

    def ask(self, call: Any, paid: str) -> bool:
        """Ask in the panel, and wait for what is pressed there."""
        self._number += 1
        self._allowed = False
        self._answered.clear()
        if self._stopped:  # after the clearing: a stop that comes now ends the waiting
            return False
        self.question = {"number": self._number, **consent(call, paid)}
        self._changed()
        self._answered.wait(CONSENT_SECONDS)
        self.question = None
        self._changed()
        return self._allowed and not self._stopped
