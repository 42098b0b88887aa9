"""A thread with a connection of its own, and the jobs that coroutines leave there.

Rule: whatever goes wrong, every job gets an answer and the thread goes on. Answers go back to the
loop that each job came from, in one call for all of a batch; a loop that is gone gets none.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from relay_lite.store import StoreUnavailable

__all__ = ["Desk", "Job", "deliver"]

BATCH = 512


@dataclass(slots=True, eq=False)
class Job:
    """`task` is what to do; `ids` are the runs that it changes, None for any."""

    task: Any
    ids: Sequence[str] | None = ()
    future: asyncio.Future[Any] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    value: Any = None
    error: BaseException | None = None


class Desk:
    """`serve` does a batch of jobs and sets their outcomes; `idle` is called when none came.

    `pause` says how many seconds to wait for jobs before that, None for ever. `leave` is called at
    the end. All three run in the desk's thread.
    """

    def __init__(
        self,
        name: str,
        serve: Callable[[list[Job]], None],
        leave: Callable[[], None],
        *,
        idle: Callable[[], None] = lambda: None,
        pause: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._serve = serve
        self._leave = leave
        self._idle = idle
        self._pause = pause
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._door = threading.Lock()
        self._last: Job | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def do(self, task: Any, ids: Sequence[str] | None = ()) -> Any:
        """What `task` came to. Given up waiting for, it is done all the same."""
        job = Job(task, ids)
        with self._door:
            if self._last is not None:
                raise StoreUnavailable("The relay's store is closed.")
            self._jobs.put(job)
        return await job.future

    def wake(self) -> None:
        """Ask `pause` again."""
        self._jobs.put(None)

    async def aclose(self) -> None:
        """Do what has been asked for, then end the thread."""
        job = Job(None)
        with self._door:
            if self._last is not None:
                return
            self._last = job
        self.wake()
        await job.future

    def _run(self) -> None:
        while self._last is None or not self._jobs.empty():
            try:
                batch = self._next()
            except queue.Empty:
                with contextlib.suppress(Exception):
                    self._idle()
            else:
                self._answer(batch, self._serve)
        self._answer([self._last], lambda _: self._leave())

    def _next(self) -> list[Job]:
        """All that waits. Raises queue.Empty when nothing came in time."""
        found = [self._jobs.get(timeout=self._pause())]
        while len(found) < BATCH:
            try:
                found.append(self._jobs.get_nowait())
            except queue.Empty:
                break
        return [job for job in found if job is not None]

    def _answer(self, batch: list[Job], serve: Callable[[list[Job]], None]) -> None:
        try:
            if batch:
                serve(batch)
        except BaseException as error:
            for job in batch:
                job.error = error
        for loop in {job.future.get_loop() for job in batch}:
            deliver(loop, _answer_all, [job for job in batch if job.future.get_loop() is loop])


def deliver(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *given: Any) -> None:
    """Call it in that loop, if it still runs."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *given)


def _answer_all(jobs: Sequence[Job]) -> None:
    for job in jobs:
        if job.future.done():  # whoever asked has gone
            continue
        if job.error is None:
            job.future.set_result(job.value)
        else:
            job.future.set_exception(job.error)
