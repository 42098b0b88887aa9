"""What callers of a relay see over HTTP, in seconds: each function is one figure's measurements."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
from relay_gateway import age
from relay_process import TOKENS, Relay

RUNS = "/api/v1/tool-invocations"
SUBMITS, WAITS, PACED, READERS = 200, 30, 500, 500
PACE = 0.005  # seconds between two events


class Caller:
    """Speaks to one relay."""

    def __init__(self, relay: Relay, session: aiohttp.ClientSession) -> None:
        self.relay = relay
        self.session = session

    async def post(self, path: str, body: object) -> Any:
        async with self.session.post(self.relay.url + path, json=body) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()

    async def submit(self, model: str) -> str:
        """Start a run as a stream; its id."""
        arguments = {"research_question": "How fast?", "stream": True, "model": model}
        body = {"tool_name": "deep_research", "arguments": arguments}
        return (await self.post(RUNS, body))["invocation_id"]

    async def events(self, id: str) -> AsyncGenerator[dict[str, Any]]:
        """A run's events to their end."""
        url = f"{self.relay.url}{RUNS}/{id}/events"
        async with self.session.get(url, headers=token(id)) as answer:
            async for line in answer.content:
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])

    async def wait(self, id: str) -> dict[str, Any]:
        url = f"{self.relay.url}{RUNS}/{id}/wait"
        async with self.session.get(url, headers=token(id)) as answer:
            return await answer.json()


@contextlib.asynccontextmanager
async def calling(relay: Relay) -> AsyncGenerator[Caller]:
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield Caller(relay, session)


def token(id: str) -> dict[str, str]:
    return {"X-Invocation-Token": TOKENS.token(id)}


async def appended_to_seen(caller: Caller) -> list[float]:
    """From the call that appends an event, the commit included, to the frame in a reader's hand."""
    [id] = await caller.post("/bench/make", {"count": 1})
    await caller.post("/bench/write", {"id": id, "events": PACED, "pause": PACE})
    return await ages(caller, id)


async def given_to_seen(caller: Caller) -> list[float]:
    """From the gateway's piece, through the whole run, to the frame in a reader's hand."""
    return await ages(caller, await caller.submit(f"bench {PACED} {1000 * PACE:g}"))


async def ages(caller: Caller, id: str) -> list[float]:
    return [
        age(event["data"]["text"])
        async for event in caller.events(id)
        if event["type"] == "output_text"
    ]


async def submitted_to_acknowledged(caller: Caller) -> list[float]:
    seconds: list[float] = []
    for _ in range(SUBMITS):
        start = time.monotonic()
        await caller.submit("bench 1 0")
        seconds.append(time.monotonic() - start)
    return seconds


async def submitted_to_running(caller: Caller) -> list[float]:
    """From the POST to the first event a reader sees of a run at work."""
    seconds: list[float] = []
    for _ in range(WAITS):
        start = time.monotonic()
        id = await caller.submit("bench 1 50")
        async with contextlib.aclosing(caller.events(id)) as events:
            async for event in events:
                if event["status"] == "running":
                    seconds.append(time.monotonic() - start)
                    break
    return seconds


async def done_to_waiter(caller: Caller) -> list[float]:
    """From the gateway's last piece to the answer of `/wait`."""
    seconds: list[float] = []
    for _ in range(WAITS):
        view = await caller.wait(await caller.submit("bench 3 20"))
        assert view["status"] == "completed", view
        seconds.append(age(view["output_text"]))
    return seconds


async def memory_of_readers(caller: Caller) -> tuple[float, float]:
    """MB of the idle relay, and how much more it has with 500 readers of 500 waiting runs."""
    await caller.wait(await caller.submit("bench 3 1"))  # everything is imported
    ids = await caller.post("/bench/make", {"count": READERS})
    await asyncio.sleep(0.5)
    idle = caller.relay.megabytes()
    async with contextlib.AsyncExitStack() as stack:
        for start in range(0, READERS, 50):
            some = ids[start : start + 50]
            await asyncio.gather(*(reader(caller.relay, id, stack) for id in some))
        await asyncio.sleep(1.0)
        return idle, caller.relay.megabytes() - idle


async def reader(relay: Relay, id: str, stack: contextlib.AsyncExitStack) -> None:
    """One that has read what there is, and waits, until the stack is closed."""
    host, port = relay.url.removeprefix("http://").rsplit(":", 1)
    receiving, sending = await asyncio.open_connection(host, int(port))
    stack.callback(sending.close)
    secret = TOKENS.token(id)
    head = f"GET {RUNS}/{id}/events HTTP/1.1\r\nHost: {host}:{port}\r\nX-Invocation-Token: {secret}"
    sending.write(f"{head}\r\n\r\n".encode())
    await asyncio.wait_for(receiving.readuntil(b"event: status"), 30)
