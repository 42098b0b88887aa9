"""A yes from the panel before a call: who has to give it, and how it is asked.

Rule: what `%config KitMagics.approve` says holds here too. An answer counts for the question that
it names, once, and a stop is a no: nothing that was pressed for one question is taken for the next.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

from kit.notebook.chat_page import consent

__all__ = ["Consent", "approval"]

CONSENT_SECONDS = 1_800.0


def approval(consent: Consent) -> Any:
    """Who says yes in this turn: as `%config KitMagics.approve` stands now, `ask` asking here."""
    from kit.tools.consent import AskHere

    approve = _configured()
    if approve in ("always", "never"):
        return approve
    if approve == "ask":
        return lambda call: consent.ask(call, _cost_of(call))
    return AskHere(consent.ask)


def _configured() -> str:
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    magics = shell.magics_manager.registry.get("KitMagics") if shell is not None else None
    return magics.approve if magics is not None else "paid"


def _cost_of(call: Any) -> str:
    """What is asked before a run that costs money; "" for any other call."""
    if call.name != "deep_research":
        return ""
    from kit.connect_panels import asked_before

    return asked_before(call.arguments)


class Consent:
    """Asks for one turn, one question at a time. `question`: what is asked now, for the page; None
    for nothing.

    changed: called when that has changed; numbers: of its questions, none of which comes again.
    A turn that was left has been stopped for good: it asks nothing in the next one.
    """

    def __init__(self, changed: Callable[[], None], numbers: Iterator[int] | None = None) -> None:
        self.question: Mapping[str, Any] | None = None
        self._changed = changed
        self._numbers = numbers or count(1)
        self._allowed = False
        self._answered = threading.Event()
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
        self._allowed = False
        self._answered.clear()
        if self._stopped:  # after the clearing: a stop that comes now ends the waiting
            return False
        self.question = {"number": next(self._numbers), **consent(call, paid)}
        self._changed()
        self._answered.wait(CONSENT_SECONDS)
        self.question = None
        self._changed()
        return self._allowed and not self._stopped
