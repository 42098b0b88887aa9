"""A DataFrame as CSV, for whoever reads it as text: a tool's result, a context, a prompt.

Rule: pandas writes it, so that labels keep their names, and what is missing is empty.
"""

from __future__ import annotations

import io
from typing import Any

__all__ = ["csv_lines"]


def csv_lines(frame: Any, *, index: bool = True) -> list[str]:
    """The header, of several lines where columns have levels, then one entry a row.

    A row whose text holds line breaks stays one entry. None ends with a line break.
    """
    rows = _Rows()
    frame.to_csv(rows, index=index, lineterminator="\n")
    return rows.lines


class _Rows(io.StringIO):
    """A file that keeps each row by itself: CSV is written with one call a row."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def write(self, text: str, /) -> int:
        self.lines.append(text.removesuffix("\n"))
        return len(text)
