"""The engine: every run is worked on by exactly one worker, and ends whoever lives or dies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from kit.gateway.client import AsyncClient
from kit.settings import Endpoint
from relay_lite.engine import Engine, Terms
from relay_lite.research import Limits
from relay_lite.sqlite import SqliteStore
from relay_lite.store import Gateway, Invocation, Order
from relay_lite.upstream import Upstream
from tests.waiting import until_async

pytestmark = pytest.mark.anyio

HERE = Gateway("http://127.0.0.1:9/v1", "key")
QUICK = Terms(lease=0.5)
TEXT = "짜장면은 국수다. 🍜"


class Provider(httpx.AsyncBaseTransport):
    """A gateway at the seam: background streams that stand still until `go` is set."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.submitted: list[str] = []
        self.cancelled: list[str] = []
        self.followed: list[str] = []
        self.reading = 0
        self.deaf = False  # cancels are answered with an error
        self.endless = False  # streams stand still again behind their text
        self.hold = 0.0  # seconds before a submission is answered

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.startswith("/v1/responses"):
            return httpx.Response(404, json={"detail": "no prices here"})
        path = request.url.path.removeprefix("/v1/responses")
        if request.method == "POST" and not path:
            body = json.loads(await request.aread())
            if body["metadata"]["invocation_id"] == "inv_fault":
                raise ZeroDivisionError
            self.submitted.append(body["metadata"]["invocation_id"])
            await asyncio.sleep(self.hold)
            return self.stream(f"resp_{len(self.submitted)}")
        id = path.split("/")[1]
        if path.endswith("/cancel"):
            self.cancelled.append(id)
            if self.deaf:
                return httpx.Response(503, json={"error": {"message": "overloaded"}})
            return httpx.Response(200, json=response(id, "cancelled"))
        self.followed.append(id)
        if request.url.params.get("stream"):
            return self.stream(id, int(request.url.params["starting_after"]))
        return httpx.Response(200, json=response(id, "completed"))

    def stream(self, id: str, after: int = -1) -> httpx.Response:
        return httpx.Response(
            200,
            headers={"content-type": "text/event-stream"},
            stream=Stream(self.events(id, after)),
        )

    async def events(self, id: str, after: int) -> AsyncGenerator[bytes]:
        self.reading += 1
        try:
            if after < 0:
                yield frame(0, "response.created", response=response(id, "in_progress"))
            await self.go.wait()
            yield frame(1, "response.output_text.delta", output_index=0, delta=TEXT)
            if self.endless:
                await asyncio.Event().wait()
            yield frame(2, "response.completed", response=response(id, "completed"))
        finally:
            self.reading -= 1


class Stream(httpx.AsyncByteStream):
    def __init__(self, pieces: AsyncGenerator[bytes]) -> None:
        self.pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.pieces

    async def aclose(self) -> None:
        await self.pieces.aclose()


def frame(number: int, type: str, **event: Any) -> bytes:
    data = json.dumps({"type": type, "sequence_number": number, **event})
    return f"event: {type}\ndata: {data}\n\n".encode()


def response(id: str, status: str) -> dict[str, Any]:
    source = {"type": "url_citation", "url": "https://a.example/1", "title": "A"}
    part = {"type": "output_text", "text": TEXT, "annotations": [source]}
    message = {"type": "message", "role": "assistant", "content": [part]}
    done = status == "completed"
    usage = {"input_tokens": 3, "output_tokens": 5, "total_tokens": 8} if done else None
    output = [message] if done else []
    return {
        **{"id": id, "object": "response", "status": status, "background": True, "model": "m"},
        **{"output": output, "usage": usage},
    }


@pytest.fixture
def provider() -> Provider:
    return Provider()


StartEngine = Callable[..., Any]


@pytest.fixture
async def start(provider: Provider, tmp_path: Path) -> AsyncGenerator[StartEngine]:
    engines: list[Engine] = []

    async def start_engine(
        gateway: Gateway = HERE, *, terms: Terms = QUICK, limits: Limits | None = None, **how: Any
    ) -> Engine:
        client = AsyncClient(Endpoint("http://127.0.0.1:9/v1", model="m"), transport=provider)
        upstream = Upstream(client, gateway, free=False)
        store = SqliteStore(tmp_path / "relay" / "runs.db")
        engine = Engine(store, upstream, limits, terms=terms, **how)
        await engine.start()
        engines.append(engine)
        return engine

    yield start_engine
    provider.go.set()
    for engine in engines:
        await engine.stop()


def order(id: str = "inv_1", gateway: Gateway = HERE, **more: Any) -> Order:
    return Order(id, gateway, "background", {"research_question": "짜장면의 역사"}, **more)


async def until(engine: Engine, id: str, status: str, seconds: float = 60) -> Invocation:
    run = await engine.wait(id, seconds, lambda run: run.status == status)
    assert run is not None
    assert run.status == status, run
    return run


async def die(engine: Engine) -> None:
    """What kill -9 leaves: nothing is written, nothing is given back."""
    tasks = [*engine._loops, *engine._work.values()]
    engine.store = SqliteStore(Path("/nonexistent"))
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_a_run_goes_from_pending_to_completed(start: StartEngine, provider: Provider) -> None:
    engine = await start()
    run, new = await engine.submit(order())
    assert (run.status, new) == ("pending", True)
    await until(engine, run.id, "running")
    provider.go.set()
    done = await until(engine, run.id, "completed")
    assert done.result.output_text == TEXT
    assert done.progress.upstream_id == "resp_1"
    log = [event async for events in engine.events(run.id) for event in events]
    assert [event.sequence for event in log] == list(range(1, done.last + 1))
    assert [event.type for event in log if event.type in ("completed", "error")] == ["completed"]
    assert log[-1].type == "completed"


async def test_a_run_goes_on_without_any_reader(start: StartEngine, provider: Provider) -> None:
    engine = await start()
    await engine.submit(order())
    provider.go.set()
    await until_async(lambda: provider.reading == 0 and len(provider.submitted) == 1)
    assert (await until(engine, "inv_1", "completed")).result.output_text == TEXT


async def test_what_waited_while_no_relay_lived_begins_with_the_next(
    start: StartEngine, provider: Provider
) -> None:
    provider.go.set()
    served = await start(works=False)
    await served.submit(order())
    await served.stop()
    assert provider.submitted == []
    assert (await until(await start(), "inv_1", "completed")).result.output_text == TEXT


async def test_runs_of_a_dead_worker_are_taken_over_and_not_submitted_again(
    start: StartEngine, provider: Provider
) -> None:
    first = await start()
    await first.submit(order())
    await until(first, "inv_1", "running")
    await die(first)
    second = await start()
    await until_async(lambda: provider.followed == ["resp_1"])
    provider.go.set()
    assert (await until(second, "inv_1", "completed")).epoch == 2
    assert provider.submitted == ["inv_1"]


async def test_a_living_worker_keeps_its_runs(start: StartEngine, provider: Provider) -> None:
    first, second = await start(), await start()
    await first.submit(order())
    await until(second, "inv_1", "running")
    await asyncio.sleep(QUICK.lease * 2.5)
    provider.go.set()
    assert (await until(second, "inv_1", "completed")).epoch == 1


async def test_a_process_that_stood_still_does_not_take_its_runs_from_itself(
    start: StartEngine, provider: Provider
) -> None:
    """A cell may hold the interpreter's lock for longer than a lease: nothing is renewed then."""
    engine = await start(terms=Terms(lease=60))  # so the next renewal is later than all of this
    await engine.submit(order("inv_1"))
    await until(engine, "inv_1", "running")
    await engine.store.renew(engine.worker, lease=-1)
    await engine.submit(order("inv_2"))  # a claim would take the older one with it
    await until(engine, "inv_2", "running")
    provider.go.set()
    assert (await until(engine, "inv_1", "completed")).epoch == 1
    assert provider.followed == provider.cancelled == []


async def test_a_run_that_its_worker_lost_sight_of_is_begun_again(
    start: StartEngine, provider: Provider
) -> None:
    """As after a claim whose answer was lost: the store says whose it is, and nobody works."""
    provider.go.set()
    engine = await start(works=False)
    await engine.submit(order())
    lost = {"lease": -1, "limit": 1, "ids": ["inv_1"]}
    assert await engine.store.claim(engine.worker, HERE, **lost)
    await engine.take("inv_1")
    assert (await until(engine, "inv_1", "completed")).epoch == 2


@pytest.mark.parametrize("other", [Gateway("elsewhere", "key"), Gateway(HERE.identity, "other")])
async def test_a_relay_of_another_gateway_or_key_leaves_runs_alone(
    start: StartEngine, provider: Provider, other: Gateway
) -> None:
    engine = await start(other)
    await engine.submit(order())
    await asyncio.sleep(QUICK.sweep * 4)
    assert (await engine.get("inv_1")).status == "pending"
    assert provider.submitted == []


async def test_a_stop_gives_runs_back_at_once(start: StartEngine, provider: Provider) -> None:
    long = Terms(lease=60)
    first = await start(terms=long)
    await first.submit(order())
    await until(first, "inv_1", "running")
    await first.stop()
    second = await start(terms=long)
    provider.go.set()
    await until(second, "inv_1", "completed")
    assert provider.submitted == ["inv_1"]


async def test_a_cancelled_run_has_ended_at_once_and_the_gateway_is_told(
    start: StartEngine, provider: Provider
) -> None:
    engine = await start()
    await engine.submit(order())
    await until(engine, "inv_1", "running")
    assert (await engine.cancel("inv_1")).status == "cancelled"
    await until_async(lambda: provider.cancelled == ["resp_1"])
    provider.go.set()
    await asyncio.sleep(0.1)
    run = await engine.cancel("inv_1")  # again, and it is final
    assert (run.status, run.owed) == ("cancelled", False)
    log = [event async for events in engine.events("inv_1") for event in events]
    assert [event.type for event in log].count("cancelled") == 1
    assert log[-1].type == "cancelled"


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_cancel_while_the_run_is_being_submitted_reaches_the_gateway(
    start: StartEngine, provider: Provider, elsewhere: bool
) -> None:
    """Its id comes after the cancel, and is told all the same; it can be deleted only then."""
    provider.hold = 1.5
    worker = await start()
    caller = await start(works=False) if elsewhere else worker
    await worker.submit(order())
    await until_async(lambda: provider.submitted == ["inv_1"])
    assert (await caller.cancel("inv_1")).status == "cancelled"
    assert not await caller.store.delete("inv_1")
    await until_async(lambda: caller.delete("inv_1"))  # which waits for a while by itself
    assert provider.cancelled == ["resp_1"]
    assert provider.submitted == ["inv_1"]


async def test_a_cancel_reaches_the_worker_in_another_process(
    start: StartEngine, provider: Provider
) -> None:
    worker, caller = await start(), await start(works=False)
    await worker.submit(order())
    await until(caller, "inv_1", "running")
    await caller.cancel("inv_1")
    await until_async(lambda: provider.cancelled == ["resp_1"] and provider.reading == 0)


async def test_a_run_that_was_stopped_is_told_to_the_gateway_until_it_hears(
    start: StartEngine, provider: Provider
) -> None:
    """Over its size, here; it would go on and spend. It can be deleted only then."""
    provider.deaf = provider.endless = True
    provider.go.set()
    engine = await start(limits=Limits(max_stream_bytes=3))
    await engine.submit(order())
    failed = await until(engine, "inv_1", "failed")
    assert failed.result.error_code == "too_large"
    assert not await engine.delete("inv_1")
    provider.deaf = False
    await until_async(lambda: engine.delete("inv_1"))
    assert {*provider.cancelled} == {"resp_1"}


async def test_no_more_runs_at_a_time_than_agreed(start: StartEngine, provider: Provider) -> None:
    engine = await start(terms=Terms(lease=0.5, concurrency=2))
    for number in range(5):
        await engine.submit(order(f"inv_{number}"))
    await until_async(lambda: provider.reading == 2)
    await asyncio.sleep(0.3)
    assert provider.reading == 2
    provider.go.set()
    for number in range(5):
        await until(engine, f"inv_{number}", "completed")


async def test_a_fault_of_ours_ends_the_run_and_not_the_relay(
    start: StartEngine, provider: Provider
) -> None:
    engine = await start()
    await engine.submit(order("inv_fault"))
    assert (await until(engine, "inv_fault", "failed")).result.error_code == "internal_error"
    provider.go.set()
    await engine.submit(order())
    await until(engine, "inv_1", "completed")


async def test_waiting_that_takes_too_long_gives_the_run_as_it_stands(start: StartEngine) -> None:
    engine = await start()
    await engine.submit(order())
    run = await engine.wait("inv_1", 0.3)
    assert run is not None
    assert not run.ended


async def test_an_unknown_run_is_none(start: StartEngine) -> None:
    engine = await start()
    assert await engine.wait("inv_x", 1) is None
    assert await engine.cancel("inv_x") is None
    assert [events async for events in engine.events("inv_x")] == []


async def test_a_worker_that_is_told_what_to_do_does_only_that(
    start: StartEngine, provider: Provider
) -> None:
    provider.go.set()
    worker = await start(works=False)
    for number in (1, 2):
        await worker.submit(order(f"inv_{number}"))
    await worker.take("inv_2")
    assert (await worker.get("inv_2")).status == "completed"
    assert (await worker.get("inv_1")).status == "pending"
    await worker.take("inv_2")  # told twice
    assert provider.submitted == ["inv_2"]


async def test_a_queue_that_is_down_loses_no_run(start: StartEngine) -> None:
    async def down(id: str) -> None:
        raise ConnectionError("no queue")

    engine = await start(works=False, dispatch=down)
    run, new = await engine.submit(order())
    assert new
    assert await engine.store.waiting(HERE) == [run.id]
