"""The faces of the tool loop: iterate one for what happens, then read `.answer`.

Rule: errands are carried out by whoever reads, and nobody else sees them. In a notebook and a
script that is the caller's own thread; asynchronous code gets a plain function done in a worker
thread, so that its loop goes on.
"""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from types import AsyncGeneratorType
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from kit import errors
from kit.blocking import Batches, Facade
from kit.gateway.answer import Answer
from kit.tools.happenings import Errand, Happening
from kit.tools.loop import Loop

__all__ = [
    "AsyncToolStream",
    "ToolStream",
    "blocking_stream",
    "blocking_to_its_end",
    "to_its_end",
]

P = ParamSpec("P")
A = TypeVar("A")


class AsyncToolStream:
    """Iterate it for events; afterwards `answer` is the whole. Leaving early closes it.

    A research run that was started goes on all the same.
    """

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._running: AsyncGenerator[list[Happening], None] | None = None
        self._error: errors.KitError | None = None

    @property
    def text(self) -> str:
        """The visible text of the turn that is under way."""
        return self.loop.stream.text if self.loop.stream else ""

    @property
    def partial(self) -> Answer | None:
        """The answer as far as it has come, with the calls; None before the first turn."""
        return self.loop.answer or self.loop.partial

    @property
    def answer(self) -> Answer:
        """The whole answer. Raises what the loop failed with; InputError before its end."""
        if self.loop.answer is not None:
            return self.loop.answer
        if self._error is not None:
            raise self._error
        raise errors.InputError("It has not ended: iterate it first, or read .partial.")

    def batches(self) -> AsyncGenerator[list[Happening], None]:
        """What happened together, together; errands among it, for the reader to carry out."""
        if self._running is None:
            self._running = self._run()
        return self._running

    async def _run(self) -> AsyncGenerator[list[Happening], None]:
        happenings = self.loop.run()
        try:
            async for batch in happenings:
                yield batch
        except errors.KitError as error:
            self._error = error
            raise
        finally:
            await happenings.aclose()

    async def __aiter__(self) -> AsyncIterator[Happening]:
        batches = self.batches()
        try:
            async for batch in batches:
                for one in batch:
                    if isinstance(one, Errand):
                        await asyncio.to_thread(one.carry_out)
                    else:
                        yield one
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Stop now; what has arrived stays in `partial`."""
        running = cast(AsyncGeneratorType[list[Happening], None], self.batches())
        if running.ag_running:  # another task waits in it
            await self.loop.stop()
        else:
            await running.aclose()


class ToolStream:
    """The same for blocking code. A stop (■, Ctrl-C) closes it at once."""

    def __init__(self, inner: AsyncToolStream) -> None:
        self._inner = inner
        self._batches = Batches(inner.batches)
        self._waiting: deque[Happening] = deque()
        self._closed = False

    def __enter__(self) -> ToolStream:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Happening]:
        try:
            while (batch := self.poll(None)) is not None:
                yield from batch
        except GeneratorExit:  # the loop was left early
            self.close()
            raise

    def poll(self, seconds: float | None) -> list[Happening] | None:
        """What happens within `seconds`, perhaps nothing; None when it has ended.

        Plain functions are called here, and questions asked: what happened before is given first,
        so that it can be shown.
        """
        if not self._waiting:
            batch = None if self._closed else self._batches.next(seconds)
            if batch is None:
                return None
            self._waiting.extend(batch)
        happened: list[Happening] = []
        while self._waiting:
            if not isinstance(self._waiting[0], Errand):
                happened.append(self._waiting.popleft())
            elif happened:
                break
            else:
                self._carry_out()
        return happened

    def _carry_out(self) -> None:
        errand = self._waiting.popleft()
        assert isinstance(errand, Errand)
        try:
            errand.carry_out()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop now; what has arrived stays in `partial`."""
        self._closed = True
        self._waiting.clear()
        self._batches.close()

    @property
    def text(self) -> str:
        """The visible text of the turn that is under way."""
        return self._inner.text

    @property
    def partial(self) -> Answer | None:
        """The answer as far as it has come, with the calls; None before the first turn."""
        return self._inner.partial

    @property
    def answer(self) -> Answer:
        """The whole answer. Raises what it failed with; InputError before its end."""
        return self._inner.answer


def to_its_end(
    method: Callable[Concatenate[A, P], AsyncToolStream],
) -> Callable[Concatenate[A, P], Coroutine[Any, Any, Answer]]:
    """The method that reads the stream of `method` to its end, and gives the Answer."""

    @functools.wraps(method)
    async def run_tools(self: A, /, *args: P.args, **kwargs: P.kwargs) -> Answer:
        stream = method(self, *args, **kwargs)
        async for _ in stream:
            pass
        return stream.answer

    return _named(run_tools, method)


def blocking_stream(
    method: Callable[Concatenate[A, P], AsyncToolStream],
) -> Callable[Concatenate[Facade[A], P], ToolStream]:
    """The blocking twin of `method`; plain functions are called in the thread that reads."""

    @functools.wraps(method)
    def stream_tools(self: Facade[A], /, *args: P.args, **kwargs: P.kwargs) -> ToolStream:
        return ToolStream(method(self.inner, *args, **kwargs))

    return stream_tools


def blocking_to_its_end(
    method: Callable[Concatenate[A, P], AsyncToolStream],
) -> Callable[Concatenate[Facade[A], P], Answer]:
    """The same, to its end: the Answer."""
    stream_tools = blocking_stream(method)

    @functools.wraps(method)
    def run_tools(self: Facade[A], /, *args: P.args, **kwargs: P.kwargs) -> Answer:
        with stream_tools(self, *args, **kwargs) as stream:
            for _ in stream:
                pass
        return stream.answer

    return _named(run_tools, method)


F = TypeVar("F", bound=Callable[..., Any])


def _named(method: F, streams: Callable[..., Any]) -> F:
    method.__name__, method.__doc__ = "run_tools", "As `stream_tools`, to its end: the Answer."
    method.__qualname__ = streams.__qualname__.replace(streams.__name__, "run_tools")
    return method
