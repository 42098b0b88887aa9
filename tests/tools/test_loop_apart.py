"""An async function that blocks its thread holds up nobody else, and its limit and a stop hold.

The functions here wait for `free`, as `time.sleep` and `requests` do: no cancellation reaches them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from kit import blocking
from kit.gateway.client import AsyncClient
from kit.tools.limits import Limits
from kit.tools.stream import ToolStream
from tests.tools.conftest import Open
from tests.tools.loops import call, client_of, error_in, loop_of, play, replies, text
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("nothing_left")

TOO_LONG = "The function took too long. It could not be stopped, and may still do its work."
SHORT = Limits(call_seconds=0.05)
HANGS = 300.0
"""Seconds after which a function that was never let go ends: a hang, and a failure."""


class Stuck:
    """A function that blocks: where it runs, and whether it has ended."""

    def __init__(self) -> None:
        self.began, self.free, self.ended = (threading.Event() for _ in range(3))
        self.thread: threading.Thread | None = None

    async def block(self) -> str:
        """Block."""
        self.thread = threading.current_thread()
        self.began.set()
        self.free.wait(HANGS)
        self.ended.set()
        return "free"


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    """Its thread ends as soon as it is let go."""
    made = Stuck()
    yield made
    made.free.set()
    if made.thread is not None:
        until(made.ended.is_set)


def conversation(opened: Open, *turns: Any, **given: Any) -> tuple[AsyncClient, ToolStream]:
    client = client_of(opened(*replies(turns, "responses")))
    return client, ToolStream(loop_of(client, **given))


def thread_of_the_next(opened: Open) -> threading.Thread:
    """Where an async function of another conversation runs, which has ended since."""
    threads: list[threading.Thread] = []

    async def note() -> None:
        """Note."""
        threads.append(threading.current_thread())

    client, stream = conversation(opened, [call("note")], [text("x")], tools=[note])
    assert [*stream]
    blocking.run(client.aclose)
    [thread] = threads
    return thread


def test_other_calls_of_the_toolkit_go_on(opened: Open, stuck: Stuck) -> None:
    client, stream = conversation(opened, [call("block")], [text("x")], tools=[stuck.block])
    while not stuck.began.is_set():
        stream.poll(0.01)
    assert blocking.run(asyncio.sleep, 0, "still here") == "still here"
    assert not stuck.ended.is_set()
    stuck.free.set()
    assert [*stream]
    assert [one.output for one in stream.answer.tool_calls] == ["free"]
    blocking.run(client.aclose)


def test_its_time_ends_though_it_does_not(opened: Open, stuck: Stuck) -> None:
    played = play(opened, [call("block")], [text("x")], tools=[stuck.block], limits=SHORT)
    assert not stuck.ended.is_set()
    assert error_in(played.told[0]) == ("timed_out", TOO_LONG)
    [made] = played.calls
    assert (made.error, made.note) == ("timed_out", "asked to stop, and may go on")
    assert stuck.thread is not None
    assert thread_of_the_next(opened) is not stuck.thread
    stuck.free.set()
    until(lambda: stuck.thread is not None and not stuck.thread.is_alive())


def test_a_function_that_does_not_want_to_end_is_left_to_itself(opened: Open) -> None:
    free, ended, threads = threading.Event(), threading.Event(), list[threading.Thread]()

    async def stay() -> str:
        """Stay."""
        threads.append(threading.current_thread())
        while not free.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)
        ended.set()
        return ""

    played = play(opened, [call("stay")], [text("x")], tools=[stay], limits=SHORT)
    assert error_in(played.told[0]) == ("timed_out", TOO_LONG)
    assert [thread_of_the_next(opened)] == threads  # it blocks nobody
    free.set()
    until(ended.is_set)


def test_a_function_that_ends_when_asked_is_told_so(opened: Open) -> None:
    async def wait() -> str:
        """Wait."""
        await asyncio.sleep(1_000)
        return ""

    played = play(opened, [call("wait")], [text("x")], tools=[wait], limits=SHORT)
    assert error_in(played.told[0]) == ("timed_out", "The function took too long.")
    assert played.calls[0].note == ""


def test_a_stop_frees_the_cell_and_says_that_it_may_go_on(opened: Open, stuck: Stuck) -> None:
    made = [[call("block")], [text("x")]]
    client, stream = conversation(opened, *made, tools=[stuck.block])
    presses = threading.Thread(
        target=lambda: (stuck.began.wait(HANGS), os.kill(os.getpid(), signal.SIGINT))
    )
    with pytest.raises(KeyboardInterrupt):
        presses.start()
        for _ in stream:
            pass
    assert not stuck.ended.is_set()
    until(lambda: notes(stream) == ["asked to stop, and may go on"])
    blocking.run(client.aclose)
    assert thread_of_the_next(opened) is not stuck.thread
    assert not stuck.ended.is_set()


def notes(stream: ToolStream) -> list[str]:
    return [one.note for one in stream.partial.tool_calls] if stream.partial else []


def test_who_waits_for_a_thread_that_is_blocked_gets_another(opened: Open, stuck: Stuck) -> None:
    client, stream = conversation(opened, [call("block")], [text("x")], tools=[stuck.block])
    while not stuck.began.is_set():
        stream.poll(0.01)
    assert thread_of_the_next(opened) is not stuck.thread
    assert not stuck.ended.is_set()
    stuck.free.set()
    assert [*stream]
    assert stream.answer.tool_calls[0].output == "free"
    blocking.run(client.aclose)


def test_all_conversations_share_a_loop_that_is_not_the_toolkits(opened: Open) -> None:
    """A client that one call opened belongs to its loop, and the next call uses it."""
    loops: list[asyncio.AbstractEventLoop] = []

    async def note() -> None:
        """Note."""
        loops.append(asyncio.get_running_loop())

    for _ in range(2):
        play(opened, [call("note")], [text("x")], tools=[note])
    blocking.run(note)
    first, second, of_the_toolkit = loops
    assert first is second is not of_the_toolkit


def test_a_client_of_the_toolkit_works_in_it(opened: Open) -> None:
    """Also one that other loops have used: each has connections of its own."""
    answers = [[text("one")], [text("two")], [text("three")], [text("four")]]
    client = client_of(opened(*replies(answers, "responses")))

    async def ask() -> str:
        """Ask."""
        stream = client.stream("hi")
        async for _ in stream:
            pass
        return stream.answer.text

    assert blocking.run(ask) == "one"
    made = [[call("ask")], [call("ask", "{ }", call_id="b")]]
    assert play(opened, *made, [text("x")], tools=[ask]).told == ["two", "three"]
    assert blocking.run(ask) == "four"
    blocking.run(client.aclose)


def test_a_blocking_conversation_inside_of_one_does_not_wait_for_itself(opened: Open) -> None:
    async def ask() -> str:
        """Ask."""
        outer = threading.current_thread()
        return f"another thread: {thread_of_the_next(opened) is not outer}"

    played = play(opened, [call("ask")], [text("x")], tools=[ask])
    assert played.told == ["another thread: True"]


def test_an_approval_that_blocks_holds_up_nobody(opened: Open, stuck: Stuck) -> None:
    def look() -> str:
        """Look."""
        return "seen"

    async def approve(_call: Any) -> bool:
        return await stuck.block() == "free"

    client, stream = conversation(
        opened, [call("look")], [text("x")], tools=[look], approve=approve
    )
    while not stuck.began.is_set():
        stream.poll(0.01)
    assert blocking.run(asyncio.sleep, 0, "still here") == "still here"
    stuck.free.set()
    assert [*stream]
    blocking.run(client.aclose)
