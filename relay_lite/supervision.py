"""Loops that must not end by themselves: each failure is logged, and the loop goes on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

__all__ = ["heard", "log", "supervised"]

log = logging.getLogger("relay_lite")

AGAIN_SECONDS = 0.5


async def supervised(loop: Callable[[], Awaitable[None]], name: str) -> None:
    """Run `loop` until it returns: one error in it, of any kind, must not stop all runs."""
    while True:
        try:
            return await loop()
        except Exception as error:
            # the type alone: a message may hold an address or a text of somebody else
            log.warning("The relay's %s failed (%s) and goes on.", name, type(error).__name__)
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
