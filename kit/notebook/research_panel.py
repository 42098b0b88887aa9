"""`kit.research_panel()`: a form for a research run, and the run that it started, in one widget.

Rule: what is displayed is two outputs: the widget, and a folded plain one that stays in the
notebook, with the run's report once there is one (see still.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kit.errors import InputError
from kit.gateway.card import Card, bundle_of_card
from kit.notebook.research_desk import ResearchDesk
from kit.notebook.still import Showing, Still
from kit.relay.card import name_card, run_bundle
from kit.relay.run import Run

__all__ = ["ResearchPanel", "research_panel"]

PROGRAMS = ("parts", "live", "forms", "opened_run", "research_panel")
INSTEAD = "Here, a cell does the same: %%research starts a run, %research list shows yours."
ABOUT = (
    "The panel lives in a kernel: run its cell again to open it.",
    "%%research in a cell starts a run as well; kit.runs() lists yours.",
)


def research_panel(run: Run | str | None = None) -> ResearchPanel:
    """A panel to ask for research in: question, format, context, constraints, budget; then the
    run as it goes on, its report with sources and checks, export and comparison.

    run: one to open, or its id. Raises InputError where there is none of that id.
    """
    if isinstance(run, str):
        from kit.connect_research import run as find_run

        run = find_run(run)
    if run is not None and not isinstance(run, Run):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError("A panel opens a run, or the id of one: kit.research_panel(run).")
    return ResearchPanel(run)


class ResearchPanel:
    """The panel. `run` is the Run that is open in it, None before there is one."""

    def __init__(self, run: Run | None = None) -> None:
        still = Still("Research panel", bundle_of_card(Card("Research panel", "", ABOUT)), INSTEAD)
        self._showing = Showing(still, PROGRAMS, name="research panel", hear=self._hear)
        self._desk = ResearchDesk(self._showing.tell, _variables, self._shown)
        if run is not None:
            self._desk.open(run)

    @property
    def run(self) -> Run | None:
        return self._desk.run

    def close(self) -> None:
        """Take the widget away. A run that was started goes on."""
        self._desk.close()
        self._showing.close()

    def __repr__(self) -> str:
        return f"ResearchPanel({self.run.id!r})" if self.run else "ResearchPanel()"

    def _ipython_display_(self) -> None:
        self._showing.display()

    def _hear(self, word: str, said: Mapping[str, Any]) -> None:
        self._desk.hear(word, said)

    def _shown(self, run: Run) -> None:
        if run.inner.ended:
            self._showing.place(f"Research: {run.question}", dict(run._repr_mimebundle_()))
        else:  # what stays true whatever becomes of the kernel
            self._showing.place(
                f"Research: {run.question}", run_bundle(name_card(run.question, run.id))
            )


def _variables() -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    return (shell.user_ns, shell.user_ns_hidden) if shell is not None else ({}, {})
