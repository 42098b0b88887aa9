"""A run as a file beside the notebook: its report as Markdown, or a notebook that finds it again.

Rule: no file is ever replaced; where a name is taken, the next one is. What is written holds the
run's id and nothing that opens it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kit.errors import InputError
from kit.relay.report import one_line, source_link
from kit.relay.run import Run

__all__ = ["export_markdown", "export_notebook", "notebook_of"]

LONGEST_SLUG = 40
LONGEST_TITLE = 300
MOST_NAMES = 1_000


def export_markdown(run: Run, folder: Path) -> Path:
    """Write the report. Raises InputError where there is none, or the file cannot be written."""
    return _write_new(folder, run, ".md", run.to_markdown())


def export_notebook(run: Run, folder: Path) -> Path:
    """Write a notebook with question, report, sources, and a cell that finds the run again."""
    text = json.dumps(notebook_of(run), ensure_ascii=False, indent=1) + "\n"
    return _write_new(folder, run, ".ipynb", text)


def notebook_of(run: Run) -> dict[str, Any]:
    """The notebook as nbformat 4.5 has it; its text is cleaned."""
    report = run.to_markdown()
    question = one_line(run.question, LONGEST_TITLE)
    cells = [
        _cell("question", "markdown", f"# {question}"),
        _cell("load", "code", "import kit\n\n%load_ext kit"),
        _cell("run", "code", f"run = kit.run({run.id!r})\nrun.status, run.cost, run.seconds"),
        _cell("report", "markdown", report),
        _cell("sources", "markdown", "\n".join(_sources(run))),
        _cell("check", "code", "run.check()"),
    ]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}


def _cell(id: str, kind: str, source: str) -> dict[str, Any]:
    code = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "id": id, "metadata": {}, "source": source, **code}


def _sources(run: Run) -> Iterator[str]:
    yield "## What the run found"
    yield ""
    rows: list[dict[str, Any]] = run.sources.to_dict("records")
    if not rows:
        yield "The gateway named no sources."
    for row in rows:
        opened = "opened" if row["opened"] else "not opened"
        cited = "cited" if row["cited"] else "not cited"
        yield f"- {source_link(row['title'], row['url'])}: {opened}, {cited}"


def _write_new(folder: Path, run: Run, ending: str, text: str) -> Path:
    for name in _names(run, ending):
        try:
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            continue
        except OSError as error:
            raise InputError(f"{name} cannot be written: {error.strerror}.") from None
        return folder / name
    raise InputError(f"There are {MOST_NAMES:,} files of this run here; delete some.")


def _names(run: Run, ending: str) -> Iterator[str]:
    words = re.sub(r"\W+", "-", run.question[: 4 * LONGEST_SLUG]).strip("-_")[:LONGEST_SLUG]
    stem = "-".join(["research", *filter(None, [words.strip("-")]), run.id[-6:]])
    yield stem + ending
    for number in range(2, MOST_NAMES):
        yield f"{stem}-{number}{ending}"
