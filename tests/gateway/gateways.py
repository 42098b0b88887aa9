"""Gateways for the client's tests: a real server on loopback that says what a test tells it to.

    async with gateway(json_reply({...})) as there, there.client() as client: ...

Each request gets the next reply, the last one repeats. A reply is bytes, a list of pieces with
pauses (seconds, as numbers) between them, or a handler of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

from kit.gateway.client import AsyncClient
from kit.settings import Endpoint, Secret
from tests.gateway.loopback import Handler, Reader, Writer, read_request, reply, serving

KEY = "sk-test-0123456789abcdef"
USAGE = {"input_tokens": 1, "output_tokens": 0}
"""With it an answer without output is an answer: somebody counted."""

Reply = bytes | Iterable[bytes | float] | Handler


@dataclass
class Request:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content)


@dataclass
class Gateway:
    """What a test can see of the server: `requests` so far, and whether the client hung up."""

    port: int = 0
    requests: list[Request] = field(default_factory=list[Request])
    left: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def client(self, key: str | None = KEY, model: str | None = "m", **options: Any) -> AsyncClient:
        return AsyncClient(Endpoint(self.url, Secret(key) if key else None, model), **options)


@contextlib.asynccontextmanager
async def gateway(*replies: Reply) -> AsyncIterator[Gateway]:
    """A gateway that answers with `replies`, one a request."""
    there = Gateway()

    async def handle(reader: Reader, writer: Writer) -> None:
        while True:
            head, content = await read_request(reader)
            there.requests.append(_request(head, content))
            next_reply = replies[min(len(there.requests), len(replies)) - 1]
            if callable(next_reply):
                await next_reply(reader, writer)
                return
            watch = asyncio.ensure_future(_notice(reader, there.left))
            try:
                for piece in [next_reply] if isinstance(next_reply, bytes) else next_reply:
                    await _say(writer, piece)
            except ConnectionError:
                there.left.set()
                return
            finally:
                watch.cancel()
            if not _is_framed(next_reply):
                return

    async with serving(handle) as port:
        there.port = port
        yield there


def json_reply(value: Any, *headers: str, status: str = "200 OK") -> bytes:
    """A whole JSON answer; `value` may be text that is no JSON."""
    body = value if isinstance(value, str) else json.dumps(value)
    return reply(body.encode(), "content-type: application/json", *headers, status=status)


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


def frame(value: Any) -> bytes:
    """One SSE frame: an object, or the text of its data."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"data: {text}\n\n".encode()


def frames(values: Iterable[Any]) -> bytes:
    return b"".join(map(frame, values))


def stream_reply(*values: Any) -> list[bytes | float]:
    """A stream of frames that ends with the connection; numbers are pauses in seconds."""
    return [STREAM_HEAD, *(one if isinstance(one, float) else frame(one) for one in values)]


def _request(head: str, content: bytes) -> Request:
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.split(": ", 1) for line in lines)
    return Request(method, path, {name.lower(): value for name, value in pairs}, content)


async def _say(writer: Writer, piece: bytes | float) -> None:
    if isinstance(piece, bytes):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    else:
        await asyncio.sleep(piece)


async def _notice(reader: Reader, left: asyncio.Event) -> None:
    """Set `left` when the client ends the connection while it is being answered."""
    with contextlib.suppress(ConnectionError):
        while not reader.at_eof():
            await asyncio.sleep(0.005)
        left.set()


def _is_framed(one: Reply) -> bool:
    return isinstance(one, bytes) and b"content-length:" in one.lower()
