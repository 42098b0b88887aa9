"""Rows as a DataFrame: pandas is loaded when the first one is asked for.

Rule: the columns and their types are the same with no row as with a thousand.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kit.gateway.card import printable
from kit.relay.evidence import CheckedLink, Source

if TYPE_CHECKING:
    import pandas

__all__ = ["frame_of", "links_frame", "sources_frame"]

_SOURCES = {"n": "Int64", "title": "str", "url": "str", "opened": "bool", "cited": "bool"}
_LINKS = {"verdict": "str", "n": "Int64", "url": "str", "label": "str", "line": "Int64"}


def frame_of(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> pandas.DataFrame:
    """The rows with these columns, each of the pandas type that is named.

    Text is shown as it is by a terminal, so what would steer one is left out.
    """
    loaded: Any = importlib.import_module("pandas")  # half typed
    shown = [{name: _shown(value) for name, value in row.items()} for row in rows]
    return loaded.DataFrame(shown, columns=[*columns]).astype(dict(columns))


def _shown(value: Any) -> Any:
    return printable(value) if isinstance(value, str) else value


def sources_frame(sources: Sequence[Source]) -> pandas.DataFrame:
    """One row a page."""
    rows = [(one.number, one.title, one.url, one.opened, one.cited) for one in sources]
    return frame_of([dict(zip(_SOURCES, row, strict=True)) for row in rows], _SOURCES)


def links_frame(links: Sequence[CheckedLink]) -> pandas.DataFrame:
    """One row a link."""
    rows = [(one.verdict, one.number, one.url, one.label, one.line) for one in links]
    return frame_of([dict(zip(_LINKS, row, strict=True)) for row in rows], _LINKS)
