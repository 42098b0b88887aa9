"""Decorated functions are registered by name, in order, and stay what they were."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import kit.tools
from kit import errors
from kit.tools import forget, registered, tool, tool_of


@pytest.fixture(autouse=True)
def no_tools() -> Iterator[None]:
    def empty() -> None:
        for one in registered():
            forget(one.name)

    empty()
    yield
    empty()


def weather() -> Callable[..., Any]:
    def weather(city: str) -> str:
        """The weather of a city."""
        return f"{city}: fine"

    return weather


def names() -> list[str]:
    return [one.name for one in registered()]


def test_the_function_stays_itself() -> None:
    function = weather()
    assert tool(function) is function
    assert function("Seoul") == "Seoul: fine"
    assert vars(function) == {}


def test_a_decorated_function_is_found_by_itself_and_by_its_name() -> None:
    function = tool(weather())
    assert tool_of(function) is tool_of("weather") is registered()[0]
    assert kit.tools.registered() == registered()


def test_a_plain_function_is_a_tool_that_is_not_registered() -> None:
    assert tool_of(weather()).name == "weather"
    assert registered() == ()


def test_a_name_and_a_description_can_be_given() -> None:
    @tool(name="wetter", description="Das Wetter.")
    def weather(city: str) -> None: ...

    assert (tool_of("wetter").description, tool_of(weather).name) == ("Das Wetter.", "wetter")


def test_a_cell_that_is_run_again_replaces_its_tool() -> None:
    first = tool(weather())
    tool(name="other")(weather())
    second = tool(weather())
    assert names() == ["weather", "other"]
    assert tool_of("weather").function is second
    assert tool_of(first).function is first


def test_what_was_said_of_a_function_outlives_its_registration() -> None:
    """A list of tools is older than the cell that was run again."""
    first = tool(name="wetter", description="Das Wetter.")(weather())
    tool(name="wetter")(weather())
    assert tool_of(first).name == "wetter"
    assert tool_of(first).description == "Das Wetter."
    assert tool_of(first).function is first


def test_a_forgotten_tool_is_gone() -> None:
    tool(weather())
    forget("weather")
    assert registered() == ()
    with pytest.raises(errors.InputError, match=r"Put @kit\.tool above"):
        tool_of("weather")
    with pytest.raises(errors.InputError, match="There is no tool `weather`"):
        forget("weather")


def test_an_unknown_name_meets_the_nearest() -> None:
    tool(weather())
    tool(name="search")(weather())
    with pytest.raises(errors.InputError) as caught:
        tool_of("wether")
    assert str(caught.value) == (
        "There is no tool `wether`. Did you mean `weather`? Registered are: weather, search."
    )


def test_a_long_list_of_names_is_cut() -> None:
    for number in range(30):
        tool(name=f"tool_{number:02}")(weather())
    with pytest.raises(errors.InputError) as caught:
        tool_of("x" * 100_000 + "\n")
    assert "tool_19 and 10 more." in str(caught.value)
    assert len(str(caught.value)) < 400


class Shelf:
    def find(self, word: str) -> str:
        """The books with a word in their title."""
        return word

    @tool
    @staticmethod
    def outer(word: str) -> str:
        """The rules."""
        return word

    @staticmethod
    @tool
    def inner(word: str) -> str:
        """The rules."""
        return word


def test_a_bound_method_can_be_registered() -> None:
    shelf = Shelf()
    tool(shelf.find, name="find_book")
    assert tool_of(shelf.find) is tool_of("find_book")
    assert tool_of(Shelf().find).name == "find"


@pytest.mark.parametrize("function", [Shelf.outer, Shelf.inner])
def test_a_static_method_is_its_function(function: Callable[..., Any]) -> None:
    assert tool_of(function).function is function
    assert function("a") == "a"
