"""The store of one machine: one file, that any number of processes of its user may share.

One thread writes and one reads, each with a connection of its own, so no reader waits for a
writer. Leases are by the clock that all processes of the machine share.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from relay_lite import sqlite_knowledge as knowledge
from relay_lite import sqlite_reads as reads
from relay_lite import sqlite_runs as runs
from relay_lite.sqlite_append import Append
from relay_lite.sqlite_desk import Desk, deliver
from relay_lite.sqlite_failures import opening_failure
from relay_lite.sqlite_file import place_of, prepare
from relay_lite.sqlite_workers import Workers
from relay_lite.sqlite_writer import Connection, Reader, Writer
from relay_lite.store import (
    OWED_SECONDS,
    Draft,
    Event,
    Gateway,
    Invocation,
    Json,
    Order,
    Progress,
    Result,
    StoreError,
    StoreUnavailable,
)

__all__ = ["SqliteStore"]

LOOK_SECONDS = 0.05
SHARED_LOOK_SECONDS = 0.5

T = TypeVar("T")

Heard = Callable[[Collection[str] | None], None]


class SqliteStore:
    """Keeps `relay_lite.store.Store`'s promises in the file `path`.

    `page_limit` bounds the file, in pages of 4096 bytes; over it, writing raises StoreFull. Made
    anywhere, opened and used in event loops; `listen` calls back in the loop that opened it.
    """

    def __init__(self, path: Path, *, page_limit: int | None = None) -> None:
        self._place = place_of(path.expanduser().absolute(), page_limit)
        self.note = self._place.note
        folder = self._place.path.with_name(f"{self._place.path.name}-workers")
        self._workers = Workers(None if self._place.shared else folder)
        self._listeners: list[Heard] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writing: Desk | None = None
        self._reading: Desk | None = None

    async def open(self) -> None:
        try:
            await asyncio.to_thread(prepare, self._place)
        except (OSError, sqlite3.Error) as error:
            raise opening_failure(error, str(self._place.path)) from None
        self._loop = asyncio.get_running_loop()
        mine = Connection(self._place)
        self._reading = Desk("relay-store-reads", Reader(mine).serve, mine.close)
        own = Connection(self._place)
        writer = Writer(own, self._tell)
        self._writing = Desk(
            "relay-store-writes", writer.serve, own.close, idle=writer.look, pause=self._pause
        )
        try:
            await self._write(_nothing)
            await self.get("")  # both are open now, whatever becomes of the file's name
        except StoreError:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        for desk in (self._writing, self._reading):
            if desk is not None:
                await desk.aclose()
        self._workers.leave()

    def listen(self, heard: Heard) -> Callable[[], None]:
        self._listeners.append(heard)
        if self._writing is not None:
            self._writing.wake()

        def end() -> None:
            if heard in self._listeners:
                self._listeners.remove(heard)

        return end

    # -- callers ---------------------------------------------------------------------------

    async def create(self, order: Order, *, limit: int) -> tuple[Invocation, bool]:
        return await self._write(lambda db: runs.create(db, order, limit, time.time()), order.id)

    async def get(self, id: str) -> Invocation | None:
        return await self._read(lambda db: reads.find(db, id))

    async def listing(
        self,
        caller: str,
        *,
        before: tuple[float, str] | None = None,
        limit: int = 100,
        key: str | None = None,
    ) -> list[Invocation]:
        return await self._read(lambda db: reads.listing(db, caller, before, limit, key))

    async def events(
        self, after: Mapping[str, int], *, limit: int = 1000
    ) -> dict[str, list[Event]]:
        return await self._read(lambda db: reads.events(db, after, limit))

    async def fetched(self, id: str) -> None:
        await self._write(lambda db: runs.fetched(db, id), id)

    async def cancel(self, id: str) -> Invocation | None:
        return await self._write(lambda db: runs.cancel(db, id, time.time()), id)

    async def delete(self, id: str, *, owing: float = OWED_SECONDS) -> bool:
        told = time.time() - owing
        return await self._write(lambda db: runs.delete(db, id, told), id)

    async def purge(
        self, *, before: float, unread: bool = False, owing: float = OWED_SECONDS
    ) -> int:
        told = time.time() - owing
        gone = await self._write(lambda db: runs.purge(db, before, unread, told))
        if gone:
            self._tell(None)
        return gone

    # -- workers ---------------------------------------------------------------------------

    async def claim(
        self,
        worker: str,
        gateway: Gateway,
        *,
        lease: float,
        limit: int,
        ids: Collection[str] | None = None,
        working: Collection[str] = (),
    ) -> list[Invocation]:
        self._workers.enter(worker)
        claim = runs.Claim(worker, gateway, lease, limit, ids, working, self._workers.lives)
        return await self._write(lambda db: runs.claim(db, claim, time.time()))

    async def renew(self, worker: str, *, lease: float) -> set[str]:
        return await self._write(lambda db: runs.renew(db, worker, lease, time.time()))

    async def release(self, worker: str, ids: Collection[str] | None = None) -> None:
        await self._write(lambda db: runs.release(db, worker, ids), *(ids or ()))

    async def waiting(self, gateway: Gateway) -> list[str]:
        return await self._read(lambda db: reads.waiting(db, gateway, time.time()))

    async def unfinished(self, gateway: Gateway) -> int:
        return await self._read(lambda db: reads.unfinished(db, gateway))

    async def append(
        self,
        id: str,
        epoch: int,
        events: Sequence[Draft],
        *,
        after: int,
        status: str | None = None,
        progress: Progress | None = None,
        result: Result | None = None,
        owed: bool = False,
    ) -> None:
        append = Append(id, epoch, events, after, status, progress, result, owed)
        await self._desk(self._writing).do(append, (id,))

    async def settle(self, id: str, *, upstream_id: str | None = None, owed: bool) -> None:
        await self._write(lambda db: runs.settle(db, id, upstream_id, owed, time.time()), id)

    # -- what was found out of a gateway ---------------------------------------------------

    async def knowledge(self, gateway: Gateway, model: str) -> Json:
        return await self._read(lambda db: knowledge.recall(db, gateway, model))

    async def learn(self, gateway: Gateway, model: str, facts: Json) -> None:
        await self._write(lambda db: knowledge.learn(db, gateway, model, facts))

    # -- threads ---------------------------------------------------------------------------

    async def _read(self, task: Callable[[sqlite3.Connection], T]) -> T:
        return await self._desk(self._reading).do(task)

    async def _write(self, task: Callable[[sqlite3.Connection], T], *ids: str) -> T:
        """Do it in the next transaction; then those who listen hear of `ids`."""
        return await self._desk(self._writing).do(task, ids)

    def _desk(self, desk: Desk | None) -> Desk:
        if desk is None:
            raise StoreUnavailable("The relay's store is not open yet.")
        return desk

    def _pause(self) -> float | None:
        """How often to look for what other processes wrote: not at all while nobody listens."""
        if not self._listeners:
            return None
        return SHARED_LOOK_SECONDS if self._place.shared else LOOK_SECONDS

    def _tell(self, ids: Collection[str] | None) -> None:
        if self._loop is not None and self._listeners:
            deliver(self._loop, self._hear, ids)

    def _hear(self, ids: Collection[str] | None) -> None:
        for heard in tuple(self._listeners):
            heard(ids)


def _nothing(db: sqlite3.Connection) -> None:
    """The first transaction: whether writing works shows now, and other processes' from here."""
