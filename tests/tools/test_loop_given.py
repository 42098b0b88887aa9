"""What may be given as tools, and the methods of the clients that take them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

import kit
from kit import errors
from kit.connect import AsyncClient, Client
from kit.connect_tools import tool_stream
from kit.settings import load
from kit.tools import forget, registered, tool, tool_of
from kit.tools.limits import Limits
from kit.tools.stream import AsyncToolStream, ToolStream
from tests.gateway.gateways import KEY
from tests.tools.conftest import Open
from tests.tools.loops import APIS, call, replies, text

pytestmark = pytest.mark.once

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture(autouse=True)
def no_tools() -> Iterator[None]:
    def empty() -> None:
        for one in registered():
            forget(one.name)

    empty()
    yield
    empty()


def clock() -> str:
    """The time."""
    return "12:00"


def weather(city: str) -> str:
    """The weather of a city."""
    return f"{city}: fine"


class Place:
    def __init__(self, name: str) -> None:
        self.name = name

    def here(self) -> str:
        """The name of the place."""
        return self.name


def names_sent(opened: Open, tools: Any, **given: Any) -> list[str]:
    """The names, or types, of the tools that one request offers."""
    there = opened(*replies([[text("Hi.")]], "responses"))
    with Client(there.url, KEY, "m") as client:
        client.run_tools("hi", tools=tools, **given)
    offered = there.requests[0].body.get("tools") or []
    return [one.get("name") or one["type"] for one in offered]


# -- what is a tool ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tools", "names"),
    [
        ([clock], ["clock"]),
        (clock, ["clock"]),
        ((clock, weather), ["clock", "weather"]),
        ({clock: 1}.keys(), ["clock"]),
        (iter([clock, weather]), ["clock", "weather"]),
        (tool_of(clock), ["clock"]),
        ([tool_of(clock), weather], ["clock", "weather"]),
        ([Place("Seoul").here], ["here"]),
        ([{"type": "web_search"}], ["web_search"]),
        ({"type": "web_search"}, ["web_search"]),
        ([clock, {"type": "mcp", "server_label": "papers"}], ["clock", "mcp"]),
        (["deep_research"], ["deep_research"]),
        ("deep_research", ["deep_research"]),
        ([clock, "deep_research"], ["clock", "deep_research"]),
        ([], []),
        ((), []),
        (None, ["deep_research"]),
    ],
)
def test_functions_names_and_hosted_tools_are_tools(
    opened: Open, tools: Any, names: list[str]
) -> None:
    assert names_sent(opened, tools) == names


def test_a_registered_name_is_a_tool(opened: Open) -> None:
    tool(clock)
    assert names_sent(opened, ["clock"]) == ["clock"]
    assert names_sent(opened, "clock") == ["clock"]


def test_with_none_named_all_that_are_registered_are_offered(opened: Open) -> None:
    tool(clock)
    tool(weather)
    assert sorted(names_sent(opened, None)) == ["clock", "deep_research", "weather"]
    assert names_sent(opened, []) == []


@pytest.mark.parametrize(
    ("tools", "says"),
    [
        (["wether"], "There is no tool `wether`"),
        ([7], "A tool is a typed function"),
        (7, "A tool is a typed function"),
        (True, "A tool is a typed function"),
        ([None], "A tool is a typed function"),
        ([lambda: 1], "lambda"),
        ([Place], "is a class"),
        ([clock, clock], "Two tools have one name: clock"),
        (["deep_research", "deep_research"], "Two tools have one name: deep_research"),
        ([{"type": "function", "name": "f"}], "needs the function itself"),
        ([{"type": "function", "function": {"name": "f"}}], "needs the function itself"),
    ],
)
def test_what_is_no_tool_is_refused_before_anything_is_sent(
    opened: Open, tools: Any, says: str
) -> None:
    there = opened(*replies([[text("Hi.")]], "responses"))
    with Client(there.url, KEY, "m") as client, pytest.raises(errors.InputError) as caught:
        client.stream_tools("hi", tools=tools)
    assert says in str(caught.value)
    assert there.requests == []


def test_what_compares_oddly_is_no_tool_either(opened: Open) -> None:
    import pandas

    there = opened(*replies([[text("Hi.")]], "responses"))
    with Client(there.url, KEY, "m") as client, pytest.raises(errors.InputError):
        client.stream_tools("hi", tools=[pandas.DataFrame({"a": [1, 2]})])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"approve": "yes"}, "`approve` is"),
        ({"approve": True}, "`approve` is"),
        ({"budget": 0}, "`budget` is"),
        ({"budget": "2"}, "`budget` is"),
        ({"prompt": " "}, "empty"),
    ],
)
def test_what_is_wrong_is_refused_at_once(opened: Open, given: Any, says: str) -> None:
    there = opened(*replies([[text("Hi.")]], "responses"))
    with Client(there.url, KEY, "m") as client, pytest.raises(errors.InputError) as caught:
        client.stream_tools(**{"prompt": "hi", "tools": [clock], **given})
    assert says in str(caught.value)


def test_an_api_that_is_none_is_refused(opened: Open) -> None:
    there = opened(*replies([[text("Hi.")]], "responses"))
    with Client(there.url, KEY, "m") as client, pytest.raises(errors.InputError, match="api is"):
        client.run_tools("hi", tools=[clock], api="completions")  # type: ignore[arg-type]


def test_a_budget_is_one_of_the_limits(opened: Open) -> None:
    there = opened(*replies([[text("Hi.")]], "responses"))
    with Client(there.url, KEY, "m") as client:
        stream = tool_stream(
            client.inner, load(), "hi", options={"tools": [clock]}, limits=Limits(calls=3), budget=2
        )
    assert stream.loop._terms.limits == Limits(calls=3, budget=2)


# -- the methods -------------------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS)
def test_every_face_gives_the_same_answer(opened: Open, api: Any) -> None:
    turns = [[call("clock")], [text("Noon.")]]
    there = [opened(*replies(turns, api)) for _ in range(4)]
    found: list[tuple[str, int]] = []

    with Client(there[0].url, KEY, "m") as client:
        answer = client.run_tools("hi", tools=[clock], api=api)
        found.append((answer.text, len(answer.tool_calls)))
    with Client(there[1].url, KEY, "m") as client:
        with client.stream_tools("hi", tools=[clock], api=api) as stream:
            assert isinstance(stream, ToolStream)
            for _ in stream:
                pass
        found.append((stream.answer.text, len(stream.answer.tool_calls)))

    async def both() -> None:
        async with AsyncClient(there[2].url, KEY, "m") as client:
            answer = await client.run_tools("hi", tools=[clock], api=api)
            found.append((answer.text, len(answer.tool_calls)))
        async with AsyncClient(there[3].url, KEY, "m") as client:
            stream = client.stream_tools("hi", tools=[clock], api=api)
            assert isinstance(stream, AsyncToolStream)
            async for _ in stream:
                pass
            found.append((stream.answer.text, len(stream.answer.tool_calls)))

    asyncio.run(both())
    assert found == [("Noon.", 1)] * 4


@pytest.mark.parametrize(
    "method",
    [Client.run_tools, Client.stream_tools, AsyncClient.run_tools, AsyncClient.stream_tools],
)
def test_help_shows_the_options_by_name(method: Any) -> None:
    parameters = inspect.signature(method).parameters
    assert {"prompt", "approve", "limits", "budget", "tools", "system"} <= set(parameters)
    assert not any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    assert inspect.getdoc(method)


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_methods_are_called_by_their_own_names(client: Any) -> None:
    for name in ("run_tools", "stream_tools"):
        method = getattr(client, name)
        assert method.__name__ == name
        assert method.__qualname__.endswith(f".{name}")
    assert inspect.iscoroutinefunction(AsyncClient.run_tools)
    assert not inspect.iscoroutinefunction(Client.run_tools)


def test_it_works_inside_a_running_loop(opened: Open) -> None:
    """A notebook's cell is inside one."""
    there = opened(*replies([[call("clock")], [text("Noon.")]], "responses"))

    async def cell() -> str:
        with Client(there.url, KEY, "m") as client:
            return client.run_tools("hi", tools=[clock]).text

    assert asyncio.run(cell()) == "Noon."


def test_the_happenings_are_public_by_name() -> None:
    for name in ("TurnBegan", "CallBegan", "CallTold", "CallEnded", "LimitReached"):
        assert getattr(kit.tools, name).__name__ == name
        assert name in kit.tools.__all__
    with pytest.raises(AttributeError):
        _ = kit.tools.Errand  # type: ignore[attr-defined]
