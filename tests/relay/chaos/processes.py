"""Relays as processes, which a test ends as it likes, and what their callers see.

relay = Relay(store, gateway.url).start()
run = relay.post("a-model")
relay.kill().start()                     # kill -9, then another process on the same port
check_log(relay.log(run), relay.wait(run))
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx

from tests.ports import free_port
from tests.waiting import until

ROOT = Path(__file__).parents[3]
PATH = "/api/v1/tool-invocations"
LAST = {"completed", "error", "cancelled"}
ENDED = {"completed", "failed", "cancelled"}
KEY = "sk-test-0123456789abcdef"
SECRET = "a secret that every replica of the tests has"
Json = dict[str, Any]

http = httpx.Client(
    trust_env=False, timeout=60, limits=httpx.Limits(max_connections=None), verify=False
)


@dataclass(frozen=True)
class Run:
    """One invocation, as its caller knows it."""

    id: str
    token: str
    model: str

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Invocation-Token": self.token}


@dataclass
class Process:
    """`python -m relay_lite …`, started again with the same command as often as a test asks."""

    store: str
    gateway: str
    arguments: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict[str, str])
    process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> Self:
        environment = {
            **os.environ,
            **{"LITELLM_BASE_URL": self.gateway, "LITELLM_API_KEY": KEY, "LITELLM_MODEL": "plain"},
            **{"RELAY_STORE": self.store, "RELAY_SECRET": SECRET},
            **self.settings,
        }
        command = [sys.executable, "-m", "relay_lite", *self.arguments]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, bufsize=0
        )
        return self

    def announced(self, what: str) -> None:
        """Wait for the line that it prints when it has begun."""
        assert self.process is not None and self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        assert what in line, f"it announced {line!r}"

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> Self:
        """kill -9."""
        return self.end(signal.SIGKILL)

    def end(self, number: signal.Signals = signal.SIGTERM) -> Self:
        """Send the signal and wait until the process is gone."""
        process, self.process = self.process, None
        if process is not None:
            with process:
                os.kill(process.pid, number)
        return self


@dataclass
class Relay(Process):
    """A relay that answers on a port of its own, which stays the same over every restart.

    workers: processes that do its work, where it does not do that itself; they come and go with it.
    """

    port: int = field(default_factory=free_port)
    workers: list[Process] = field(default_factory=list[Process])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        self.arguments = ("--port", str(self.port))
        super().start()
        for worker in self.workers:
            worker.start()
        self.announced(self.url)
        until(self.ready)
        for worker in self.workers:
            worker.announced("Worker")  # before, it has no database to lose
        return self

    def end(self, number: signal.Signals = signal.SIGTERM) -> Self:
        for worker in self.workers:
            worker.end(number)
        super().end(number)
        return self

    def ready(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return http.get(f"{self.url}/readyz").status_code == 200
        return False

    def post(self, model: str, *, mode: str = "stream", **arguments: Any) -> Run:
        """Ask for a run; the answer must be the contract's 202."""
        answer = self.ask(model, mode=mode, **arguments)
        assert answer.status_code == 202, answer.text
        view = answer.json()
        return Run(view["invocation_id"], view["invocation_token"], model)

    def ask(self, model: str, *, mode: str = "stream", **arguments: Any) -> httpx.Response:
        wanted = {"research_question": "김치는 무엇인가?", "model": model, mode: True, **arguments}
        body = {"tool_name": "deep_research", "arguments": wanted}
        return http.post(self.url + PATH, json=body)

    def view(self, run: Run) -> Json:
        answer = http.get(f"{self.url}{PATH}/{run.id}", headers=run.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait(self, run: Run, seconds: float = 600) -> Json:
        """The view of the run when it has ended."""
        path = f"{self.url}{PATH}/{run.id}/wait"
        answer = http.get(path, headers=run.headers, params={"timeout": seconds}, timeout=130)
        assert answer.status_code == 200, answer.text
        view = answer.json()
        assert view["status"] in ENDED, f"{run.model} is {view['status']} after {seconds} s"
        return view

    def log(self, run: Run) -> list[Json]:
        """The events of a run that has ended."""
        reader = Reader(self, run)
        reader.read_on()
        return reader.events


class Reader:
    """Reads a run's events from wherever the relay is, and comes back after every end."""

    def __init__(self, relay: Relay, run: Run, *, slowly: float = 0.0) -> None:
        self.relay, self.run, self.slowly = relay, run, slowly
        self.events: list[Json] = []
        self.visits = 0
        self._thread = threading.Thread(target=self._read, daemon=True)

    def start(self) -> Self:
        self._thread.start()
        return self

    def finish(self, seconds: float = 120) -> list[Json]:
        """The events when the terminal one has come."""
        self._thread.join(seconds)
        assert self.done, f"{self.run.model}: no terminal event, {len(self.events)} events so far"
        return self.events

    @property
    def done(self) -> bool:
        return bool(self.events) and self.events[-1]["type"] in LAST

    def read_on(self) -> None:
        """One visit: what is new since the last one, until the relay ends the stream."""
        self.visits += 1
        headers = self.run.headers
        if self.events:
            headers["Last-Event-ID"] = str(self.events[-1]["sequence"])
        path = f"{self.relay.url}{PATH}/{self.run.id}/events"
        with http.stream("GET", path, headers=headers) as answer:
            if answer.status_code == 503:  # it stops, or its store is away: "try again"
                return
            assert answer.status_code == 200, answer.read()
            for frame in _frames(answer.iter_bytes()):
                if event := _event(frame, self.run):
                    self.events.append(event)
                    time.sleep(self.slowly)

    def _read(self) -> None:
        while not self.done:
            with contextlib.suppress(httpx.TransportError):
                self.read_on()
            time.sleep(0.1)


def _frames(chunks: Iterator[bytes]) -> Iterator[str]:
    """Whole frames; the torn end of a killed relay's stream is dropped."""
    held = b""
    for chunk in chunks:
        *whole, held = (held + chunk).split(b"\n\n")
        yield from (frame.decode() for frame in whole)


def _event(frame: str, run: Run) -> Json | None:
    fields = dict(line.split(": ", 1) for line in frame.split("\n") if not line.startswith(":"))
    if "data" not in fields:
        return None
    event = json.loads(fields["data"])
    assert event["invocation_id"] == run.id
    assert event["type"] == fields["event"]
    return {**event, "sequence": int(fields["id"])}


def check_log(events: list[Json], view: Json) -> None:
    """No gap, no duplicate, one terminal event and that the last, and the text it promises."""
    kinds = [event["type"] for event in events]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert [kind for kind in kinds if kind in LAST] == kinds[-1:], kinds
    assert events[-1]["status"] == view["status"]
    warned = {event["data"]["code"] for event in events if event["type"] == "warning"}
    if "text_replaced" not in warned:
        assert text_of(events) == (view["output_text"] or "")


def text_of(events: list[Json]) -> str:
    """What a caller has who joins the pieces."""
    return "".join(event["data"].get("text", "") for event in events)


def codes(events: list[Json]) -> list[str]:
    """The codes of the warnings, and of the error."""
    told = [event for event in events if event["type"] in ("warning", "error")]
    return [event["data"]["code"] for event in told]
