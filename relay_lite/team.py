"""Which worker of a team does what: a queue in the database of the runs, by Procrastinate.

    replica   writes a run down, then defers a job that only says "look at run X"
    worker    fetches the job when it has room, and claims the run
    everyone  looks now and then for runs that nobody holds, and defers jobs for them again

Rule: a job is a hint. It is over as soon as a worker has looked at the run; who works on which run
stands in the store, with its lease and epoch. So whatever becomes of the queue, nothing is lost and
nothing is done twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import random
from collections.abc import Callable
from typing import Any, Protocol

from procrastinate import App, PsycopgConnector, exceptions
from procrastinate.jobs import Status

from relay_lite.postgres_link import Link, connection_settings, failures
from relay_lite.postgres_queue import prepare, use
from relay_lite.store import Gateway, Store
from relay_lite.supervision import log, supervised

__all__ = ["Takes", "Team"]

TASK = "relay.take"
POOL = 3
"""Connections for the queue in each process; a worker has one more that listens."""

SWEEP_SECONDS = 2.0
POLL_SECONDS = 2.0
"""How long a notification of a new job that was lost can go unnoticed."""

HEARTBEAT_SECONDS, DEAD_SECONDS = 2.0, 12.0
STOP_SECONDS = 1.0

# It logs every job with its arguments, and errors of the database with the name of its host.
logging.getLogger("procrastinate").setLevel(logging.CRITICAL)


class Takes(Protocol):
    """An engine: works on one run until it ends, if nobody else does."""

    async def take(self, id: str) -> None: ...


class Team:
    """The queue of one gateway's runs, in the database at `address`, where `store` keeps them.

    A replica: `open`, `dispatch` for each run, `aclose`. A worker: the same, and `work` meanwhile.
    Open it after the engine's start and close it before the engine's stop, which gives back the
    runs that are still worked on. `sweep`: seconds between two looks for runs that nobody holds.
    Raises ConfigError for an address that is none.
    """

    def __init__(
        self, address: str, store: Store, gateway: Gateway, *, sweep: float = SWEEP_SECONDS
    ) -> None:
        self._address = address
        self._sweep = sweep
        self._store = store
        self._gateway = gateway
        self._queue = queue_of(gateway)
        self._connector = PsycopgConnector(
            conninfo=connection_settings(address),
            configure=use,
            min_size=1,
            max_size=POOL,
            timeout=5.0,
            reconnect_timeout=2.0,
        )
        self._app = App(connector=self._connector)
        self._reaper: asyncio.Task[None] | None = None
        self._work: asyncio.Task[None] | None = None
        self._taken: set[asyncio.Task[None]] = set()
        self._waiting: set[str] = set()  # at the last look
        self._own: tuple[Takes, asyncio.Semaphore] | None = None  # of a worker

    def __repr__(self) -> str:
        return f"Team({self._queue!r})"  # the address may hold a password

    async def open(self) -> None:
        """Make the queue's tables where there are none, and begin to look for what nobody does."""
        link = Link(self._address, 1)
        async with await link.alone() as connection:
            with failures():
                await prepare(connection)
        await self._app.open_async()
        self._reaper = asyncio.create_task(supervised(self._reap, "reaper"), name="reaper")

    async def aclose(self) -> None:
        """Fetch nothing more. What was taken goes on: the engine's stop ends it."""
        for task in (self._work, self._reaper):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        with contextlib.suppress(exceptions.ConnectorException):
            await self._app.close_async()

    async def dispatch(self, id: str) -> None:
        """Ask the workers to look at a run; once is enough until one does."""
        job = self._app.configure_task(TASK, queue=self._queue, queueing_lock=id)
        with contextlib.suppress(exceptions.AlreadyEnqueued):
            await job.defer_async(id=id)

    async def work(self, engine: Takes, *, concurrency: int = 64) -> None:
        """Take runs, up to so many at a time, until this is cancelled or the team closes."""
        room = asyncio.Semaphore(concurrency)
        self._own = (engine, room)

        @self._app.task(name=TASK)
        async def take(id: str) -> None:
            if (job := asyncio.current_task()) is not None:
                job.add_done_callback(heard_out)
            await room.acquire()
            self._begin(engine, id, room.release)

        del take
        self._work = asyncio.create_task(supervised(self._fetch, "queue"), name="fetches")
        try:
            await asyncio.shield(self._work)
        except asyncio.CancelledError:
            self._work.cancel()
            await asyncio.wait([self._work])
            raise

    def _begin(self, engine: Takes, id: str, release: Callable[[], None]) -> None:
        """Let the run go on beside the job: a queue that fails must not end it."""
        task = asyncio.create_task(engine.take(id), name=f"takes {id}")
        self._taken.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._taken.discard(task)
            release()
            if not task.cancelled() and (error := task.exception()) is not None:
                log.warning("A run was not taken (%s); it is tried again.", type(error).__name__)

        task.add_done_callback(done)

    async def _fetch(self) -> None:
        """Run Procrastinate's worker. It ends where the database goes away: then it begins anew."""
        options: dict[str, Any] = {
            "queues": [self._queue],
            "concurrency": 1,  # a job is short; one that waits for room here should be the only one
            "fetch_job_polling_interval": POLL_SECONDS,
            "delete_jobs": "always",
            "install_signal_handlers": False,
            "update_heartbeat_interval": HEARTBEAT_SECONDS,
            "stalled_worker_timeout": DEAD_SECONDS,
            "shutdown_graceful_timeout": STOP_SECONDS,
        }
        await self._app.run_worker_async(**options)

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(self._sweep * random.uniform(0.8, 1.2))
            await self._call_again()
            await self._bury()

    async def _call_again(self) -> None:
        """Defer a job for each run that waits and has none: its worker died, or a job was lost.

        A worker with room begins by itself what waits for the second time: the queue may take
        longer to come back from a restart of the database than the runs can wait.
        """
        waiting = await self._store.waiting(self._gateway)
        late, self._waiting = self._waiting & set(waiting), set(waiting)
        if self._own is not None:
            engine, room = self._own
            for id in late:
                if not room.locked():
                    await room.acquire()
                    self._begin(engine, id, room.release)
        if waiting:
            jobs = await self._app.job_manager.list_jobs_async(queue=self._queue, status="todo")
            queued = {job.queueing_lock for job in jobs}
            for id in waiting:
                if id not in queued:
                    await self.dispatch(id)

    async def _bury(self) -> None:
        """Delete the jobs that dead workers had fetched: their runs have been called again."""
        manager = self._app.job_manager
        dead = await manager.get_stalled_jobs(
            queue=self._queue, seconds_since_heartbeat=DEAD_SECONDS
        )
        for job in dead:
            with contextlib.suppress(exceptions.ConnectorException):  # another was quicker
                await manager.finish_job(job, status=Status.FAILED, delete_job=True)


def heard_out(job: asyncio.Task[Any]) -> None:
    """Take note of how a job's task ended, since Procrastinate (3.10) does not.

    Where the database goes while it writes a job's end, asyncio would print the error with the
    database's address. The job's row is buried when its worker is gone. To go when Procrastinate
    asks its own tasks for their exceptions.
    """
    if not job.cancelled():
        job.exception()


def queue_of(gateway: Gateway) -> str:
    """A queue for each gateway and key, since only a worker with the same ones may take the run.

    Short, because it is part of a channel's name, of which PostgreSQL takes 63 bytes.
    """
    name = f"{gateway.identity}\n{gateway.fingerprint}".encode(errors="backslashreplace")
    return f"relay_{hashlib.sha256(name).hexdigest()[:24]}"
