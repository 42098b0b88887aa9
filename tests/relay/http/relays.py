"""A relay on loopback, and the worker that a test plays on the same file.

with Relay(tmp_path) as relay:
    run = relay.start("background")
    hold = relay.worker.take(run.id)
    relay.worker.write(hold, Draft("output_text", {"text": "김치"}), status="running")
    relay.get(run).json()["status"]
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import httpx

from kit.gateway.client import AsyncClient
from kit.secret import Secret
from kit.serving import serve_in_thread
from kit.settings import Endpoint
from kit.settings_relay import RelaySettings
from relay_lite.app import create_app
from relay_lite.auth import Tokens
from relay_lite.engine import Engine, Terms
from relay_lite.hold import Hold
from relay_lite.sqlite import SqliteStore
from relay_lite.store import Draft, Gateway, Progress, Result
from relay_lite.upstream import Upstream
from tests.waiting import until

PATH = "/api/v1/tool-invocations"
GATEWAY = Gateway("https://gateway.invalid/v1", "0123")
SECRET = b"the secret of the relays of these tests"
QUESTION = "김치의 역사는?"
Json = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One invocation, as its caller knows it."""

    id: str
    token: str

    @property
    def path(self) -> str:
        return f"{PATH}/{self.id}"

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Invocation-Token": self.token}


class Relay:
    """A relay that does no work by itself; keys: caller -> key."""

    def __init__(
        self,
        folder: Path,
        *,
        keys: Mapping[str, str] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        page_limit: int | None = None,
        works: bool = False,
        free: bool = False,
        **settings: Any,
    ) -> None:
        self.file = folder / "relay.sqlite3"
        self.settings = replace(
            RelaySettings(user_data=folder, store=self.file),
            keys={name: Secret(key) for name, key in (keys or {}).items()},
            **settings,
        )
        endpoint = Endpoint("https://gateway.invalid/v1", Secret("sk-of-the-gateway"), "m")
        client = AsyncClient(endpoint, transport=transport or httpx.MockTransport(_nobody))
        self.engine = Engine(
            SqliteStore(self.file, page_limit=page_limit),
            Upstream(client, GATEWAY, free=free),
            terms=Terms(kept=self.settings.max_invocations),
            works=works,
        )
        self.app = create_app(self.engine, self.settings, Tokens(SECRET))

    def __enter__(self) -> Self:
        self.served = serve_in_thread(self.app, name="test-relay", closing=self.engine.stop)
        self.http = httpx.Client(base_url=self.served.url, timeout=30, trust_env=False)
        self.worker = Worker(self.file)
        return self

    def __exit__(self, *_exception: object) -> None:
        self.worker.close()
        self.http.close()
        self.served.stop()

    def post(
        self, mode: str = "stream", headers: Mapping[str, str] | None = None, **arguments: Any
    ) -> httpx.Response:
        given = {"research_question": QUESTION, **arguments}
        if mode != "foreground":
            given[mode] = True
        body = {"tool_name": "deep_research", "arguments": given}
        return self.http.post(PATH, json=body, headers=headers)

    def start(self, mode: str = "stream", **arguments: Any) -> Run:
        """A run that was accepted."""
        answer = self.post(mode, {"Prefer": "wait=0"}, **arguments)
        assert answer.status_code == 202, answer.text
        return run_in(answer)

    def get(self, run: Run, below: str = "", **parameters: Any) -> httpx.Response:
        return self.http.get(run.path + below, headers=run.headers, params=parameters)

    def frames(self, run: Run, **options: Any) -> list[Json]:
        """The events of one visit, to the end of the stream."""
        with self.reading(run, **options) as answer:
            return list(events_in(answer))

    @contextlib.contextmanager
    def reading(
        self, run: Run, after: int | None = None, last_seen: str | None = None
    ) -> Iterator[httpx.Response]:
        headers = run.headers | ({"Last-Event-ID": last_seen} if last_seen else {})
        parameters = {} if after is None else {"starting_after": after}
        with self.http.stream(
            "GET", f"{run.path}/events", headers=headers, params=parameters
        ) as answer:
            assert answer.status_code == 200, answer.read()
            yield answer


class Worker:
    """Another process, as far as the store can tell."""

    def __init__(self, file: Path) -> None:
        self._runner = asyncio.Runner()
        self.store = SqliteStore(file)
        self._runner.run(self.store.open())

    def close(self) -> None:
        self._runner.run(self.store.aclose())
        self._runner.close()

    def take(self, id: str | None = None) -> Hold:
        """Claim this run, or the next that waits."""
        wanted = {"lease": 60, "limit": 1, "ids": id and [id]}
        (run,) = until(lambda: self._runner.run(self.store.claim("a worker", GATEWAY, **wanted)))
        return Hold(self.store, run)

    def write(self, hold: Hold, *events: Draft, **more: Any) -> None:
        self._runner.run(hold.write(*events, **more))

    def hand_over(self, hold: Hold, upstream_id: str = "resp_1") -> None:
        """The gateway has named the run."""
        event = Draft("status", {"mode": hold.invocation.mode, "upstream_response_id": upstream_id})
        self.write(hold, event, status="running", progress=Progress(1, upstream_id=upstream_id))

    def complete(self, hold: Hold, text: str = "김치는 발효 음식이다.") -> None:
        result = Result(text, {"id": "resp_1", "status": "completed"})
        draft = Draft("output_text", {"text": text})
        self.write(hold, draft, status="running")
        self.write(
            hold, Draft("completed", {"output_text": text}), status="completed", result=result
        )

    def fail(
        self, hold: Hold, message: str = "The gateway failed.", code: str = "upstream_error"
    ) -> None:
        draft = Draft("error", {"message": message, "code": code})
        result = Result(error_message=message, error_code=code)
        self.write(hold, draft, status="failed", result=result)

    def finish(self, id: str | None = None) -> None:
        """Take a run and complete it."""
        self.complete(self.take(id))

    def is_fetched(self, run: Run) -> bool:
        """Whether the run is noted as read."""
        found = self._runner.run(self.store.get(run.id))
        return found is not None and found.fetched


def run_in(answer: httpx.Response) -> Run:
    view = answer.json()
    return Run(view["invocation_id"], view["invocation_token"])


def events_in(answer: httpx.Response) -> Iterator[Json]:
    """The frames of a stream, each with its number and its name."""
    text = ""
    for piece in answer.iter_text():
        text += piece
        while "\n\n" in text:
            block, text = text.split("\n\n", 1)
            fields = dict(line.split(": ", 1) for line in block.split("\n") if line[:1] != ":")
            if "data" in fields:
                told = json.loads(fields["data"])
                assert told["type"] == fields["event"]
                yield told | {"number": int(fields["id"])}


def _nobody(_request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("these tests have no gateway")
