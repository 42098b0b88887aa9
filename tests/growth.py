"""What work costs, measured in other work: never in seconds, which are the machine's affair."""

from __future__ import annotations

import time
from collections.abc import Callable

TRIES = 5
"""Of which one has to hold: another process may take the caches away from a measurement."""


def assert_linear(work: Callable[[int], object], small: int, large: int) -> None:
    """Raise AssertionError where `work(large)` costs more than twice its share of `work(small)`."""
    share, factors = large / small, list[float]()
    for _ in range(TRIES):
        factors.append(_cost(work, large) / max(_cost(work, small), 1e-3))
        if factors[-1] < 2 * share:
            return
    raise AssertionError(f"{share:g} times as much took {min(factors):.1f} times as long")


def _cost(work: Callable[[int], object], size: int) -> float:
    began = time.process_time()
    work(size)
    return time.process_time() - began


def unit() -> float:
    """What a fixed piece of work costs on this machine, now: some hundredths of a second."""
    began = time.process_time()
    sum(number * number for number in range(1_000_000))
    return time.process_time() - began


def assert_cheap(work: Callable[[], object], units: float) -> None:
    """Raise AssertionError where it costs more than so many times `unit()`."""
    costs = list[float]()
    for _ in range(TRIES):
        costs.append(_cost(lambda _: work(), 0) / unit())
        if costs[-1] < units:
            return
    raise AssertionError(f"it costs {min(costs):.1f} units, and not {units:g}")
