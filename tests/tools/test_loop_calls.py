"""What goes wrong in a call is told to the model, as text; the conversation goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import pytest
from pydantic import BaseModel, field_validator

from kit import errors
from tests.tools.conftest import Open
from tests.tools.loops import APIS, FACES, call, error_in, play, text

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("nothing_left")]

KEY = "sk-abcdef0123456789abcdef"


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("I cannot say it")


class Odd(Exception):
    def __str__(self) -> Any:
        return 7


def raising(error: BaseException, *, later: bool = False) -> Callable[..., Any]:
    """A tool that raises, plain or `async`."""

    async def broken_later() -> str:
        """Break."""
        raise error

    def broken() -> str:
        """Break."""
        raise error

    broken_later.__name__ = "broken"
    return broken_later if later else broken


def weather(city: str, unit: Literal["C", "F"] = "C") -> str:
    """The weather of a city."""
    return f"{city}: 20 {unit}"


def clock() -> str:
    """The time."""
    return "12:00"


# -- exceptions --------------------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("later", [False, True])
def test_what_a_function_raises_is_told_and_the_model_goes_on(
    opened: Open, api: str, face: str, later: bool
) -> None:
    played = play(
        opened,
        [call("broken")],
        [text("It broke.")],
        api=api,
        face=face,
        tools=[raising(ZeroDivisionError("division by zero"), later=later)],
    )
    said = ("ZeroDivisionError", "division by zero")
    assert [error_in(one) for one in played.told] == [said]
    [made] = played.calls
    assert (made.error, made.output) == ("ZeroDivisionError", played.told[0])
    assert played.answer is not None
    assert played.answer.text == "It broke."


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (ValueError(), "ValueError", ""),
        (ValueError("two\nlines\tand\r\nmore"), "ValueError", "two lines and more"),
        (KeyError("city"), "KeyError", "'city'"),
        (ValueError("x" * 10_000), "ValueError", "x" * 500),
        (ValueError("x" * 30_000_000), "ValueError", "x" * 500),
        (ValueError("\udcff half"), "ValueError", "\ufffd half"),
        (PermissionError(13, "no", "/a/b"), "PermissionError", "[Errno 13] no: '/a/b'"),
        (TimeoutError("by the database"), "TimeoutError", "by the database"),
        (TimeoutError(), "timed_out", "The function took too long."),
        (Mute("x"), "Mute", ""),
        (Odd("x"), "Odd", ""),
        (ExceptionGroup("both", [ValueError("a")]), "ExceptionGroup", "both (1 sub-exception)"),
        (RecursionError("maximum"), "RecursionError", "maximum"),
        (errors.BadRequest("The gateway said no."), "BadRequest", "The gateway said no."),
        (errors.InputError("Give a city."), "InputError", "Give a city."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_any_error_is_one_bounded_line(
    opened: Open, error: Exception, kind: str, says: str, face: str, later: bool
) -> None:
    tools = [raising(error, later=later)]
    played = play(opened, [call("broken")], [text("It broke.")], face=face, tools=tools)
    told, message = error_in(played.told[0])
    assert told == kind
    assert message.startswith(says) or says in message
    assert len(message) <= 500
    assert "\n" not in message
    assert played.answer is not None
    assert played.answer.text == "It broke."


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("later", [False, True])
def test_what_was_cancelled_inside_a_function_is_its_own_affair(
    opened: Open, face: str, later: bool
) -> None:
    tools = [raising(asyncio.CancelledError("gone"), later=later)]
    played = play(opened, [call("broken")], [text("It broke.")], face=face, tools=tools)
    assert error_in(played.told[0]) == ("CancelledError", "gone")


@pytest.mark.parametrize("later", [False, True])
def test_keys_in_an_error_are_not_told(opened: Open, later: bool) -> None:
    long = "x" * 480 + f" Authorization: Bearer {KEY}"
    for said in (f"401 for key {KEY}", f"Authorization: Bearer {KEY}", long):
        played = play(
            opened,
            [call("broken")],
            [text("It broke.")],
            tools=[raising(ValueError(said), later=later)],
        )
        assert "abcdef0123" not in json.dumps(played.bodies)
        assert "abcdef0123" not in repr(played.calls[0]) + played.calls[0].output


def test_a_traceback_is_not_told(opened: Open) -> None:
    played = play(opened, [call("broken")], [text("x")], tools=[raising(ValueError("no"))])
    assert "Traceback" not in played.told[0]
    assert "test_loop_calls" not in played.told[0]


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("error", [errors.KeyMissing, errors.ConfigError, errors.ConsentMissing])
@pytest.mark.parametrize("later", [False, True])
def test_what_only_the_person_can_mend_is_told_the_person(
    opened: Open, error: type[errors.KitError], face: str, later: bool
) -> None:
    began: list[str] = []
    ended: list[str] = []

    async def other() -> str:
        """Wait."""
        began.append("other")
        try:
            await asyncio.sleep(1_000)
        finally:
            ended.append("other")
        return ""

    played = play(
        opened,
        [call("clock"), call("other", call_id="b"), call("broken", call_id="c")],
        face=face,
        tools=[clock, other, raising(error("Mend it."), later=later)],
    )
    assert type(played.error) is error
    assert ended == began  # what ran beside it has ended before the error is heard
    made = played.error.answer.tool_calls
    assert [one.name for one in made] == ["clock", "other", "broken"]
    assert [one.output for one in made][1:] == ["", ""]
    assert later or made[0].output == "12:00"
    assert len(played.bodies) == 1


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("face", FACES)
def test_an_error_in_one_call_leaves_the_others_alone(opened: Open, api: str, face: str) -> None:
    async def slow() -> str:
        """Wait."""
        await asyncio.sleep(0.05)
        return "done"

    played = play(
        opened,
        [call("broken"), call("slow", call_id="b"), call("clock", call_id="c")],
        [text("Done.")],
        api=api,
        face=face,
        tools=[raising(ValueError("no"), later=True), slow, clock],
    )
    assert error_in(played.told[0])[0] == "ValueError"
    assert played.told[1:] == ["done", "12:00"]


# -- time --------------------------------------------------------------------------------------


@pytest.mark.parametrize("face", FACES)
def test_an_async_function_has_its_time(opened: Open, face: str) -> None:
    from kit.tools.limits import Limits

    async def slow() -> str:
        """Wait."""
        await asyncio.sleep(1_000)
        return ""

    played = play(
        opened,
        [call("slow")],
        [text("Done.")],
        face=face,
        tools=[slow],
        limits=Limits(call_seconds=0.05),
    )
    assert error_in(played.told[0]) == ("timed_out", "The function took too long.")
    assert played.calls[0].error == "timed_out"
    assert played.calls[0].seconds < 1_000


@pytest.mark.parametrize("face", FACES)
def test_a_plain_function_may_hand_out_what_has_to_be_awaited(opened: Open, face: str) -> None:
    async def soon() -> str:
        await asyncio.sleep(0)
        return "later"

    def hands_out() -> Awaitable[str]:
        """Wait."""
        return soon()

    played = play(opened, [call("hands_out")], [text("Done.")], face=face, tools=[hands_out])
    assert played.told == ["later"]


# -- arguments ---------------------------------------------------------------------------------

WRONG = [
    ('{"city": "Seo', "not valid JSON"),
    ("[1, 2]", "no JSON object"),
    ("null", "no JSON object"),
    ("7", "no JSON object"),
    ('{"town": "Seoul"}', "`city` is missing"),
    ('{"city": 7}', "`city`"),
    ('{"city": "Seoul", "unit": "K"}', "`unit`"),
    ('{"city": "Seoul", "more": 1}', "no argument `more`"),
    ("", "`city` is missing"),
    ("   ", "`city` is missing"),
    ('{"city": NaN}', "NaN"),
    ("[" * 100_000, "nested too deeply"),
]


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(("raw", "says"), WRONG)
def test_arguments_that_are_wrong_are_told_and_may_be_mended(
    opened: Open, api: str, raw: str, says: str
) -> None:
    played = play(
        opened,
        [call("weather", raw, call_id="a")],
        [call("weather", city="Seoul", call_id="b")],
        [text("Fine.")],
        api=api,
        tools=[weather],
    )
    kind, message = error_in(played.told[0])
    assert (kind, says in message) == ("invalid_arguments", True), message
    assert played.told[1] == "Seoul: 20 C"
    assert [one.error for one in played.calls] == ["invalid_arguments", None]


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("raw", ["", " ", "{}", '"{}"'])
def test_a_function_without_arguments_takes_none(opened: Open, api: str, raw: str) -> None:
    played = play(opened, [call("clock", raw)], [text("Noon.")], api=api, tools=[clock])
    assert played.told == ["12:00"]


@pytest.mark.parametrize("api", APIS)
def test_arguments_that_were_encoded_twice_are_read(opened: Open, api: str) -> None:
    raw = json.dumps(json.dumps({"city": "Seoul"}))
    played = play(opened, [call("weather", raw)], [text("Fine.")], api=api, tools=[weather])
    assert played.told == ["Seoul: 20 C"]


class Place(BaseModel):
    city: str

    @field_validator("city")
    @classmethod
    def known(cls, city: str) -> str:
        raise KeyError(city)


def test_a_check_of_ones_own_that_breaks_is_told_too(opened: Open) -> None:
    def visit(place: Place) -> str:
        """Go there."""
        return "went"

    raw = json.dumps({"place": {"city": "Seoul"}})
    played = play(opened, [call("visit", raw)], [text("Fine.")], tools=[visit])
    assert error_in(played.told[0])[0] == "invalid_arguments"


# -- unknown functions -------------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("face", FACES)
def test_a_function_that_is_not_there_is_told_with_those_that_are(
    opened: Open, api: str, face: str
) -> None:
    played = play(
        opened,
        [call("wether", city="Seoul"), call("clock", call_id="b")],
        [text("Fine.")],
        api=api,
        face=face,
        tools=[weather, clock],
    )
    said = ("unknown_tool", "There is no such function. There are: weather, clock")
    assert error_in(played.told[0]) == said
    assert played.told[1] == "12:00"
    assert played.calls[0].error == "unknown_tool"


def test_where_there_are_no_functions_at_all_that_is_said(opened: Open) -> None:
    played = play(opened, [call("weather")], [text("Fine.")])
    assert error_in(played.told[0]) == (
        "unknown_tool",
        "There is no such function. There is none at all.",
    )
    assert "tool_choice" not in played.bodies[1]
