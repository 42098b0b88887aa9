"""`make notebooks` keeps of a run only what a reader sees."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

import run_notebooks

pytestmark = pytest.mark.once

VIEW = "application/vnd.jupyter.widget-view+json"


def executed() -> nbformat.NotebookNode:
    """A notebook as a front end leaves it behind."""
    data = {"text/plain": "a card", VIEW: {"model_id": "1"}}
    output = v4.new_output("execute_result", data, execution_count=1)
    timing = {"execution": {"iopub.execute_input": "2030-01-01"}, "tags": ["keep"]}
    cell = v4.new_code_cell("1", outputs=[output], execution_count=1, metadata=timing)
    metadata = {
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {}}},
        "kernelspec": {"display_name": "my venv", "name": "elsewhere", "language": "python"},
        "language_info": {"name": "python", "version": "3.12.1"},
    }
    return v4.new_notebook(cells=[cell], metadata=metadata)


def test_times_versions_and_widgets_go_and_results_stay() -> None:
    notebook = run_notebooks.normalise(executed())
    [cell] = notebook.cells
    assert notebook.metadata == {
        "kernelspec": run_notebooks.KERNEL,
        "language_info": {"name": "python"},
    }
    assert cell.metadata == {"tags": ["keep"]}
    assert cell.execution_count == 1
    assert cell.outputs[0].data == {"text/plain": "a card"}


def test_a_second_normalising_changes_nothing() -> None:
    once = run_notebooks.normalise(executed())
    assert run_notebooks.normalise(nbformat.from_dict(once)) == once


def test_a_notebook_whose_cell_fails_stays_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.ipynb"
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell("1 / 0")]), file)
    before, environment = file.read_bytes(), dict(os.environ)
    assert run_notebooks.main([str(file)]) == 1
    assert dict(os.environ) == environment
    assert file.read_bytes() == before
    assert "ZeroDivisionError" in capsys.readouterr().err
