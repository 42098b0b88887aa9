"""The events of a run as server-sent events.

Rule: a reader only reads. One that leaves stops nothing, one that comes back says the number it
saw last, and one that comes late gets everything. The stream ends behind the terminal event, for
there are readers that wait for its end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable

from relay_lite.problems import json_text
from relay_lite.store import TERMINAL, Event

__all__ = ["HEADERS", "frame", "frames"]

HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
AGAIN = b"retry: 2000\n\n"
COMMENT = b": still here\n\n"
COMMENT_SECONDS = 15.0

# Some readers split lines as Python does, at more than the standard's line ends.
_LINE_ENDS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def frame(id: str, event: Event) -> bytes:
    """One event of the run `id`, numbered, its data on one line."""
    told = {
        "invocation_id": id,
        "type": event.type,
        "status": event.status,
        "data": event.data,
    }
    text = json_text(told).translate(_LINE_ENDS)
    head = f"id: {event.sequence}\nevent: {event.type}\ndata: "
    return f"{head}{text}\n\n".encode("utf-8", "replace")


async def frames(
    id: str,
    lists: AsyncGenerator[list[Event]],
    read_to_the_end: Callable[[], Awaitable[object]],
    *,
    silence: float = COMMENT_SECONDS,
) -> AsyncGenerator[bytes]:
    """What goes over the wire: when to come back, then events, and a comment in each silence.

    `read_to_the_end` is called when the terminal event has been taken.
    """
    yield AGAIN
    news: asyncio.Task[list[Event] | None] | None = None
    try:
        while True:
            news = news or asyncio.ensure_future(anext(lists, None))
            if not (await asyncio.wait([news], timeout=silence))[0]:
                yield COMMENT
                continue
            events, news = news.result(), None
            if events is None:
                return
            yield b"".join(frame(id, event) for event in events)
            if events[-1].status in TERMINAL:
                await read_to_the_end()
    finally:
        if news is not None:
            news.cancel()
            await asyncio.wait([news])
        with contextlib.suppress(RuntimeError):  # it ends by itself when it was just cancelled
            await lists.aclose()
