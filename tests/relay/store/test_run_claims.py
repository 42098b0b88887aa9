"""Who works on a run: one worker at a time, and never nobody for long."""

from __future__ import annotations

import asyncio
import time

import pytest

from relay_lite.store import Draft, Fenced, Gateway, Progress, Store
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

SOON = 0.05
GONE = -1.0
"""A lease that ran out a second ago."""


async def claim(store: Store, worker: str = "w", *, lease: float = LEASE, limit: int = 100):
    return await store.claim(worker, GATEWAY, lease=lease, limit=limit)


async def test_the_oldest_runs_are_claimed_first(store: Store) -> None:
    made = [(await create(store)).id for _ in range(5)]
    assert [run.id for run in await claim(store, limit=2)] == made[:2]
    assert [run.id for run in await claim(store, limit=10)] == made[2:]
    assert await claim(store) == []


async def test_a_claim_raises_the_epoch_and_names_the_worker(store: Store) -> None:
    made = await create(store)
    (first,) = await claim(store, "one")
    assert (first.id, first.epoch, first.worker) == (made.id, made.epoch + 1, "one")
    assert first == await state(store, made.id)
    await store.release("one")
    (second,) = await claim(store, "two")
    assert (second.epoch, second.worker) == (made.epoch + 2, "two")


async def test_a_claim_may_be_for_some_runs_alone(store: Store) -> None:
    made = [(await create(store)).id for _ in range(3)]
    wanted = [made[2], made[0], "inv_none"]
    found = await store.claim("w", GATEWAY, lease=LEASE, limit=10, ids=wanted)
    assert [run.id for run in found] == [made[0], made[2]]
    assert await store.claim("w", GATEWAY, lease=LEASE, limit=10, ids=[]) == []


@pytest.mark.parametrize(
    "other",
    [Gateway("https://other.example/v1", "a1b2"), Gateway(GATEWAY.identity, "c3d4")],
    ids=["address", "key"],
)
async def test_another_gateway_or_key_adopts_nothing(store: Store, other: Gateway) -> None:
    made = await create(store)
    assert await store.claim("w", other, lease=LEASE, limit=10) == []
    assert await store.claim("w", other, lease=LEASE, limit=10, ids=[made.id]) == []
    assert await store.waiting(other) == []
    assert await store.unfinished(other) == 0
    assert await store.waiting(GATEWAY) == [made.id]


async def test_a_run_whose_lease_ran_out_goes_to_another(store: Store) -> None:
    dead = await create(store)
    await claim(store, "dead", lease=SOON)
    assert await claim(store, "heir") == []
    assert await store.waiting(GATEWAY) == []
    await asyncio.sleep(2 * SOON)
    assert await store.waiting(GATEWAY) == [dead.id]
    (run,) = await claim(store, "heir")
    assert (run.id, run.worker, run.epoch) == (dead.id, "heir", 2)


async def test_a_lease_that_is_renewed_keeps_the_run(store: Store) -> None:
    runs = {(await create(store)).id for _ in range(2)}
    await claim(store, "w", lease=SOON)
    assert await store.renew("w", lease=LEASE) == runs
    assert await store.renew("other", lease=LEASE) == set()
    await asyncio.sleep(2 * SOON)
    assert await claim(store, "other") == []


async def test_what_was_taken_over_is_not_renewed(store: Store) -> None:
    await create(store)
    await claim(store, "late", lease=SOON)
    await asyncio.sleep(2 * SOON)
    (run,) = await claim(store, "heir")
    assert await store.renew("late", lease=LEASE) == set()
    await store.release("late")
    assert await store.renew("heir", lease=LEASE) == {run.id}


async def test_a_renewal_leaves_what_the_worker_knows_as_it_is(store: Store) -> None:
    """The epoch stays, so its next append is good; also when the lease had run out meanwhile."""
    run = await create(store)
    (run,) = await claim(store, "w", lease=SOON)
    await asyncio.sleep(2 * SOON)
    assert await store.renew("w", lease=LEASE) == {run.id}
    await store.append(run.id, run.epoch, deltas("a"), after=1)
    assert await claim(store, "other") == []


async def test_a_worker_takes_no_run_from_itself_that_it_works_on(store: Store) -> None:
    """However late its renewal is: its own writing goes on, and the others' claims."""
    mine = await held(store, worker="w")
    await store.renew("w", lease=GONE)
    other = await create(store)
    found = await store.claim("w", GATEWAY, lease=LEASE, limit=10, working=[mine.id])
    assert [run.id for run in found] == [other.id]
    chosen = {"ids": [mine.id], "working": [mine.id, "inv_none"]}
    assert await store.claim("w", GATEWAY, lease=LEASE, limit=10, **chosen) == []
    await store.append(mine.id, mine.epoch, deltas("a"), after=1)
    assert [run.id for run in await claim(store, "heir")] == [mine.id]


async def test_a_worker_takes_back_a_run_of_its_own_that_it_lost_sight_of(store: Store) -> None:
    lost = await held(store, worker="w")
    await store.renew("w", lease=GONE)
    (found,) = await claim(store, "w")
    assert (found.id, found.epoch) == (lost.id, lost.epoch + 1)


async def test_a_worker_takes_what_it_works_on_and_does_not_hold_any_more(store: Store) -> None:
    """Its work was fenced by then: cancelled, or taken over by somebody who died."""
    owed, taken_over = await owing(store, worker="w"), await held(store, worker="w")
    await store.release("w", [taken_over.id])
    await claim(store, "dead", limit=2)
    await store.renew("dead", lease=GONE)
    found = await store.claim("w", GATEWAY, lease=LEASE, limit=10, working=[owed, taken_over.id])
    assert [run.id for run in found] == [owed, taken_over.id]


async def test_what_is_given_back_can_be_claimed_at_once(store: Store) -> None:
    first, second, other = (
        await held(store, worker="w"),
        await held(store, worker="w"),
        await held(store, worker="other"),
    )
    await store.release("w", [second.id, other.id])
    assert await store.waiting(GATEWAY) == [second.id]
    await store.release("w")
    assert await store.waiting(GATEWAY) == [first.id, second.id]


async def test_an_ended_run_is_nobodys(store: Store) -> None:
    run = await ended(store)
    assert await store.renew("worker-1", lease=LEASE) == set()
    assert await store.waiting(GATEWAY) == []
    assert await claim(store) == []
    assert (await state(store, run.id)).worker is None


async def test_unfinished_runs_are_counted_whoever_holds_them(store: Store) -> None:
    await create(store)
    run = await held(store)
    await ended(store)
    assert await store.unfinished(GATEWAY) == 2
    await store.cancel(run.id)
    assert await store.unfinished(GATEWAY) == 1


async def test_an_heir_finds_the_progress_of_the_dead(store: Store) -> None:
    run = await held(store, worker="dead")
    progress = Progress(1, submitting=True)
    await store.append(run.id, run.epoch, deltas("a"), after=1, status="queued", progress=progress)
    await store.release("dead")
    (heir,) = await claim(store, "heir")
    assert (heir.progress, heir.last, heir.status) == (progress, 2, "queued")


async def test_two_stores_never_claim_the_same_run(open_store: OpenStore) -> None:
    stores = [await open_store() for _ in range(3)]
    made = {(await create(stores[0])).id for _ in range(60)}
    found: list[str] = []

    async def take(number: int, store: Store) -> None:
        while runs := await claim(store, f"w{number}", limit=3):
            found.extend(run.id for run in runs)

    await asyncio.gather(*(take(number, store) for number, store in enumerate(stores)))
    assert len(found) == 60
    assert {*found} == made


# -- cancelling ------------------------------------------------------------------------------


async def test_a_cancelled_run_ends_at_once(store: Store) -> None:
    run = await held(store)
    cancelled = await store.cancel(run.id)
    assert cancelled is not None
    assert cancelled == await state(store, run.id)
    assert (cancelled.status, cancelled.last, cancelled.worker) == ("cancelled", 2, None)
    (event,) = await log(store, run.id, 1)
    assert (event.sequence, event.type, event.status) == (2, "cancelled", "cancelled")
    assert event.data["message"] and "text" not in event.data


async def test_cancelling_fences_whoever_works_on_it(store: Store) -> None:
    run = await held(store)
    await store.cancel(run.id)
    for after in (1, 2):
        with pytest.raises(Fenced):
            await store.append(run.id, run.epoch, deltas("late"), after=after)
    assert await store.renew("worker-1", lease=LEASE) == set()


async def test_cancelling_is_idempotent_and_never_undoes_an_end(store: Store) -> None:
    run = await held(store)
    first = await store.cancel(run.id)
    assert await store.cancel(run.id) == first
    done = await ended(store)
    before = await state(store, done.id)
    assert await store.cancel(done.id) == before
    assert await store.cancel("inv_none") is None


@pytest.mark.parametrize(
    ("progress", "owed"),
    [
        (None, False),
        (Progress(1), False),
        (Progress(1, submitting=True), True),
        (Progress(1, upstream_id="resp_1", way="background"), True),
    ],
    ids=["never submitted", "refused", "being submitted", "running upstream"],
)
async def test_a_cancel_is_owed_where_an_upstream_run_may_exist(
    store: Store, progress: Progress | None, owed: bool
) -> None:
    run = await held(store)
    if progress is not None:
        await store.append(run.id, run.epoch, deltas("a"), after=1, progress=progress)
    cancelled = await store.cancel(run.id)
    assert cancelled is not None and cancelled.owed is owed
    assert await store.waiting(GATEWAY) == ([run.id] if owed else [])
    assert [found.id for found in await claim(store)] == ([run.id] if owed else [])


async def owing(store: Store, worker: str = "worker-1") -> str:
    run = await held(store, worker=worker)
    progress = Progress(1, submitting=True)
    await store.append(run.id, run.epoch, deltas("a"), after=1, progress=progress)
    await store.cancel(run.id)
    return run.id


async def test_what_is_settled_is_owed_no_more(store: Store) -> None:
    id = await owing(store)
    await claim(store, "w")
    await store.settle(id, upstream_id="resp_9", owed=False)
    now = await state(store, id)
    assert (now.owed, now.progress.upstream_id, now.worker) == (False, "resp_9", None)
    assert (now.status, now.last) == ("cancelled", 3)
    assert await store.renew("w", lease=LEASE) == set()
    assert await store.waiting(GATEWAY) == []


async def test_an_id_that_is_learned_late_is_noted(store: Store) -> None:
    id = await owing(store)
    await store.settle(id, upstream_id="resp_9", owed=True)
    await store.settle(id, owed=True)
    (run,) = await claim(store, "w")
    assert (run.owed, run.progress.upstream_id) == (True, "resp_9")
    assert not run.progress.submitting, "whose id is known was submitted"


async def test_what_nobody_could_be_told_of_is_removed_all_the_same_after_a_while(
    store: Store,
) -> None:
    """A gateway that is gone, or a key that was renewed, keeps no run for ever."""
    deleted, purged, kept = [await owing(store) for _ in range(3)]
    assert not await store.delete(deleted)
    assert await store.delete(deleted, owing=0)
    assert await store.purge(before=time.time() + 60, unread=True) == 0
    assert await store.purge(before=time.time() + 60, unread=True, owing=0) == 2
    assert await store.get(purged) is None and await store.get(kept) is None


async def stopped(store: Store, *, owed: bool) -> str:
    """A run that its worker ended before its upstream had."""
    run = await held(store)
    progress = Progress(1, upstream_id="resp_9", way="background")
    end = [Draft("error", {"message": "over its budget"})]
    await store.append(
        run.id, run.epoch, end, after=1, status="failed", progress=progress, owed=owed
    )
    return run.id


@pytest.mark.parametrize("owed", [True, False])
async def test_a_run_that_failed_waits_for_a_worker_where_its_upstream_was_not_told(
    store: Store, owed: bool
) -> None:
    id = await stopped(store, owed=owed)
    now = await state(store, id)
    assert (now.status, now.owed, now.worker) == ("failed", owed, None)
    assert await store.waiting(GATEWAY) == ([id] if owed else [])
    assert [found.id for found in await claim(store)] == ([id] if owed else [])


async def test_a_run_that_failed_and_is_settled_is_owed_no_more(store: Store) -> None:
    id = await stopped(store, owed=True)
    await claim(store, "w")
    await store.settle(id, owed=True)
    assert (await state(store, id)).owed
    await store.settle(id, upstream_id="resp_9", owed=False)
    now = await state(store, id)
    assert (now.status, now.last, now.owed, now.worker) == ("failed", 2, False, None)
    assert await store.waiting(GATEWAY) == []


@pytest.mark.parametrize("status", ["completed", "failed"])
async def test_a_run_that_is_neither_cancelled_nor_owed_is_not_settled(
    store: Store, status: str
) -> None:
    run = await held(store)
    await store.settle(run.id, upstream_id="resp_9", owed=True)
    await store.settle("inv_none", owed=True)
    assert await state(store, run.id) == run
    await finish(store, run, status)
    await store.settle(run.id, upstream_id="resp_9", owed=True)
    now = await state(store, run.id)
    assert (now.owed, now.progress.upstream_id) == (False, None)


async def test_a_cancel_that_races_an_end_leaves_one_terminal_event(open_store: OpenStore) -> None:
    here, there = await open_store(), await open_store()
    for _ in range(20):
        run = await held(here)
        end = [Draft("completed", {"output_text": "a"})]
        await asyncio.gather(
            here.append(run.id, run.epoch, end, after=1, status="completed"),
            there.cancel(run.id),
            return_exceptions=True,
        )
        types = [event.type for event in await log(here, run.id)]
        now = await state(there, run.id)
        assert types in (["status", "completed"], ["status", "cancelled"])
        assert now.status == types[-1]
