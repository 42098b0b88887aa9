"""What only a database can do to a store: restart, fill up, forget who listens, be too new."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncGenerator, Awaitable

import psycopg
import pytest

from kit.errors import ConfigError
from relay_lite.hold import Hold
from relay_lite.postgres import PostgresStore
from relay_lite.postgres_link import Link
from relay_lite.postgres_schema import MIGRATIONS, migrate
from relay_lite.store import Draft, StoreFull, StoreUnavailable
from tests.relay.postgresql import Server
from tests.relay.store.orders import GATEWAY, LEASE, create, deltas, held, log, order, state
from tests.waiting import until_async

pytestmark = [pytest.mark.anyio, pytest.mark.once]

SECRET = "not-to-be-seen"


@pytest.fixture
async def store(database: str) -> AsyncGenerator[PostgresStore]:
    store = PostgresStore(database)
    await store.open()
    yield store
    await store.aclose()


def say(address: str, command: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(command.encode())


def refusing(condition: str, code: str) -> str:
    """SQL that makes the database refuse events for which `condition` holds."""
    return f"""
        create or replace function relay.refuse() returns trigger language plpgsql as
            $$ begin if {condition} then
                raise exception 'refused' using errcode = '{code}';
            end if; return new; end $$;
        create or replace trigger refuse before insert on relay.event
            for each row execute function relay.refuse();
    """


DISK_FULL = refusing("true", "53100")
ROOM_AGAIN = "drop trigger refuse on relay.event"


async def restarted(server: Server, away: float = 0.2) -> None:
    server.stop(at_once=True)
    await asyncio.sleep(away)
    await asyncio.to_thread(server.start)


async def test_everything_works_when_the_database_was_restarted(
    store: PostgresStore, postgresql: Server
) -> None:
    run = await held(store)
    await restarted(postgresql)
    await store.append(run.id, run.epoch, deltas("a"), after=1)
    assert [event.sequence for event in await log(store, run.id)] == [1, 2]
    assert await store.renew("worker-1", lease=LEASE) == {run.id}
    other = await create(store)
    assert [each.id for each in await store.claim("w", GATEWAY, lease=LEASE, limit=9)] == [other.id]


async def test_a_caller_waits_while_the_database_restarts(
    store: PostgresStore, postgresql: Server
) -> None:
    """And its run is written down once."""
    postgresql.stop(at_once=True)
    creating = asyncio.create_task(create(store))
    await asyncio.sleep(0.3)
    await asyncio.to_thread(postgresql.start)
    run = await creating
    assert [each.id for each in await store.listing("alice")] == [run.id]


async def test_appends_through_a_restart_leave_no_gap_and_no_duplicate(
    store: PostgresStore, postgresql: Server
) -> None:
    runs = [await held(store) for _ in range(10)]
    texts = [str(number) for number in range(60)]

    async def work(hold: Hold) -> None:
        for text in texts:
            await hold.write(*deltas(text))
            await asyncio.sleep(0.002)

    working = [asyncio.create_task(work(Hold(store, run))) for run in runs]
    await asyncio.sleep(0.1)
    await restarted(postgresql)
    await asyncio.gather(*working)
    for run in runs:
        events = await log(store, run.id)
        assert [event.sequence for event in events] == list(range(1, 62))
        assert [event.data["text"] for event in events[1:]] == texts


async def test_a_database_that_stays_away_is_said_so_and_nothing_of_its_address(
    database: str, postgresql: Server
) -> None:
    address = f"{database}&password={SECRET}"
    store = PostgresStore(address)
    await store.open()
    run = await held(store)
    postgresql.stop(at_once=True)
    calls: list[Awaitable[object]] = [
        store.get(run.id),
        store.create(order(), limit=9),
        store.claim("worker-1", GATEWAY, lease=LEASE, limit=1),
        store.append(run.id, run.epoch, deltas("a"), after=1),
        PostgresStore(address).open(),
    ]
    errors = await asyncio.gather(*calls, return_exceptions=True)
    await asyncio.to_thread(postgresql.start)
    await store.aclose()
    for error in errors:
        assert isinstance(error, StoreUnavailable)
        shown = "".join(traceback.format_exception(error))
        assert SECRET not in shown and str(postgresql.folder) not in shown


async def test_who_listens_hears_that_anything_may_have_changed_when_the_line_was_lost(
    store: PostgresStore, database: str
) -> None:
    heard: list[set[str] | None] = []
    store.listen(lambda ids: heard.append(None if ids is None else set(ids)))
    await until_async(lambda: heard == [None])  # it listens from here on
    say(
        database,
        "select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%'"
        " and datname = current_database()",
    )
    await until_async(lambda: heard == [None, None])
    run = await create(store)
    await until_async(lambda: {run.id} in heard)


async def test_runs_of_a_large_batch_are_all_heard_of(store: PostgresStore) -> None:
    """More ids than one notification holds."""
    runs = [await held(store, f"inv_{number:0300d}") for number in range(60)]
    heard: set[str] = set()
    store.listen(lambda ids: heard.update(ids or ()))
    await asyncio.gather(*(store.append(run.id, run.epoch, deltas("a"), after=1) for run in runs))
    await until_async(lambda: heard >= {run.id for run in runs})


async def test_a_full_disk_refuses_what_writes_and_is_over_when_there_is_room(
    store: PostgresStore, database: str
) -> None:
    run = await held(store)
    say(database, DISK_FULL)
    with pytest.raises(StoreFull):
        await store.create(order(), limit=9)
    with pytest.raises(StoreFull):
        await store.append(run.id, run.epoch, deltas("a"), after=1, status="running")
    assert (await state(store, run.id)).status == "pending"
    assert len(await store.listing("alice")) == 1
    say(database, ROOM_AGAIN)
    await store.append(run.id, run.epoch, deltas("a"), after=1)
    assert len(await log(store, run.id)) == 2


async def test_an_append_that_cannot_be_written_takes_no_other_along(
    store: PostgresStore, database: str
) -> None:
    runs = [await held(store) for _ in range(5)]
    say(database, refusing("new.type = 'poison'", "22000"))
    drafts = [Draft("poison" if place == 2 else "output_text", {}) for place in range(5)]
    outcomes = await asyncio.gather(
        *(
            store.append(run.id, run.epoch, [draft], after=1)
            for run, draft in zip(runs, drafts, strict=True)
        ),
        return_exceptions=True,
    )
    assert [outcome is None for outcome in outcomes] == [True, True, False, True, True]
    await store.append(runs[2].id, runs[2].epoch, deltas("a"), after=1)


async def test_a_claim_whose_answer_was_lost_is_given_back(
    store: PostgresStore, database: str, postgresql: Server
) -> None:
    """Otherwise its worker would prolong for ever what it does not know of."""
    known = await held(store)
    other = PostgresStore(database)  # the same worker, in a place this store knows nothing of
    await other.open()
    lost = await held(other)
    await other.aclose()
    postgresql.stop(at_once=True)
    with pytest.raises(StoreUnavailable):
        await store.claim("worker-1", GATEWAY, lease=LEASE, limit=1)
    await asyncio.to_thread(postgresql.start)
    assert await store.renew("worker-1", lease=LEASE) == {known.id}
    assert await store.waiting(GATEWAY) == [lost.id]


async def test_several_open_a_new_database_at_once(database: str) -> None:
    stores = [PostgresStore(database) for _ in range(5)]
    await asyncio.gather(*(store.open() for store in stores))
    await asyncio.gather(*(store.aclose() for store in stores))


async def test_an_older_database_is_migrated_and_a_newer_one_refused(
    store: PostgresStore, database: str
) -> None:
    run = await create(store)
    newer = [*MIGRATIONS, "alter table relay.run add column colour text default 'blue'"]
    async with await Link(database, 1).alone() as connection:
        await migrate(connection, newer)
        await migrate(connection, newer)
        colours = await connection.execute("select id, colour from relay.run")
        assert await colours.fetchall() == [(run.id, "blue")]
    with pytest.raises(ConfigError, match="Upgrade it here too"):
        await PostgresStore(database).open()


async def test_a_migration_that_fails_changes_nothing(store: PostgresStore, database: str) -> None:
    broken = [*MIGRATIONS, "create table relay.half (a integer); select 1 / 0"]
    async with await Link(database, 1).alone() as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            await migrate(connection, broken)
    again = PostgresStore(database)
    await again.open()
    await again.aclose()


async def test_a_user_who_may_make_no_tables_is_told_what_to_do(database: str) -> None:
    say(database, "create role poor login")
    try:
        with pytest.raises(ConfigError, match="GRANT CREATE"):
            await PostgresStore(database.replace("postgres@", "poor@")).open()
    finally:
        say(database, "drop role poor")


async def test_the_address_is_in_no_repr_and_no_log(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    store = PostgresStore(f"{database}&password={SECRET}")
    await store.open()
    await held(store)
    await store.aclose()
    assert SECRET not in caplog.text + repr(store)


@pytest.mark.parametrize("address", [f"postgresql://u:{SECRET}@[", f"host='{SECRET}", "no address"])
def test_an_address_that_is_none_is_refused_without_showing_it(address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        PostgresStore(address)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__
