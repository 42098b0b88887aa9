"""Events as bytes on the wire, each with the moment it is due."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any

import anyio
from starlette.responses import StreamingResponse

from kit.sandbox.score import Due

Frame = tuple[float, bytes]
"""Seconds after the start, and what is sent then."""

DONE = b"data: [DONE]\n\n"
LOOK_EVERY = 0.25


def compact(value: object) -> bytes:
    """`value` as one line of JSON. Half a surrogate pair, which JSON can spell, becomes `?`."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def event_frame(event: dict[str, Any]) -> bytes:
    """A frame of Responses: named by its type."""
    return b"event: %s\ndata: %s\n\n" % (event["type"].encode(), compact(event))


def data_frame(value: object) -> bytes:
    """A frame of chat: data alone."""
    return b"data: %s\n\n" % compact(value)


def plain_stream(
    score: Sequence[Due], encode: Callable[[dict[str, Any]], bytes] = event_frame
) -> Iterator[Frame]:
    """Every event as it should be, then `[DONE]`."""
    for due in score:
        yield due.at, encode(due.event)
    yield score[-1].at if score else 0.0, DONE


async def play(
    frames: Iterable[Frame],
    began: float,
    clock: Callable[[], float],
    ended: Callable[[], Awaitable[bool]] | None = None,
) -> AsyncIterator[bytes]:
    """Send every frame when it is due; stop with `[DONE]` when `ended` says so."""
    looked = clock()
    for at, frame in frames:
        while (left := began + at - clock()) > 0:
            await anyio.sleep(min(left, LOOK_EVERY))
            if ended is not None and clock() - looked >= LOOK_EVERY:
                looked = clock()
                if await ended():
                    yield DONE
                    return
        yield frame
        await anyio.sleep(0)  # or nobody hears, in a stream without pauses, that its reader left


def event_stream(body: AsyncIterator[bytes]) -> StreamingResponse:
    headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
    return StreamingResponse(body, headers=headers, media_type="text/event-stream")
