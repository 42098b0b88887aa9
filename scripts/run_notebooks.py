"""Run notebooks in place on the sandbox, and keep of the run only what a reader sees.

They run on a copy elsewhere and with an empty home, so that no `.env` and no key of yours gets
into a saved output. Times, versions and the state of widgets are dropped: two runs differ only
where the answers do. Usage: run_notebooks.py FILE-OR-FOLDER ...
"""

# pyright: standard
# (nbformat is not typed)

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from installing import ROOT, say

sys.path.insert(0, str(ROOT))
from conftest import empty_environment

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
WIDGET = "application/vnd.jupyter.widget-view+json"
FLEETING = ("execution", "ExecuteTime", "collapsed", "scrolled")


def main(arguments: list[str]) -> int:
    named = [Path(argument).resolve() for argument in arguments]
    files = [file for path in named for file in sorted(path.glob("*.ipynb")) or [path]]
    failed = 0
    with tempfile.TemporaryDirectory(prefix="kit-notebooks-") as folder:
        home = Path(folder, "home")
        home.mkdir()
        environment = dict(os.environ)
        empty_environment(environment, home)
        del environment["KIT_SANDBOX_PACE"]  # a reader sees what a newcomer's run shows
        for file in files:
            failed += not run(file, Path(folder, file.parent.name), environment)
    return 1 if failed else 0


def run(file: Path, place: Path, environment: dict[str, str]) -> bool:
    """Execute `file` in a copy of its folder and write it back; a failed one stays as it was."""
    shutil.copytree(file.parent, place, dirs_exist_ok=True)
    notebook = nbformat.read(file, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(place)}},
        record_timing=False,
        store_widget_state=False,
    )
    try:
        client.execute(env=environment)
    except CellExecutionError as error:
        say(f"{file.name}: a cell failed; the file is unchanged.\n{error}")
        return False
    nbformat.write(normalise(notebook), file)
    say(f"{file.name}: {sum(cell.cell_type == 'code' for cell in notebook.cells)} cells")
    return True


def normalise(notebook: Any) -> Any:
    """Drop from a notebook (in place) what changes from run to run and shows nothing."""
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    )
    for cell in notebook.cells:
        for key in FLEETING:
            cell.metadata.pop(key, None)
        for output in cell.get("outputs", ()):
            # A view without its saved state shows an error; what lies beside it is the record.
            output.get("data", {}).pop(WIDGET, None)
    return notebook


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
