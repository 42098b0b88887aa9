"""The research panel from the kernel's side: takes what its pages say, tells them what is so.

    form, offers, price   what is filled in, what can go along, what it costs (see price_tag.py)
    asked                 what is asked back, and answered on the form
    run, live, result     the run that is open (see open_run.py)
    others, compared      what it can be compared with, and the difference
    busy, ending, number, problem   what is being done, or was refused (see errands.py)
    said                  what was done

Rule: no browser and no IPython is needed for it. What is heard is done in a thread; nothing that
opens a run or a gateway is ever told.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kit.connect_panels import answered, ended_entries, left_open
from kit.connect_research import research
from kit.connect_research import run as find_run
from kit.errors import InputError
from kit.gateway.card import lasted, printable
from kit.notebook.errands import Errands
from kit.notebook.export_run import export_markdown, export_notebook
from kit.notebook.open_run import OpenRun
from kit.notebook.price_tag import PriceTag
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
        self._closed = False
        self._lock = threading.Lock()
        self._tag = PriceTag(self._slate)
        self._slate.put(form=Form().document(), asked=[], run=None)

    def hear(self, word: str, said: Mapping[str, Any]) -> None:
        """Do what a page says; returns at once."""
        match word:
            case "hello":
                self._offer()
                self._slate.greet()
                self._watch_again()
                self._tag.ask(self._slate["form"]["model"])
            case "offers":
                self._offer()
            case "draft":
                self._fill(said)
            case "others":
                self._errands.do(word, self._list_others)
            case "clarify":
                form = self._fill(said)
                self._errands.do(word, lambda: self._clarify(form))
            case "start":
                form, shown = self._fill(said), said.get("price")
                self._errands.do_once(said.get("number"), word, lambda: self._start(form, shown))
            case "stop" if (run := self.run) is not None:
                self._errands.end(run.id, run.cancel)
            case "markdown" | "notebook":
                self._with_run(word, self._save if word == "markdown" else self._save_notebook)
            case "compare":
                self._with_run(word, lambda run: self._compare(run, said.get("id")))
            case _:
                pass

    def open(self, run: Run) -> None:
        """Show this run, instead of the one that is shown."""
        with self._lock:
            self._leave()
            self.run = run
            if not self._closed:  # it may have been closed while the run was started
                self._watch(run)
        self._shown(run)

    def close(self) -> None:
        """Watch nothing any more; a run that is open goes on."""
        with self._lock:
            self._closed = True
            self._leave()

    def _watch_again(self) -> None:
        """A page of a panel that was closed: what became of the run meanwhile is not known."""
        with self._lock:
            self._closed = False
            if self.run is not None and self._opened is None:
                self._watch(self.run)

    def _watch(self, run: Run) -> None:
        self._opened = OpenRun(run, self._slate, self._ended)
        self._opened.begin()

    def _leave(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    # -- before it starts --------------------------------------------------------------------

    def _offer(self) -> None:
        self._slate.put(offers=offered(*self._variables()))

    def _fill(self, said: Mapping[str, Any]) -> Form:
        form = Form.read(said.get("form"))
        self._slate.keep(form=form.document())
        self._tag.ask_if_new(form.model)
        return form

    def _clarify(self, form: Form) -> None:
        questions = left_open(form.asked())
        nothing = "" if questions else "Nothing is asked back: it can start as it is."
        self._slate.keep(form={**self._slate["form"], "answers": []})
        self._slate.put(asked=questions, said=nothing)

    def _start(self, form: Form, shown: Any) -> None:
        question, asked = form.asked(), self._slate["asked"] or []
        variables, hidden = self._variables()
        offers = [one["name"] for one in offered(variables, hidden)]
        options = form.options({name: variables[name] for name in offers})
        self._tag.agree(form.model, shown)
        pairs = [(one, said.strip()) for one, said in zip(asked, form.answers, strict=False)]
        if pairs := [pair for pair in pairs if pair[1]]:
            question = answered(question, pairs)
            self._tag.agree(form.model, shown)  # that was a call, and took its time
        run = research(question, **options)
        self._slate.put(asked=[])
        self.open(run)

    # -- the run that is open ----------------------------------------------------------------

    def _with_run(self, word: str, act: Callable[[Run], None]) -> None:
        if (run := self.run) is not None:
            self._errands.do(word, lambda: act(run))

    def _ended(self, run: Run) -> None:
        self._list_others()
        self._shown(run)

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
