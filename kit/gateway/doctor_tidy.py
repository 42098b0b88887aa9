"""What the doctor leaves behind at a gateway: nothing.

    begun      ask for something that goes on by itself; a stop does not lose its id
    tidy       cancel what was begun, and wait for the ids that are still to come
    forget     delete what was stored

Rule: whatever ends a probe, a stop and its own time included, what it began is cancelled. Both are
tried once and within a few seconds: a gateway that knows neither is left as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from kit import errors
from kit.gateway.doctor_examination import Examination

__all__ = ["begun", "forget", "tidy"]

T = TypeVar("T")
SECONDS = 5.0
"""For all of it, behind a probe and at the end."""


async def begun(at: Examination, asking: Coroutine[Any, Any, T]) -> T:
    """What `asking` gives, which notes in `at.running` the ids of what goes on by itself."""
    task = asyncio.ensure_future(asking)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        at.asking.add(task)  # the gateway may have begun it: its id is still to come
        raise


async def tidy(at: Examination) -> None:
    """Cancel what goes on. A stop meanwhile does not stop it."""
    if at.running or at.asking:
        await asyncio.shield(asyncio.ensure_future(_cancel_all(at)))


async def forget(at: Examination) -> None:
    """Delete what the gateway stored."""
    if at.stored:
        await asyncio.shield(asyncio.ensure_future(_bounded(_delete_all(at))))


async def _bounded(doing: Coroutine[Any, Any, None]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SECONDS):
            await doing


async def _cancel_all(at: Examination) -> None:
    asking = list(at.asking)
    at.asking.clear()
    await _bounded(_ended(asking))
    running = list(at.running)
    at.running.clear()
    await _bounded(_each(at.client.cancel(id, timeout=SECONDS) for id in running))


async def _delete_all(at: Examination) -> None:
    stored = list(at.stored)
    at.stored.clear()
    await _each(at.client.delete(id, timeout=SECONDS) for id in stored)


async def _ended(tasks: list[asyncio.Future[Any]]) -> None:
    """Until all have ended, however they did; the time being over, they are given up."""
    await asyncio.gather(*tasks, return_exceptions=True)


async def _each(doings: Iterable[Coroutine[Any, Any, Any]]) -> None:
    await asyncio.gather(*map(_quietly, doings))


async def _quietly(doing: Coroutine[Any, Any, Any]) -> None:
    with contextlib.suppress(errors.KitError):
        await doing
