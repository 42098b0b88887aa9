"""The feed: every reader sees every event once, in order, however it comes and goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from relay_lite.feed import KEPT_EVENTS, Feed
from relay_lite.sqlite import SqliteStore
from relay_lite.store import Draft, Gateway, Order

pytestmark = pytest.mark.anyio

HERE = Gateway("here")
END = Draft("completed", {"output_text": ""})


class Writer:
    """A run, and the worker that writes it."""

    def __init__(self, store: SqliteStore, id: str) -> None:
        self.store, self.id = store, id
        self.last = 1
        self.epoch = 0

    async def open(self) -> Writer:
        await self.store.create(Order(self.id, HERE, "background", {}), limit=100)
        claimed = await self.store.claim("worker", HERE, lease=60, limit=1, ids=[self.id])
        self.epoch = claimed[0].epoch
        return self

    async def write(self, *events: Draft, status: str | None = None) -> None:
        await self.store.append(self.id, self.epoch, events, after=self.last, status=status)
        self.last += len(events)

    async def texts(self, count: int) -> None:
        await self.write(*(Draft("output_text", {"text": f"{number} "}) for number in range(count)))

    async def end(self) -> None:
        await self.write(END, status="completed")


@pytest.fixture
async def feed(sqlite_store: SqliteStore) -> AsyncGenerator[Feed]:
    feed = Feed(sqlite_store)
    feed.start()
    yield feed
    await feed.stop()


@pytest.fixture
async def run(sqlite_store: SqliteStore) -> Writer:
    return await Writer(sqlite_store, "inv_1").open()


async def numbers(feed: Feed, id: str, after: int = 0) -> list[int]:
    return [event.sequence async for events in feed.read(id, after) for event in events]


async def test_a_reader_from_the_start_sees_all(feed: Feed, run: Writer) -> None:
    reading = asyncio.create_task(numbers(feed, run.id))
    for _ in range(20):
        await run.texts(3)
        await asyncio.sleep(0)
    await run.end()
    assert await reading == list(range(1, 63))


async def test_a_reader_that_comes_late_sees_all(feed: Feed, run: Writer) -> None:
    await run.texts(2000)  # more than a page, and more than is kept in memory
    await run.end()
    assert await numbers(feed, run.id) == list(range(1, 2003))


async def test_a_reader_comes_back_where_it_left(feed: Feed, run: Writer) -> None:
    await run.texts(10)
    reading = asyncio.create_task(numbers(feed, run.id, after=7))
    await asyncio.sleep(0.01)
    await run.end()
    assert await reading == [8, 9, 10, 11, 12]


async def test_a_slow_reader_loses_nothing_and_holds_nobody_up(feed: Feed, run: Writer) -> None:
    seen: list[int] = []

    async def slowly() -> None:
        async for events in feed.read(run.id, 0):
            seen.extend(event.sequence for event in events)
            if len(seen) < 5:
                await asyncio.sleep(0.2)

    slow = asyncio.create_task(slowly())
    quick = asyncio.create_task(numbers(feed, run.id))
    for _ in range(KEPT_EVENTS * 3):
        await run.texts(1)
    await run.end()
    everything = list(range(1, run.last + 1))
    assert await quick == everything
    await slow
    assert seen == everything


async def test_a_hundred_readers_of_one_run_see_the_same(feed: Feed, run: Writer) -> None:
    readers = [asyncio.create_task(numbers(feed, run.id, after=n % 5)) for n in range(100)]
    for _ in range(50):
        await run.texts(2)
    await run.end()
    for number, seen in enumerate(await asyncio.gather(*readers)):
        assert seen == list(range(number % 5 + 1, run.last + 1))


async def test_readers_of_different_runs_do_not_meet(feed: Feed, sqlite_store: SqliteStore) -> None:
    runs = [await Writer(sqlite_store, f"inv_{number}").open() for number in range(10)]
    reading = [asyncio.create_task(numbers(feed, run.id)) for run in runs]
    for number, run in enumerate(runs):
        await run.texts(number)
        await run.end()
    assert [len(seen) for seen in await asyncio.gather(*reading)] == list(range(2, 12))


async def test_events_of_another_process_are_seen(feed: Feed, run: Writer, tmp_path: Path) -> None:
    elsewhere = SqliteStore(tmp_path / "relay" / "runs.db")
    await elsewhere.open()
    reading = asyncio.create_task(numbers(feed, run.id))
    await asyncio.sleep(0.05)
    run.store = elsewhere
    await run.texts(3)
    await run.end()
    assert await asyncio.wait_for(reading, 60) == [1, 2, 3, 4, 5]
    await elsewhere.aclose()


async def test_a_reader_of_a_deleted_run_ends(feed: Feed, run: Writer) -> None:
    await run.end()
    reading = asyncio.create_task(numbers(feed, run.id, after=run.last))
    await asyncio.sleep(0.05)
    await run.store.delete(run.id)
    assert await asyncio.wait_for(reading, 60) == []


async def test_stopping_ends_every_reader_where_it_stands(feed: Feed, run: Writer) -> None:
    await run.texts(2)
    reading = asyncio.create_task(numbers(feed, run.id))
    await asyncio.sleep(0.05)
    await feed.stop()
    assert await asyncio.wait_for(reading, 60) == [1, 2, 3]


async def test_a_reader_that_leaves_is_forgotten(feed: Feed, run: Writer) -> None:
    reading = asyncio.create_task(numbers(feed, run.id))
    await asyncio.sleep(0.05)
    reading.cancel()
    await asyncio.wait([reading])
    again = feed.read(run.id, 0)
    assert [event.sequence for event in await anext(again)] == [1]
    await again.aclose()


async def test_a_stop_is_heard_in_the_middle_of_a_flood(sqlite_store: SqliteStore) -> None:
    """News and the stop at the same moment: the stop is not lost."""
    for number in range(30):
        feed = Feed(sqlite_store)
        feed.start()
        run = await Writer(sqlite_store, f"inv_flood_{number}").open()
        reading = asyncio.create_task(numbers(feed, run.id))
        await run.texts(2)
        await asyncio.sleep(0)
        feed._heard([run.id])
        async with asyncio.timeout(60):
            await feed.stop()
            await reading
