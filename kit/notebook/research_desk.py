"""The research panel from the kernel's side: takes what its pages say, tells them what is so.

    form, offers, price   what is filled in, what can go along, what it costs
    asked                 what is asked back, and answered on the form
    run, live, result     the run that is open (see open_run.py)
    others, compared      what it can be compared with, and the difference
    busy, problem, said   what is being done, what went wrong, what was done

Rule: no browser and no IPython is needed for it. What is heard is done in a thread; nothing that
opens a run or a gateway is ever told.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kit.connect_panels import answered, ended_entries, left_open, price_of
from kit.connect_research import research
from kit.connect_research import run as find_run
from kit.errors import InputError, KitError
from kit.gateway.card import lasted, printable
from kit.notebook.errands import Errands
from kit.notebook.export_run import export_markdown, export_notebook
from kit.notebook.open_run import OpenRun
from kit.notebook.research_form import Form, offered
from kit.notebook.slate import Slate, Tell
from kit.relay.run import Run

__all__ = ["ResearchDesk"]

LONGEST_TITLE = 80

Variables = Callable[[], tuple[Mapping[str, Any], Mapping[str, Any]]]


class ResearchDesk:
    """`variables` gives those of the notebook, and those that are hidden from people.

    shown: called with the open run when it has been opened, and again when it has ended.
    """

    def __init__(self, tell: Tell, variables: Variables, shown: Callable[[Run], None]) -> None:
        self.run: Run | None = None
        self._variables, self._shown = variables, shown
        self._slate = Slate(tell)
        self._errands = Errands(self._slate)
        self._opened: OpenRun | None = None
        self._priced = False
        self._slate.put(form=Form().document(), asked=[], run=None, busy="", problem="", said="")

    def hear(self, word: str, said: Mapping[str, Any]) -> None:
        """Do what a page says; returns at once."""
        match word:
            case "hello":
                self._offer()
                self._slate.greet()
                self._watch_again()
                self._price()
            case "offers":
                self._offer()
            case "draft":
                self._slate.keep(form=Form.read(said.get("form")).document())
            case "others":
                self._errands.do(word, self._list_others)
            case "clarify" | "start":
                form = Form.read(said.get("form"))
                self._slate.keep(form=form.document())
                act = self._clarify if word == "clarify" else self._start
                self._errands.do(word, lambda: act(form))
            case "stop" | "markdown" | "notebook":
                act = {"stop": self._stop, "markdown": self._save, "notebook": self._save_notebook}
                self._with_run(word, act[word])
            case "compare":
                self._with_run(word, lambda run: self._compare(run, said.get("id")))
            case _:
                pass

    def open(self, run: Run) -> None:
        """Show this run, instead of the one that is shown."""
        self.close()
        self.run = run
        self._opened = OpenRun(run, self._slate, self._ended)
        self._opened.begin()
        self._shown(run)

    def close(self) -> None:
        """Watch nothing any more; a run that is open goes on."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _watch_again(self) -> None:
        """A page of a panel that was closed: what became of the run meanwhile is not known."""
        if self.run is not None and self._opened is None:
            self._opened = OpenRun(self.run, self._slate, self._ended)
            self._opened.begin()

    # -- before it starts --------------------------------------------------------------------

    def _offer(self) -> None:
        self._slate.put(offers=offered(*self._variables()))

    def _price(self) -> None:
        """Find out once what a run costs: the gateway may take its time to say."""
        if self._priced:
            return
        self._priced = True

        def ask() -> None:
            try:
                self._slate.put(price=price_of())
            except KitError as error:
                self._slate.put(price=str(error))

        threading.Thread(target=ask, name="kit-price", daemon=True).start()

    def _clarify(self, form: Form) -> None:
        questions = left_open(form.asked())
        nothing = "" if questions else "Nothing is asked back: it can start as it is."
        self._slate.keep(form={**self._slate["form"], "answers": []})
        self._slate.put(asked=questions, said=nothing)

    def _start(self, form: Form) -> None:
        question, asked = form.asked(), self._slate["asked"] or []
        variables, hidden = self._variables()
        offers = [one["name"] for one in offered(variables, hidden)]
        options = form.options({name: variables[name] for name in offers})
        pairs = [(one, said.strip()) for one, said in zip(asked, form.answers, strict=False)]
        run = research(answered(question, [pair for pair in pairs if pair[1]]), **options)
        self._slate.put(asked=[])
        self.open(run)

    # -- the run that is open ----------------------------------------------------------------

    def _with_run(self, word: str, act: Callable[[Run], None]) -> None:
        if (run := self.run) is not None:
            self._errands.do(word, lambda: act(run))

    def _ended(self, run: Run) -> None:
        self._list_others()
        self._shown(run)

    def _stop(self, run: Run) -> None:
        run.cancel()

    def _save(self, run: Run) -> None:
        self._slate.put(said=f"Saved as {export_markdown(run, Path.cwd()).name}")

    def _save_notebook(self, run: Run) -> None:
        self._slate.put(said=f"Saved as {export_notebook(run, Path.cwd()).name}")

    def _list_others(self) -> None:
        own = self.run.id if self.run is not None else ""
        now = time.time()
        others = [
            {
                "id": one.name,
                "title": printable(one.question)[:LONGEST_TITLE],
                "age": f"{lasted(now - one.asked)} ago",
            }
            for one in ended_entries()
            if one.name != own
        ]
        self._slate.put(others=others)

    def _compare(self, run: Run, other: Any) -> None:
        if not isinstance(other, str) or not other:
            raise InputError("Choose the run to compare with.")
        older = find_run(other)
        html = run.diff(older)._repr_mimebundle_()["text/html"]
        self._slate.put(compared={"id": older.id, "html": html})
