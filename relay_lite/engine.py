"""The engine: who works on which run, and how others hear of it.

    submit   a run is written down, then somebody is told that there is work
    claim    runs that nobody holds are taken, with a lease and a higher epoch
    renew    the lease goes on while this process lives; dead, it runs out and another claims
    cancel   ends the run in the store at once; the upstream is told afterwards
    stop     readers end, submissions are drained, runs are given back

Rule: the engine decides nothing about a run but who works on it; what to do is in research.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from dataclasses import dataclass, replace

from relay_lite.feed import Feed
from relay_lite.hold import Hold, text_of
from relay_lite.research import Limits, conduct, settle_cancelled
from relay_lite.store import (
    OWED_SECONDS,
    Draft,
    Event,
    Fenced,
    Invocation,
    Order,
    Result,
    Store,
    StoreFull,
    StoreUnavailable,
)
from relay_lite.supervision import heard, log, supervised
from relay_lite.upstream import Upstream

__all__ = ["Engine", "Terms", "ended"]

DRAIN_SECONDS = 12.0
PURGE_SECONDS = 3600.0
A_DAY = 86_400.0
LAST = 2**62
"""Behind every event a run can have."""

TOLD_SECONDS = 10.0
"""How long who deletes a run waits until the gateway was told that it is cancelled."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for one engine.

    lease: seconds after which a silent worker counts as dead. concurrency: runs at a time.
    kept: runs the store may hold. retention_days: how long ended and fetched ones stay (None: as
    long as there is room).
    """

    lease: float = 5.0
    concurrency: int = 64
    kept: int = 1024
    retention_days: float | None = None

    @property
    def renewal(self) -> float:
        """Seconds between two renewals of the leases: three of them fit into one."""
        return self.lease * 0.3

    @property
    def sweep(self) -> float:
        """Seconds between two looks at what nobody holds."""
        return min(self.lease / 5, 1.0)


def ended(invocation: Invocation) -> bool:
    return invocation.ended


class Engine:
    """The runs of one gateway, in one process.

    works: take what waits, by itself. A replica that only serves callers does not; a team's worker
    is told by `take` what to do. dispatch: tells a queue of a new run, instead of this process.
    """

    def __init__(
        self,
        store: Store,
        upstream: Upstream,
        limits: Limits | None = None,
        *,
        terms: Terms | None = None,
        works: bool = True,
        dispatch: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self.store = store
        self.upstream = upstream
        self.limits = limits or Limits()
        self.terms = terms or Terms()
        self.worker = f"{socket.gethostname()[:60]}-{os.getpid()}-{secrets.token_hex(4)}"
        self.stopping = False
        self._works = works
        self._dispatch = dispatch
        self._feed = Feed(store)
        self._work: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()  # also those that another one waits for
        self._woken = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open the store and begin. Raises ConfigError for a store that cannot be used."""
        await self.store.open()
        self._feed.start()
        loops = {"renewal": self._renew, "purge": self._purge}
        if self._works:
            loops["claims"] = self._claim
        self._loops = [
            asyncio.create_task(supervised(loop, name), name=name) for name, loop in loops.items()
        ]

    async def stop(self) -> None:
        """End readers, drain submissions, give the runs back, close the store."""
        if self.stopping:
            return
        self.stopping = True
        await self._feed.stop()
        claims = [task for task in self._loops if task.get_name() == "claims"]
        await _end(claims, 1.0)
        await _end(self._tasks, DRAIN_SECONDS)  # leases are renewed meanwhile
        await _end(self._loops, 1.0)
        with contextlib.suppress(StoreUnavailable, StoreFull):
            await self.store.release(self.worker)
        await self.store.aclose()

    # -- callers ---------------------------------------------------------------------------

    async def submit(self, order: Order) -> tuple[Invocation, bool]:
        """Write the run down and let it begin; False for the replay of one that exists.

        Raises Conflict, TooMany, StoreFull, StoreUnavailable.
        """
        invocation, new = await self.store.create(order, limit=self.terms.kept)
        if new and self._dispatch is not None:
            try:
                await self._dispatch(invocation.id)
            except Exception as error:  # it is written down: the reaper finds it
                log.warning("The queue did not take a run (%s).", type(error).__name__)
        self._woken.set()
        return invocation, new

    async def get(self, id: str) -> Invocation | None:
        """The run as it stands; one that has ended with the text it has."""
        invocation = await self.store.get(id)
        if invocation is None or not invocation.ended or invocation.result.output_text is not None:
            return invocation
        text = await text_of(self.store, id)
        return replace(invocation, result=replace(invocation.result, output_text=text))

    async def wait(
        self, id: str, seconds: float, until: Callable[[Invocation], bool] = ended
    ) -> Invocation | None:
        """The run when `until` holds, or as it stands when the time is over."""
        if until is ended:
            await self._end_of(id, seconds)
            return await self.get(id)
        async with contextlib.aclosing(self._feed.news(id, seconds)) as news:
            async for _ in news:
                invocation = await self.store.get(id)
                if invocation is None or invocation.ended or until(invocation):
                    break
        return await self.get(id)

    async def _end_of(self, id: str, seconds: float) -> None:
        """Wait for the terminal event, without a look into the store at every other one."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for _ in self.events(id, LAST):
                    pass

    async def events(self, id: str, after: int = 0) -> AsyncGenerator[list[Event]]:
        """The run's events after the given number, as they come; see `Feed.read`."""
        invocation = await self.store.get(id)
        if invocation is None or (invocation.ended and after >= invocation.last):
            return
        async with contextlib.aclosing(self._feed.read(id, min(after, invocation.last))) as lists:
            async for events in lists:
                yield events

    async def cancel(self, id: str) -> Invocation | None:
        """End the run now; the upstream is told behind it. Harmless for one that has ended."""
        invocation = await self.store.cancel(id)
        if task := self._work.get(id):
            _cancel(task)
        if invocation is not None and invocation.owed and self._dispatch is not None:
            with contextlib.suppress(Exception):  # the reaper finds it
                await self._dispatch(id)
        self._woken.set()
        return await self.get(id)

    async def delete(self, id: str) -> bool:
        """Remove a run that has ended; False for any other.

        One that was cancelled a moment ago is waited for: the gateway is being told of it.
        """
        if await self.store.delete(id):
            return True
        async with contextlib.aclosing(self._feed.news(id, TOLD_SECONDS)) as news:
            async for _ in news:
                run = await self.store.get(id)
                if run is None or not run.owed:
                    break
        return await self.store.delete(id)

    # -- workers ---------------------------------------------------------------------------

    async def take(self, id: str) -> None:
        """Work on this run until it ends, if nobody else does."""
        for invocation in await self._claimed(1, [id]):
            task = self._begin(invocation)
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                _cancel(task)
                raise

    async def _claim(self) -> None:
        while not self.stopping:
            await heard(self._woken, self.terms.sweep)
            self._woken.clear()
            room = self.terms.concurrency - len(self._work)
            if room > 0:
                for invocation in await self._claimed(room):
                    self._begin(invocation)

    async def _claimed(self, limit: int, ids: Collection[str] | None = None) -> list[Invocation]:
        """Runs to begin: never one that is worked on here, however late its renewal is."""
        return await self.store.claim(
            self.worker,
            self.upstream.gateway,
            lease=self.terms.lease,
            limit=limit,
            ids=ids,
            working=tuple(self._work),
        )

    def _begin(self, invocation: Invocation) -> asyncio.Task[None]:
        before = self._work.get(invocation.id)
        task = asyncio.create_task(self._work_on(invocation, before))
        self._work[invocation.id] = task
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._done(invocation.id, done))
        return task

    def _done(self, id: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._work.get(id) is task:
            del self._work[id]
        self._woken.set()  # there is room, and perhaps something owed

    async def _work_on(self, invocation: Invocation, before: asyncio.Task[None] | None) -> None:
        if before is not None:  # our own, fenced by now: it may still have an id to tell
            _cancel(before)
            await asyncio.wait([before])
        hold = Hold(self.store, invocation)
        try:
            if invocation.owed:
                await self._settle(invocation)
            else:
                await conduct(hold, self.upstream, self.limits)
        except Fenced:
            return
        except (StoreFull, StoreUnavailable):
            await asyncio.sleep(self.terms.sweep)
            await self.store.release(self.worker, [invocation.id])
        except Exception as error:
            log.warning("A run failed by a fault of the relay (%s).", type(error).__name__)
            log.debug("The fault:", exc_info=error)
            await self._give_up(hold)

    async def _settle(self, invocation: Invocation) -> None:
        """Tell the gateway of a run that we ended; later again where it cannot be told now."""
        now = await self.store.get(invocation.id)  # whoever submitted it may have told meanwhile
        if now is None or not now.owed or await settle_cancelled(self.store, self.upstream, now):
            return
        if time.time() - (invocation.finished or 0.0) > OWED_SECONDS:
            await self.store.settle(invocation.id, owed=False)
            return
        await asyncio.sleep(self.terms.lease)
        await self.store.release(self.worker, [invocation.id])

    async def _give_up(self, hold: Hold) -> None:
        message = "The relay itself failed at this run; what had arrived is kept."
        result = Result(error_message=message, error_code="internal_error")
        event = Draft("error", {"message": message, "code": "internal_error"})
        with contextlib.suppress(Fenced):
            await hold.write(event, status="failed", result=result)

    async def _renew(self) -> None:
        strange: set[str] = set()
        while True:
            await asyncio.sleep(self.terms.renewal)
            if not self._work:
                continue
            working = dict(self._work)
            held = await self.store.renew(self.worker, lease=self.terms.lease)
            for id, task in working.items():
                if id not in held:
                    _cancel(task)  # cancelled by a caller elsewhere, or taken over
            unknown = held - self._work.keys()
            if lost := unknown & strange:  # twice: their claim was made, but its answer was lost
                await self.store.release(self.worker, lost)
            strange = unknown

    async def _purge(self) -> None:
        while True:
            if (days := self.terms.retention_days) is not None:
                await self.store.purge(before=time.time() - days * A_DAY)
            await asyncio.sleep(PURGE_SECONDS)


def _cancel(task: asyncio.Task[None]) -> None:
    """Once: it may be waiting for a submission under way, which a second time would break off."""
    if not task.cancelling():
        task.cancel()


async def _end(tasks: Collection[asyncio.Task[None]], seconds: float) -> None:
    """Cancel and wait; what does not end in time is broken off."""
    tasks = list(tasks)
    for task in tasks:
        _cancel(task)
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1.0)
