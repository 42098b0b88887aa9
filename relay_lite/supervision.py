"""Loops that must not end by themselves: a failure is logged, and the loop goes on.

Rule: what fails in the same way again and again is said once a minute.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

__all__ = ["heard", "log", "supervised"]

log = logging.getLogger("relay_lite")

AGAIN_SECONDS = 0.5
QUIET_SECONDS = 60.0


async def supervised(loop: Callable[[], Awaitable[None]], name: str) -> None:
    """Run `loop` until it returns: one error in it, of any kind, must not stop all runs."""
    said: dict[type[Exception], float] = {}
    while True:
        try:
            return await loop()
        except Exception as error:
            now, kind = time.monotonic(), type(error)
            if now - said.get(kind, -QUIET_SECONDS) >= QUIET_SECONDS:
                said[kind] = now
                # the type alone: a message may hold an address or a text of somebody else
                log.warning("The relay's %s failed (%s) and goes on.", name, kind.__name__)
        await asyncio.sleep(AGAIN_SECONDS)


async def heard(event: asyncio.Event, seconds: float) -> bool:
    """Wait for `event`, so long at most; whether it came.

    Not `asyncio.wait_for`: before Python 3.12 it loses a cancellation that comes together with the
    event (python/cpython#86296), and a loop that is told to stop goes on.
    """
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
