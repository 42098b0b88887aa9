"""The doctor's reports as the tables of docs/gateways.md, and where they stand in it (pure).

TABLE    what was seen: a row for each finding, a column for each gateway
LEGEND   what each of it that is no plain "yes" means, what kit does then, and what you can do
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from kit.gateway.capabilities import Seen
from kit.gateway.doctor_finding import Finding
from kit.gateway.doctor_report import Report
from kit.gateway.doctor_words import LABELS, NAMES, Told, words_for

__all__ = ["PAGE", "in_page", "tables", "with_tables"]

PAGE = Path(__file__).parents[2] / "docs" / "gateways.md"
ROWS = tuple(name for name in NAMES if name not in ("reachable", "tls", "key", "models"))
"""The others tell of an installation, and not of a kind of gateway."""

BEGIN, END = "<!-- from the doctor -->", "<!-- end -->"
LACKS = re.compile(r"It lacks (.*)\.$")


def tables(reports: Mapping[str, Report]) -> str:
    """Both tables, from one report for each column."""
    return f"{_table(reports)}\n\n{_legend(reports)}"


def in_page(page: str) -> str:
    """What stands between the marks."""
    return page.partition(BEGIN)[2].partition(END)[0].strip()


def with_tables(page: str, made: str) -> str:
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{made}\n\n{END}{rest.partition(END)[2]}"


def _table(reports: Mapping[str, Report]) -> str:
    rows = [["", *reports], ["---"] * (len(reports) + 1)]
    rows += [[LABELS[name], *(_cell(report[name]) for report in reports.values())] for name in ROWS]
    return _lines(rows)


def _cell(one: Finding) -> str:
    """An unknown has no reason here: a small model may give another one each time."""
    if one.how == "no background":
        return "not asked"
    if one.verdict == "yes":
        lacks = LACKS.search(one.means)
        return f"yes, without {lacks[1]}" if lacks else "yes"
    return one.verdict if one.verdict == "unknown" or not one.how else f"{one.verdict}: {one.how}"


def _legend(reports: Mapping[str, Report]) -> str:
    rows = [["", "", "what it means", "what kit does", "what you can do"], ["---"] * 5]
    for name in ROWS:
        seen = {_cell(report[name]): report[name] for report in reports.values()}
        for cell, one in sorted(seen.items()):
            if one.verdict in ("no", "partly"):  # without the gateway's own words
                told = Told(Seen(one.verdict, one.how))
                rows.append([LABELS[name], cell, *words_for(name, told)])
    return _lines(rows)


def _lines(rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
