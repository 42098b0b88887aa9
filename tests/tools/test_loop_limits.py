"""Bounds: whatever runs out, the model hears why, and there is an answer."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from kit import errors
from kit.tools import limits
from kit.tools.happenings import LimitReached, TurnBegan
from kit.tools.limits import Limits, Tally
from tests.tools.conftest import Open
from tests.tools.loops import (
    APIS,
    FACES,
    Played,
    Turn,
    call,
    error_in,
    outputs_in,
    play,
    refused,
    text,
)

pytestmark = pytest.mark.once

pytestmark = pytest.mark.usefixtures("nothing_left")

ran: list[str] = []


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    ran.clear()


def look(place: str = "") -> str:
    """Look."""
    ran.append(place)
    return f"seen {place}"


def different(count: int) -> list[Any]:
    """Turns with one call each, no two the same."""
    return [[call("look", place=f"p{n}", call_id=f"c{n}")] for n in range(count)]


def reasons(played: Played) -> list[str]:
    return [one.reason for one in played.happenings if isinstance(one, LimitReached)]


# -- what a limit may be -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rounds", "calls", "repeats"])
@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, None, "8", float("nan")])
def test_a_count_is_a_whole_number_above_zero(name: str, wrong: Any) -> None:
    with pytest.raises(errors.InputError, match=f"`{name}` is a whole number above zero"):
        Limits(**{name: wrong})


@pytest.mark.parametrize("name", ["seconds", "call_seconds", "budget"])
@pytest.mark.parametrize("wrong", [0, -1, True, "8", float("nan"), float("inf")])
def test_an_amount_is_a_number_above_zero_or_none(name: str, wrong: Any) -> None:
    with pytest.raises(errors.InputError, match=f"`{name}` is a number above zero, or None"):
        Limits(**{name: wrong})
    assert getattr(Limits(**{name: None}), name) is None


# -- rounds ------------------------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("face", FACES)
def test_after_the_rounds_there_is_one_turn_without_tools(
    opened: Open, api: str, face: str
) -> None:
    """The tools are still named, for the calls that were made refer to them."""
    played = play(
        opened,
        *different(2),
        [text("As far as I came.")],
        api=api,
        face=face,
        tools=[look],
        limits=Limits(rounds=2),
        tool_choice="required",
    )
    assert [body.get("tool_choice") for body in played.bodies] == ["required", None, "none"]
    assert all(body["tools"] == played.bodies[0]["tools"] for body in played.bodies)
    assert reasons(played) == ["2 rounds of calls were made, as many as may be."]
    turns = [one for one in played.happenings if isinstance(one, TurnBegan)]
    assert turns == [TurnBegan(1), TurnBegan(2), TurnBegan(3, last=True)]
    assert played.answer is not None
    assert (played.answer.text, played.answer.status) == ("As far as I came.", "completed")
    assert len(ran) == 2


@pytest.mark.parametrize("api", APIS)
def test_the_last_outputs_are_told_in_the_last_turn(opened: Open, api: str) -> None:
    turns = different(1)
    limits = Limits(rounds=1)
    played = play(opened, *turns, [text("x")], api=api, tools=[look], limits=limits)
    assert outputs_in(played.bodies[1]) == [("c0", "seen p0")]


def test_where_history_is_kept_the_last_turn_is_no_other(opened: Open) -> None:
    played = play(
        opened,
        *different(1),
        [text("x")],
        identity="sandbox",
        tools=[look],
        limits=Limits(rounds=1),
    )
    last = played.bodies[1]
    assert (last["tool_choice"], last["previous_response_id"]) == ("none", "resp_1")


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("face", FACES)
def test_a_model_that_calls_in_the_last_turn_too_is_not_heard(
    opened: Open, api: str, face: str
) -> None:
    """Some gateways do not know `tool_choice: "none"`."""
    played = play(opened, *different(9), api=api, face=face, tools=[look], limits=Limits(rounds=2))
    assert len(played.bodies) == 3
    assert ran == ["p0", "p1"]
    assert played.answer is not None
    assert (played.answer.text, played.answer.status) == ("", "incomplete")
    assert played.answer.incomplete == "2 rounds of calls were made, as many as may be"
    assert len(played.calls) == 2


def test_text_beside_a_call_in_the_last_turn_is_the_answer(opened: Open) -> None:
    played = play(
        opened,
        *different(1),
        [text("All I know."), call("look", place="again", call_id="z")],
        tools=[look],
        limits=Limits(rounds=1),
    )
    assert played.answer is not None
    assert (played.answer.text, played.answer.status) == ("All I know.", "completed")


# -- calls -------------------------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS)
def test_calls_beyond_the_limit_are_answered_and_not_made(opened: Open, api: str) -> None:
    made = [call("look", place=f"p{n}", call_id=f"c{n}") for n in range(5)]
    played = play(opened, made, [text("x")], api=api, tools=[look], limits=Limits(calls=3))
    assert ran == ["p0", "p1", "p2"]
    said = "3 calls were made, as many as may be. Answer with what you have."
    assert [error_in(one) for one in played.told[3:]] == [("limit", said)] * 2
    assert reasons(played) == ["3 calls were made, as many as may be."]
    assert played.bodies[1]["tool_choice"] == "none"
    assert [one.error for one in played.calls] == [None] * 3 + ["limit"] * 2


def test_calls_are_counted_over_all_turns(opened: Open) -> None:
    played = play(opened, *different(2), [text("x")], tools=[look], limits=Limits(calls=2))
    assert ran == ["p0", "p1"]
    assert [body.get("tool_choice") for body in played.bodies] == [None, None, "none"]


def test_a_wrong_call_counts_and_an_unknown_one_does_not(opened: Open) -> None:
    made = [
        call("look", "{"),
        call("lok", place="a", call_id="b"),
        call("look", place="b", call_id="c"),
    ]
    played = play(opened, made, [text("x")], tools=[look], limits=Limits(calls=2))
    errors_of = [one.error for one in played.calls]
    assert errors_of == ["invalid_arguments", "unknown_tool", None]
    assert played.bodies[1]["tool_choice"] == "none"


# -- repeats -----------------------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("face", FACES)
def test_the_same_call_again_and_again_ends_in_the_last_turn(
    opened: Open, api: str, face: str
) -> None:
    again = [[call("look", place="a", call_id=f"c{n}")] for n in range(9)]
    played = play(opened, *again[:3], [text("a it is.")], api=api, face=face, tools=[look])
    assert ran == ["a", "a"]
    said = (
        "This very call was made as often in a row as may be (2), and is not made again. "
        "What it gave may no longer hold: say so where it matters, or do something else."
    )
    assert error_in(played.told[2]) == ("repeated", said)
    assert reasons(played) == ["The model makes the same call again and again."]
    assert [body.get("tool_choice") for body in played.bodies] == [None, None, None, "none"]
    assert [one.error for one in played.calls] == [None, None, "repeated"]


@pytest.mark.parametrize(
    "ways",
    [
        ['{"place":"a"}', '{ "place" : "a" }', '{"place": "\\u0061"}'],
        ["", "{}", " { } "],
        ['{"place":"a"}', json.dumps('{"place":"a"}'), '{"place":"a"}'],
        ['{"place":"b","place":"a"}', '{"place":"a"}', '{"place":"a"}'],
    ],
)
def test_the_same_call_is_known_however_it_is_written(opened: Open, ways: list[str]) -> None:
    turns = [[call("look", raw, call_id=f"c{n}")] for n, raw in enumerate(ways)]
    played = play(opened, *turns, [text("x")], tools=[look])
    assert [one.error for one in played.calls] == [None, None, "repeated"]


def test_the_order_of_arguments_makes_no_other_call(opened: Open) -> None:
    def both(a: int, b: int) -> str:
        """Both."""
        return ""

    ways = ['{"a": 1, "b": 2}', '{"b": 2, "a": 1}', '{"a": 1, "b": 2}']
    turns = [[call("both", raw, call_id=f"c{n}")] for n, raw in enumerate(ways)]
    played = play(opened, *turns, [text("x")], tools=[both])
    assert [one.error for one in played.calls] == [None, None, "repeated"]


@pytest.mark.parametrize("raw", ["{", "[" * 100_000, "1" * 10_000, '{"place": NaN}'])
def test_arguments_that_cannot_be_read_repeat_as_well(opened: Open, raw: str) -> None:
    turns = [[call("look", raw, call_id=f"c{n}")] for n in range(3)]
    played = play(opened, *turns, [text("x")], tools=[look])
    wrong = "invalid_arguments"
    assert [one.error for one in played.calls] == [wrong, wrong, "repeated"]


def test_another_function_or_argument_is_another_call(opened: Open) -> None:
    def other(place: str = "") -> str:
        """Look."""
        return ""

    made = [
        *(call("look", place="a", call_id=f"a{n}") for n in range(2)),
        *(call("look", place="b", call_id=f"b{n}") for n in range(2)),
        *(call("other", place="a", call_id=f"o{n}") for n in range(2)),
    ]
    played = play(opened, made, [text("x")], tools=[look, other])
    assert [one.error for one in played.calls] == [None] * 6


def test_as_long_as_something_new_is_called_the_model_goes_on(opened: Open) -> None:
    same = [call("look", place="a", call_id=f"c{n}") for n in range(3)]
    played = play(
        opened,
        same,
        [*same[:1], call("look", place="new", call_id="d")],
        [text("x")],
        tools=[look],
    )
    assert "tool_choice" not in played.bodies[2]
    assert reasons(played) == []


@pytest.mark.parametrize(
    ("turns", "carried_out"),
    [
        ("a + a + a + a", "a+a+a+a"),  # a cart is read, something put in, the cart read again
        ("a+a+a+a", "a+a+a+a"),
        ("aa + aa + aa", "aa+aa+aa"),
        ("aaa+a", "aa+a"),
        ("aa+aaa", "aa+aa"),
        ("a+++ a", "a++a"),
        ("a ! a ! a", "aa"),  # "!" has arguments that cannot be read: nothing was carried out
        ("a ? a ? a", "aa"),  # "?" is no function
    ],
)
def test_a_call_is_the_same_again_while_no_other_was_carried_out(
    opened: Open, turns: str, carried_out: str
) -> None:
    """What another one did may have changed what it gives. A turn is a word, a call a letter."""

    def calls(turn: str) -> list[Any]:
        odd = {"!": ("look", "{"), "?": ("lok", "{}")}
        made = [odd.get(one, ("look", json.dumps({"place": one}))) for one in turn]
        return [call(*one, call_id=f"c{n}") for n, one in enumerate(made)]

    play(opened, *map(calls, turns.split()), [text("x")], tools=[look])
    assert "".join(ran) == carried_out


def test_two_calls_in_turn_for_ever_are_bounded_by_the_rounds(opened: Open) -> None:
    turns = [[call("look", place="ab"[n % 2], call_id=f"c{n}")] for n in range(20)]
    played = play(opened, *turns, tools=[look], limits=Limits(rounds=5))
    assert ran == [*"ababa"]
    assert reasons(played) == ["5 rounds of calls were made, as many as may be."]


@pytest.mark.parametrize("repeats", [1, 3])
def test_how_often_is_a_limit(opened: Open, repeats: int) -> None:
    made = [call("look", place="a", call_id=f"c{n}") for n in range(5)]
    play(opened, made, [text("x")], tools=[look], limits=Limits(repeats=repeats))
    assert ran == ["a"] * repeats


def test_calls_of_nothing_there_is_are_bounded_by_the_rounds(opened: Open) -> None:
    """They are answered with what there is, and it is for the model to read it."""
    turns = [[call("lok", call_id=f"c{n}")] for n in range(20)]
    played = play(opened, *turns, tools=[look], limits=Limits(rounds=3))
    assert len(played.bodies) == 4
    assert {one.error for one in played.calls} == {"unknown_tool"}


# -- time --------------------------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("face", FACES)
def test_after_the_time_no_further_call_begins(
    opened: Open, monkeypatch: pytest.MonkeyPatch, api: str, face: str
) -> None:
    async def slow(n: int) -> str:
        """Wait."""
        ran.append(str(n))
        now.append(0.25)
        return "done"

    now = [0.0]
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: now[-1]))

    turns = [[call("slow", n=n, call_id=f"c{n}")] for n in range(5)]
    played = play(
        opened,
        *turns[:1],
        [text("x")],
        api=api,
        face=face,
        tools=[slow],
        limits=Limits(seconds=0.2),
    )
    assert ran == ["0"]  # what has begun is not cut
    assert played.told == ["done"]
    assert reasons(played) == ["The 0.2 s for tools are over."]
    assert played.bodies[1]["tool_choice"] == "none"


def test_a_call_that_comes_too_late_hears_so(opened: Open) -> None:
    made = Turn([call("look")], pause=0.15)
    played = play(opened, made, [text("x")], tools=[look], limits=Limits(seconds=0.1))
    said = "The 0.1 s for tools are over. Answer with what you have."
    assert (error_in(played.told[0]), ran) == (("limit", said), [])


# -- money -------------------------------------------------------------------------------------


def priced(items: list[Any], cost: float, *, header: bool) -> Turn:
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    if header:
        return Turn(items, headers=(f"x-litellm-response-cost: {cost}",))
    return Turn(items, usage={**usage, "cost": cost})


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("header", [False, True])
def test_a_budget_ends_in_the_last_turn(opened: Open, api: str, face: str, header: bool) -> None:
    turns = [priced(items, 0.3, header=header) for items in different(5)]
    played = play(
        opened,
        *turns[:2],
        priced([text("x")], 0.3, header=header),
        api=api,
        face=face,
        tools=[look],
        limits=Limits(budget=0.5),
    )
    said = "The budget of $0.50 is used up. Answer with what you have."
    assert ran == ["p0"]
    assert error_in(played.told[1]) == ("limit", said)
    assert played.answer is not None
    assert played.answer.cost == pytest.approx(0.9)


def test_where_nobody_says_what_it_costs_the_budget_lasts(opened: Open) -> None:
    played = play(opened, *different(3), [text("x")], tools=[look], limits=Limits(budget=0.01))
    assert len(ran) == 3
    assert played.answer is not None
    assert played.answer.cost is None


@pytest.mark.parametrize(
    ("budget", "said"),
    [(0.5, "$0.50"), (2.0, "$2.00"), (0.004, "$0.004"), (1.005, "$1.005"), (1000, "$1000.00")],
)
def test_a_budget_is_named_as_it_was_given(budget: float, said: str) -> None:
    tally = Tally(Limits(budget=budget))
    tally.spend(budget)
    assert tally.used_up() == f"The budget of {said} is used up."


# -- together ----------------------------------------------------------------------------------


def test_a_gateway_that_refuses_the_last_turn_is_an_error_with_the_calls(opened: Open) -> None:
    no = refused("tool_choice none is not supported", "500 Internal Server Error")
    played = play(opened, *different(1), no, tools=[look], limits=Limits(rounds=1))
    assert isinstance(played.error, errors.ServerFailed)
    assert [one.output for one in played.error.answer.tool_calls] == ["seen p0"]


def test_everything_is_bounded_by_itself(opened: Open) -> None:
    """With no limits named, a model that never ends is stopped all the same."""
    turns = [[call("look", place=f"p{n}", call_id=f"c{n}")] for n in range(50)]
    played = play(opened, *turns, tools=[look])
    assert (len(played.bodies), len(ran)) == (9, 8)
