"""A widget's two ends: the program in the page, and whoever answers it in the kernel.

Rule: nothing that a person wrote or a model said is in a trait, where a saved notebook would keep
it. A page that opens says hello and is told everything; then it is told what is new. What it says
is checked here, and whoever hears it must return at once: it may come in any thread.

anywidget and ipywidgets take a while to import: this module is loaded when a widget is needed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Any

import anywidget
import traitlets

__all__ = ["Page"]

LONGEST_WORD = 40
MOST_VIEWS = 1_000
VIEW = "application/vnd.jupyter.widget-view+json"

log = logging.getLogger(__name__)

Hear = Callable[[str, Mapping[str, Any]], None]


class Page(anywidget.AnyWidget):
    """A widget of ours. `hear` gets what the page says: a word such as `stop`, and the rest."""

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    options = traitlets.Dict().tag(sync=True)

    def __init__(self, *programs: str, name: str, hear: Hear, **options: str) -> None:
        super().__init__(_esm=_program(programs), _css=_style(), options=options)
        self._called = name
        self._hear = hear
        self._views: set[str] = set()
        self.on_msg(self._take)
        _answer_where_the_page_asks(self.comm)

    def tell(self, news: Mapping[str, Any]) -> None:
        """Tell every page that shows it."""
        self.send(dict(news))

    @property
    def opened_again(self) -> bool:
        """Whether a second page shows it: one that was loaded again, or another window."""
        return len(self._views) > 1

    def view(self) -> dict[str, Any]:
        """The form of a display that shows it, for front ends that can."""
        return {VIEW: {"version_major": 2, "version_minor": 0, "model_id": self.model_id}}

    def __repr__(self) -> str:
        return self._called

    def _take(self, widget: object, content: Any, buffers: Any) -> None:
        word = content.get("do") if isinstance(content, dict) else None
        if not isinstance(word, str) or len(word) > LONGEST_WORD:
            return
        if word == "hello" and not self._is_new(content.get("view")):
            return  # it says so until it hears something, and what it says may take its time
        try:
            self._hear(word, content)
        except Exception as error:  # a traceback would land in some other cell's output
            log.debug("A widget could not do %r (%s).", word, type(error).__name__)
            from kit.errors import KitError

            said = str(error) if isinstance(error, KitError) else "That did not work."
            self.tell({"problem": said})

    def _is_new(self, view: Any) -> bool:
        if not isinstance(view, str) or view in self._views or len(self._views) >= MOST_VIEWS:
            return False
        self._views.add(view[:LONGEST_WORD])
        return True


def _answer_where_the_page_asks(comm: Any) -> None:
    """Hear what a page says in the thread that it chose, also while a cell runs.

    ipykernel 7.4 gives a widget's messages to the shell that last told the widget something, and
    so to the busy one. Only our widgets are changed; it can go when a release routes by message.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda data, chosen: chosen


def _program(programs: tuple[str, ...]) -> str:
    """One module: a widget's program is sent as a whole, and imports nothing."""
    return "\n".join(_file(f"{name}.js") for name in programs)


@cache
def _style() -> str:
    """Of all widgets: a page keeps one style for a class, and the last would undress the others."""
    names = sorted(file.name for file in _folder().iterdir() if file.name.endswith(".css"))
    return "\n".join(_file(name) for name in sorted(names, key=lambda name: name != "style.css"))


def _folder() -> Any:
    return resources.files("kit.notebook").joinpath("web")


@cache
def _file(name: str) -> str:
    return _folder().joinpath(name).read_text("utf-8")
