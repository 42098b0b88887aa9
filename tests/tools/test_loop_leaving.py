"""Whoever leaves early closes the connection, and leaves no task and no generator behind."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from kit import blocking, errors
from kit.gateway.client import AsyncClient
from kit.tools.happenings import CallBegan, CallEnded, TurnBegan
from kit.tools.stream import AsyncToolStream, ToolStream
from tests.gateway.gateways import STREAM_HEAD, Gateway, frame
from tests.tools.conftest import Open
from tests.tools.loops import (
    APIS,
    call,
    client_of,
    loop_of,
    no_task,
    replies,
    text,
)
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("nothing_left")


def clock() -> str:
    """The time."""
    return "12:00"


class Waiting:
    """An async tool that waits, and notes how it ended."""

    def __init__(self) -> None:
        self.began = 0
        self.ended: list[str] = []

    async def wait(self) -> str:
        """Wait."""
        self.began += 1
        try:
            await asyncio.sleep(1_000)
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        return ""


def endless(api: str) -> Iterator[bytes | float]:
    """A model that speaks for as long as somebody listens."""
    delta = {"type": "response.output_text.delta", "output_index": 0, "delta": "la "}
    chunk = {"choices": [{"index": 0, "delta": {"content": "la "}}]}
    yield STREAM_HEAD
    while True:
        yield frame(delta if api == "responses" else chunk)
        yield 0.002


# -- asynchronous ------------------------------------------------------------------------------

Leave = Callable[[AsyncToolStream], Awaitable[None]]
Ready = Callable[[], object]


def has_words(stream: AsyncToolStream) -> bool:
    return stream.partial is not None and bool(stream.partial.text)


async def reached(ready: Ready) -> None:
    """Wait until it is time to leave, however long that takes."""
    while not ready():
        await asyncio.sleep(0.005)


async def leave_loop(stream: AsyncToolStream) -> None:
    async for one in stream:
        if not isinstance(one, TurnBegan):
            break


async def close_inside(stream: AsyncToolStream) -> None:
    async for one in stream:
        if not isinstance(one, TurnBegan):
            await stream.aclose()


async def close_after(stream: AsyncToolStream) -> None:
    async for one in stream:
        if not isinstance(one, TurnBegan):
            break
    await stream.aclose()
    await stream.aclose()


async def cancel(stream: AsyncToolStream, ready: Ready | None = None) -> None:
    reading = asyncio.ensure_future(read(stream))
    await reached(ready or (lambda: has_words(stream)))
    reading.cancel()
    await asyncio.wait([reading], timeout=300)
    assert reading.cancelled()


async def close_from_beside(stream: AsyncToolStream, ready: Ready | None = None) -> None:
    reading = asyncio.ensure_future(read(stream))
    await reached(ready or (lambda: has_words(stream)))
    await stream.aclose()
    await asyncio.wait([reading], timeout=300)
    assert reading.done()
    assert isinstance(reading.exception(), errors.StreamInterrupted | None)


async def time_out(stream: AsyncToolStream, ready: Ready | None = None) -> None:
    async def expire() -> None:
        await reached(ready or (lambda: has_words(stream)))
        limit.reschedule(0)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(None) as limit:
            expiring = asyncio.ensure_future(expire())
            await read(stream)
    await expiring


async def raise_inside(stream: AsyncToolStream) -> None:
    with pytest.raises(ZeroDivisionError):
        async for one in stream:
            if not isinstance(one, TurnBegan):
                raise ZeroDivisionError


BESIDE = (cancel, close_from_beside, time_out)
LEAVES = [leave_loop, close_inside, close_after, cancel, close_from_beside, time_out, raise_inside]


async def read(stream: AsyncToolStream) -> None:
    async for _ in stream:
        pass


def left(
    there: Gateway,
    leave: Leave,
    check: Callable[[AsyncToolStream], None] = lambda stream: None,
    **given: Any,
) -> None:
    """A conversation that somebody leaves; nothing of it goes on."""

    async def conversation() -> None:
        async with client_of(there) as client:
            stream = loop_of(client, **given)
            await leave(stream)
            gc.collect()
            for _ in range(20):
                await asyncio.sleep(0.005)
                if there.left.is_set() or not there.requests:
                    break
            await asyncio.sleep(0.01)
            check(stream)
        await no_task()

    asyncio.run(conversation())
    gc.collect()


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("leave", LEAVES)
def test_leaving_while_the_model_speaks_closes_the_connection(
    opened: Open, api: str, leave: Leave
) -> None:
    there = opened(endless(api))

    def check(stream: AsyncToolStream) -> None:
        assert stream.partial is not None
        assert stream.partial.text.startswith("la ")
        with pytest.raises(errors.KitError):
            _ = stream.answer

    left(there, leave, check, api=api, tools=[clock])
    until(there.left.is_set)


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("leave", LEAVES)
def test_leaving_while_the_model_speaks_again_keeps_the_calls(
    opened: Open, api: str, leave: Leave
) -> None:
    there = opened(*replies([[call("clock")], endless(api)], api))

    async def later(stream: AsyncToolStream) -> None:
        """Leave in the second turn."""
        if leave in BESIDE:
            await leave(stream, lambda: len(there.requests) == 2)  # type: ignore[call-arg]
            return
        async for one in stream:
            if isinstance(one, TurnBegan) and one.number == 2:
                break
        await stream.aclose()

    def check(stream: AsyncToolStream) -> None:
        assert stream.partial is not None
        assert [one.output for one in stream.partial.tool_calls] == ["12:00"]

    left(there, later, check, api=api, tools=[clock])


@pytest.mark.parametrize("leave", LEAVES)
def test_leaving_while_a_function_runs_ends_it(opened: Open, leave: Leave) -> None:
    there = opened(*replies([[call("wait"), call("wait", "{ }", call_id="b")]], "responses"))
    waiting = Waiting()

    async def while_at_work(stream: AsyncToolStream) -> None:
        if leave in BESIDE:
            await leave(stream, lambda: waiting.began == 2)  # type: ignore[call-arg]
            return
        seen = 0
        async for one in stream:
            seen += isinstance(one, CallBegan)
            if seen == 2:
                await reached(lambda: waiting.began == 2)
                break
        await stream.aclose()

    def check(stream: AsyncToolStream) -> None:
        assert waiting.ended == ["cancelled"] * 2
        assert stream.partial is not None
        assert len(stream.partial.tool_calls) == 2

    left(there, while_at_work, check, tools=[waiting.wait])
    assert len(there.requests) == 1


@pytest.mark.parametrize("api", APIS)
def test_closing_from_beside_before_the_gateway_answers_runs_nothing(
    opened: Open, api: str
) -> None:
    """The answer that comes all the same is not listened to."""
    [first] = replies([[text("la "), call("note")]], api)
    assert isinstance(first, list)
    there = opened([3.0, *first], *replies([[text("x")]], api))
    ran: list[str] = []

    def note() -> str:
        """Note."""
        ran.append("note")
        return ""

    async def close(stream: AsyncToolStream) -> None:
        happened: list[Any] = []

        async def listen() -> None:
            async for one in stream:
                happened.append(one)

        reading = asyncio.ensure_future(listen())
        await reached(lambda: there.requests)
        await stream.aclose()
        await asyncio.wait([reading], timeout=300)
        assert reading.done()
        assert isinstance(reading.exception(), errors.StreamInterrupted | None)
        assert happened == [TurnBegan(1)]

    left(there, close, api=api, tools=[note])
    assert (ran, len(there.requests)) == ([], 1)


def test_leaving_while_a_plain_function_runs_lets_it_end_unheard(opened: Open) -> None:
    """A thread cannot be stopped; what it gives is nobody's."""
    there = opened(*replies([[call("sleep")], [text("x")]], "responses"))
    began, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def sleep() -> str:
        """Sleep."""
        began.set()
        may_end.wait(300)
        ended.set()
        return ""

    async def leave(stream: AsyncToolStream) -> None:
        await cancel(stream, began.is_set)

    left(there, leave, lambda stream: may_end.set(), tools=[sleep])
    assert ended.wait(300)
    assert len(there.requests) == 1


def test_closing_from_beside_while_a_plain_function_runs(opened: Open) -> None:
    there = opened(*replies([[call("sleep")], [text("x")]], "responses"))

    began, may_end = threading.Event(), threading.Event()

    def sleep() -> str:
        """Sleep."""
        began.set()
        may_end.wait(300)
        return ""

    async def let_it_end() -> None:
        """Closing waits for it."""
        await reached(began.is_set)
        await asyncio.sleep(0.3)
        may_end.set()

    async def leave(stream: AsyncToolStream) -> None:
        ending = asyncio.ensure_future(let_it_end())
        await close_from_beside(stream, began.is_set)
        await ending

    left(there, leave, tools=[sleep])
    assert len(there.requests) == 1


def test_a_stream_that_was_closed_before_it_began_sends_nothing(opened: Open) -> None:
    there = opened(*replies([[text("x")]], "responses"))

    async def close(stream: AsyncToolStream) -> None:
        await stream.aclose()
        await read(stream)
        assert stream.partial is None

    left(there, close, tools=[clock])
    client = client_of(there)
    with ToolStream(loop_of(client, tools=[clock])) as stream:
        pass
    assert list(stream) == []
    assert stream.poll(0) is None
    blocking.run(client.aclose)
    assert there.requests == []


def test_a_stream_that_is_never_read_sends_nothing_and_leaves_nothing(opened: Open) -> None:
    there = opened(*replies([[text("x")]], "responses"))

    async def forget(stream: AsyncToolStream) -> None:
        stream.batches()

    left(there, forget, tools=[clock])
    assert there.requests == []


@pytest.mark.parametrize("api", APIS)
def test_a_stream_that_was_read_gives_nothing_more(opened: Open, api: str) -> None:
    there = opened(*replies([[call("clock")], [text("Noon.")]], api))

    async def twice(stream: AsyncToolStream) -> None:
        await read(stream)
        assert [one async for one in stream] == []
        assert stream.answer.text == "Noon."
        await stream.aclose()
        assert stream.partial is stream.answer

    left(there, twice, api=api, tools=[clock])
    assert len(there.requests) == 2


def test_a_failure_is_raised_once_and_again_by_the_answer(opened: Open) -> None:
    there = opened(*replies([[call("clock")], [STREAM_HEAD]], "responses"))

    async def twice(stream: AsyncToolStream) -> None:
        with pytest.raises(errors.StreamInterrupted) as caught:
            await read(stream)
        assert [one async for one in stream] == []
        with pytest.raises(errors.StreamInterrupted) as again:
            _ = stream.answer
        assert again.value is caught.value

    left(there, twice, tools=[clock])


def test_there_is_no_answer_before_the_end(opened: Open) -> None:
    there = opened(*replies([[call("clock")], [text("Noon.")]], "responses"))

    async def look(stream: AsyncToolStream) -> None:
        assert stream.partial is None
        assert stream.text == ""
        async for one in stream:
            if isinstance(one, CallEnded):
                with pytest.raises(errors.InputError, match="has not ended"):
                    _ = stream.answer
                assert stream.partial is not None
                assert [one.output for one in stream.partial.tool_calls] == ["12:00"]
        assert stream.text == "Noon."
        assert stream.answer.text == "Noon."

    left(there, look, tools=[clock])


# -- blocking ----------------------------------------------------------------------------------


def client_and_stream(there: Gateway, **given: Any) -> tuple[AsyncClient, ToolStream]:
    client = client_of(there)
    return client, ToolStream(loop_of(client, **given))


def break_loop(stream: ToolStream) -> None:
    for one in stream:
        if not isinstance(one, TurnBegan):
            break


def leave_block(stream: ToolStream) -> None:
    with stream:
        break_loop(stream)


def close(stream: ToolStream) -> None:
    while not any(not isinstance(one, TurnBegan) for one in stream.poll(1) or ()):
        pass
    stream.close()
    stream.close()


def raise_in_loop(stream: ToolStream) -> None:
    with pytest.raises(ZeroDivisionError), stream:
        for one in stream:
            if not isinstance(one, TurnBegan):
                raise ZeroDivisionError


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("leave", [break_loop, leave_block, close, raise_in_loop])
def test_leaving_a_blocking_stream_closes_the_connection(
    opened: Open, api: str, leave: Callable[[ToolStream], None]
) -> None:
    there = opened(endless(api))
    client, stream = client_and_stream(there, api=api, tools=[clock])
    leave(stream)
    gc.collect()
    until(there.left.is_set)
    assert stream.partial is not None
    assert stream.partial.text.startswith("la ")
    assert stream.poll(0) is None
    blocking.run(client.aclose)
    blocking.run(no_task)


def test_leaving_a_blocking_stream_ends_the_functions_that_run(opened: Open) -> None:
    there = opened(*replies([[call("wait")]], "responses"))
    waiting = Waiting()
    client, stream = client_and_stream(there, tools=[waiting.wait])
    for one in stream:
        if isinstance(one, CallBegan):
            until(lambda: waiting.began)
            break
    until(lambda: waiting.ended == ["cancelled"])
    blocking.run(client.aclose)
    blocking.run(no_task)
    assert len(there.requests) == 1


def test_a_blocking_stream_can_be_polled(opened: Open) -> None:
    there = opened(*replies([[call("wait")], [text("x")]], "responses"))

    batches: list[Any] = []

    async def wait() -> str:
        """Wait until somebody has looked in vain."""
        while [] not in batches:
            await asyncio.sleep(0.005)
        return ""

    client, stream = client_and_stream(there, tools=[wait])
    while (batch := stream.poll(0.02)) is not None:
        batches.append(batch)
    assert [] in batches
    assert stream.answer.text == "x"
    assert stream.poll(0.02) is None
    blocking.run(client.aclose)
