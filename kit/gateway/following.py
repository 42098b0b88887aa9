"""A response that a gateway runs in the background although nobody asked it to.

Rule: queued is no answer. It is fetched until it has ended, ever more seldom, within the deadline
of the call; where that does not work, the error says how to fetch it later.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from kit import errors
from kit.gateway.answer import Answer
from kit.gateway.refusal import shown

__all__ = ["PENDING", "followed"]

PENDING = ("queued", "in_progress")
FIRST_SECONDS, LONGEST_SECONDS = 0.5, 5.0
"""Between two looks: at first, and in the end."""

A_DAY = 86_400.0


async def followed(
    answer: Answer, fetch: Callable[[str, float], Awaitable[Answer]], deadline: float
) -> AsyncIterator[Answer]:
    """The response as it stands at every look, the last time as it ended; none for an ended one.

    `fetch` takes an id and the seconds left. `deadline` is on `time.monotonic`'s clock. Raises
    what `fetch` does, TimedOut, and ProtocolError for a response without an id; `.answer` is the
    response as it stood.
    """
    pause = FIRST_SECONDS
    while answer.status in PENDING:
        try:
            if not answer.id:
                raise errors.ProtocolError(
                    f"The gateway says `{answer.status}` and gives no id to fetch the answer with."
                )
            left = min(deadline - time.monotonic(), A_DAY)
            if left <= pause:
                await asyncio.sleep(max(left, 0))
                raise errors.TimedOut(_still_running(answer.id))
            await asyncio.sleep(pause)
            answer = await fetch(answer.id, left - pause)
        except errors.KitError as error:
            error.answer = error.answer or answer
            raise
        yield answer
        pause = min(pause * 1.5, LONGEST_SECONDS)


def _still_running(id: str) -> str:
    return (
        "The time for the whole call is over, but the gateway runs the request in the "
        f"background: retrieve({shown(id)!r}) fetches the answer later."
    )
