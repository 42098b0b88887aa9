"""Rows as a DataFrame: pandas is loaded when the first one is asked for.

Rule: the columns and their types are the same with no row as with a thousand.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas

__all__ = ["frame_of"]


def frame_of(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> pandas.DataFrame:
    """The rows with these columns, each of the pandas type that is named."""
    loaded: Any = importlib.import_module("pandas")  # half typed
    return loaded.DataFrame(rows, columns=[*columns]).astype(dict(columns))
