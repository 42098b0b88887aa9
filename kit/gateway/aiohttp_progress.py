"""How far a request came: its body, and the name of what went wrong.

The rule: before the body's first byte a failure is a ConnectError or ConnectTimeout, while the
body is written a WriteError or WriteTimeout, afterwards a RemoteProtocolError, ReadError or
ReadTimeout. aiohttp holds back the head of a request until its body starts, which is what makes
the first of these certain: no byte has left.
"""

from __future__ import annotations

import asyncio
from typing import Never

import aiohttp
import httpx
from aiohttp import payload
from aiohttp.abc import AbstractStreamWriter

__all__ = ["FAILURES", "Body", "fail", "opening_failure", "reading_failure"]

PIECE = 256 * 1024  # bytes written under one write time-out
SMALL = 16 * 1024  # bytes that never wait to be written
FAILURES = (aiohttp.ClientError, OSError, TimeoutError)


class Body(payload.Payload):
    """A request's body that knows how far it came, and has no limit on its size in memory."""

    def __init__(self, content: bytes, timeout: float | None) -> None:
        super().__init__(content, content_type="application/octet-stream")
        self._size = self._length = len(content)
        self._content = content
        self._timeout = timeout
        self.started = False
        self.finished = False

    async def write(self, writer: AbstractStreamWriter) -> None:
        self.started = True
        self.finished = False
        if self._length <= PIECE:
            await self._write_piece(writer, self._content)
        else:
            view = memoryview(self._content)
            for start in range(0, self._length, PIECE):
                await self._write_piece(writer, view[start : start + PIECE])
        self.finished = True

    async def _write_piece(
        self, writer: AbstractStreamWriter, piece: bytes | memoryview[int]
    ) -> None:
        if self._timeout is None or len(piece) < SMALL:
            await writer.write(piece)  # a socket's buffer takes it without waiting
        else:
            async with asyncio.timeout(self._timeout):
                await writer.write(piece)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._content.decode(encoding, errors)


def opening_failure(error: Exception, body: Body | None) -> type[httpx.TransportError]:
    unsent = (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError, aiohttp.InvalidURL)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return httpx.ConnectTimeout
    if isinstance(error, unsent) or (body is not None and not body.started):
        return httpx.ConnectError
    if body is not None and not body.finished:
        return httpx.WriteTimeout if isinstance(error, TimeoutError) else httpx.WriteError
    return reading_failure(error)


def reading_failure(error: Exception) -> type[httpx.TransportError]:
    if isinstance(error, TimeoutError):
        return httpx.ReadTimeout
    disorder = (
        aiohttp.ServerDisconnectedError,
        aiohttp.ClientPayloadError,
        aiohttp.ClientResponseError,
    )
    return httpx.RemoteProtocolError if isinstance(error, disorder) else httpx.ReadError


def fail(kind: type[httpx.TransportError], error: Exception) -> Never:
    """Raise `kind` because of `error`; an error that carries request headers is left behind."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        refusal = f"The proxy answered {error.status} {error.message}".rstrip()
        raise kind(refusal) from ConnectionRefusedError(refusal)
    if isinstance(error, aiohttp.ClientResponseError):
        raise kind(error.message or "The answer is not HTTP.") from error.__cause__
    raise kind(str(error) or type(error).__name__) from error
