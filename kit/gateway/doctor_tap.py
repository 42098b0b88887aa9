"""Between the doctor's client and the network: what the wire really had, within limits.

Rule: it changes nothing that passes, so the client meets the gateway as it always does. It keeps
the beginning of each answer, and ends one that is longer than a probe's can be.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import cast

import httpx

from kit.gateway.events import Wire
from kit.gateway.json_text import read_json
from kit.gateway.sse import Decoder, Frame

__all__ = ["Heard", "Tap"]

MOST_KEPT = 512 * 1024
MOST_READ = 2 * 1024 * 1024
"""Bytes of one answer of a model."""
MOST_OF_LIST = 24 * 1024 * 1024
"""Of a list of models, which is kept as a whole: some gateways have a hundred thousand."""


@dataclass
class Heard:
    """One answer as it came: its status, its kind, and the beginning of its body."""

    status: int
    kind: str
    kept: bytearray = field(default_factory=bytearray, repr=False)
    size: int = 0
    most: int = MOST_READ

    @property
    def is_cut(self) -> bool:
        """Whether it was longer than is read."""
        return self.size > self.most

    @property
    def frames(self) -> list[Frame]:
        return Decoder().feed(bytes(self.kept))

    @property
    def object(self) -> Wire:
        """The body's JSON object; {} where it is none."""
        try:
            found = read_json(self.kept.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return {}
        return cast(Wire, found) if isinstance(found, dict) else {}


class Tap(httpx.AsyncBaseTransport):
    """Passes everything on to `inner`; `last` is the newest answer, `count` how many came."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.last: Heard | None = None
        self.count = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.count += 1
        self.last = None
        response = await self._inner.handle_async_request(request)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        listing = request.method == "GET" and request.url.path.endswith("/models")
        most = MOST_OF_LIST if listing else MOST_READ
        self.last = Heard(response.status_code, kind, most=most)
        response.stream = _Overheard(cast(httpx.AsyncByteStream, response.stream), self.last)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Overheard(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, heard: Heard) -> None:
        self._inner, self._heard = inner, heard

    async def __aiter__(self) -> AsyncIterator[bytes]:
        heard = self._heard
        room = MOST_KEPT if heard.most == MOST_READ else heard.most
        async for piece in self._inner:
            heard.size += len(piece)
            heard.kept += piece[: max(room - len(heard.kept), 0)]
            if heard.is_cut:
                raise httpx.ReadError("The answer is longer than a probe reads.")
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()
