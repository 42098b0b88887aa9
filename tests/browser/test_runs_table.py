"""The runs table in JupyterLab: sorted, filtered, opened; it keeps up, and nothing jumps."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.test_first_notebook import errors_in, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

LOAD = "import os; os.environ['KIT_SANDBOX_PACE'] = '0.3'\n%load_ext kit"
ASK = """for question in ("The history of coffee", "짜장면의 역사와 기원", "The history of tea"):
    run = kit.research(question)
    run.cancel() if "tea" in question else None"""


def shown_table(open_notebook: Any, name: str, *cells: str, **options: Any) -> Any:
    shown = open_notebook(name, [LOAD, *cells, "kit.runs_table()"], **options)
    for cell in range(2 + len(cells)):
        shown.run_cell(cell)
    return shown


def test_no_runs_say_how_to_start_one_and_runs_appear_by_themselves(open_notebook: Any) -> None:
    shown = shown_table(open_notebook, "runs.ipynb")
    table = shown.output(1)
    wait_until(lambda: "There are no runs yet. To start one" in table.inner_text(), 20)
    shown.picture("runs-none")
    shown.page.evaluate("() => window.jupyterapp.commands.execute('notebook:insert-cell-below')")
    shown.edit(2).fill(ASK)
    shown.run_cell(2)
    wait_until(lambda: "3 runs" in table.inner_text(), 20)
    assert "running" in table.inner_text() and "cancelled" in table.inner_text()
    shown.picture("runs-going")
    row = table.get_by_role("row").filter(has_text="짜장면")
    row.get_by_role("button", name="Open").click()
    wait_until(lambda: "Checks:" in table.inner_text(), 40)
    shown.picture("runs-opened")
    assert errors_in(shown.outputs()) == []
