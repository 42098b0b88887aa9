"""Loops that must not end: each failure is logged, and the loop goes on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

__all__ = ["log", "supervised"]

log = logging.getLogger("relay_lite")

AGAIN_SECONDS = 0.5


async def supervised(loop: Callable[[], Awaitable[None]], name: str) -> None:
    """Run `loop` for ever: one error in it, of any kind, must not stop all runs."""
    while True:
        try:
            await loop()
        except Exception as error:
            # the type alone: a message may hold an address or a text of somebody else
            log.warning("The relay's %s failed (%s) and goes on.", name, type(error).__name__)
        await asyncio.sleep(AGAIN_SECONDS)
