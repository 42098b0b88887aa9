"""Who listens hears of every commit, of this process or another; and runs outlive the process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

import pytest

from relay_lite.store import Progress, Store, StoreUnavailable
from tests.relay.store.conftest import OpenStore
from tests.relay.store.orders import (
    GATEWAY,
    LEASE,
    create,
    deltas,
    ended,
    finish,
    held,
    log,
    state,
)

pytestmark = pytest.mark.anyio


class News:
    """What a listener heard."""

    def __init__(self, store: Store) -> None:
        self.heard: list[Collection[str] | None] = []
        self.more = asyncio.Event()
        self.end = store.listen(self.hear)

    def hear(self, ids: Collection[str] | None) -> None:
        asyncio.get_running_loop()  # it is called in the loop, or this raises
        self.heard.append(ids)
        self.more.set()

    async def of(self, id: str) -> None:
        """Wait until a commit that may have changed the run was told."""
        async with asyncio.timeout(60):
            while not any(ids is None or id in ids for ids in self.heard):
                self.more.clear()
                await self.more.wait()
        self.heard.clear()


async def test_every_change_of_a_run_is_told(store: Store) -> None:
    news = News(store)
    run = await held(store)
    await news.of(run.id)
    await store.append(run.id, run.epoch, deltas("a"), after=1)
    await news.of(run.id)
    await store.append(run.id, run.epoch, [], after=2, progress=Progress(1, True))
    await news.of(run.id)
    await store.cancel(run.id)
    await news.of(run.id)
    await store.settle(run.id, upstream_id="resp_1", owed=False)
    await news.of(run.id)
    await store.delete(run.id)
    await news.of(run.id)


async def test_what_was_told_can_be_read(store: Store) -> None:
    """News may come late, of what was read before; the last of them comes when all can be read."""
    run = await held(store)
    news = News(store)
    for number in range(1, 30):
        writing = asyncio.ensure_future(store.append(run.id, run.epoch, deltas("x"), after=number))
        found: list[int] = []
        while not found:
            await news.of(run.id)
            found = [event.sequence for event in await log(store, run.id, number)]
        assert found == [number + 1]
        await writing


Change = Callable[[Store, str], Awaitable[object]]


@pytest.mark.parametrize("change", ["append", "cancel", "create"])
async def test_what_another_process_writes_is_told(open_store: OpenStore, change: str) -> None:
    here, there = await open_store(), await open_store()
    run = await held(there)
    news = News(here)
    await asyncio.sleep(0.2)
    news.heard.clear()
    if change == "append":
        await there.append(run.id, run.epoch, deltas("a"), after=1)
    elif change == "cancel":
        await there.cancel(run.id)
    else:
        run = await create(there)
    await news.of(run.id)


async def test_silence_where_nothing_changes(open_store: OpenStore) -> None:
    here, _ = await open_store(), await open_store()
    await held(here)
    news = News(here)
    await asyncio.sleep(0.2)
    news.heard.clear()
    await here.knowledge(GATEWAY, "m")
    await asyncio.sleep(0.2)
    assert news.heard == []


async def test_who_stopped_listening_hears_nothing(store: Store) -> None:
    gone, stays = News(store), News(store)
    gone.end()
    gone.end()
    run = await create(store)
    await stays.of(run.id)
    assert gone.heard == []


async def test_runs_outlive_the_process(
    new_store: Callable[[], Store], open_store: OpenStore
) -> None:
    first = new_store()
    await first.open()
    run = await held(first)
    progress = Progress(1, upstream_id="resp_1", way="background", cursor=3)
    await first.append(run.id, run.epoch, deltas("a"), after=1, status="running", progress=progress)
    done = await ended(first)
    await first.aclose()

    second = await open_store()
    assert (await state(second, run.id)).progress == progress
    assert [event.data.get("text") for event in await log(second, run.id)] == [None, "a"]
    assert (await state(second, done.id)).status == "completed"
    await second.release("worker-1")
    (heir,) = await second.claim("worker-2", GATEWAY, lease=LEASE, limit=10)
    await finish(second, heir)


async def test_a_store_that_is_closed_says_so(new_store: Callable[[], Store]) -> None:
    store = new_store()
    await store.open()
    await store.aclose()
    await store.aclose()
    with pytest.raises(StoreUnavailable):
        await store.get("inv_1")
    with pytest.raises(StoreUnavailable):
        await create(store)
