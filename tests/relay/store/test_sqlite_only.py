"""The file of the SQLite store: whose it is, what version, what happens when its disk is full."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kit.errors import ConfigError
from relay_lite.sqlite import SqliteStore
from relay_lite.sqlite_file import Place, connect, network_folder, prepare
from relay_lite.sqlite_schema import MIGRATIONS, VERSION, migrate, version_of
from relay_lite.store import StoreFull, StoreUnavailable
from tests.relay.store.orders import GATEWAY, create, deltas, ended, held, log, state

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "relay" / "runs.db"


async def opened(path: Path, stack: contextlib.AsyncExitStack, **options: int) -> SqliteStore:
    store = SqliteStore(path, **options)
    await store.open()
    stack.push_async_callback(store.aclose)
    return store


async def test_what_it_makes_is_private(path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        store = await opened(path, stack)
        await create(store)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {name: 0o600 for name in ("runs.db", "runs.db-wal", "runs.db-shm")}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def other_program(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (a)")


@pytest.mark.parametrize(
    "make",
    [other_program, lambda path: path.write_text("dear diary\n" * 99), lambda p: p.write_text("a")],
    ids=["another program's", "no database", "one letter"],
)
async def test_a_file_that_is_not_ours_is_left_alone(path: Path, make) -> None:
    path.parent.mkdir()
    make(path)
    path.chmod(0o644)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="RELAY_STORE"):
        await SqliteStore(path).open()
    assert path.read_bytes() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


async def test_a_folder_where_the_file_should_be_is_a_setting_to_change(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(ConfigError, match="RELAY_STORE"):
        await SqliteStore(path).open()


@pytest.mark.skipif(os.name != "posix", reason="pipes and modes")
async def test_what_is_no_regular_file_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)
    path.chmod(0o644)
    before = path.stat()
    with pytest.raises(ConfigError, match="RELAY_STORE"):
        await SqliteStore(path).open()
    after = path.stat()
    assert (after.st_mode, after.st_ctime_ns) == (before.st_mode, before.st_ctime_ns)


def nothing_there(path: Path) -> None:
    for file in path.parent.iterdir():
        file.rename(file.with_name(f"aside-{file.name}"))


def another_there(path: Path) -> None:
    nothing_there(path)
    prepare(Place(path))


@pytest.mark.skipif(os.name != "posix", reason="elsewhere an open file stays where it is")
@pytest.mark.parametrize("gone", [nothing_there, another_there])
async def test_no_run_is_accepted_into_a_file_that_nobody_will_find(path: Path, gone) -> None:
    async with contextlib.AsyncExitStack() as stack:
        store = await opened(path, stack)
        run = await create(store)
        gone(path)
        with pytest.raises(StoreUnavailable, match="moved or deleted"):
            await create(store)
        assert await store.listing(run.caller) == [run]  # what it had can still be read
        for file in path.parent.glob("aside-*"):
            file.replace(path.with_name(file.name.removeprefix("aside-")))
        await create(store)
        assert len(await store.listing(run.caller)) == 2


NEXT = (*MIGRATIONS, ("ALTER TABLE run ADD COLUMN colour TEXT NOT NULL DEFAULT 'blue'",))


async def test_an_older_file_is_brought_forward_with_what_is_in_it(path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        run = await create(await opened(path, stack))
    with contextlib.closing(connect(Place(path))) as db:
        migrate(db, NEXT)
        migrate(db, NEXT)
        assert version_of(db) == VERSION + 1
        assert db.execute("SELECT id, colour FROM run").fetchall() == [(run.id, "blue")]


async def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    prepare(Place(path))
    with contextlib.closing(connect(Place(path))) as db:
        with pytest.raises(sqlite3.OperationalError):
            migrate(db, (*NEXT, ("CREATE TABLE run (a)",)))
        assert version_of(db) == VERSION
        assert "colour" not in {row[1] for row in db.execute("PRAGMA table_info(run)")}


async def test_a_newer_file_is_refused_and_says_what_to_do(path: Path) -> None:
    prepare(Place(path))
    with contextlib.closing(connect(Place(path))) as db:
        migrate(db, NEXT)
    with pytest.raises(ConfigError, match="newer version") as caught:
        await SqliteStore(path).open()
    assert "RELAY_STORE" in str(caught.value)


async def test_a_relay_stops_writing_when_a_newer_one_migrates_its_file(path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        store = await opened(path, stack)
        run = await held(store)
        with contextlib.closing(connect(Place(path))) as db:
            migrate(db, NEXT)
        with pytest.raises(StoreUnavailable, match="newer version"):
            await store.append(run.id, run.epoch, deltas("a"), after=1)
        assert len(await log(store, run.id)) == 1


OPEN = """
import asyncio, sys
from pathlib import Path
from relay_lite.sqlite import SqliteStore
async def main():
    store = SqliteStore(Path(sys.argv[1]))
    await store.open()
    await store.aclose()
asyncio.run(main())
"""


async def test_processes_that_open_a_new_file_at_once_all_succeed(path: Path) -> None:
    root = Path(__file__).parents[3]
    started = [
        subprocess.Popen([sys.executable, "-c", OPEN, str(path)], cwd=root, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    assert [process.communicate()[1] for process in started] == [b""] * 4


async def test_a_full_store_refuses_and_goes_on_when_there_is_room(path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        store = await opened(path, stack, page_limit=80)
        run, old = await held(store), await ended(store)
        await store.append((big := await held(store)).id, big.epoch, deltas("x" * 150_000), after=1)
        with pytest.raises(StoreFull):
            await create(store, arguments={"research_question": "x" * 200_000})
        with pytest.raises(StoreFull):
            await store.append(run.id, run.epoch, deltas("y" * 200_000), after=1)
        assert (await state(store, run.id)).last == 1
        await store.cancel(big.id)
        assert await store.delete(big.id) and await store.delete(old.id)
        await store.append(run.id, run.epoch, deltas("y" * 200_000), after=1)
        assert (await state(store, run.id)).last == 2


async def test_what_does_not_fit_does_not_stop_what_does(path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        store = await opened(path, stack, page_limit=100)
        large, small = await held(store), await held(store)
        outcomes = await asyncio.gather(
            store.append(large.id, large.epoch, deltas("x" * 900_000), after=1),
            store.append(small.id, small.epoch, deltas("a"), after=1),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [StoreFull, type(None)]


async def test_the_thread_survives_what_nobody_expected(path: Path) -> None:
    """An event that no JSON can hold is its writer's mistake alone."""
    async with contextlib.AsyncExitStack() as stack:
        store = await opened(path, stack)
        bad, good = await held(store), await held(store)
        outcomes = await asyncio.gather(
            store.append(bad.id, bad.epoch, deltas(object()), after=1),  # type: ignore[arg-type]
            store.append(good.id, good.epoch, deltas("a"), after=1),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [TypeError, type(None)]
        assert await store.unfinished(GATEWAY) == 2


MOUNTS = r"""/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb1 /home/local\040disk ext4 rw 0 0
me@host: /mnt/far fuse.sshfs rw 0 0
//server/share /mnt/share cifs rw 0 0
tmpfs /mnt/share/fast tmpfs rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("path", "shared"),
    [
        ("/var/runs.db", False),
        ("/home/ada/runs.db", True),
        ("/homes/ada/runs.db", False),
        ("/home/local disk/runs.db", False),
        ("/mnt/far/a/b/runs.db", True),
        ("/mnt/share/runs.db", True),
        ("/mnt/share/fast/runs.db", False),
    ],
)
def test_network_folders_are_told_by_what_is_mounted(path: str, shared: bool) -> None:
    assert network_folder(Path(path), MOUNTS) is shared
    assert network_folder(Path(path), "") is False


async def test_a_network_folder_gets_no_write_ahead_log(path: Path) -> None:
    place = Place(path, shared=True)
    prepare(Place(path))
    prepare(place)
    with contextlib.closing(connect(place)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert place.note is not None and "RELAY_STORE" in place.note
    assert SqliteStore(path).note is None
