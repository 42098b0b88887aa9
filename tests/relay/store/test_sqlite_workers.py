"""A worker that lives and stands still: which of its runs another one leaves alone, how long."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from relay_lite.sqlite import SqliteStore
from relay_lite.sqlite_workers import STALLED_SECONDS, Workers
from relay_lite.store import Invocation, Progress
from tests.relay.store.orders import GATEWAY, LEASE, held

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks"),
]

READ_HERE = [Progress(way="plain"), Progress(submitting=True)]
KEPT_THERE = [Progress(), Progress(way="background"), Progress(way="poll")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "relay" / "runs.db"


async def stalled(store: SqliteStore, progress: Progress, lease: float = -1.0) -> Invocation:
    """A run of a worker that lives, as it has no process of its own, and has not renewed it."""
    run = await held(store, worker="slow")
    await store.append(run.id, run.epoch, [], after=run.last, progress=progress)
    await store.renew("slow", lease=lease)
    return run


async def claimed(store: SqliteStore) -> list[str]:
    return [run.id for run in await store.claim("heir", GATEWAY, lease=LEASE, limit=10)]


@contextlib.asynccontextmanager
async def opened(path: Path):
    store = SqliteStore(path)
    await store.open()
    yield store
    await store.aclose()


@pytest.mark.parametrize("progress", READ_HERE)
async def test_what_a_living_worker_alone_can_read_is_left_to_it(
    path: Path, progress: Progress
) -> None:
    async with opened(path) as slow, opened(path) as other:
        run = await stalled(slow, progress)
        assert await claimed(other) == []
        await slow.append(run.id, run.epoch, [], after=run.last, status="running")
        await slow.release("slow")
        assert await claimed(other) == [run.id]


@pytest.mark.parametrize("progress", KEPT_THERE)
async def test_what_the_gateway_keeps_is_taken_over(path: Path, progress: Progress) -> None:
    async with opened(path) as slow, opened(path) as other:
        run = await stalled(slow, progress)
        assert await claimed(other) == [run.id]


async def test_a_worker_that_stands_still_for_too_long_is_not_waited_for(path: Path) -> None:
    async with opened(path) as slow, opened(path) as other:
        run = await stalled(slow, READ_HERE[0], lease=-STALLED_SECONDS - 1)
        assert await claimed(other) == [run.id]


async def test_a_run_that_is_left_alone_is_in_nobodys_way(path: Path) -> None:
    async with opened(path) as slow, opened(path) as other:
        await stalled(slow, READ_HERE[0])
        free = await stalled(slow, KEPT_THERE[1])
        found = await other.claim("heir", GATEWAY, lease=LEASE, limit=1)
        assert [run.id for run in found] == [free.id]


@pytest.mark.parametrize("progress", READ_HERE)
async def test_a_process_that_was_killed_is_dead_at_once(path: Path, progress: Progress) -> None:
    code = f"""
    import asyncio
    from pathlib import Path
    from relay_lite.store import Progress
    from tests.relay.store.test_sqlite_workers import SqliteStore, stalled

    async def main():
        store = SqliteStore(Path({str(path)!r}))
        await store.open()
        print((await stalled(store, {progress!r})).id, flush=True)
        await asyncio.Event().wait()

    asyncio.run(main())
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        run = process.stdout.readline().strip()
        async with opened(path) as other:
            assert await claimed(other) == []
            process.kill()
            process.wait()
            assert await claimed(other) == [run]
            assert [file.name for file in Path(f"{path}-workers").iterdir()] == ["heir"]


@pytest.mark.parametrize("name", ["", "..", "a/b", "x" * 300, "none"])
def test_a_name_that_nobody_has_is_of_nobody(tmp_path: Path, name: str) -> None:
    assert not Workers(tmp_path).lives(name)
    assert not Workers(None).lives(name)


def test_where_no_file_can_be_made_it_works_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    workers = Workers(tmp_path / "file")
    workers.enter("w")
    workers.leave()
    assert not workers.lives("w")
