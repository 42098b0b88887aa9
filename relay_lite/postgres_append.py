"""What all workers of this process append, in as few transactions as they need.

Rule: one task writes for everybody. What comes in while it commits goes into its next transaction,
so a commit to the disk is shared by however many runs are busy. Whether an append may be written
is decided one by one, under a lock of the run's row; one that may not takes nobody along.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from relay_lite.postgres_link import Connection, Link
from relay_lite.postgres_listen import notify
from relay_lite.store import TERMINAL, Fenced, StoreFull, StoreUnavailable
from relay_lite.supervision import supervised

__all__ = ["Append", "Appender"]

BATCH, BATCH_CHARACTERS = 500, 4_000_000
"""How many appends, and how much of them, one transaction takes."""

LOCKED = """
    select id, epoch, last, status from relay.run
    where id = any(%s) order by id for update
"""

# %b, binary: as text, psycopg would search a long answer for what an array has to escape, for half
# a second per megabyte in which nothing else happens here and the transaction is open.
EVENTS = """
    insert into relay.event (run, sequence, type, status, data)
    select * from unnest(%b::text[], %b::integer[], %b::text[], %b::text[], %b::text[])
"""

RUNS = """
    update relay.run set
        last = new.last,
        status = new.status,
        progress = coalesce(new.progress, run.progress),
        result = coalesce(new.result, run.result),
        updated = clock.now,
        finished = case when new.ended then clock.now else run.finished end,
        worker = case when new.ended then null else run.worker end,
        leased = case when new.ended then null else run.leased end,
        owed = run.owed or new.owed
    from unnest(%b::text[], %b::integer[], %b::text[], %b::text[], %b::text[], %b::boolean[],
            %b::boolean[]) as new (id, last, status, progress, result, ended, owed),
        (select extract(epoch from clock_timestamp())::float8 as now) as clock
    where run.id = new.id
"""


@dataclass(slots=True, eq=False)
class Append:
    """One call of `append`; events are of type and JSON. `id` is as the column holds it."""

    id: str
    epoch: int
    events: Sequence[tuple[str, str]]
    after: int
    status: str | None
    progress: str | None
    result: str | None
    owed: bool = False
    done: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def settle(self, error: Exception | None = None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


@dataclass(slots=True)
class _Run:
    """A run as it will be behind the appends of a batch that are decided."""

    epoch: int
    last: int
    status: str
    progress: str | None = None
    result: str | None = None
    owed: bool = False
    changed: bool = False
    events: list[tuple[int, str, str, str]] = field(default_factory=list[tuple[int, str, str, str]])

    def takes(self, append: Append) -> bool:
        """Write it here, or see that it is written; False for a writer who lost the run."""
        if append.epoch != self.epoch:
            return False
        if append.events and self.last == append.after + len(append.events):
            return True  # it came before: its answer was lost
        if self.status in TERMINAL or self.last != append.after:
            return False
        status = append.status or self.status
        before = self.status if status in TERMINAL else status
        for place, (type, data) in enumerate(append.events, 1):
            self.last += 1  # a terminal status is that of the terminal event, the last, alone
            final = place == len(append.events)
            self.events.append((self.last, type, status if final else before, data))
        self.status = status
        self.progress = append.progress or self.progress
        self.result = append.result or self.result
        self.owed = append.owed
        self.changed = True
        return True


class Appender:
    """`add` returns when what was added is durable, or raises why it is not."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._waiting: deque[Append] = deque()
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(supervised(self._flush, "writer"), name="appends")

    async def stop(self) -> None:
        """Write what is there, and end."""
        if self._task is not None:
            while self._waiting and not self._task.done():
                await asyncio.wait([append.done for append in self._waiting])
            task, self._task = self._task, None
            task.cancel()
            await asyncio.wait([task])

    async def add(self, append: Append) -> None:
        if self._task is None:
            raise StoreUnavailable("The relay's store is not open.")
        self._waiting.append(append)
        self._woken.set()
        await append.done

    async def _flush(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._waiting:
                if batch := self._taken():
                    await self._write(batch)

    def _taken(self) -> list[Append]:
        batch: list[Append] = []
        size = 0
        while self._waiting and len(batch) < BATCH and size < BATCH_CHARACTERS:
            append = self._waiting.popleft()
            if not append.done.done():  # else its caller has gone
                batch.append(append)
                size += sum(len(data) for _, data in append.events) + len(append.result or "")
        return batch

    async def _write(self, batch: list[Append]) -> None:
        try:
            await self._commit(batch)
        except (StoreFull, StoreUnavailable) as error:
            for append in batch:
                append.settle(type(error)(*error.args))
        except Exception as error:
            if len(batch) > 1:  # one of them cannot be written: the others can
                for append in batch:
                    await self._write([append])
            batch[0].settle(error)
        finally:
            for append in batch:
                append.settle(StoreUnavailable("The relay's store stopped within a write."))

    async def _commit(self, batch: list[Append]) -> None:
        async def write(connection: Connection) -> list[Append]:
            async with connection.transaction():
                return await _written(connection, batch)

        fenced = await self._link.once(write)
        for append in fenced:
            append.settle(Fenced("The run is not this worker's any more, or it has ended."))
        for append in batch:
            append.settle()


async def _written(connection: Connection, batch: Sequence[Append]) -> list[Append]:
    """Write what may be written, in the transaction that is open; those that may not."""
    ids = list({append.id for append in batch})
    rows = await (await connection.execute(LOCKED, [ids])).fetchall()
    runs = {id: _Run(epoch, last, status) for id, epoch, last, status in rows}
    fenced: list[Append] = []
    for append in batch:
        if (run := runs.get(append.id)) is None or not run.takes(append):
            fenced.append(append)
    changed = {id: run for id, run in runs.items() if run.changed}
    if changed:
        async with connection.pipeline():
            await _save(connection, changed)
            await notify(connection, changed)
    return fenced


async def _save(connection: Connection, runs: dict[str, _Run]) -> None:
    events = [(id, *event) for id, run in runs.items() for event in run.events]
    if events:
        await connection.execute(EVENTS, [list(column) for column in zip(*events, strict=True)])
    states = [
        (id, run.last, run.status, run.progress, run.result, run.status in TERMINAL, run.owed)
        for id, run in runs.items()
    ]
    await connection.execute(RUNS, [list(column) for column in zip(*states, strict=True)])
