"""notebooks/06-relay.ipynb in JupyterLab: the run of a killed program comes back in a live card."""

from __future__ import annotations

from typing import Any

import nbformat
import pytest

from tests.browser.conftest import ROOT, Lab
from tests.browser.test_first_notebook import errors_in
from tests.waiting import until

pytestmark = pytest.mark.browser

NAME = "06-relay.ipynb"


def test_the_card_of_a_run_whose_owner_died_goes_on(open_notebook: Any, lab: Lab) -> None:
    notebook = nbformat.read(ROOT / "notebooks" / NAME, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in cells:
        cell.outputs = []
    cells[0].source = "%env KIT_SANDBOX_PACE=0.5\n" + cells[0].source
    nbformat.write(notebook, lab.folder / NAME)
    shown = open_notebook(NAME)
    killed, resumed = (
        next(place for place, one in enumerate(cells) if one.source.startswith(start))
        for start in ("until = ", "%research resume")
    )
    shown.start()
    until(lambda: "search" in shown.output(resumed).inner_text())
    assert "kit.run(" in shown.output(killed).inner_text()
    until(lambda: "completed" in shown.output(resumed).inner_text())
    until(lambda: "(True, 1, 'completed')" in shown.page.inner_text("body"))
    until(shown.is_idle)
    assert errors_in(shown.outputs()) == []
    shown.picture("relay-notebook")
