"""A team of real engines over one PostgreSQL: who takes a run, hands it on, or is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Callable, Iterator

import pytest

from kit.gateway.client import AsyncClient
from kit.secret import Secret
from kit.settings import Endpoint
from relay_lite.engine import Engine, Terms
from relay_lite.postgres import PostgresStore
from relay_lite.store import Gateway, Invocation, Order
from relay_lite.team import Team
from relay_lite.upstream import Upstream
from tests.relay import upstreams

pytestmark = [pytest.mark.anyio, pytest.mark.once]

GATEWAY = Gateway("https://gateway.example/v1", "a1b2")
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def there() -> Iterator[upstreams.Gateway]:
    with upstreams.gateway() as gateway:
        yield gateway


class Office:
    """One replica, and workers that come and go, over one database and one gateway."""

    def __init__(
        self, address: str, there: upstreams.Gateway, opened: contextlib.AsyncExitStack
    ) -> None:
        self.address = address
        self.url = there.url
        self.opened = opened

    async def open(self) -> Office:
        self.replica, self.team = self._parts()
        await self.replica.start()
        await self.team.open()
        self.opened.push_async_callback(self.replica.stop)
        self.opened.push_async_callback(self.team.aclose)
        return self

    async def worker(self) -> Callable[[], asyncio.Task[None]]:
        """Start a worker; what stops it gracefully."""
        engine, team = self._parts()
        await engine.start()
        await team.open()
        working = asyncio.create_task(team.work(engine))

        async def stop() -> None:
            working.cancel()
            await asyncio.wait([working])
            await team.aclose()
            await engine.stop()

        stopping: list[asyncio.Task[None]] = []

        def stopped() -> asyncio.Task[None]:
            if not stopping:
                stopping.append(asyncio.create_task(stop()))
            return stopping[0]

        async def at_the_end() -> None:
            await stopped()

        self.opened.push_async_callback(at_the_end)
        return stopped

    async def submit(self, model: str) -> Invocation:
        arguments = {"research_question": "왜?", "model": model}
        order = Order(f"inv_{next(NUMBERS):032x}", GATEWAY, "background", arguments)
        invocation, _ = await self.replica.submit(order)
        return invocation

    async def text(self, id: str) -> str:
        """What a reader gets, numbered without a gap."""
        events = [event async for page in self.replica.events(id) for event in page]
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        return "".join(e.data["text"] for e in events if e.type == "output_text")

    def _parts(self) -> tuple[Engine, Team]:
        store = PostgresStore(self.address)
        team = Team(self.address, store, GATEWAY, sweep=0.3)
        client = AsyncClient(Endpoint(self.url, Secret("a-key"), "plain"))
        self.opened.push_async_callback(client.aclose)
        upstream = Upstream(client, GATEWAY, free=False)
        terms = Terms(lease=2.0)
        return Engine(store, upstream, terms=terms, works=False, dispatch=team.dispatch), team


@pytest.fixture
async def office(database: str, there: upstreams.Gateway) -> AsyncGenerator[Office]:
    async with contextlib.AsyncExitStack() as opened:
        yield await Office(database, there, opened).open()


async def test_runs_are_shared_and_read_from_any_replica(
    office: Office, there: upstreams.Gateway
) -> None:
    script = there.script("shared", events=5, pace=0.01)
    for _ in range(2):
        await office.worker()
    runs = [await office.submit("shared") for _ in range(12)]
    assert await asyncio.gather(*(office.text(run.id) for run in runs)) == [script.text] * 12
    seen = there.seen()
    assert all(len(seen.taken(run.id)) == 1 for run in runs)


async def test_a_worker_that_stops_hands_its_run_to_another(
    office: Office, there: upstreams.Gateway
) -> None:
    """The same response of the gateway is followed; nothing is submitted again."""
    script = there.script("handed", events=60, pace=0.05)
    stop = await office.worker()
    run = await office.submit("handed")
    begun = await office.replica.wait(run.id, 60, lambda now: now.last > 3)
    assert begun is not None and not begun.ended
    await office.worker()
    await stop()
    assert await office.text(run.id) == script.text
    assert len(there.seen().taken(run.id)) == 1


async def test_a_run_cancelled_at_a_replica_is_cancelled_at_the_gateway(
    office: Office, there: upstreams.Gateway
) -> None:
    there.script("cancelled", events=400, pace=0.05)
    await office.worker()
    run = await office.submit("cancelled")
    await office.replica.wait(run.id, 60, lambda now: now.last > 3)
    cancelled = await office.replica.cancel(run.id)
    assert cancelled is not None and cancelled.status == "cancelled"
    async with asyncio.timeout(60):
        while not set(there.seen().taken(run.id)) <= set(there.seen().cancels):
            await asyncio.sleep(0.05)
