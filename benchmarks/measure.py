"""How the benchmarks measure: turns in one run, the median of them, ratios within a turn.

Machines are shared and no two minutes are alike, so an absolute figure means little. Every peer
gets a short turn in every round, a ratio is taken between neighbours of one round, and the median
over the rounds is what the table shows.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

ROUNDS = 11
SECONDS = 0.15  # of one turn


@dataclass
class Peer:
    """Something that is measured: `turn()` gives its rate, in units per second."""

    name: str
    turn: Callable[[], float]
    rates: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)


@dataclass(frozen=True)
class Target:
    """`peer` is to reach at least (or, for a time, at most) `bound` times `other`."""

    peer: str
    other: str
    bound: float
    at_most: bool = False

    def reached(self, ratio: float) -> bool:
        return ratio <= self.bound if self.at_most else ratio >= self.bound


def blocking_turn(call: Callable[[], int]) -> Callable[[], float]:
    """Calls one after another; `call` returns how many units it was."""

    def turn() -> float:
        call()
        units, start = 0, time.perf_counter()
        while time.perf_counter() - start < SECONDS:
            units += call()
        return units / (time.perf_counter() - start)

    return turn


def async_turn(
    runner: asyncio.Runner, call: Callable[[], Awaitable[int]], at_a_time: int = 1
) -> Callable[[], float]:
    """Calls on the runner's loop, `at_a_time` of them at any moment."""

    async def worker(end: float) -> int:
        units = await call()
        while time.perf_counter() < end:
            units += await call()
        return units

    async def measure() -> float:
        await asyncio.gather(*(call() for _ in range(at_a_time)))
        start = time.perf_counter()
        units = await asyncio.gather(*(worker(start + SECONDS) for _ in range(at_a_time)))
        return sum(units) / (time.perf_counter() - start)

    return lambda: runner.run(measure())


def compare(title: str, unit: str, peers: Sequence[Peer], targets: Sequence[Target]) -> None:
    """Measure all peers, round after round, and print the table."""
    for peer in peers:
        peer.turn()  # imports, connections, caches
    for _ in range(ROUNDS):
        for peer in peers:
            gc.collect()
            peer.rates.append(peer.turn())
    print(f"\n{title}, {unit} (median of {ROUNDS} turns)")
    for peer in peers:
        spread = f"{min(peer.rates):9.0f} to {max(peer.rates):.0f}"
        print(f"  {peer.name:<34}{peer.rate:10.0f}   {spread}")
    named = {peer.name: peer.rates for peer in peers}
    for target in targets:
        print_ratio(target, named[target.peer], named[target.other])


def print_ratio(target: Target, mine: Sequence[float], theirs: Sequence[float]) -> None:
    ratio = statistics.median(a / b for a, b in zip(mine, theirs, strict=True))
    bound = f"target {'at most' if target.at_most else 'at least'} {target.bound:g}"
    verdict = "reached" if target.reached(ratio) else "MISSED"
    print(f"  {target.peer} / {target.other}: {ratio:.2f}   ({bound}: {verdict})")


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
