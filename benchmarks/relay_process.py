"""A relay in a process of its own, over the scripted gateway, for what is measured from outside.

`with running(place) as relay:` starts and ends it; `place` is an SQLite file or a PostgreSQL
address. Beside the relay's own routes, `POST /bench/…` makes runs that nobody works on and writes
into them, so that appending can be measured apart from everything before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relay_gateway import client

from kit.secret import Secret
from kit.serving import ASGIApp, Receive, Scope, Send, serve
from kit.settings_relay import RelaySettings
from relay_lite.app import create_app
from relay_lite.app_opening import engine_of
from relay_lite.auth import Tokens
from relay_lite.engine import Engine
from relay_lite.store import Draft, Gateway, Order

SECRET = b"of the benchmarks alone, and of no use"
TOKENS = Tokens(SECRET)
NOBODY = Gateway("nobody works on these")


@dataclass(frozen=True)
class Relay:
    url: str
    pid: int

    def megabytes(self) -> float:
        """Its resident memory now."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("The system does not say how much memory the relay has.")


@contextlib.contextmanager
def running(place: str) -> Iterator[Relay]:
    command = [sys.executable, __file__, place]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError("The relay did not start.")
        yield Relay(url, process.pid)
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def settings_for(place: str, folder: Path) -> RelaySettings:
    store = Secret(place) if place.startswith("postgresql://") else Path(place)
    return RelaySettings(user_data=folder, store=store, max_invocations=100_000)


def engine_over(place: str, folder: Path) -> Engine:
    return engine_of(settings_for(place, folder), client(), SECRET)


class WithBench:
    """The relay's app, and two routes of the benchmark's own."""

    def __init__(self, app: ASGIApp, engine: Engine) -> None:
        self.app = app
        self.engine = engine
        self._writing: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not scope.get("path", "").startswith("/bench/"):
            return await self.app(scope, receive, send)
        asked = json.loads((await receive())["body"])
        answer = await (self.make(**asked) if "count" in asked else self.write(**asked))
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    async def make(self, count: int) -> list[str]:
        """So many runs; their ids."""
        orders = [order(NOBODY) for _ in range(count)]
        for one in orders:
            await self.engine.store.create(one, limit=100_000)
        return [one.id for one in orders]

    async def write(self, id: str, events: int, pause: float) -> None:
        """Begin to write events into a run, one after another; then end it."""
        task = asyncio.create_task(self._write(id, events, pause))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, id: str, events: int, pause: float) -> None:
        store = self.engine.store
        [run] = await store.claim("bench", NOBODY, lease=600, limit=1, ids=[id])
        for number in range(events):
            await asyncio.sleep(pause)
            text = Draft("output_text", {"text": f"token {time.monotonic():.6f} "})
            await store.append(id, run.epoch, [text], after=run.last + number)
        end = Draft("completed", {"output_text": ""})
        last = run.last + events
        await store.append(id, run.epoch, [end], after=last, status="completed")


def order(gateway: Gateway, **arguments: Any) -> Order:
    """A run that somebody asks for."""
    asked = {"research_question": "How fast?", **arguments}
    return Order(f"inv_{secrets.token_hex(16)}", gateway, "background", asked)


@contextlib.asynccontextmanager
async def started(engine: Engine) -> AsyncGenerator[Engine]:
    """The engine at work in this process, without HTTP."""
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()
        await engine.upstream.client.aclose()


def main(place: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = engine_over(place, Path(folder))
        app = create_app(engine, settings_for(place, Path(folder)), TOKENS)

        def announce(url: str) -> None:
            print(url, flush=True)

        serve(WithBench(app, engine), "127.0.0.1", 0, announce=announce, closing=engine.stop)


if __name__ == "__main__":
    main(sys.argv[1])
