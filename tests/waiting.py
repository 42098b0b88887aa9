"""Waiting for what another thread, process or page does, counted in looks.

Rule: no clock is read. A machine that was slow, or stood still for a minute, has not looked more
often for it; what is given up never comes true.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

LOOKS = 1_250
"""With their pauses, two minutes of a machine that has nothing else to do."""

T = TypeVar("T")


def pauses() -> Iterator[float]:
    """Seconds before each next look: short at first, since most of it comes true at once."""
    yield from (min(0.1, 0.005 * 1.2**number) for number in range(LOOKS))


def until(holds: Callable[[], T | None], *, passing: Callable[[float], object] = time.sleep) -> T:
    """What is true in the end. `passing` lets the seconds of a pause go by.

    Raises AssertionError when it never is.
    """
    for pause in pauses():
        if now := holds():
            return now
        passing(pause)
    raise AssertionError("it did not come true")


async def until_async(holds: Callable[[], object | Awaitable[object]]) -> None:
    """The same beside other tasks of this loop. Raises AssertionError."""
    for pause in pauses():
        now = holds()
        if await now if isinstance(now, Awaitable) else now:
            return
        await asyncio.sleep(pause)
    raise AssertionError("it did not come true")
