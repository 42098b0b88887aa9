"""A team's queue: workers that take what replicas defer, over a real PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncGenerator
from dataclasses import replace

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from kit.errors import ConfigError
from relay_lite import team as team_module
from relay_lite.postgres import PostgresStore
from relay_lite.postgres_queue import queue_schema
from relay_lite.store import Gateway, Invocation
from relay_lite.team import Team, queue_of
from tests.relay.postgresql import Server
from tests.relay.store.orders import GATEWAY, create, finish, state
from tests.waiting import until_async

pytestmark = [pytest.mark.anyio, pytest.mark.once]

SWEEP = 0.3


class Worker:
    """Claims what it is told to, as an engine does, and ends it when it may."""

    def __init__(self, store: PostgresStore, name: str, gateway: Gateway = GATEWAY) -> None:
        self.store = store
        self.name = name
        self.gateway = gateway
        self.working: set[str] = set()
        self.done: list[str] = []
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def take(self, id: str) -> None:
        for run in await self.store.claim(self.name, self.gateway, lease=5.0, limit=1, ids=[id]):
            self.working.add(id)
            await self.may_end.wait()
            await finish(self.store, run)
            self.working.discard(id)
            self.done.append(id)


class Place:
    """Replicas and workers over one database."""

    def __init__(self, address: str, opened: contextlib.AsyncExitStack) -> None:
        self.address = address
        self._opened = opened

    async def store(self) -> PostgresStore:
        store = PostgresStore(self.address)
        await store.open()
        self._opened.push_async_callback(store.aclose)
        return store

    async def team(
        self, store: PostgresStore, gateway: Gateway = GATEWAY, *, sweep: float = SWEEP
    ) -> Team:
        team = Team(self.address, store, gateway, sweep=sweep)
        await team.open()
        self._opened.push_async_callback(team.aclose)
        return team

    async def worker(
        self,
        name: str = "worker",
        gateway: Gateway = GATEWAY,
        *,
        concurrency: int = 8,
        sweep: float = SWEEP,
    ) -> Worker:
        store = await self.store()
        team = await self.team(store, gateway, sweep=sweep)
        worker = Worker(store, name, gateway)
        task = asyncio.create_task(team.work(worker, concurrency=concurrency))
        self._opened.push_async_callback(ended, task)
        return worker

    def jobs(self) -> list[str]:
        """The states of all jobs that are in the queue's table."""
        with psycopg.connect(self.address) as connection:
            command = f"select status::text from {queue_schema()}.procrastinate_jobs"
            return [status for (status,) in connection.execute(command.encode())]


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


@pytest.fixture
async def place(database: str) -> AsyncGenerator[Place]:
    async with contextlib.AsyncExitStack() as opened:
        yield Place(database, opened)


async def deferred(team: Team, store: PostgresStore, number: int) -> list[Invocation]:
    runs = [await create(store) for _ in range(number)]
    for run in runs:
        await team.dispatch(run.id)
    return runs


async def test_a_run_reaches_a_worker_at_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notification brings it: nobody looks by himself as long as this test is waited for."""
    monkeypatch.setattr(team_module, "POLL_SECONDS", 1_000.0)
    store = await place.store()
    replica = await place.team(store, sweep=1_000.0)
    worker = await place.worker(sweep=1_000.0)
    runs: list[Invocation] = []

    async def is_one_taken() -> bool:
        """Of some, since a worker that has just started may not listen yet."""
        runs.extend(await deferred(replica, store, 1))
        await asyncio.sleep(0.1)
        return any(run.id in worker.done for run in runs)

    for _ in range(3):
        runs.clear()
        await until_async(is_one_taken)


async def test_workers_share_the_runs_and_none_is_worked_on_twice(place: Place) -> None:
    store = await place.store()
    team = await place.team(store)
    workers = [await place.worker(f"worker-{number}") for number in range(2)]
    runs = await deferred(team, store, 40)
    await until_async(lambda: sum(len(worker.done) for worker in workers) >= 40)
    assert sorted(id for worker in workers for id in worker.done) == sorted(r.id for r in runs)


async def test_a_run_waits_once_however_often_it_is_dispatched(place: Place) -> None:
    store = await place.store()
    team = await place.team(store)
    run = await create(store)
    for _ in range(3):
        await team.dispatch(run.id)
    assert place.jobs() == ["todo"]


async def test_nothing_stays_in_the_queue_when_all_is_done(place: Place) -> None:
    store = await place.store()
    team = await place.team(store)
    worker = await place.worker()
    await deferred(team, store, 5)
    await until_async(lambda: len(worker.done) == 5)
    await until_async(lambda: place.jobs() == [])


@pytest.mark.parametrize(
    "other", [replace(GATEWAY, fingerprint="other"), Gateway("https://other.example/v1", "a1b2")]
)
async def test_a_worker_of_another_gateway_or_key_leaves_a_run_alone(
    place: Place, other: Gateway
) -> None:
    store = await place.store()
    team = await place.team(store)
    stranger = await place.worker("stranger", other)
    (run,) = await deferred(team, store, 1)
    await asyncio.sleep(3 * SWEEP)
    assert (stranger.done, place.jobs()) == ([], ["todo"])
    worker = await place.worker("worker")
    await until_async(lambda: worker.done == [run.id])


async def test_a_run_whose_job_was_lost_is_called_again(place: Place) -> None:
    """The replica died between writing the run down and deferring the job."""
    worker = await place.worker()
    run = await create(await place.store())
    await until_async(lambda: worker.done == [run.id])


async def test_a_dead_workers_run_goes_to_another(place: Place) -> None:
    store = await place.store()
    run = await create(store)
    assert await store.claim("dead", GATEWAY, lease=0.5, limit=1)
    worker = await place.worker()
    await until_async(lambda: worker.done == [run.id])


async def test_a_run_that_lives_is_not_called_again(place: Place) -> None:
    workers = [await place.worker(name) for name in ("one", "other")]
    for worker in workers:
        worker.may_end.clear()
    run = await create(await place.store())
    await until_async(lambda: any(worker.working for worker in workers))
    await until_async(lambda: place.jobs() == [])
    await asyncio.sleep(3 * SWEEP)
    assert sorted((worker.working for worker in workers), key=len) == [set(), {run.id}]
    assert place.jobs() == []
    for worker in workers:
        worker.may_end.set()


async def test_jobs_of_dead_workers_do_not_pile_up(place: Place) -> None:
    """Those of a worker whose row is gone as well, which no search by heartbeat finds."""
    store = await place.store()
    await place.team(store)
    with psycopg.connect(place.address) as connection:
        connection.execute(f"set search_path to {queue_schema()}".encode())
        for age in ("1 hour", None):
            worker = connection.execute("select * from procrastinate_register_worker_v1()")
            (number,) = worker.fetchone() or (0,)
            connection.execute(
                "insert into procrastinate_jobs (queue_name, task_name, status, worker_id)"
                " values (%s, 'relay.take', 'doing', %s)",
                [queue_of(GATEWAY), number],
            )
            if age is None:
                connection.execute("delete from procrastinate_workers where id = %s", [number])
            else:
                command = "update procrastinate_workers set last_heartbeat = now() - %s::interval"
                connection.execute(command, [age])
    assert place.jobs() == ["doing", "doing"]
    await until_async(lambda: place.jobs() == [])


async def test_a_worker_takes_no_more_than_it_has_room_for(place: Place) -> None:
    store = await place.store()
    team = await place.team(store)
    worker = await place.worker(concurrency=3)
    worker.may_end.clear()
    await deferred(team, store, 6)
    await until_async(lambda: len(worker.working) == 3)
    await asyncio.sleep(2 * SWEEP)
    assert len(worker.working) == 3
    worker.may_end.set()
    await until_async(lambda: len(worker.done) == 6)


async def test_a_full_worker_does_not_keep_a_run_from_one_with_room(place: Place) -> None:
    store = await place.store()
    team = await place.team(store)
    full = await place.worker("full", concurrency=1)
    full.may_end.clear()
    await deferred(team, store, 3)
    await until_async(lambda: len(full.working) == 1)
    free = await place.worker("free")
    await until_async(lambda: len(free.done) == 2)
    full.may_end.set()


async def test_workers_go_on_when_the_database_was_restarted(
    place: Place, postgresql: Server
) -> None:
    """Runs that are worked on go on as well: a queue that fails takes nothing along."""
    store = await place.store()
    team = await place.team(store)
    worker = await place.worker()
    worker.may_end.clear()
    (before,) = await deferred(team, store, 1)
    await until_async(lambda: worker.working == {before.id})
    postgresql.stop(at_once=True)
    await asyncio.sleep(0.3)
    postgresql.start()
    worker.may_end.set()
    await until_async(lambda: worker.done == [before.id])
    (after,) = await deferred(team, store, 1)
    await until_async(lambda: after.id in worker.done)


async def test_a_job_that_could_not_be_finished_is_reported_by_nobody_else(
    place: Place, postgresql: Server
) -> None:
    """The database went while the end of a job was written: asyncio would print its address."""
    unheard: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: unheard.append(str(what)))
    store = await place.store()
    team = await place.team(store)
    worker = await place.worker(concurrency=1)
    worker.may_end.clear()
    runs = await deferred(team, store, 2)
    # the job of the second waits for room; where that takes a while, a look defers another for it
    await until_async(lambda: len(worker.working) == 1 and "doing" in place.jobs())
    waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like %s"
    with psycopg.connect(place.address, autocommit=True) as watching:
        holding = psycopg.connect(place.address)
        holding.execute(f"lock table {queue_schema()}.procrastinate_jobs".encode())
        worker.may_end.set()
        await until_async(lambda: watching.execute(waits, ["%finish_job%"]).fetchone() != (0,))
        postgresql.stop(at_once=True)
    postgresql.start()
    holding.close()
    runs += await deferred(team, store, 1)
    await until_async(lambda: {run.id for run in runs} == set(worker.done))
    gc.collect()
    assert unheard == []


async def test_a_worker_that_stops_fetches_nothing_more_and_leaves_its_runs(place: Place) -> None:
    """Who ends the runs is the engine, which gives them back."""
    store = await place.store()
    team = Team(place.address, store, GATEWAY, sweep=SWEEP)
    await team.open()
    worker = Worker(store, "worker")
    worker.may_end.clear()
    task = asyncio.create_task(team.work(worker))
    (run,) = await deferred(team, store, 1)
    await until_async(lambda: worker.working == {run.id})
    task.cancel()
    await asyncio.wait([task], timeout=60)
    (later,) = await deferred(team, store, 1)
    await team.aclose()
    assert task.cancelled()
    worker.may_end.set()
    await until_async(lambda: worker.done == [run.id])
    assert (await state(store, later.id)).status == "pending"


async def test_many_may_open_a_new_database_at_once(database: str) -> None:
    store = PostgresStore(database)
    teams = [Team(database, store, GATEWAY) for _ in range(4)]
    await store.open()
    await asyncio.gather(*(team.open() for team in teams))
    await asyncio.gather(*(team.aclose() for team in teams))
    await store.aclose()


async def test_a_password_is_in_no_repr_and_the_queue_logs_nothing(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    place.address = f"{place.address}&password=not-to-be-seen"
    store = await place.store()
    team = await place.team(store)
    worker = await place.worker()
    await deferred(team, store, 1)
    await until_async(lambda: len(worker.done) == 1)
    said = caplog.text + repr(team) + repr(store) + repr(vars(team)["_store"])
    assert "not-to-be-seen" not in said
    assert "procrastinate" not in caplog.text


@pytest.mark.parametrize("address", ["postgresql://u:not-to-be-seen@[", "host='not-to-be-seen"])
def test_an_address_that_is_none_is_refused_without_showing_it(address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Team(address, PostgresStore(make_conninfo("")), GATEWAY)
    assert "not-to-be-seen" not in str(caught.value)
    assert caught.value.__suppress_context__
