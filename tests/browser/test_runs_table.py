"""The runs table in JupyterLab: sorted, filtered, opened; it keeps up, and nothing jumps.

Each test is a user of its own.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import LOAD
from tests.browser.test_first_notebook import errors_in
from tests.waiting import until

pytestmark = pytest.mark.browser

TABLE = "table = kit.runs_table()\ntable"
ASK = """for question in ("The history of coffee", "짜장면의 역사와 기원", "The history of tea"):
    run = kit.research(question)
    run.cancel() if "tea" in question else None"""
MANY = """import time
from kit import connect
from kit.connect_desk import book_of
from kit.relay.book import Entry
from kit.secret import Secret
book = book_of(connect.client().inner.settings)
for n in range(520):
    id = f"{n + 2**64:032x}"
    book.write(Entry(id, f"Question {n} of many", {"research_question": "x"}, "", "sandbox",
        time.time() - 90_000 - 600 * n, id="inv_" + id, token=Secret("t" * 43),
        ended=("completed", "failed")[n % 7 == 0], cost=(n * 37 % 101) / 100, seen=True))"""


def shown_table(
    open_notebook: Any, name: str, *cells: str, pace: str = "2", **options: Any
) -> tuple[Any, Any]:
    """A notebook with the table in its last cell, and the table."""
    shown = open_notebook(name, [LOAD.format(pace=pace, name=name), *cells, TABLE], **options)
    for cell in range(2 + len(cells)):
        shown.run_cell(cell)
    table = shown.output(1 + len(cells))
    until(lambda: "run" in table.locator(".kit-bar [role=status]").inner_text())
    return shown, table


def questions(table: Any) -> list[str]:
    return table.locator("tbody th").all_inner_texts()


def row_of(table: Any, words: str) -> Any:
    return table.locator(".kit-runs-table tbody tr").filter(has_text=words)


def test_no_runs_say_how_to_start_one_and_runs_appear_by_themselves(open_notebook: Any) -> None:
    shown, table = shown_table(open_notebook, "runs.ipynb")
    assert "There are no runs yet. To start one" in table.inner_text()
    shown.picture("runs-none")
    shown.page.evaluate("() => window.jupyterapp.commands.execute('notebook:insert-cell-below')")
    shown.edit(2).fill(ASK)
    shown.run_cell(2)
    until(lambda: "3 runs" in table.inner_text())
    until(lambda: "running" in row_of(table, "coffee").inner_text())
    assert "cancelled" in row_of(table, "tea").inner_text()
    shown.picture("runs-going")
    row_of(table, "짜장면").get_by_role("button", name="Open").click()
    shown.let_time_pass()
    until(lambda: "Checks:" in table.inner_text())
    until(lambda: "completed" in row_of(table, "짜장면").inner_text())
    shown.picture("runs-opened")
    table.get_by_role("button", name="Close").press("Escape")
    until(lambda: not table.locator(".kit-opened").is_visible())
    opener = row_of(table, "짜장면").get_by_role("button", name="Open")
    assert opener.evaluate("node => node === document.activeElement")
    assert errors_in(shown.outputs()) == []


def test_it_sorts_by_every_column_and_keeps_that_while_it_looks_again(
    open_notebook: Any,
) -> None:
    shown, table = shown_table(open_notebook, "sorted.ipynb", ASK, pace="0")
    until(lambda: len(questions(table)) >= 3)
    head = table.get_by_role("columnheader", name="Question")
    head.get_by_role("button").press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert questions(table) == sorted(questions(table))
    head.get_by_role("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert questions(table) == sorted(questions(table), reverse=True)
    for name in ("Status", "Age", "Cost", "Gateway", "Id"):
        table.get_by_role("button", name=name, exact=True).click()
        sort = table.get_by_role("columnheader", name=name).get_attribute("aria-sort")
        assert sort == "ascending"
    table.get_by_label("Filter").fill("history COFFEE")
    until(lambda: set(questions(table)) == {"The history of coffee"})
    count = len(questions(table))
    shown.page.evaluate("() => window.jupyterapp.commands.execute('notebook:insert-cell-below')")
    shown.edit(3).fill("run = kit.research('More of the history of coffee')")
    shown.run_cell(3)
    until(lambda: len(questions(table)) == count + 1)
    assert table.get_by_label("Filter").input_value() == "history COFFEE"
    assert table.get_by_role("columnheader", name="Id").get_attribute("aria-sort") == "ascending"
    table.get_by_label("Filter").fill("no such words")
    until(lambda: "No run is like that." in table.inner_text())
    table.get_by_label("Filter").fill("")
    table.get_by_label("Status").select_option("cancelled")
    until(lambda: set(questions(table)) == {"The history of tea"})
    shown.picture("runs-filtered")


def test_a_run_is_cancelled_and_started_anew_at_the_second_press(open_notebook: Any) -> None:
    ask = "run = kit.research('온돌의 역사')"
    shown, table = shown_table(open_notebook, "cancel.ipynb", ask, theme="JupyterLab Dark")
    row = row_of(table, "온돌")
    cancel = row.get_by_role("button", name="Cancel")
    until(lambda: cancel.count() == 1)
    cancel.click()
    shown.page.wait_for_timeout(3500)  # it looks again meanwhile, and the button stays as it is
    sure = row.get_by_role("button", name="End it for good?")
    assert sure.count() == 1
    shown.picture("runs-sure-dark")
    sure.press("Enter")
    until(lambda: "cancelled" in row.inner_text())
    row.get_by_role("button", name="Retry").click()
    row.get_by_role("button", name="Retry? It may cost").click()
    until(lambda: row_of(table, "온돌").count() == 2)
    until(lambda: "searching" in table.locator(".kit-opened").inner_text())
    shown.picture("runs-retried-dark")
    stop = table.locator(".kit-opened .kit-standing button")
    stop.click()
    stop.click()
    until(lambda: "cancelled" in table.locator(".kit-opened").inner_text())
    assert errors_in(shown.outputs()) == []


def test_a_run_is_cancelled_while_another_is_opened(open_notebook: Any) -> None:
    """Opening takes its time, as where the relay is slow: Retry waits for it, Cancel does not."""
    slow = (
        "import threading\nfrom kit.notebook import runs_desk\n"
        "runs_desk.RunsDesk._open = lambda self, run: threading.Event().wait()"
    )
    shown, table = shown_table(open_notebook, "lanes.ipynb", ASK, slow)
    row_of(table, "짜장면").get_by_role("button", name="Open").click()
    row = row_of(table, "coffee")
    until(lambda: row.get_by_role("button", name="Open").is_disabled())
    assert row_of(table, "tea").get_by_role("button", name="Retry").is_disabled()
    row.get_by_role("button", name="Cancel").click()
    row.get_by_role("button", name="End it for good?").click()
    until(lambda: "cancelled" in row.inner_text())
    assert row.get_by_role("button", name="Open").is_disabled()
    assert errors_in(shown.outputs()) == []


def test_a_reloaded_page_goes_on_and_a_reopened_notebook_has_a_plain_table(
    lab: Any, open_notebook: Any
) -> None:
    shown, table = shown_table(open_notebook, "again.ipynb", ASK, pace="0")
    row_of(table, "짜장면").first.get_by_role("button", name="Open").click()
    until(lambda: "Checks:" in table.inner_text())
    shown.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    shown.load_again("again.ipynb")
    table = shown.output(2)
    until(lambda: "산둥" in table.locator(".kit-report").inner_text())
    until(lambda: len(questions(table)) >= 3)
    shown.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    assert "token" not in (lab.folder / "again.ipynb").read_text().lower()
    shown.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    shown.page.close()
    again = open_notebook("again.ipynb")
    fold = again.output(2).locator("details > summary").first
    until(lambda: "Research runs" in fold.inner_text())
    fold.click()
    assert "짜장면의 역사와 기원" in again.output(2).inner_text()
    again.picture("runs-reopened")


def test_a_page_in_the_background_and_a_closed_widget_ask_nothing(open_notebook: Any) -> None:
    shown, _ = shown_table(open_notebook, "hidden.ipynb", "1 + 1")
    shown.page.evaluate("() => Object.defineProperty(document, 'visibilityState',"
                        " {get: () => 'hidden', configurable: true})")  # fmt: skip
    until(lambda: looks(shown) == looks(shown, 4500))  # one may be under way at first
    shown.page.evaluate("() => delete document.visibilityState")
    until(lambda: looks(shown) != looks(shown, 4500))
    shown.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets[1]"
                        ".model.sharedModel.setSource('table.close()')")  # fmt: skip
    shown.run_cell(1)
    until(lambda: looks(shown) == looks(shown, 4500))
    assert shown.output(2).locator(".kit-card").count() == 0


def looks(shown: Any, after: int = 0) -> str:
    shown.page.wait_for_timeout(after)
    shown.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets[1]"
                        ".model.sharedModel.setSource('print(table._desk._looked)')")  # fmt: skip
    shown.run_cell(1)
    return shown.outputs()[1][0]["text"]


def test_of_five_hundred_runs_a_hundred_are_drawn(open_notebook: Any) -> None:
    shown, table = shown_table(open_notebook, "many.ipynb", MANY)
    until(lambda: "500 runs" in table.inner_text())
    assert "the first 100 are shown" in table.inner_text()
    assert "kit.runs(limit=1000)" in table.inner_text()
    assert table.evaluate(SORT_ALL) == [100] * 6  # however it is sorted, the page draws no more
    shown.picture("runs-many")
    table.get_by_role("button", name="Show more").click()
    assert len(questions(table)) == 200
    assert errors_in(shown.outputs()) == []


SORT_ALL = """node => [...node.querySelectorAll('.kit-sort')].map(press => {
  press.click();
  return node.querySelectorAll('.kit-runs-table tbody tr').length;
})"""
