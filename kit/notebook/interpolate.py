"""`{{name}}` in a prompt becomes the variable's value; nothing else in the prompt changes.

Single braces, `{{a.b}}` and `{{1 + 1}}` stay as they are, because prompts are full of code and
JSON; of what was meant as Python a note says so. What goes in is bounded, and a note says what was
cut. pandas is recognised only where the user has imported it already.
"""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from kit.errors import InputError
from kit.notebook.arguments import nearest
from kit.notebook.expressions import is_meant, note_of
from kit.tools.table import csv_lines

__all__ = ["FRAME_LIMIT", "TEXT_LIMIT", "Filled", "fill"]

TEXT_LIMIT = 200_000
"""The most characters of one value that go into a prompt."""

FRAME_LIMIT = 8_000
"""The most characters a DataFrame or Series takes in a prompt."""

_FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodType, functools.partial)

_CELL_LIMIT = 200
_COLUMNS_SHOWN = 60
_ROWS_SHOWN = 50

# Of what is no plain name only the opening braces are taken: a name may stand further inside.
_PLACE = re.compile(
    r"\\\{\{|\{\{\s*(?P<name>[^\W\d]\w*)\s*\}\}"
    r"|\{\{(?=(?P<other>[^\S\n]*[^\W\d][^\n]{0,300}?)\}\})"
)


@dataclass(frozen=True, slots=True)
class Filled:
    """A prompt with its values in it, and notes: what was cut, and what was not filled in."""

    text: str
    notes: tuple[str, ...] = ()


def fill(template: str, variables: Mapping[str, Any]) -> Filled:
    """The template with each `{{name}}` replaced.

    Raises InputError for an unknown name, and for a value that will not become text.
    """
    notes: dict[str, str] = {}
    expressions: list[str] = []

    def value_at(match: re.Match[str]) -> str:
        name, other = match["name"], match["other"]
        if other is not None and is_meant(other, variables):
            expressions.append(other)
        if name is None:
            return "{{"
        if name not in variables:
            raise InputError(_unknown(name, variables))
        text, note = _written(name, variables[name])
        if note:
            notes[name] = note
        return text

    text = _PLACE.sub(value_at, template)
    unfilled = note_of(expressions)
    return Filled(text, (*notes.values(), *([unfilled] if unfilled else [])))


def _unknown(name: str, variables: Mapping[str, Any]) -> str:
    near = nearest(name, [one for one in variables if not one.startswith("_")])
    suggestion = f"; did you mean {{{{{near}}}}}?" if near else "."
    return (
        f"{{{{{name}}}}}: there is no variable {name}{suggestion} "
        "Write \\{{ to send the braces as they are."
    )


def _written(name: str, value: Any) -> tuple[str, str | None]:
    if (kind := _mute(value)) is not None:
        raise InputError(
            f"{{{{{name}}}}}: {name} is a {kind}, which says nothing to a model: name a value."
        )
    try:
        return _as_text(name, value)
    except Exception as error:  # the value's own code runs here, and it may fail in any way
        problem = type(error).__name__[:60]
    raise InputError(
        f"{{{{{name}}}}}: the value of {name} could not be written as text ({problem}). "
        f"Put into the prompt what str({name}) can show."
    )


def _mute(value: Any) -> str | None:
    """What a value is called whose text is a name and a place of this machine; else None."""
    if isinstance(value, ModuleType):
        return "module"
    if isinstance(value, type):
        return "class"
    return "function" if isinstance(value, _FUNCTIONS) else None


def _as_text(name: str, value: Any) -> tuple[str, str | None]:
    if isinstance(value, str):
        return _cut(name, value)
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.DataFrame):
        return _frame(name, value)
    if pandas is not None and isinstance(value, pandas.Series):
        column = "value" if value.name is None else value.name
        return _frame(name, value.to_frame(column), kind="Series")
    answer = sys.modules.get("kit.gateway.answer")
    if answer is not None and isinstance(value, answer.Answer):
        return _cut(name, value.text)
    if isinstance(value, dict | list):
        return _cut(name, _json(value))
    return _cut(name, str(value))


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, indent=2, default=str)
    except (TypeError, ValueError, RecursionError):  # odd keys, or a structure inside itself
        return str(value)


def _cut(name: str, text: str) -> tuple[str, str | None]:
    if len(text) <= TEXT_LIMIT:
        return text, None
    note = f"{{{{{name}}}}} has {len(text):,} characters; the first {TEXT_LIMIT:,} were sent."
    return text[:TEXT_LIMIT], note


def _frame(name: str, given: Any, kind: str = "DataFrame") -> tuple[str, str | None]:
    """Shape, column types and the first rows as CSV, within FRAME_LIMIT characters."""
    rows, columns = given.shape
    shown = given.iloc[:_ROWS_SHOWN, :_COLUMNS_SHOWN]
    types = ", ".join(
        f"{_short(str(column))}: {dtype}"
        for column, dtype in zip(shown.columns, shown.dtypes, strict=True)
    )
    shape = _count(rows, "row")
    if kind == "DataFrame":
        shape += f" and {_count(columns, 'column')}"
    head = f"{kind} of {shape}\ncolumns: {types}"[: FRAME_LIMIT // 2]
    has_long = _has_long_cells(shown)
    keeps_index = type(shown.index).__name__ != "RangeIndex" or shown.index.name is not None
    lines = csv_lines(_with_short_cells(shown) if has_long else shown, index=keeps_index)
    body, sent = _fitting(lines, len(lines) - len(shown), FRAME_LIMIT - len(head) - 150)
    cut = [
        *([f"the first {sent:,} of {rows:,} rows"] if sent < rows else []),
        *(
            [f"the first {_COLUMNS_SHOWN} of {columns:,} columns"]
            if shown.shape[1] < columns
            else []
        ),
        *(["long cells shortened"] if has_long else []),
    ]
    if not cut:
        return f"{head}\n\n{body}", None
    summary = ", ".join(cut)
    return f"{head}\n\n{body}\n({summary})", f"{{{{{name}}}}} was sent in part: {summary}."


def _count(number: int, of: str) -> str:
    return f"{number:,} {of}" if number == 1 else f"{number:,} {of}s"


def _has_long_cells(frame: Any) -> bool:
    labels = [frame.index, frame.columns]
    parts = [part for one in labels for part in [one.names, *_levels(one)]]
    rows = [*parts, *frame.itertuples(index=False, name=None)]
    return any(len(str(cell)) > _CELL_LIMIT for row in rows for cell in row)


def _levels(labels: Any) -> list[Any]:
    return [labels.get_level_values(level) for level in range(labels.nlevels)]


def _with_short_cells(frame: Any) -> Any:
    """The same frame; what is not long keeps its type, so that it is written as elsewhere."""
    return (
        frame.map(_cell)
        .rename(index=_cell, columns=_cell)
        .rename_axis(index=_cell)
        .rename_axis(columns=_cell)
    )


def _cell(value: Any) -> Any:
    text = str(value)
    return value if len(text) <= _CELL_LIMIT else _short(text)


def _short(text: str) -> str:
    return text if len(text) <= _CELL_LIMIT else text[: _CELL_LIMIT - 1] + "…"


def _fitting(lines: list[str], header: int, budget: int) -> tuple[str, int]:
    """As many lines as fit, and how many of them are rows, which stand below the header's."""
    kept: list[str] = []
    for line in lines:
        budget -= len(line) + 1
        if budget < 0:
            break
        kept.append(line)
    return "\n".join(kept), max(0, len(kept) - header)
