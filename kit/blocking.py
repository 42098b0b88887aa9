"""The blocking face of async code: one I/O thread, one task for each call.

A notebook cell already runs inside the kernel's event loop, so `asyncio.run` refuses there, and
patching that loop would change it for everyone. Instead every blocking call becomes one task on
one background loop of this process, and its caller waits for it:

    caller's thread    run(f) ── call_soon_threadsafe ──▶ waits on a lock ──▶ result or error
    the I/O thread                 task: await f() ───────────▲

A stop (KeyboardInterrupt) in the waiting thread cancels the task, so that it ends the request and
not only the wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import queue
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from kit.blocking_thread import io_thread
from kit.errors import InputError

__all__ = ["Batches", "Facade", "blocking", "blocking_batches", "iterate", "run"]

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)

GRACE = 0.15
"""Seconds a stopped call is given to close its connection before the stop is passed on."""

SLICE = 0.1
"""Seconds of one wait for a lock; a longer one is cut.

A stop ends a wait only where it comes while the thread sleeps in it: just before, or received by
another thread, it is noted and seen after the wait. On Windows it never ends one.
"""

AHEAD = 16
"""Batches that a stream may be ahead of whoever reads it."""


class Facade(Protocol[A_co]):
    """Anything whose real work is done by `inner`, an async client."""

    @property
    def inner(self) -> A_co: ...


def blocking(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Facade[A], P], T]:
    """Give an async method a blocking twin with the same signature and docstring."""

    @functools.wraps(method)
    def call(self: Facade[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return run(method, self.inner, *args, **kwargs)

    return call


def blocking_batches(
    method: Callable[Concatenate[A, P], AsyncGenerator[Sequence[T], None]],
) -> Callable[Concatenate[Facade[A], P], Generator[T, None, None]]:
    """Like `blocking`, for an async generator of batches; the twin gives their items."""

    @functools.wraps(method)
    def call(self: Facade[A], /, *args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
        return iterate(method, self.inner, *args, **kwargs)

    return call


def run(function: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `function(...)` on the I/O thread and return what it returns, or raise what it raises.

    The caller's context variables hold in it. Raises InputError on the I/O thread itself.
    """
    call: _Call[T] = _Call(functools.partial(function, *args, **kwargs))
    try:
        call.start()
        call.wait()
    except BaseException:
        call.cancel()
        raise
    return call.outcome()


def iterate(
    function: Callable[P, AsyncGenerator[Sequence[T], None]], /, *args: P.args, **kwargs: P.kwargs
) -> Generator[T, None, None]:
    """The items of the batches that `function(...)` yields on the I/O thread.

    It starts with the first item that is asked for and is never more than `AHEAD` batches ahead.
    Closing the iterator, or leaving a loop over an unnamed one, closes the async generator at once.
    """
    batches = Batches(functools.partial(function, *args, **kwargs))
    try:
        while (batch := batches.next()) is not None:
            yield from batch
    finally:
        batches.close()


class Batches(Generic[T]):
    """The batches that an async generator yields on the I/O thread, read from another one.

    It starts with the first `next` and is never more than `AHEAD` batches ahead.
    """

    def __init__(self, function: Callable[[], AsyncGenerator[Sequence[T], None]]) -> None:
        self._feed = _Feed(function)
        self._call = _Call(self._feed.fill, then=self._feed.end)
        self._started = self._ended = False

    def next(self, timeout: float | None = None) -> Sequence[T] | None:
        """The next batch; None after the last; an empty one when none came in `timeout` seconds.

        Raises what the generator raised. A stop (KeyboardInterrupt) closes it.
        """
        if self._ended:
            return None
        try:
            if not self._started:
                self._started = True
                self._call.start()
            batch = self._feed.next(timeout)
        except BaseException:
            self.close()
            raise
        if batch is None:
            self._ended = True
            self._call.outcome()
        return batch

    def close(self) -> None:
        """Close the generator now; nothing more comes."""
        if self._started and not self._ended:
            self._ended = True
            self._call.cancel()


class _Call(Generic[T]):
    """One task on the I/O thread, and the lock its caller waits on."""

    def __init__(
        self,
        function: Callable[[], Coroutine[Any, Any, T]],
        then: Callable[[], None] | None = None,
    ) -> None:
        self._function = function
        self._then = then
        self._context = contextvars.copy_context()
        self._done = threading.Lock()
        self._done.acquire()
        self._task: asyncio.Task[None] | None = None
        self._value: list[T] = []
        self._error: BaseException | None = None
        self._thread = io_thread()

    def start(self) -> None:
        if self._thread.ident == threading.get_ident():
            raise InputError(
                "A blocking call was made on the toolkit's own event loop, where it would wait "
                "for itself.\nUse AsyncClient there, or call from another thread."
            )
        self._thread.loop.call_soon_threadsafe(self._begin)

    def wait(self) -> None:
        while not self._done.acquire(timeout=SLICE):
            pass

    def cancel(self) -> None:
        """End the task; give it a moment to close what it opened."""
        thread = self._thread
        if thread.loop.is_closed() or thread.ident == threading.get_ident():
            if self._task is not None:
                self._task.cancel()
            return
        with contextlib.suppress(RuntimeError):  # the loop closed meanwhile
            thread.loop.call_soon_threadsafe(self._cancel)
            self._done.acquire(timeout=GRACE)

    def outcome(self) -> T:
        if self._error is None:
            return self._value[0]
        error, self._error = self._error, None
        try:
            raise error
        finally:
            del error  # or the error and this frame keep each other alive

    def _begin(self) -> None:
        loop = self._thread.loop
        self._task = loop.create_task(self._work(), context=self._context)
        self._task.add_done_callback(self._end)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _work(self) -> None:
        try:
            self._value.append(await self._function())
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # a KeyboardInterrupt in a task would end the loop
            self._error = error

    def _end(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self._error = asyncio.CancelledError()
        if self._then is not None:
            self._then()
        self._done.release()


class _Feed(Generic[T]):
    """Batches on their way from the I/O thread to a reader; a slow reader slows the sender."""

    def __init__(self, function: Callable[[], AsyncGenerator[Sequence[T], None]]) -> None:
        self._function = function
        self._batches: queue.SimpleQueue[Sequence[T] | None] = queue.SimpleQueue()
        self._wake: Callable[[], object] | None = None

    async def fill(self) -> None:
        loop = asyncio.get_running_loop()
        space = asyncio.Event()
        # One task drives the whole stream: a cancel scope entered in one task must be left in
        # that task, so stepping with __anext__ from outside would break it.
        async with contextlib.aclosing(self._function()) as batches:
            async for batch in batches:
                self._batches.put(batch)
                if self._batches.qsize() < AHEAD:
                    continue
                space.clear()
                self._wake = functools.partial(loop.call_soon_threadsafe, space.set)
                if self._batches.qsize() > AHEAD // 2:  # else the reader was faster than the note
                    await space.wait()

    def end(self) -> None:
        self._batches.put(None)

    def next(self, timeout: float | None) -> Sequence[T] | None:
        """The next batch, None after the last, an empty one after `timeout` seconds."""
        batch = self._get(timeout)
        wake = self._wake
        if wake is not None and self._batches.qsize() <= AHEAD // 2:
            self._wake = None
            wake()
        return batch

    def _get(self, timeout: float | None) -> Sequence[T] | None:
        while True:
            try:
                return self._batches.get(timeout=SLICE if timeout is None else timeout)
            except queue.Empty:
                if timeout is not None:
                    return ()
