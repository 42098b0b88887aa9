"""`kit.runs_table()`: the user's runs, in a table that keeps up with them.

Rule: what is displayed is two outputs: the widget, and a folded plain table that stays in the
notebook (see still.py).
"""

from __future__ import annotations

import html
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kit.gateway.card import printable
from kit.notebook.runs_desk import Listed, RunsDesk
from kit.notebook.still import Showing, Still

__all__ = ["RunsTable", "runs_table", "table_bundle"]

PROGRAMS = ("parts", "live", "forms", "opened_run", "runs_rows", "runs_table")
INSTEAD = "Here, %research list does the same; %research show ID opens one of them."
NONE_YET = "There are no runs yet: %%research in a cell starts one, and so does kit.research(…)."
MOST_STILL = 50
COLUMNS = ("question", "status", "asked", "cost", "id")


def runs_table() -> RunsTable:
    """Your runs in a table: to sort, to filter, to open; to cancel and to start anew."""
    return RunsTable()


class RunsTable:
    """The table. It looks by itself while somebody can see it."""

    def __init__(self) -> None:
        still = Still("Research runs", table_bundle([]), INSTEAD)
        self._showing = Showing(still, PROGRAMS, name="runs table", hear=self._hear)
        self._desk = RunsDesk(self._showing.tell, self._shown)

    def close(self) -> None:
        """Take the widget away; the runs go on."""
        self._desk.close()
        self._showing.close()

    def __repr__(self) -> str:
        return "RunsTable()"

    def _ipython_display_(self) -> None:
        self._shown(self._desk.listed())  # so that the plain one is there without any page
        self._showing.display()

    def _hear(self, word: str, said: Mapping[str, Any]) -> None:
        self._desk.hear(word, said)

    def _shown(self, rows: list[Listed]) -> None:
        when = time.strftime("%Y-%m-%d %H:%M")
        self._showing.place(f"Research runs: {len(rows):,}, on {when}", table_bundle(rows))


def table_bundle(rows: list[Listed]) -> dict[str, str]:
    """The newest runs as a plain table, in two forms."""
    if not rows:
        return {"text/plain": NONE_YET, "text/html": f"<div>{html.escape(NONE_YET)}</div>"}
    shown = [_cells(row) for row in rows[:MOST_STILL]]
    more = len(rows) - MOST_STILL
    last = f"and {more:,} more: kit.runs() lists them" if more > 0 else ""
    lines = ["  ".join(cells) for cells in (COLUMNS, *shown)]
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
        for cells in shown
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return {
        "text/plain": "\n".join([*lines, *([last] if last else [])]),
        "text/html": f'<div class="mathjax_ignore">{table}{html.escape(last)}</div>',
    }


def _cells(row: Listed) -> tuple[str, ...]:
    asked = datetime.fromtimestamp(row["asked"]).strftime("%Y-%m-%d %H:%M")
    question = printable(row["question"])
    question = question if len(question) <= 60 else question[:59] + "…"
    return question, row["status"], asked, row["money"], row["id"]
