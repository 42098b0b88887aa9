"""Calls summed up for a picture: the whole, each model, and bars along the session (pure).

Rule: what nobody has said is counted as unknown and never as nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kit.gateway.ledger import Call
from kit.relay.glance import money

__all__ = ["Bar", "Sum", "bars_of", "by_model", "told_cost", "told_count", "whole"]

MOST_BARS = 40


@dataclass(frozen=True, slots=True)
class Sum:
    """Some calls together. `unpriced` and `uncounted`: those without a cost, without tokens."""

    calls: int = 0
    input: int = 0
    output: int = 0
    cost: float = 0.0
    unpriced: int = 0
    uncounted: int = 0

    @property
    def is_unpriced(self) -> bool:
        """Whether nobody said a cost of any of them."""
        return 0 < self.calls == self.unpriced

    @property
    def is_uncounted(self) -> bool:
        """Whether nobody said the tokens of any of them."""
        return 0 < self.calls == self.uncounted


@dataclass(frozen=True, slots=True)
class Bar:
    """The calls from number `first` to `last`. `asked` is the first's, `cost` of all so far."""

    first: int
    last: int
    asked: float
    sum: Sum
    cost: float


def whole(calls: Iterable[Call]) -> Sum:
    """The sum of the calls."""
    every = list(calls)
    usages = [call.usage for call in every if call.usage is not None]
    costs = [call.cost for call in every if call.cost is not None]
    return Sum(
        calls=len(every),
        input=sum(usage.input_tokens for usage in usages),
        output=sum(usage.output_tokens for usage in usages),
        cost=sum(costs),
        unpriced=len(every) - len(costs),
        uncounted=len(every) - len(usages),
    )


def by_model(calls: Sequence[Call]) -> dict[str, Sum]:
    """The sum for each model, the one with the most tokens first."""
    models: dict[str, list[Call]] = {}
    for call in calls:
        models.setdefault(call.model, []).append(call)
    sums = {model: whole(its) for model, its in models.items()}
    return dict(sorted(sums.items(), key=lambda one: -(one[1].input + one[1].output)))


def bars_of(calls: Sequence[Call], most: int = MOST_BARS) -> list[Bar]:
    """One bar for each call, or for as many calls as it takes to be at most `most` bars."""
    width = max(-(-len(calls) // most), 1)
    bars: list[Bar] = []
    cost = 0.0
    for place in range(0, len(calls), width):
        some = calls[place : place + width]
        its = whole(some)
        cost += its.cost
        bars.append(Bar(place + 1, place + len(some), some[0].asked, its, cost))
    return bars


def told_count(its: Sum) -> str:
    """`1,200 in, 80 out`, and of how many calls nobody said."""
    if its.is_uncounted:
        return "tokens unknown"
    return f"{its.input:,} in, {its.output:,} out{_unknown(its.uncounted)}"


def told_cost(its: Sum) -> str:
    """`$0.0123`, and of how many calls nobody said: `unknown` for all of them."""
    if its.is_unpriced:
        return "cost unknown"
    return f"{money(its.cost) or '$0'}{_unknown(its.unpriced)}"


def _unknown(calls: int) -> str:
    return f", unknown for {calls:,} {'call' if calls == 1 else 'calls'}" if calls else ""
