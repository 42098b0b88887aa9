"""What callers ask of a store: to take a run once, to show theirs, to forget what was read."""

from __future__ import annotations

import asyncio
import time

import pytest

from relay_lite.store import Conflict, Draft, Gateway, Progress, Store, TooMany
from tests.relay.store.conftest import OpenStore
from tests.relay.store.orders import GATEWAY, create, ended, finish, held, log, order, state

pytestmark = pytest.mark.anyio


async def test_an_order_comes_back_as_it_was_given(store: Store) -> None:
    before = time.time()
    given = order(mode="foreground", caller="bob")
    run, fresh = await store.create(given, limit=10)
    assert fresh
    assert (run.id, run.caller, run.gateway) == (given.id, "bob", GATEWAY)
    assert (run.mode, run.arguments) == ("foreground", given.arguments)
    assert (run.finished, run.fetched, run.owed, run.ended) == (None, False, False, False)
    assert before - 5 < run.created <= run.updated < time.time() + 5


# -- the same order twice ----------------------------------------------------------------------


async def test_a_replay_gives_the_run_that_the_key_made(store: Store) -> None:
    first = await create(store, idempotency_key="k", digest="d")
    again, fresh = await store.create(order(idempotency_key="k", digest="d"), limit=10)
    assert (again, fresh) == (first, False)


async def test_a_replay_shows_the_run_as_it_stands_now(store: Store) -> None:
    first = await ended(store, idempotency_key="k")
    again, _ = await store.create(order(idempotency_key="k"), limit=1)
    assert again == await state(store, first.id)
    assert again.status == "completed"


async def test_a_key_with_another_request_is_a_conflict(store: Store) -> None:
    first = await create(store, idempotency_key="k", digest="d")
    other = order(idempotency_key="k", digest="e")
    with pytest.raises(Conflict):
        await store.create(other, limit=10)
    assert await store.get(other.id) is None
    assert await state(store, first.id) == first


async def test_each_caller_has_keys_of_its_own(store: Store) -> None:
    await create(store, idempotency_key="k", caller="alice", digest="d")
    await create(store, idempotency_key="k", caller="bob", digest="e")


async def test_orders_without_a_key_are_never_replays(store: Store) -> None:
    await create(store)
    await create(store)
    assert len(await store.listing("alice")) == 2


async def test_a_key_is_free_again_when_its_run_is_deleted(store: Store) -> None:
    run = await ended(store, idempotency_key="k", digest="d")
    assert await store.delete(run.id)
    await create(store, idempotency_key="k", digest="e")


async def test_one_key_sent_many_times_at_once_makes_one_run(open_store: OpenStore) -> None:
    stores = [await open_store(), await open_store()]
    made = await asyncio.gather(
        *(stores[n % 2].create(order(idempotency_key="k"), limit=100) for n in range(20))
    )
    assert [fresh for _, fresh in made].count(True) == 1
    assert len({run.id for run, _ in made}) == 1


# -- how many are kept -------------------------------------------------------------------------


async def test_the_oldest_that_ended_and_was_read_makes_room(store: Store) -> None:
    running = await create(store)
    unread = await ended(store)
    oldest, newer = await ended(store), await ended(store)
    for run in (newer, oldest):
        await store.fetched(run.id)
    made, _ = await store.create(order(), limit=4)
    assert {run.id for run in await store.listing("alice")} == {
        *(running.id, unread.id, newer.id, made.id)
    }
    assert await store.get(oldest.id) is None
    assert await log(store, oldest.id) == []


async def test_what_nobody_has_read_is_never_thrown_away(store: Store) -> None:
    kept = [await ended(store), await create(store)]
    with pytest.raises(TooMany):
        await store.create(order(), limit=2)
    assert {run.id for run in await store.listing("alice")} == {run.id for run in kept}


async def test_a_limit_that_was_lowered_drops_several(store: Store) -> None:
    for _ in range(4):
        await store.fetched((await ended(store)).id)
    await store.create(order(), limit=2)
    assert len(await store.listing("alice")) == 2


async def test_a_replay_needs_no_room(store: Store) -> None:
    first = await create(store, idempotency_key="k")
    again, _ = await store.create(order(idempotency_key="k"), limit=1)
    assert again == first


async def test_one_order_too_many_does_not_stop_the_others(store: Store) -> None:
    outcomes = await asyncio.gather(
        *(store.create(order(), limit=5) for _ in range(8)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes].count(TooMany) == 3
    assert len(await store.listing("alice")) == 5


# -- showing -----------------------------------------------------------------------------------


async def test_a_caller_sees_its_own_runs_newest_first(store: Store) -> None:
    mine = [(await create(store, caller="bob")).id for _ in range(3)]
    await create(store, caller="alice")
    assert [run.id for run in await store.listing("bob")] == mine[::-1]
    assert await store.listing("nobody") == []


async def test_pages_of_a_list_join_without_gap_or_repetition(store: Store) -> None:
    """Also when a run is added meanwhile, and where runs were made in the same moment."""
    await asyncio.gather(*(store.create(order(), limit=100) for _ in range(23)))
    whole = [run.id for run in await store.listing("alice")]
    seen: list[str] = []
    before: tuple[float, str] | None = None
    while page := await store.listing("alice", before=before, limit=5):
        assert len(page) <= 5
        seen += [run.id for run in page]
        before = (page[-1].created, page[-1].id)
        await create(store)
    assert seen == whole
    assert len({*seen}) == 23


async def test_a_list_of_one_key_has_the_run_that_it_ordered(store: Store) -> None:
    mine = await create(store, idempotency_key="k")
    await create(store, idempotency_key="k2")
    await create(store, idempotency_key="K")
    await create(store)
    assert await store.listing("alice", key="k") == [await state(store, mine.id)]
    for key in ("", "none", "k%", "_", "' OR 1=1 --"):
        assert await store.listing("alice", key=key) == []


async def test_a_key_lists_nothing_of_another_caller(store: Store) -> None:
    await create(store, idempotency_key="k", caller="alice")
    assert await store.listing("bob", key="k") == []
    theirs = await create(store, idempotency_key="k", caller="bob")
    assert [run.id for run in await store.listing("bob", key="k")] == [theirs.id]


async def test_a_key_lists_its_run_at_every_stage_until_it_is_deleted(store: Store) -> None:
    run = await held(store, idempotency_key="k")
    assert [one.status for one in await store.listing("alice", key="k")] == ["pending"]
    await store.append(run.id, run.epoch, [], after=run.last, status="running")
    assert [one.status for one in await store.listing("alice", key="k")] == ["running"]
    await finish(store, await state(store, run.id))
    assert [one.status for one in await store.listing("alice", key="k")] == ["completed"]
    assert await store.delete(run.id)
    assert await store.listing("alice", key="k") == []


async def test_a_key_a_place_and_a_limit_hold_together(store: Store) -> None:
    run = await create(store, idempotency_key="k")
    place = (run.created, run.id)
    assert await store.listing("alice", key="k", before=place) == []
    assert await store.listing("alice", key="k", limit=1) == [run]
    later = (run.created + 1, run.id)
    assert await store.listing("alice", key="k", before=later) == [run]


# -- forgetting --------------------------------------------------------------------------------


async def test_only_the_end_of_a_run_is_read(store: Store) -> None:
    running, done = await held(store), await ended(store)
    for id in (running.id, done.id, done.id, "inv_none"):
        await store.fetched(id)
    assert not (await state(store, running.id)).fetched
    assert (await state(store, done.id)).fetched


async def test_a_run_that_ended_is_deleted_with_its_events(store: Store) -> None:
    run, other = await ended(store), await ended(store)
    assert await store.delete(run.id)
    assert await store.get(run.id) is None
    assert await log(store, run.id) == []
    assert await store.delete(run.id) is False
    assert len(await log(store, other.id)) == 2


async def test_a_run_that_goes_on_is_not_deleted(store: Store) -> None:
    run = await held(store)
    assert await store.delete(run.id) is False
    assert await store.delete("inv_none") is False
    assert await state(store, run.id) == run


async def test_a_run_whose_gateway_has_still_to_be_told_stays(store: Store) -> None:
    run = await held(store)
    await store.append(
        run.id, run.epoch, [], after=run.last, progress=Progress(attempt=1, upstream_id="resp_1")
    )
    await store.cancel(run.id)
    assert await store.delete(run.id) is False
    assert await store.purge(before=time.time() + 60, unread=True) == 0
    await store.settle(run.id, owed=False)
    assert await store.delete(run.id)


async def test_a_run_that_failed_stays_until_its_gateway_has_been_told(store: Store) -> None:
    run = await held(store)
    end = [Draft("error", {"message": "over its budget"})]
    await store.append(run.id, run.epoch, end, after=run.last, status="failed", owed=True)
    assert await store.delete(run.id) is False
    assert await store.purge(before=time.time() + 60, unread=True) == 0
    await store.settle(run.id, owed=False)
    assert await store.delete(run.id)


async def test_purging_deletes_what_ended_before_and_was_read(store: Store) -> None:
    read, unread, running = await ended(store), await ended(store), await held(store)
    await store.fetched(read.id)
    await asyncio.sleep(0.01)
    assert await store.purge(before=time.time() - 60) == 0
    assert await store.purge(before=time.time() + 60) == 1
    assert {run.id for run in await store.listing("alice")} == {unread.id, running.id}


async def test_purging_may_take_the_unread_too_but_nothing_that_runs(store: Store) -> None:
    await ended(store)
    running = await held(store)
    assert await store.purge(before=time.time() + 60, unread=True) == 1
    assert [run.id for run in await store.listing("alice")] == [running.id]


# -- knowledge ---------------------------------------------------------------------------------


async def test_what_was_learned_of_a_gateway_is_kept(open_store: OpenStore) -> None:
    store = await open_store()
    assert await store.knowledge(GATEWAY, "m") == {}
    await store.learn(GATEWAY, "m", {"background": False, "dropped": ["reasoning"]})
    again = await open_store()
    assert await again.knowledge(GATEWAY, "m") == {"background": False, "dropped": ["reasoning"]}


async def test_what_is_learned_later_is_added(store: Store) -> None:
    await store.learn(GATEWAY, "m", {"background": False, "way": "plain"})
    await store.learn(GATEWAY, "m", {"way": "poll"})
    assert await store.knowledge(GATEWAY, "m") == {"background": False, "way": "poll"}


async def test_knowledge_is_of_one_gateway_key_and_model(store: Store) -> None:
    await store.learn(GATEWAY, "m", {"background": False})
    for gateway, model in (
        (GATEWAY, "n"),
        (Gateway(GATEWAY.identity, "other"), "m"),
        (Gateway("sandbox"), "m"),
    ):
        assert await store.knowledge(gateway, model) == {}
