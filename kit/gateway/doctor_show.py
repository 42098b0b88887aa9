"""The doctor's findings as a table: in a terminal, in Markdown, in a page.

Rule: everything in a table is escaped; it holds no script and fetches nothing, so that a saved
notebook shows what the living one did. A verdict is a sign and a word in the colour of the text,
so that it can be read in a light theme and in a dark one; its colour is an ornament.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

from kit.gateway.card import literal
from kit.gateway.doctor_finding import Finding
from kit.gateway.doctor_words import GROUPS

__all__ = ["as_html", "as_markdown", "as_text"]

SIGNS = {"yes": "✓", "no": "✕", "partly": "◐", "unknown": "?"}
COLOURS = {"yes": "#4caf50", "no": "#e57373", "partly": "#ffb74d", "unknown": "#9e9e9e"}
HEADS = ("what was tried", "verdict", "what it means", "what kit does", "what you can do")
CELL = "padding:2px 10px 2px 0;text-align:left;vertical-align:top;white-space:normal"

Groups = list[tuple[str, list[Finding]]]


def _grouped(asked: Sequence[Finding]) -> Groups:
    groups = [(head, [one for one in asked if one.name in names]) for head, names in GROUPS.items()]
    return [(head, found) for head, found in groups if found]


def _verdict(one: Finding) -> str:
    return f"{SIGNS[one.verdict]} {one.verdict}"


def as_text(title: str, asked: Sequence[Finding], ending: Sequence[str]) -> str:
    """A line for each finding, and below it what follows."""
    width = max((len(one.label) for one in asked), default=0)
    lines = [title]
    for head, found in _grouped(asked):
        lines += ["", head]
        for one in found:
            lines.append(f"  {one.label:<{width}}  {_verdict(one):<9}  {one.means}")
            below = [f"kit {one.instead}." if one.instead else "", one.advice]
            lines += [f"{'':<{width + 13}}  {line}" for line in below if line]
    return "\n".join([*lines, "", *ending])


def as_markdown(title: str, asked: Sequence[Finding], ending: Sequence[str]) -> str:
    heads = _heads(asked)
    rows: list[list[str]] = []
    for head, found in _grouped(asked):
        rows.append([f"**{literal(head)}**", *([""] * (len(heads) - 1))])
        rows += [list(map(literal, _cells(one)[: len(heads)])) for one in found]
    lines = [f"| {' | '.join(row)} |" for row in [list(heads), ["---"] * len(heads), *rows]]
    return "\n".join([literal(title), "", *lines, "", "  \n".join(map(literal, ending))])


def as_html(title: str, asked: Sequence[Finding], ending: Sequence[str]) -> str:
    heads = _heads(asked)
    head = "".join(f'<th scope="col" style="{CELL}">{one}</th>' for one in heads)
    rows = ""
    for group, found in _grouped(asked):
        wide = f'<th scope="rowgroup" colspan="{len(heads)}" style="{CELL};padding-top:8px">'
        rows += f"<tr>{wide}{html.escape(group)}</th></tr>"
        rows += "".join(_row(one, len(heads)) for one in found)
    return (
        # The class: JupyterLab looks for formulas in HTML as well.
        f'<div class="mathjax_ignore"><div>{html.escape(title)}</div>'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        + "".join(f"<div>{html.escape(line)}</div>" for line in ending)
        + "</div>"
    )


def _heads(asked: Sequence[Finding]) -> tuple[str, ...]:
    """What a person can do has a column where there is something."""
    return HEADS if any(one.advice for one in asked) else HEADS[:-1]


def _cells(one: Finding) -> list[str]:
    return [one.label, _verdict(one), one.means, one.instead, one.advice]


def _row(one: Finding, columns: int) -> str:
    bar = f"border-left:4px solid {COLOURS[one.verdict]};padding-left:6px;white-space:nowrap"
    styles = [CELL, f"{CELL};{bar}", CELL, CELL, CELL]
    pairs = zip(styles[:columns], _cells(one), strict=False)
    cells = "".join(f'<td style="{style}">{html.escape(text)}</td>' for style, text in pairs)
    return f"<tr>{cells}</tr>"
