"""A relay at the transport's seam that says whatever a test wants, and a caller that is quick.

    there = There(view("running"), 503, httpx.ReadError("x"), view("completed"))
    there.client().view("inv_1", TOKEN)

Each request gets the next reply, the last one repeats: a view or other JSON, a status, an
exception, a response, or a function of the request that gives one of them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import httpx

from kit.relay.book import Book, Entry
from kit.relay.client import Pace, RelayClient
from kit.relay.handle import AsyncRun, Desk
from kit.secret import Secret

Json = dict[str, Any]
Reply = Any

URL = "https://relay.example"
KEY = "relay-key-0123456789"
TOKEN = "3q2-7wAbCdEfGhIjKlMnOpQrStUvWxYz0123456789A"
ID = "inv_0123456789abcdef0123456789abcdef"
QUICK = Pace(
    connect=10,
    answer=2,
    silent=0.5,
    first_pause=0.001,
    look=0.2,
    late=1,
    patience=3,
    pause=0.001,
    longest_pause=0.01,
)
RUNS = "/api/v1/tool-invocations"


class There(httpx.AsyncBaseTransport):
    """`requests` are those so far."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = replies
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        reply = self.replies[min(len(self.requests), len(self.replies)) - 1]
        while callable(reply):
            reply = reply(request)
        if isinstance(reply, BaseException):
            raise reply
        if isinstance(reply, int):
            reply = problem(reply)
        return reply if isinstance(reply, httpx.Response) else answer(reply)

    def client(self, key: str | None = KEY, pace: Pace = QUICK) -> RelayClient:
        return RelayClient(URL, Secret(key) if key else None, self, pace)

    def run(self, folder: Path, pace: Pace = QUICK, **known: Any) -> AsyncRun:
        """A run that was accepted before, as its caller finds it again."""
        run = self.unwritten(folder, pace, **known)
        run.desk.book.write(run.entry)
        return run

    def unwritten(self, folder: Path, pace: Pace = QUICK, **known: Any) -> AsyncRun:
        """The same of a run that is in no book."""
        client = self.client(pace=pace)
        return AsyncRun(Desk(Book(folder), lambda entry: client), entry(**known))

    @property
    def paths(self) -> list[str]:
        return [request.url.raw_path.decode().removeprefix(RUNS) for request in self.requests]

    def sent(self, place: int = -1) -> Json:
        return json.loads(self.requests[place].content)


def entry(**known: Any) -> Entry:
    given: Json = {
        **{"key": "0" * 32, "question": "김치의 역사는?", "relay": "", "gateway": "sandbox"},
        **{"arguments": {"research_question": "김치의 역사는?", "stream": True}},
        **{"asked": 1_795_000_000.0, "id": ID, "token": Secret(TOKEN)},
    }
    return Entry(**{**given, **known})


def view(status: str = "running", **more: Any) -> Json:
    """A run as a relay shows it."""
    return {
        **{"invocation_id": ID, "invocation_token": TOKEN, "status": status, "mode": "stream"},
        **{"created_at": 1_795_000_000.0, "finished_at": None, "last_event": 0, "response": None},
        **{"output_text": None, "error_message": None, "error_code": None},
        **more,
    }


def answer(body: Any, status: int = 200, kind: str = "application/json") -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.Response(status, headers={"content-type": kind}, stream=Pieces([content]))


def problem(status: int, detail: Any = "Not so.") -> httpx.Response:
    return answer({"status": status, "detail": detail}, status, "application/problem+json")


def page(status: int = 200) -> httpx.Response:
    return answer(b"<!doctype html><title>Sign in</title>", status, "text/html")


def frame(number: int | str, kind: str, data: Any = None, status: str = "running") -> bytes:
    told = {"invocation_id": ID, "type": kind, "status": status, "data": data or {}}
    text = json.dumps(told, ensure_ascii=False)
    return f"id: {number}\nevent: {kind}\ndata: {text}\n\n".encode()


def stream(*pieces: bytes | float | Exception) -> httpx.Response:
    """A stream of events; numbers are pauses in seconds, an exception breaks it off."""
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Pieces(pieces))


class Pieces(httpx.AsyncByteStream):
    def __init__(self, pieces: Iterable[bytes | float | Exception]) -> None:
        self.pieces = list(pieces)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, bytes):
                yield piece
            await asyncio.sleep(piece if isinstance(piece, float) else 0)


def by_path(**replies: Reply) -> Callable[[httpx.Request], Reply]:
    """Another reply for each address: `events`, `wait`, `cancel`; `run` for the run itself,
    `start` for a POST, `listing` for the list."""

    def reply(request: httpx.Request) -> Reply:
        last = request.url.path.rpartition("/")[2]
        if last in ("events", "wait", "cancel"):
            return replies.get(last, replies.get("run"))
        if last == "tool-invocations":
            return replies["start" if request.method == "POST" else "listing"]
        return replies["run"]

    return reply


def in_turn(*replies: Reply) -> Callable[[httpx.Request], Reply]:
    """The next of these each time; the last one repeats."""
    left = list(replies)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]
