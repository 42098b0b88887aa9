"""Users' coroutines, kept away from the thread over which everybody's requests go.

    in a loop of the caller's own    they run there: what they use may belong to that loop
    in the toolkit's I/O thread      they run in the loop of another thread, which they share

Rule: whatever a coroutine does, nobody else waits for it. One that blocks its thread (`requests`,
`time.sleep`) cannot be interrupted: after its time, or a stop, it is left behind with the thread.

One loop is shared by all, and not made for each call, because a client or a lock that one call made
and the next one uses belongs to the loop it was made in. What belongs to a thread that was left
behind is of no use in the next one: its call fails, and says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import threading
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from kit.blocking_thread import LoopThread, let_go, loop_thread, on_io_thread

__all__ = ["LeftBehind", "apart"]

T = TypeVar("T")

LOOKS = 20
SLICE = 0.1
"""Seconds between looks. They are counted, and not the seconds: a machine that stood still has
looked no more often, and would take every thread for a blocked one."""

_NAME = "kit-functions"
_depth = contextvars.ContextVar("_depth", default=0)
"""A coroutine that blocks its thread for a conversation (`kit.Client`) waits for the coroutines of
that one, which need another thread."""


class LeftBehind(TimeoutError):
    """The time is over, and the coroutine goes on: it blocks, or does not want to end."""


async def apart(
    function: Callable[[], Awaitable[T]],
    seconds: float | None = None,
    going_on: Callable[[bool], None] = lambda goes_on: None,
) -> T:
    """What `function()` gives, in the caller's context. Raises TimeoutError after `seconds`.

    `going_on` hears True when it was asked to end, and False when it has.
    """
    if on_io_thread():
        return await _Call(function, going_on).outcome(seconds)
    async with asyncio.timeout(seconds):
        return await function()


class _Call(Generic[T]):
    """One coroutine in the other thread, as the I/O thread sees it."""

    def __init__(
        self, function: Callable[[], Awaitable[T]], going_on: Callable[[bool], None]
    ) -> None:
        self._function = function
        self._going_on = going_on
        self._context = contextvars.copy_context()
        self._depth = _depth.get()
        self._home = asyncio.get_running_loop()
        self._begun = self._home.create_future()
        self._ended = self._home.create_future()
        self._claim = threading.Lock()
        self._thread: LoopThread | None = None
        self._task: asyncio.Task[None] | None = None
        self._heard = False
        self._value: list[T] = []
        self._error: BaseException | None = None

    async def outcome(self, seconds: float | None) -> T:
        try:
            await self._begin()  # its time is its own: it does not begin with a wait for others
            async with asyncio.timeout(seconds):
                await asyncio.wait([self._ended])
        except TimeoutError:
            await self._leave()
            raise (TimeoutError if self._ended.done() else LeftBehind) from None
        except asyncio.CancelledError:
            await self._leave()
            raise
        if self._error is None:
            return self._value[0]
        error, self._error = self._error, None
        try:
            raise error
        finally:
            del error  # or the error and this frame keep each other alive

    async def _begin(self) -> None:
        """Begin it; in a thread that another coroutine blocks it would wait for that one's end."""
        while True:
            thread = self._thread = loop_thread(f"{_NAME}-{self._depth}")
            claim = self._claim = threading.Lock()
            thread.loop.call_soon_threadsafe(self._run, thread, claim)
            if await _comes(self._begun) or not claim.acquire(blocking=False):
                return
            let_go(thread)

    async def _leave(self) -> None:
        """Ask it to end, and give it a moment for that."""
        if self._thread is None or self._claim.acquire(blocking=False):  # it has not begun
            self._ended.cancel()
            return
        self._going_on(True)
        self._thread.loop.call_soon_threadsafe(self._cancel)
        try:
            if await _comes(self._ended):
                self._going_on(False)
        finally:
            if not self._heard:
                let_go(self._thread)

    # -- in the other thread -----------------------------------------------------------------

    def _run(self, thread: LoopThread, claim: threading.Lock) -> None:
        if claim.acquire(blocking=False):
            self._task = thread.loop.create_task(self._work(), context=self._context)
            self._task.add_done_callback(self._end)
            self._tell(self._begun)

    async def _work(self) -> None:
        _depth.set(self._depth + 1)
        try:
            self._value.append(await self._function())
        except BaseException as error:  # of whoever asked; here it would end the loop
            self._error = error

    def _cancel(self) -> None:
        self._heard = True
        if self._task is not None:
            self._task.cancel()

    def _end(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self._error = asyncio.CancelledError()
        self._tell(self._ended)

    def _tell(self, future: asyncio.Future[None]) -> None:
        with contextlib.suppress(RuntimeError):  # the process ends
            self._home.call_soon_threadsafe(functools.partial(_come, future))


def _come(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _comes(future: asyncio.Future[None]) -> bool:
    for _ in range(LOOKS):
        await asyncio.wait([future], timeout=SLICE)
        if future.done():
            return True
    return False
