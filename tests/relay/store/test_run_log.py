"""The log of a run: numbered, written once, by whoever holds the run."""

from __future__ import annotations

import asyncio

import pytest

from relay_lite.store import Draft, Event, Fenced, Progress, Result, Store
from tests.relay.store.orders import GATEWAY, LEASE, create, deltas, finish, held, log, state

pytestmark = pytest.mark.anyio


async def test_the_first_event_tells_the_mode(store: Store) -> None:
    run = await create(store, mode="stream")
    assert await log(store, run.id) == [Event(1, "status", "pending", {"mode": "stream"})]
    assert (run.status, run.last, run.epoch, run.worker) == ("pending", 1, 0, None)
    assert run == await state(store, run.id)


async def test_events_are_numbered_without_a_gap(store: Store) -> None:
    run = await held(store)
    await store.append(run.id, run.epoch, deltas("a", "b"), after=1, status="running")
    await store.append(run.id, run.epoch, deltas("c"), after=3)
    assert [(e.sequence, e.data.get("text")) for e in await log(store, run.id)] == [
        (1, None),
        (2, "a"),
        (3, "b"),
        (4, "c"),
    ]
    now = await state(store, run.id)
    assert (now.last, now.status) == (4, "running")
    assert now.updated >= run.updated


async def test_an_event_carries_the_status_that_the_run_has_with_it(store: Store) -> None:
    """Only the last event of the append that ends a run is terminal."""
    run = await held(store)
    await store.append(run.id, run.epoch, deltas("a"), after=1, status="running")
    final = [*deltas("b"), Draft("completed", {"output_text": "ab"})]
    await store.append(run.id, run.epoch, final, after=2, status="completed")
    assert [event.status for event in await log(store, run.id)] == [
        "pending",
        "running",
        "running",
        "completed",
    ]


async def test_progress_and_result_are_written_with_the_events(store: Store) -> None:
    run = await held(store)
    progress = Progress(1, False, False, "resp_1", "background", 7, 12.5)
    await store.append(run.id, run.epoch, deltas("a"), after=1, progress=progress)
    assert (await state(store, run.id)).progress == progress
    await store.append(run.id, run.epoch, [], after=2, status="running")
    assert (await state(store, run.id)).progress == progress
    result = Result("report", {"id": "resp_1", "output": []}, "sorry", "too_large")
    end = [Draft("error", {"message": "sorry", "code": "too_large"})]
    await store.append(run.id, run.epoch, end, after=2, status="failed", result=result)
    now = await state(store, run.id)
    assert (now.status, now.result, now.progress) == ("failed", result, progress)


async def test_an_append_that_arrived_before_is_not_written_twice(store: Store) -> None:
    run = await held(store)
    for _ in range(3):
        await store.append(run.id, run.epoch, deltas("a", "b"), after=1, status="running")
    assert [event.sequence for event in await log(store, run.id)] == [1, 2, 3]


async def test_the_append_that_ended_a_run_may_be_repeated(store: Store) -> None:
    run = await held(store)
    await finish(store, run)
    await finish(store, run)
    assert (await state(store, run.id)).last == 2


@pytest.mark.parametrize("after", [0, 1, 2, 9])
async def test_a_writer_that_does_not_know_the_log_is_fenced(store: Store, after: int) -> None:
    run = await held(store)
    await store.append(run.id, run.epoch, deltas("a", "b", "c"), after=1)
    with pytest.raises(Fenced):
        await store.append(run.id, run.epoch, deltas("x"), after=after)
    assert (await state(store, run.id)).last == 4


@pytest.mark.parametrize("epoch", [-1, 1])
async def test_another_epoch_writes_nothing(store: Store, epoch: int) -> None:
    run = await held(store)
    with pytest.raises(Fenced):
        await store.append(run.id, run.epoch + epoch, deltas("x"), after=1, status="running")
    assert len(await log(store, run.id)) == 1
    assert (await state(store, run.id)).status == "pending"


async def test_a_worker_that_wakes_up_late_writes_nothing(store: Store) -> None:
    late = await held(store, worker="late")
    await store.release("late")
    (new,) = await store.claim("new", GATEWAY, lease=LEASE, limit=1)
    await store.append(new.id, new.epoch, deltas("new"), after=1)
    with pytest.raises(Fenced):
        await store.append(late.id, late.epoch, deltas("late"), after=1)
    assert [event.data for event in await log(store, new.id, 1)] == [{"text": "new"}]


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
async def test_nothing_follows_the_terminal_event(store: Store, status: str) -> None:
    run = await held(store)
    await finish(store, run, status)
    for events in ([], deltas("x", "y")):
        with pytest.raises(Fenced):
            await store.append(run.id, run.epoch, events, after=2, status="running")
    now = await state(store, run.id)
    assert (now.status, now.last, now.worker) == (status, 2, None)
    assert now.ended and now.finished is not None


async def test_a_run_that_is_not_there_is_fenced(store: Store) -> None:
    with pytest.raises(Fenced):
        await store.append("inv_none", 0, deltas("x"), after=0)
    assert await store.get("inv_none") is None
    assert await store.events({"inv_none": 0}) == {}


async def test_events_of_several_runs_are_read_at_once(store: Store) -> None:
    """From the number given for each, at most so many of each; a run without news is absent."""
    first, second, quiet = [await held(store) for _ in range(3)]
    for run in (first, second):
        await store.append(run.id, run.epoch, deltas(*"abcdef"), after=1)
    found = await store.events({first.id: 0, second.id: 5, quiet.id: 1, "none": 0}, limit=3)
    assert {id: [e.sequence for e in events] for id, events in found.items()} == {
        first.id: [1, 2, 3],
        second.id: [6, 7],
    }


async def test_a_thousand_appends_at_once_keep_their_order(store: Store) -> None:
    run = await held(store)
    await asyncio.gather(
        *(
            store.append(run.id, run.epoch, deltas(str(number)), after=number)
            for number in range(1, 1001)
        )
    )
    found = await log(store, run.id, 1)
    assert [(e.sequence, e.data["text"]) for e in found] == [
        (n + 1, str(n)) for n in range(1, 1001)
    ]


async def test_many_runs_are_written_at_once(store: Store) -> None:
    runs = [await held(store) for _ in range(40)]

    async def write(id: str, epoch: int) -> None:
        for number in range(1, 11):
            await store.append(id, epoch, deltas(f"{id} {number}"), after=number)

    await asyncio.gather(*(write(run.id, run.epoch) for run in runs))
    found = await store.events({run.id: 1 for run in runs})
    assert {id: [e.data["text"] for e in events] for id, events in found.items()} == {
        run.id: [f"{run.id} {number}" for number in range(1, 11)] for run in runs
    }


async def test_one_that_is_refused_does_not_stop_the_others(store: Store) -> None:
    good, bad = await held(store), await held(store)
    outcomes = await asyncio.gather(
        store.append(good.id, good.epoch, deltas("a"), after=1),
        store.append(bad.id, 0, deltas("b"), after=1),
        store.append(good.id, good.epoch, deltas("c"), after=2),
        store.append("none", 1, deltas("d"), after=1),
        store.append(bad.id, bad.epoch, deltas("e"), after=1),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [
        *(type(None), Fenced, type(None), Fenced, type(None))
    ]
    assert [event.data["text"] for event in await log(store, good.id, 1)] == ["a", "c"]
    assert [event.data["text"] for event in await log(store, bad.id, 1)] == ["e"]


async def test_a_writer_that_went_away_disturbs_nobody(store: Store) -> None:
    run = await held(store)
    leaving = asyncio.create_task(store.append(run.id, run.epoch, deltas("a"), after=1))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await store.append(run.id, run.epoch, deltas("a"), after=1)  # arrived before, or not
    assert [event.data["text"] for event in await log(store, run.id, 1)] == ["a"]
