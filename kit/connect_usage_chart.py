"""The picture of `kit.usage_chart()`, in the three forms a front end chooses from.

    Usage of this session: 3 calls · 310 in, 90 out · $0.0123
      input   ▂▄█  at most 150
      output  ▁█▃  at most 60
      cost    ▃▅█  so far
    gpt-x  3 calls · 310 in, 90 out · $0.0123

Rule: every figure of the picture is there as words too, and a name from a gateway is text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kit.connect_usage_html import html_of
from kit.connect_usage_sums import Bar, Sum, bars_of, by_model, told_cost, told_count, whole
from kit.gateway.card import literal, printable
from kit.gateway.ledger import Call

__all__ = ["UsageChart"]

TITLE = "Usage of this session"
EMPTY = "nothing has been asked yet."
MOST_MODELS = 12
_BLOCKS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True, repr=False)
class UsageChart:
    """What some calls took: tokens along the session, the cost so far, and sums for each model."""

    calls: tuple[Call, ...] = ()

    def __repr__(self) -> str:
        return self._repr_mimebundle_()["text/plain"]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        if not self.calls:
            said = f"{TITLE}: {EMPTY}"
            return {
                "text/plain": said,
                "text/markdown": said,
                "text/html": f"<div>{said}</div>",
            }
        bars, models, line = bars_of(self.calls), _models(self.calls), _line(whole(self.calls))
        return {
            "text/plain": _plain(line, bars, models),
            "text/markdown": _markdown(line, models),
            "text/html": html_of(TITLE, line, bars, models, _clock(bars)),
        }


def _line(its: Sum) -> str:
    calls = f"{its.calls:,} {'call' if its.calls == 1 else 'calls'}"
    return " · ".join((calls, told_count(its), told_cost(its)))


def _models(calls: Sequence[Call]) -> dict[str, Sum]:
    """By what is shown of each model; those beyond the largest few together, last."""
    sums = by_model(calls)
    shown = dict(list(sums.items())[: MOST_MODELS if len(sums) > MOST_MODELS else None])
    named = {printable(model) or "(no name)": its for model, its in shown.items()}
    if rest := [call for call in calls if call.model not in shown]:
        named[f"{len(sums) - MOST_MODELS} other models"] = whole(rest)
    return named


def _clock(bars: Sequence[Bar]) -> list[str]:
    """When each bar begins, with the day where the session has several."""
    times = [datetime.fromtimestamp(bar.asked) for bar in bars]
    form = "%H:%M" if len({time.date() for time in times}) == 1 else "%Y-%m-%d %H:%M"
    return [time.strftime(form) for time in times]


def _plain(line: str, bars: Sequence[Bar], models: dict[str, Sum]) -> str:
    sums = [bar.sum for bar in bars]
    inputs = [None if its.is_uncounted else its.input for its in sums]
    outputs = [None if its.is_uncounted else its.output for its in sums]
    rows = [
        f"  input   {_blocks(inputs)}  at most {max(its.input for its in sums):,}",
        f"  output  {_blocks(outputs)}  at most {max(its.output for its in sums):,}",
    ]
    if bars[-1].cost:
        rows.append(f"  cost    {_blocks([bar.cost for bar in bars])}  so far")
    if (every := bars[0].last) > 1:
        rows.append(f"  each column is {every:,} calls")
    names = max(map(len, models))
    rows += [f"{name:{names}}  {_line(its)}" for name, its in models.items()]
    return "\n".join([f"{TITLE}: {line}", *rows])


def _blocks(values: Sequence[float | None]) -> str:
    """A block for each value, `·` for nothing, `?` for what is not known."""
    most = max(value or 0 for value in values)
    return "".join("?" if value is None else _block(value, most) for value in values)


def _block(value: float, most: float) -> str:
    highest = len(_BLOCKS) - 1
    return _BLOCKS[min(int(value / most * len(_BLOCKS)), highest)] if value else "·"


def _markdown(line: str, models: dict[str, Sum]) -> str:
    rows = [
        f"| {literal(name)} | {its.calls:,} | {literal(told_count(its))} "
        f"| {literal(told_cost(its))} |"
        for name, its in models.items()
    ]
    head = ["| Model | Calls | Tokens | Cost |", "| --- | ---: | --- | --- |"]
    return "\n".join([f"**{TITLE}** {literal(line)}", "", *head, *rows])
