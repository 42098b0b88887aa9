"""What Start would cost, beside the button: asked anew by every page, and for every model.

Rule: Start is a yes to what was shown. Where it costs something else by now, or goes to somebody
else, nothing starts, and the new price is shown.
"""

from __future__ import annotations

import threading
from typing import Any

from kit.connect_panels import price_of
from kit.errors import InputError
from kit.notebook.errands import told_as
from kit.notebook.slate import Slate

__all__ = ["PriceTag"]


class PriceTag:
    """Tells the slate, as the part `price`: `words`, and the `model` whose price it is."""

    def __init__(self, slate: Slate) -> None:
        self._slate = slate
        self._model = ""
        self._wanted = self._asking = False
        self._lock = threading.Lock()

    def ask(self, model: str) -> None:
        """Find out what it costs with this model, in a thread: the gateway may take its time."""
        with self._lock:
            self._model, self._wanted = model.strip(), True
            if self._asking:
                return  # which sees that it is asked again
            self._asking = True
        threading.Thread(target=self._ask, name="kit-price", daemon=True).start()

    def ask_if_new(self, model: str) -> None:
        """The same, unless it was asked for last."""
        if model.strip() != self._model:
            self.ask(model)

    def agree(self, model: str, shown: Any) -> None:
        """Raise InputError unless this is what it costs, and show what it does cost."""
        model = model.strip()
        words = _words(model)
        self._slate.put(price={"model": model, "words": words})
        if words == shown:
            return
        known = isinstance(shown, str) and shown
        why = "What it costs is not what was shown" if known else "What it costs had not been shown"
        raise InputError(f"{why}, so nothing was started. Now: {words} Start is a yes to that.")

    def _ask(self) -> None:
        while (model := self._take()) is not None:
            words = _words(model)
            with self._lock:
                if not self._wanted:
                    self._slate.put(price={"model": model, "words": words})

    def _take(self) -> str | None:
        """The model to ask for; None where there is no more to ask."""
        with self._lock:
            self._asking, self._wanted = self._wanted, False
            return self._model if self._asking else None


def _words(model: str) -> str:
    try:
        return price_of(model or None)
    except Exception as error:  # a thread's traceback would land in some other cell
        return told_as(error)
