"""A gateway at the transport's seam: it runs one script and misbehaves as a test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from kit.gateway.client import AsyncClient
from kit.settings import Endpoint, Secret
from relay_lite.store import Gateway
from relay_lite.upstream import Upstream

Json = dict[str, Any]
KEY = "sk-test-0123456789abcdef"
PIECES = (
    "# 김치\n\n",
    "Kimchi is ",
    "fermented 🥬",
    " ([a](https://a.example/1))",
    ". 끝 👩‍👩‍👧‍👦",
)
TEXT = "".join(PIECES)
USAGE = {"input_tokens": 1000, "output_tokens": 200, "total_tokens": 1200}
GATEWAY = Gateway("https://gateway.example/v1", "print")
PRICES: Json = {
    "model_name": "deep",
    "model_info": {
        "input_cost_per_token": 1e-5,
        "output_cost_per_token": 4e-5,
        "search_context_cost_per_query": {"search_context_size_medium": 0.01},
    },
}


def message(text: str = TEXT, *urls: str) -> Json:
    notes = [
        {"type": "url_citation", "url": url, "title": f"T{n}", "start_index": 0, "end_index": 1}
        for n, url in enumerate(urls, 1)
    ]
    part = {"type": "output_text", "text": text, "annotations": notes}
    return {"type": "message", "id": "msg_1", "role": "assistant", "content": [part]}


def searched(*queries: str) -> Json:
    return {"type": "web_search_call", "action": {"type": "search", "queries": list(queries)}}


def opened(url: str) -> Json:
    return {"type": "web_search_call", "action": {"type": "open_page", "url": url}}


def thought(text: str) -> Json:
    return {"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}


ITEMS = (thought("**Plan**"), searched("kimchi", "김치"), opened("https://a.example/1"))


@dataclass
class Scripted(httpx.AsyncBaseTransport):
    """One gateway with one run in it. `events` are its stream; numbers in `cuts` break streams.

    way: `background`, `plain` (background is ignored), `poll` (JSON, queued), `json` (ended).
    refusals: answered to the first creates, as (status, headers, body) or an exception.
    polls: answered to the first GETs, likewise. looks: GETs that say `in_progress` first.
    cuts: after how many events each stream ends, in the order of the streams; None: not at all.
    deaf: answered to the first cancels, likewise.
    before: events that streams begin with, without numbers.  twice: pieces of text come again.
    held: an event until which the first stream waits before its first byte; `broken_off` counts
    whom that took too long.
    """

    way: str = "background"
    items: tuple[Json, ...] = ITEMS
    pieces: tuple[str, ...] = PIECES
    final: Json = field(default_factory=dict[str, Any])
    cuts: list[int | None] = field(default_factory=list[int | None])
    refusals: list[Any] = field(default_factory=list[Any])
    polls: list[Any] = field(default_factory=list[Any])
    deaf: list[Any] = field(default_factory=list[Any])
    looks: int = 0
    resumes_refused: int = 0
    numbered: bool = True
    before: tuple[Json, ...] = ()
    twice: bool = False
    rotating: bool = False
    silent: bool = False
    chunk: int = 0
    escaped: bool = False
    held: asyncio.Event | None = None
    repair: str = ""
    models: list[Json] = field(default_factory=lambda: [PRICES])
    submissions: list[Json] = field(default_factory=list[Json])
    keys: list[str] = field(default_factory=list[str])
    resumes: list[str] = field(default_factory=list[str])
    gets: list[str] = field(default_factory=list[str])
    cancels: list[str] = field(default_factory=list[str])
    repairs: list[Json] = field(default_factory=list[Json])
    broken_off: int = 0

    @property
    def response(self) -> Json:
        """The response as it ends."""
        output = [*self.items, message("".join(self.pieces), "https://a.example/1")]
        body = {"id": self._id(), "object": "response", "status": "completed", "output": output}
        return {**body, "usage": USAGE, "model": "deep", **self.final}

    @property
    def events(self) -> list[Json]:
        head = {"id": "resp_1", "object": "response", "background": self.way == "background"}
        events: list[Json] = [
            {"type": "response.created", "response": {**head, "status": "queued", "output": []}},
            {"type": "response.in_progress", "response": {**head, "status": "in_progress"}},
        ]
        for index, item in enumerate(self.items):
            events.append({"type": "response.output_item.added", "output_index": index, "item": {}})
            events.append(
                {"type": "response.output_item.done", "output_index": index, "item": item}
            )
        last = len(self.items)
        events += [
            {"type": "response.output_text.delta", "output_index": last, "delta": piece}
            for piece in self.pieces
        ]
        ended = f"response.{self.response['status']}"
        events.append({"type": ended, "response": self.response})
        if self.numbered:
            events = [{**one, "sequence_number": at} for at, one in enumerate(events)]
        if self.twice:
            events = [one for one in events for _ in range(2 if "delta" in one else 1)]
        return [*self.before, *events]

    def upstream(self, *, free: bool = False, model: str | None = "deep") -> Upstream:
        endpoint = Endpoint("https://gateway.example/v1", Secret(KEY), model, chat_model="small")
        return Upstream(AsyncClient(endpoint, transport=self, retries=0), GATEWAY, free=free)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v1")
        if path == "/model/info":
            return answer(200, {"data": self.models})
        if path.endswith("/cancel"):
            self.cancels.append(path)
            if self.deaf:
                return refusal(self.deaf.pop(0))
            return answer(200, {**self.response, "status": "cancelled"})
        if request.method == "POST":
            body = json.loads(await request.aread())
            return await self._create(request, body)
        if "stream" in request.url.params:
            return self._resume(request)
        return self._get(path)

    async def _create(self, request: httpx.Request, body: Json) -> httpx.Response:
        if body["model"] == "small":
            self.repairs.append(body)
            return answer(200, {**self.response, "output": [message(self.repair)]})
        self.submissions.append(body)
        self.keys.append(request.headers["idempotency-key"])
        if self.held is not None:
            try:
                await self.held.wait()
            except asyncio.CancelledError:
                self.broken_off += 1
                raise
        if self.refusals:
            return refusal(self.refusals.pop(0))
        if self.way == "json":
            return answer(200, self.response)
        if self.way == "poll":
            return answer(200, {"id": "resp_1", "status": "queued", "output": []})
        return self._stream(self.events)

    def _resume(self, request: httpx.Request) -> httpx.Response:
        self.resumes.append(request.url.params["starting_after"])
        if self.resumes_refused:
            return refusal((self.resumes_refused, {}, {"error": {"message": "too old"}}))
        after = int(self.resumes[-1])
        return self._stream([one for one in self.events if one.get("sequence_number", -1) > after])

    def _get(self, path: str) -> httpx.Response:
        self.gets.append(path)
        if self.polls:
            return refusal(self.polls.pop(0))
        if self.looks > 0:
            self.looks -= 1
            return answer(200, {**self.response, "status": "in_progress", "output": self.items[:1]})
        return answer(200, self.response)

    def _stream(self, events: list[Json]) -> httpx.Response:
        cut = self.cuts.pop(0) if self.cuts else None
        frames = [json.dumps(one, ensure_ascii=self.escaped) for one in events[:cut]]
        content = "".join(f"data: {frame}\n\n" for frame in frames)
        content = content if cut is not None else f"{content}data: [DONE]\n\n"
        stream = Pieces(content.encode(), self.chunk, self.silent and cut is not None)
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=stream)

    def _id(self) -> str:
        return f"resp_x{len(self.gets)}" if self.rotating else "resp_1"


class Pieces(httpx.AsyncByteStream):
    """A body in chunks (0: an event at a time), which may fall silent at its end."""

    def __init__(self, content: bytes, chunk: int, silent: bool) -> None:
        self.content, self.chunk, self.silent = content, chunk, silent

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self.chunk:
            for start in range(0, len(self.content), self.chunk):
                yield self.content[start : start + self.chunk]
        else:
            for frame in self.content.split(b"\n\n")[:-1]:
                yield frame + b"\n\n"
                await asyncio.sleep(0)
        if self.silent:
            await asyncio.sleep(60)


def answer(status: int, body: Json, headers: dict[str, str] | None = None) -> httpx.Response:
    sent = {"content-type": "application/json", **(headers or {})}
    content = json.dumps(body).encode()
    return httpx.Response(status, headers=sent, stream=Pieces(content, len(content), False))


def refusal(one: Any) -> httpx.Response:
    if isinstance(one, Exception):
        raise one
    status, headers, body = one
    return answer(status, body, headers)


def refused(
    status: int, text: str = "", code: str | None = None, **headers: str
) -> tuple[int, dict[str, str], Json]:
    """A refusal for `refusals` and `polls`; of headers, `_` stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, named, {"error": {"message": text, "code": code}}
