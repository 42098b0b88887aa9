"""How the work grows with the size of what is given: a factor, never how long it takes."""

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
