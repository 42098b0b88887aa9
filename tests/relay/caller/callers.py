"""A relay on loopback, and its user: `kit.research` asks it, and the test plays its worker.

with Elsewhere(tmp_path) as there:
    there.known_to(monkeypatch)
    run = there.research("김치의 역사는?")
    hold = there.take(run)
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

import kit
from kit.relay.run import Run
from relay_lite.hold import Hold
from relay_lite.store import Draft, Result
from tests.relay.http.relays import Relay
from tests.waiting import until

RELAY_KEY = "relay-key-0123456789"
TEXT = "# 김치\n\n김치는 발효 음식이다 ([김치](https://a.example/1), [b](https://b.example/2))."
ITEMS: list[dict[str, Any]] = [
    {
        "type": "web_search_call",
        "status": "completed",
        "action": {
            "type": "search",
            "query": "김치",
            "sources": [
                {"type": "url", "url": "https://a.example/1"},
                {"type": "url", "url": "https://c.example/3"},
            ],
        },
    },
    {
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "open_page", "url": "https://a.example/1"},
    },
]


class Elsewhere(Relay):
    """The relay that RELAY_BASE_URL names, once `known_to` has said so; with one key or without.

    heard: the headers of every request so far.
    """

    def __init__(self, folder: Path, *, keyed: bool = True, **more: Any) -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(folder, keys={"me": RELAY_KEY} if keyed else None, **more)
        self.keyed = keyed
        self.heard: list[dict[str, str]] = []
        inside = self.app

        async def heard(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                self.heard.append({k.decode(): v.decode() for k, v in scope["headers"]})
            await inside(scope, receive, send)

        self.app = heard

    def known_to(self, environment: pytest.MonkeyPatch) -> Self:
        environment.setenv("RELAY_BASE_URL", self.url)
        if self.keyed:
            environment.setenv("RELAY_API_KEY", RELAY_KEY)
        return self

    def post(
        self, mode: str = "stream", headers: Mapping[str, str] | None = None, **arguments: Any
    ) -> httpx.Response:
        key = {"Authorization": f"Bearer {RELAY_KEY}"} if self.keyed else {}
        return super().post(mode, {**key, **(headers or {})}, **arguments)

    @property
    def url(self) -> str:
        return self.served.url

    def research(self, question: str = "김치의 역사는?", **options: Any) -> Run:
        return kit.research(question, **options)

    def all_runs(self) -> list[str]:
        """The ids of all runs that the relay has, whoever started them."""
        with contextlib.closing(sqlite3.connect(self.file)) as db:
            return [id for (id,) in db.execute("SELECT id FROM run")]

    def take(self, run: Run) -> Hold:
        return self.worker.take(run.id)

    def complete(self, run: Run, text: str = TEXT) -> None:
        """The whole of a short run."""
        self.end(self.begin(run, text), text)

    def begin(self, run: Run, text: str = TEXT) -> Hold:
        """A run that has found and written all that it will, and that has not ended."""
        hold = self.take(run)
        self.worker.hand_over(hold)
        self.worker.write(
            hold,
            Draft("search", {"queries": ["김치"]}),
            Draft("page", {"url": "https://a.example/1"}),
            Draft("output_text", {"text": text[:9]}),
            Draft("output_text", {"text": text[9:]}),
            Draft("source", {"number": 1, "url": "https://a.example/1", "title": "김치 *백과*"}),
            Draft("usage", {"cost_usd": 0.25, "estimate": False}),
        )
        return hold

    def end(self, hold: Hold, text: str = TEXT) -> None:
        self.worker.write(
            hold,
            Draft("completed", {"output_text": text}),
            status="completed",
            result=Result(text, response(text)),
        )

    def fail(
        self,
        run: Run,
        message: str = "The gateway failed.",
        code: str = "upstream_error",
        text: str = "half of",
    ) -> None:
        hold = self.take(run)
        if text:
            self.worker.write(hold, Draft("output_text", {"text": text}), status="running")
        self.worker.fail(hold, message, code)


def response(text: str) -> dict[str, Any]:
    note = {"type": "url_citation", "url": "https://a.example/1", "title": "김치 *백과*"}
    note |= {"start_index": 6, "end_index": 8}
    part = {"type": "output_text", "text": text, "annotations": [note]}
    message = {"type": "message", "role": "assistant", "content": [part]}
    usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    return {"id": "resp_1", "object": "response", "status": "completed", "model": "deep"} | {
        "output": [*ITEMS, message],
        "usage": usage,
    }


def stop_soon(seconds: float = 0.15) -> None:
    """What ■ and Ctrl-C are: a SIGINT in the main thread."""
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()


def stop_behind_a_start(there: Elsewhere) -> None:
    """The same a moment after the next run has been started."""
    before = len(there.all_runs())

    def stop() -> None:
        until(lambda: len(there.all_runs()) > before)
        stop_soon(0.5)

    threading.Thread(target=stop).start()
