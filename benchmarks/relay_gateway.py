"""A gateway without a network, at the client's transport seam, for the relay's benchmarks.

It costs next to nothing, so that it is the relay that is measured. The model's name is what a run
does: `bench 100 5` is 100 pieces of text, 5 ms apart, each a network piece of its own, as a
background stream with sequence numbers. Each piece ends with the clock (`time.monotonic`, which
all processes of a machine share) when it was given out, so whoever reads it knows its age.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
from upstream import response

from kit.gateway.client import AsyncClient
from kit.settings import Endpoint

PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}


def client() -> AsyncClient:
    """A client of such a gateway, whose address nobody answers at."""
    endpoint = Endpoint("http://127.0.0.1:9/v1", None, model="bench 3 20")
    return AsyncClient(endpoint, transport=Scripted())


def script(model: str) -> tuple[int, float]:
    """How many pieces, and the seconds between two."""
    _, pieces, milliseconds = model.split()
    return int(pieces), float(milliseconds) / 1000


class Scripted(httpx.AsyncBaseTransport):
    """Streams for POSTs, the finished response for its id, and 404 for everything else."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._finished: dict[str, dict[str, Any]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and request.url.path.endswith("/responses"):
            body = json.loads(await request.aread())
            id = f"resp_{next(self._numbers)}"
            headers = {"content-type": "text/event-stream"}
            return httpx.Response(200, headers=headers, stream=self._run(id, body))
        if finished := self._finished.get(request.url.path.rpartition("/")[2]):
            return httpx.Response(200, json=finished)
        error = {"error": {"message": "Not found", "type": "invalid_request_error"}}
        return httpx.Response(404, json=error)

    def _run(self, id: str, body: dict[str, Any]) -> Pieces:
        return Pieces(id, str(body["model"]), self._finished)


class Pieces(httpx.AsyncByteStream):
    """The stream of one run."""

    def __init__(self, id: str, model: str, finished: dict[str, dict[str, Any]]) -> None:
        self._id = id
        self._pieces, self._pause = script(model)
        self._finished = finished

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield frame(0, "response.created", response=self._state("in_progress", ""))
        text: list[str] = []
        for number in range(self._pieces):
            await asyncio.sleep(self._pause)
            text.append(f"token {time.monotonic():.6f} ")
            yield frame(number + 1, "response.output_text.delta", delta=text[-1], **PLACE)
        final = self._state("completed", "".join(text))
        self._finished[self._id] = final
        yield frame(self._pieces + 1, "response.completed", response=final)

    def _state(self, status: str, text: str) -> dict[str, Any]:
        state = response(status, text) | {"id": self._id, "background": True}
        return state


def frame(number: int, type: str, **data: Any) -> bytes:
    text = json.dumps({"type": type, "sequence_number": number, **data})
    return f"event: {type}\ndata: {text}\n\n".encode()


def age(text: str) -> float:
    """Seconds since the last piece of this text was given out."""
    return time.monotonic() - float(text.split()[-1])
