"""Where a function runs: a plain one in the caller's own thread, an async one beside others."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import sqlite3
import sys
import threading
import time
from typing import Any

import pytest

from kit import blocking, errors
from kit.gateway.events import TextDelta
from kit.tools.happenings import CallBegan, CallEnded, Errand
from kit.tools.stream import ToolStream
from tests.tools.conftest import Open
from tests.tools.loops import (
    APIS,
    FACES,
    Turn,
    call,
    client_of,
    error_in,
    loop_of,
    no_task,
    play,
    replies,
    text,
)
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("nothing_left")

WHO = contextvars.ContextVar("WHO", default="nobody")


def thread() -> str:
    """The thread."""
    return threading.current_thread().name


def clock() -> str:
    """The time."""
    return "12:00"


# -- plain functions ---------------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS)
def test_a_plain_function_runs_in_the_thread_that_reads(opened: Open, api: str) -> None:
    played = play(opened, [call("thread")], [text("x")], api=api, tools=[thread])
    assert played.told == [threading.current_thread().name]
    found: list[list[str]] = []
    other = threading.Thread(
        target=lambda: found.append(
            play(opened, [call("thread")], [text("x")], tools=[thread]).told
        ),
        name="other",
    )
    other.start()
    other.join(60)
    assert found == [["other"]]


def test_a_plain_function_may_hold_what_belongs_to_its_thread(opened: Open) -> None:
    """A connection of sqlite3 refuses every thread but the one that opened it."""
    database = sqlite3.connect(":memory:")
    database.execute("create table city (name text)")

    def count() -> int:
        """Count cities."""
        database.execute("insert into city values ('Seoul')")
        return database.execute("select count(*) from city").fetchone()[0]

    try:
        played = play(
            opened, [call("count"), call("count", "{ }", call_id="b")], [text("x")], tools=[count]
        )
    finally:
        database.close()
    assert played.told == ["1", "2"]


def test_plain_functions_run_one_after_the_other_in_the_order_of_the_calls(opened: Open) -> None:
    ran: list[str] = []

    def note(what: str) -> str:
        """Note."""
        ran.append(f"{what} begins")
        time.sleep(0.01)
        ran.append(f"{what} ends")
        return what

    made = [call("note", what=what, call_id=what) for what in "abc"]
    play(opened, made, [text("x")], tools=[note])
    assert ran == [f"{what} {how}" for what in "abc" for how in ("begins", "ends")]


def test_asynchronous_code_goes_on_while_a_plain_function_runs(opened: Open) -> None:
    there = opened(*replies([[call("sleep")], [text("x")]], "responses"))
    ticks, ran = list[None](), list[int]()

    def sleep() -> str:
        """Sleep."""
        began = len(ticks)
        until(lambda: len(ticks) > began + 3)
        ran.append(len(ticks) - began)
        return threading.current_thread().name

    async def tick() -> None:
        while True:
            ticks.append(None)
            await asyncio.sleep(0.01)

    async def conversation() -> str:
        ticking = asyncio.ensure_future(tick())
        async with client_of(there) as client:
            stream = loop_of(client, tools=[sleep])
            async for _ in stream:
                pass
        ticking.cancel()
        return stream.answer.tool_calls[0].output

    assert asyncio.run(conversation()) != threading.current_thread().name
    assert ran[0] > 3


@pytest.mark.parametrize("face", FACES)
def test_the_callers_context_holds_in_every_function(opened: Open, face: str) -> None:
    def plainly() -> str:
        """Who."""
        return WHO.get()

    async def later() -> str:
        """Who."""
        return WHO.get()

    token = WHO.set("Ada")
    try:
        played = play(
            opened,
            [call("plainly"), call("later", call_id="b")],
            [text("x")],
            face=face,
            tools=[plainly, later],
        )
    finally:
        WHO.reset(token)
    assert played.told == ["Ada", "Ada"]


def test_a_plain_function_may_ask_another_model(opened: Open) -> None:
    """A blocking call inside a function of a blocking conversation does not wait for itself."""

    def ask() -> str:
        """Ask."""
        inner = play(opened, [call("clock")], [text("42")], tools=[clock])
        assert inner.answer is not None
        return inner.answer.text

    played = play(opened, [call("ask")], [text("x")], tools=[ask])
    assert played.told == ["42"]


def test_an_async_function_may_make_a_blocking_call(opened: Open) -> None:
    """It blocks a thread of the functions', and not the one that the call goes over."""

    async def ask() -> str:
        """Ask."""
        return blocking.run(asyncio.sleep, 0, "42")

    played = play(opened, [call("ask")], [text("x")], tools=[ask])
    assert played.told == ["42"]


# -- async functions ---------------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("face", FACES)
def test_async_functions_run_at_the_same_time(opened: Open, api: str, face: str) -> None:
    """Each waits for the others: one after the other they would never end."""
    together: list[Any] = []

    async def meet(name: str) -> str:
        """Meet."""
        if not together:
            together.append(asyncio.Barrier(3))
        async with asyncio.timeout(60):
            await together[0].wait()
        return name

    made = [call("meet", name=name, call_id=name) for name in "abc"]
    played = play(opened, made, [text("x")], api=api, face=face, tools=[meet])
    assert played.told == ["a", "b", "c"]


@pytest.mark.parametrize("face", FACES)
def test_async_functions_go_on_while_a_plain_one_runs(opened: Open, face: str) -> None:
    heard = threading.Event()

    async def later() -> str:
        """Wait."""
        await asyncio.sleep(0.05)
        heard.set()
        return "heard"

    def waits() -> str:
        """Wait."""
        return f"heard: {heard.wait(300)}"

    played = play(
        opened,
        [call("waits"), call("later", call_id="b")],
        [text("x")],
        face=face,
        tools=[waits, later],
    )
    assert played.told == ["heard: True", "heard"]


# -- a stop ------------------------------------------------------------------------------------


def stopped(opened: Open, tools: list[Any], *turns: Any, **given: Any) -> tuple[Any, ToolStream]:
    """A blocking conversation that raises KeyboardInterrupt: what had happened, and the stream."""
    there = opened(*replies(turns, "responses"))
    client = client_of(there)
    stream = ToolStream(loop_of(client, tools=tools, **given))
    happened: list[Any] = []
    try:
        with pytest.raises(KeyboardInterrupt):
            for one in stream:
                happened.append(one)
    finally:
        blocking.run(client.aclose)
    until(lambda: blocking.run(quiet))
    assert len(there.requests) == 1
    return happened, stream


async def quiet() -> bool:
    """Whether nothing goes on any more on the I/O thread."""
    try:
        await no_task()
    except AssertionError:
        return False
    return True


def test_a_stop_inside_a_plain_function_ends_the_conversation(opened: Open) -> None:
    ended: list[str] = []

    async def other() -> str:
        """Wait."""
        try:
            await asyncio.sleep(1_000)
        finally:
            ended.append("other")
        return ""

    def stop() -> str:
        """Stop."""
        time.sleep(0.05)
        raise KeyboardInterrupt

    made = [call("clock"), call("other", call_id="b"), call("stop", call_id="c")]
    _, stream = stopped(opened, [clock, other, stop], made, [text("x")])
    assert ended == ["other"]
    partial = stream.partial
    assert partial is not None
    assert [one.output for one in partial.tool_calls] == ["12:00", "", ""]
    assert stream.poll(0) is None


@pytest.mark.parametrize("kind", [KeyboardInterrupt, errors.Interrupted])
def test_any_stop_is_one(opened: Open, kind: type[BaseException]) -> None:
    def stop() -> str:
        """Stop."""
        raise kind("stop")

    stopped(opened, [stop], [call("stop")])


@pytest.mark.parametrize("kind", [KeyboardInterrupt, errors.Interrupted])
def test_a_stop_inside_a_plain_function_ends_asynchronous_code_too(
    opened: Open, kind: type[BaseException]
) -> None:
    def stop() -> str:
        """Stop."""
        raise kind("stop")

    played = play(opened, [call("stop")], [text("x")], face="async", tools=[stop])
    assert isinstance(played.error, KeyboardInterrupt)
    assert len(played.bodies) == 1


def test_a_stop_inside_an_async_function_ends_the_conversation(opened: Open) -> None:
    async def stop() -> str:
        """Stop."""
        raise errors.Interrupted("stop")

    stopped(opened, [stop], [call("stop")])


def test_a_signal_while_a_plain_function_runs_ends_it(opened: Open) -> None:
    def sleep() -> str:
        """Sleep."""
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        time.sleep(1_000)
        return ""

    stopped(opened, [sleep], [call("sleep")])


def test_a_signal_while_an_async_function_runs_ends_it(opened: Open) -> None:
    ended: list[str] = []

    async def sleep() -> str:
        """Sleep."""
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            await asyncio.sleep(1_000)
        finally:
            ended.append("sleep")
        return ""

    stopped(opened, [sleep], [call("sleep")])
    assert ended == ["sleep"]


def test_a_signal_while_the_model_speaks_closes_the_connection(opened: Open) -> None:
    turn = Turn([text("Hel")], pause=1_000.0)
    there = opened(*replies([turn], "responses"))
    client = client_of(there)
    stream = ToolStream(loop_of(client, tools=[clock]))
    with pytest.raises(KeyboardInterrupt):
        for one in stream:
            if isinstance(one, TextDelta):
                threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    until(there.left.is_set)
    assert stream.partial is not None
    assert stream.partial.text == "Hel"
    blocking.run(client.aclose)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (2, "The function called sys.exit(2) and returned nothing."),
        (0, "The function called sys.exit(0) and returned nothing."),
        (None, "The function called sys.exit() and returned nothing."),
        ("no such region", "no such region"),
    ],
)
@pytest.mark.parametrize("face", FACES)
def test_a_function_that_exits_has_failed_and_the_conversation_goes_on(
    opened: Open, face: str, code: Any, said: str
) -> None:
    """A command line inside of a function exits where other code raises."""

    def leave() -> str:
        """Leave."""
        sys.exit(code)

    async def leave_later() -> str:
        """Leave."""
        await asyncio.sleep(0)
        sys.exit(code)

    def hand_out() -> Any:
        """Leave."""
        return leave_later()

    tools = [leave, leave_later, hand_out]
    made = [call(one.__name__, call_id=one.__name__) for one in tools]
    played = play(opened, made, [text("x")], face=face, tools=tools)
    assert [error_in(one) for one in played.told] == [("SystemExit", said)] * 3
    assert [one.error for one in played.calls] == ["SystemExit"] * 3


# -- errands -----------------------------------------------------------------------------------


def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    """Whoever asked for it may have left between the asking and the reading."""
    ran: list[str] = []

    async def conversation() -> None:
        errand = Errand(lambda: ran.append("ran"))
        waiting = asyncio.ensure_future(errand.outcome())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        errand.carry_out()

    asyncio.run(conversation())
    assert ran == []


@pytest.mark.parametrize("asks", [False, True])
def test_that_a_call_began_is_heard_before_anything_of_it_is_done(opened: Open, asks: bool) -> None:
    """A card would otherwise appear when it is over, or when its question is answered."""
    there = opened(*replies([[call("look")], [text("x")]], "responses"))
    client, heard = client_of(there), list[str]()
    seen: list[list[str]] = []

    def look() -> str:
        """Look."""
        seen.append([*heard])
        return ""

    def approve(call: Any) -> bool:
        seen.append([*heard])
        return True

    with ToolStream(loop_of(client, tools=[look], approve=approve if asks else None)) as stream:
        while (batch := stream.poll(5)) is not None:
            heard += [type(one).__name__ for one in batch if isinstance(one, CallBegan | CallEnded)]
    blocking.run(client.aclose)
    assert seen == [["CallBegan"]] * (1 + asks)
    assert heard == ["CallBegan", "CallEnded"]


def test_nothing_is_run_after_the_stream_was_closed(opened: Open) -> None:
    there = opened(*replies([[call("note"), call("note", '{ "n": 2 }', call_id="b")]], "responses"))
    client, ran = client_of(there), list[int]()

    def note(n: int = 1) -> str:
        """Note."""
        ran.append(n)
        stream.close()
        return ""

    with ToolStream(loop_of(client, tools=[note])) as stream:
        for _ in stream:
            pass
    blocking.run(client.aclose)
    assert ran == [1]
    with pytest.raises(errors.InputError, match="has not ended"):
        _ = stream.answer
