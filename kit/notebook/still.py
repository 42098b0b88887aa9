"""What stays of a widget in a notebook: a plain output beside it, for everybody without a kernel.

    Still     the plain output
    Showing   a widget together with it
    display   two outputs, the static one and the widget; the static one alone where a front end
              shows no widgets
    place     the static one is another from now on, wherever it was displayed

Rule: found by its display id, from any thread. It is folded while there is a widget beside it.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any

from kit.gateway.card import printable
from kit.notebook import frontend
from kit.notebook.render import plain

__all__ = ["Showing", "Still"]

Bundle = dict[str, str]
LONGEST_SUMMARY = 160
KEPT = "plain output, kept for a notebook without a kernel"


class Still:
    """`summary`: the line of the folded form. `instead`: what to do where there is no widget."""

    def __init__(self, summary: str, bundle: Bundle, instead: str) -> None:
        self._summary, self._bundle = summary, bundle
        self._instead = instead
        self._handle: Any = None
        self._folded = True

    def display(self, shell: Any, widget: Callable[[], dict[str, Any]]) -> None:
        """Show both. `widget` gives the form of the display that shows it."""
        from IPython.display import DisplayHandle, publish_display_data

        self._folded = frontend.offers_widgets(shell)
        if not frontend.publishes(shell):  # a terminal, or a cell that is captured
            publish_display_data(self._form())
            return
        self._handle = self._handle or DisplayHandle()
        self._handle.display(self._form(), raw=True)
        if self._folded:
            publish_display_data({"text/plain": "", **widget()})

    def place(self, summary: str, bundle: Bundle) -> None:
        """Show this from now on."""
        if (summary, bundle) == (self._summary, self._bundle):
            return
        self._summary, self._bundle = summary, bundle
        if self._handle is not None:
            self._handle.update(self._form(), raw=True)

    def _form(self) -> Bundle:
        bundle = {**self._bundle, "text/plain": plain(self._bundle["text/plain"])}
        if not self._folded:
            line = html.escape(self._instead)
            bundle["text/plain"] += f"\n{self._instead}"
            bundle["text/html"] += f'<div class="mathjax_ignore">{line}</div>'
            return {kind: bundle[kind] for kind in ("text/plain", "text/html")}
        words = html.escape(f"{printable(self._summary)[:LONGEST_SUMMARY]} · {KEPT}")
        head = (
            f'<summary class="mathjax_ignore" style="opacity:.75;font-size:.9em">{words}</summary>'
        )
        folded = f"<details>{head}{bundle['text/html']}</details>"
        return {"text/plain": bundle["text/plain"], "text/html": folded}


class Showing:
    """A widget of these programs with its still, shown as often as it is displayed.

    hear: what its pages say. Closed, it is shown anew by the next display.
    """

    def __init__(
        self,
        still: Still,
        programs: tuple[str, ...],
        *,
        name: str,
        hear: Callable[[str, Mapping[str, Any]], None],
    ) -> None:
        self.place = still.place
        self._still, self._programs, self._name = still, programs, name
        self._hear = hear
        self._page: Any = None

    def display(self) -> None:
        from IPython.core.getipython import get_ipython

        self._still.display(get_ipython(), self._widget)

    def tell(self, news: dict[str, Any]) -> None:
        """Tell the pages that show it."""
        if (page := self._page) is not None:
            page.tell(news)

    def close(self) -> None:
        page, self._page = self._page, None
        if page is not None:
            page.close()

    def _widget(self) -> dict[str, Any]:
        from kit.notebook.page import Page

        if self._page is None:
            self._page = Page(*self._programs, name=self._name, hear=self._heard)
        return self._page.view()

    def _heard(self, word: str, said: Mapping[str, Any]) -> None:
        if word == "hello":
            frontend.met(busy=False)
        self._hear(word, said)
