"""A stream that nobody asked for, read to its end: some gateways have no other answer.

Rule: what calls itself a stream may be JSON all the same, so its first byte decides.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import httpx

from kit.gateway.body import stream_of
from kit.gateway.events import Wire
from kit.gateway.stream import AsyncStream, Terms

__all__ = ["read_unasked"]

_BLANK = b"\xef\xbb\xbf \t\r\n"
_OF_NO_STREAM = (b"{", b"[", b'"', b"<")
"""How JSON begins, and a page; no line of a stream does."""


async def read_unasked(response: httpx.Response, terms: Terms) -> Wire | None:
    """The answer's object in a stream of events; None for any other body, which is still whole.

    Raises what a stream raises, with what had come on it.
    """
    if "event-stream" not in response.headers.get("content-type", ""):
        return None
    body = _Looked(response)
    begins = await body.look()
    response.stream = body
    if begins.startswith(_OF_NO_STREAM):
        return None

    async def sent() -> httpx.Response:
        return response

    async with AsyncStream(sent, terms) as stream:
        async for _ in stream.batches():
            pass
    return stream.answer.raw


class _Looked(httpx.AsyncByteStream):
    """The body of `response`, of which the beginning was looked at."""

    def __init__(self, response: httpx.Response) -> None:
        self._inner = cast(httpx.AsyncByteStream, response.stream)
        self._pieces = stream_of(response)
        self._begins = b""

    async def look(self) -> bytes:
        """How it begins; what is blank before it says nothing to any reader."""
        try:
            async for piece in self._pieces:
                self._begins = piece.lstrip(_BLANK)
                if self._begins:
                    break
        except BaseException:
            await self._inner.aclose()
            raise
        return self._begins

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._begins:
            yield self._begins
        async for piece in self._pieces:
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()
