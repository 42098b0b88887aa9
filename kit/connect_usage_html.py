"""The picture of `kit.usage_chart()` as HTML that every front end keeps.

Rule: boxes with inline styles, no script, nothing to fetch. JupyterLab's sanitizer takes away SVG,
roles, and each declaration with a variable in it, so a plain colour that is right on light and on
dark stands before every variable; input and output differ in pattern, and all is there as words.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from kit.connect_usage_sums import Bar, Sum, told_cost, told_count
from kit.relay.glance import money

__all__ = ["html_of"]

HIGH, LOW = 120, 36
"""Pixels: of the tokens, and of the cost below them."""
WIDEST, GAP = 40, 2
"""Pixels: of a bar, and behind it."""

_INPUT = "background-color:#1e88e5;background-color:var(--jp-brand-color1,#1e88e5)"
_STRIPES = (  # a tile: repeating gradients are not kept
    "background-image:linear-gradient(90deg,rgba(255,255,255,0.65) 50%,rgba(255,255,255,0) 50%);"
    "background-size:4px 4px"
)
_OUTPUT = f"background-color:#ef6c00;background-color:var(--jp-warn-color1,#ef6c00);{_STRIPES}"
_COST = "background-color:rgba(128,128,128,0.25);border-top:2px solid;box-sizing:border-box"
_PLOT = "display:flex;align-items:flex-end;border-bottom:1px solid"
_COLUMN = f"flex:1;max-width:{WIDEST}px;margin-right:{GAP}px"
_STEP = f"flex:1;max-width:{WIDEST + GAP}px"
_APART = "display:flex;justify-content:space-between;flex-wrap:wrap;column-gap:16px"
_QUIET = "opacity:.75"


def html_of(
    title: str, line: str, bars: Sequence[Bar], models: dict[str, Sum], clock: Sequence[str]
) -> str:
    """The whole picture. `line` is its sum in words, `clock` when each bar begins."""
    inner = [
        f"<div><strong>{title}</strong> {html.escape(line)}</div>",
        _legend(bars),
        _tokens(bars, clock, f"{title}: {line}"),
        _axis(bars, clock),
        _costs(bars, clock),
        _table(("Model", "Calls", "Tokens", "Cost"), map(_row_of_model, models.items())),
        _as_words(bars, clock),
    ]
    # The class: JupyterLab looks for formulas in HTML as well.
    return f'<div class="mathjax_ignore" style="max-width:680px">{"".join(inner)}</div>'


def _legend(bars: Sequence[Bar]) -> str:
    most = max(bar.sum.input + bar.sum.output for bar in bars)
    words = [f"{_swatch(_INPUT)} input (plain)", f"{_swatch(_OUTPUT)} output (striped)"]
    if any(bar.sum.is_uncounted for bar in bars):
        words.append("? not said")
    kinds = "".join(f'<span style="margin-right:14px">{one}</span>' for one in words)
    every = bars[0].last
    one = "a call" if every == 1 else f"{every:,} calls"
    scale = f"a bar is {one}, the highest {most:,} tokens"
    return f'<div style="{_APART};margin-top:6px"><span>{kinds}</span><span>{scale}</span></div>'


def _swatch(style: str) -> str:
    return f'<span style="display:inline-block;width:12px;height:12px;{style}"></span>'


def _tokens(bars: Sequence[Bar], clock: Sequence[str], said: str) -> str:
    """Input below, output on top of it. `said`: for who hears the picture."""
    most = max(bar.sum.input + bar.sum.output for bar in bars)
    columns = [
        f'<div title="{_words(bar, when)}" style="{_COLUMN}">'
        + (
            '<div style="text-align:center">?</div>'
            if bar.sum.is_uncounted
            else _box(_OUTPUT, bar.sum.output, most) + _box(_INPUT, bar.sum.input, most)
        )
        + "</div>"
        for bar, when in zip(bars, clock, strict=True)
    ]
    told = f'role="img" aria-label="{html.escape(said)}"'
    return f'<div {told} style="{_PLOT};height:{HIGH}px;margin-top:4px">{"".join(columns)}</div>'


def _box(style: str, value: int, most: int) -> str:
    """Little is not nothing: two pixels at least."""
    height = max(round(value / most * (HIGH - 4)), 2) if value else 0
    return f'<div style="height:{height}px;{style}"></div>' if height else ""


def _axis(bars: Sequence[Bar], clock: Sequence[str]) -> str:
    """The first call and the last, below their bars; in a row where the bars are few."""
    first, last = f"call {bars[0].first:,}, {clock[0]}", f"call {bars[-1].last:,}, {clock[-1]}"
    if len(bars) < 6:
        return f'<div style="{_QUIET}">{first if len(bars) == 1 else f"{first} to {last}"}</div>'
    wide = f"max-width:{(WIDEST + GAP) * len(bars)}px"
    return f'<div style="{wide};{_APART};{_QUIET}"><span>{first}</span><span>{last}</span></div>'


def _costs(bars: Sequence[Bar], clock: Sequence[str]) -> str:
    """The cost so far, as steps; words alone where there is nothing to draw."""
    most = bars[-1].cost
    if not most:
        return ""
    columns = "".join(
        f'<div title="{_words(bar, when)}" '
        f'style="{_STEP};{_COST};height:{max(round(bar.cost / most * LOW), 2)}px"></div>'
        for bar, when in zip(bars, clock, strict=True)
    )
    head = f'<div style="margin-top:8px">cost so far, in steps up to {money(most)}</div>'
    return f'{head}<div style="{_PLOT};height:{LOW + 2}px">{columns}</div>'


def _as_words(bars: Sequence[Bar], clock: Sequence[str]) -> str:
    """Every bar once more, for who does not see them."""
    rows = [
        (_calls(bar), when, told_count(bar.sum), money(bar.cost) or "-")
        for bar, when in zip(bars, clock, strict=True)
    ]
    table = _table(("Calls", "From", "Tokens", "Cost so far"), rows)
    return f"<details><summary>The bars as a table</summary>{table}</details>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    heads = "".join(f'<th style="text-align:left">{one}</th>' for one in head)
    body = "".join(
        "<tr>"
        + "".join(f'<td style="text-align:left">{html.escape(cell)}</td>' for cell in row)
        + "</tr>"
        for row in rows
    )
    return (
        f'<table style="margin:8px 0"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'
    )


def _row_of_model(named: tuple[str, Sum]) -> tuple[str, ...]:
    name, its = named
    return name, f"{its.calls:,}", told_count(its), told_cost(its)


def _words(bar: Bar, when: str) -> str:
    so_far = f", {money(bar.cost)} so far" if bar.cost else ""
    return html.escape(f"{_calls(bar)}, {when}: {told_count(bar.sum)}{so_far}")


def _calls(bar: Bar) -> str:
    return f"{bar.first:,}" if bar.first == bar.last else f"{bar.first:,} to {bar.last:,}"
