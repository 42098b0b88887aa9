"""A run that is open in a widget: a live card while it goes on, then report, sources and checks.

Rule: it watches and nothing more. A run that is opened in its stead, a closed widget and a gone
page end the watching; the run goes on.
"""

from __future__ import annotations

import threading
from asyncio import CancelledError
from collections.abc import Callable
from numbers import Integral
from typing import Any

from kit.blocking import Batches
from kit.clean_reading import web_address
from kit.gateway.card import printable
from kit.notebook.errands import told_as
from kit.notebook.run_live import RunNews
from kit.notebook.slate import Slate
from kit.relay.handle import NOT_SENT
from kit.relay.run import Run

__all__ = ["OpenRun", "result_of"]

LOOK_SECONDS = 0.1
MOST_ROWS = 300
"""Sources and links that are shown; the rest is counted."""
LONGEST_CELL = 500

Then = Callable[[Run], None]


class OpenRun:
    """Tells the slate of a run, in a thread, until it has ended or `close`. Its parts:

    run      `id`, `question`, `status`, `gateway`
    result   `html` of the report, `sources`, `checks`: None until it has ended

    then: called in that thread when the run has ended and has been told.
    """

    def __init__(self, run: Run, slate: Slate, then: Then) -> None:
        self.run = run
        self._slate = slate
        self._then = then
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="kit-open-run", daemon=True)

    def begin(self) -> None:
        self._slate.put(run=self._facts("unknown"), result=None, compared=None)
        self._slate.begin()
        self._thread.start()

    def close(self) -> None:
        """Watch it no more."""
        self._closed.set()

    def _facts(self, status: str) -> dict[str, str]:
        run = self.run
        question, gateway = printable(run.question), printable(run.gateway)
        return {"id": run.id, "question": question, "status": status, "gateway": gateway}

    def _watch(self) -> None:
        try:
            if (status := self.run.status) == NOT_SENT:
                self._put(run=self._facts(status))
                return
            self._put(run=self._facts(status))
            self._follow()
            if not self._closed.is_set():
                self._put(run=self._facts(self.run.status), result=result_of(self.run))
                self._then(self.run)
        except CancelledError:  # the process ends
            pass
        except Exception as error:  # a thread's traceback would land in some other cell
            self._put(problem=told_as(error))

    def _follow(self) -> None:
        news = RunNews(self.run)
        batches = Batches(self.run.inner.follow)
        try:
            while not self._closed.is_set() and batches.next(LOOK_SECONDS) is not None:
                self._slate_live(news)
        finally:
            batches.close()
        self._slate_live(news)

    def _slate_live(self, news: RunNews) -> None:
        if not self._closed.is_set():
            self._slate.live(news.take(), news.facts(), news.diary.rows)

    def _put(self, **parts: Any) -> None:
        if not self._closed.is_set():
            self._slate.put(**parts)


def result_of(run: Run) -> dict[str, Any]:
    """What a run brought, as the page is told it: cleaned HTML, and rows of plain words."""
    answer = run.answer
    if not answer.text.strip():
        return {"html": "", "sources": [], "checks": [], "more": [0, 0]}
    sources = [_source(row) for row in run.sources.itertuples(index=False)]
    checks = [_check(row) for row in run.check().itertuples(index=False)]
    return {
        "html": answer._repr_mimebundle_()["text/html"],
        "sources": sources[:MOST_ROWS],
        "checks": checks[:MOST_ROWS],
        "more": [max(len(rows) - MOST_ROWS, 0) for rows in (sources, checks)],
    }


def _source(row: Any) -> dict[str, str]:
    return {
        "number": _number(row.n),
        "title": _cell(row.title),
        "url": web_address(row.url),
        "opened": "opened" if row.opened else "not opened",
        "cited": "cited" if row.cited else "not cited",
    }


def _check(row: Any) -> dict[str, str]:
    return {
        "verdict": row.verdict,
        "number": _number(row.n),
        "label": _cell(row.label) or _cell(row.url),
        "url": web_address(row.url),
        "line": _number(row.line) if row.line else "",
    }


def _number(value: Any) -> str:
    return f"{value}" if isinstance(value, Integral) else ""  # pandas has NA for none


def _cell(text: str) -> str:
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"
