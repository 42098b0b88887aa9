"""Whether a call had begun: what a stop may have let take effect, and what it cannot have."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kit import blocking
from kit.tools.happenings import CallStarted, Errand
from kit.tools.stream import ToolStream
from tests.tools.conftest import Open
from tests.tools.loops import FACES, call, client_of, loop_of, no_task, play, replies, text
from tests.waiting import until

TWO = [call("stop"), call("mail", call_id="b")]


def stop() -> str:
    """Stop."""
    raise KeyboardInterrupt


async def stop_later() -> str:
    """Stop."""
    await asyncio.sleep(0)
    raise KeyboardInterrupt


def mail() -> str:
    """Mail."""
    return "sent"


def stop_instead(asked: Any) -> bool:
    raise KeyboardInterrupt


def stopped(opened: Open, tools: list[Any], *made: Any, **given: Any) -> list[tuple[str, bool]]:
    """The calls of a conversation that was stopped, each with whether it had begun."""
    there = opened(*replies([[*made], [text("x")]], "responses"))
    client = client_of(there)
    stream = ToolStream(loop_of(client, tools=tools, **given))
    try:
        with pytest.raises(KeyboardInterrupt):
            for _ in stream:
                pass
    finally:
        blocking.run(client.aclose)
    until(lambda: blocking.run(quiet))
    assert stream.partial is not None
    return [(one.name, one.started) for one in stream.partial.tool_calls]


async def quiet() -> bool:
    try:
        await no_task()
    except AssertionError:
        return False
    return True


def test_of_functions_in_a_row_the_first_has_begun_and_the_next_has_not(opened: Open) -> None:
    assert stopped(opened, [stop, mail], *TWO) == [("stop", True), ("mail", False)]


def test_an_async_function_has_begun(opened: Open) -> None:
    assert stopped(opened, [stop_later], call("stop_later")) == [("stop_later", True)]


def test_while_somebody_is_asked_nothing_has_begun(opened: Open) -> None:
    begun = stopped(opened, [mail], call("mail"), call("mail", call_id="b"), approve=stop_instead)
    assert begun == [("mail", False)] * 2


@pytest.mark.parametrize("face", FACES)
def test_what_ran_has_begun_and_what_was_refused_has_not(opened: Open, face: str) -> None:
    made = [call("mail"), call("unheard_of", call_id="b")]
    played = play(opened, made, [text("x")], face=face, tools=[mail])
    assert [(one.name, one.started) for one in played.calls] == [
        ("mail", True),
        ("unheard_of", False),
    ]
    told = [one.call for one in played.happenings if isinstance(one, CallStarted)]
    assert [(one.name, one.started) for one in told] == [("mail", True)]


def test_that_a_function_starts_is_heard_before_it_does_anything(opened: Open) -> None:
    there = opened(*replies([[call("look"), call("look", call_id="b")], [text("x")]], "responses"))
    client, heard, seen = client_of(there), list[str](), list[list[str]]()

    def look(n: int = 1) -> str:
        """Look."""
        seen.append([*heard])
        return ""

    with ToolStream(loop_of(client, tools=[look])) as stream:
        while (batch := stream.poll(5)) is not None:
            heard += [one.call.call_id for one in batch if isinstance(one, CallStarted)]
    blocking.run(client.aclose)
    assert seen[0] == heard[:1] and seen[1:] in ([], [heard])


def test_an_errand_that_begins_is_noted_before_it_is_carried_out() -> None:
    """So whoever asks in between, from another thread, is told of too much and never of too
    little."""
    noted: list[str] = []

    async def conversation() -> None:
        errand = Errand(lambda: noted.append("done"), begins=lambda: noted.append("begun"))
        errand.carry_out()
        await errand.outcome()

    asyncio.run(conversation())
    assert noted == ["begun", "done"]
