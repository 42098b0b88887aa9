"""Who says yes before a call: a person, a function, nobody; and what a refusal leads to."""

from __future__ import annotations

import asyncio
import builtins
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from kit import errors
from kit.gateway.answer import ToolCall
from kit.tools.consent import LONGEST_SHOWN, checked_approve
from kit.tools.happenings import CallBegan
from kit.tools.work import Ongoing, Outcome
from tests.tools.conftest import Open
from tests.tools.loops import APIS, FACES, call, error_in, play, text

pytestmark = pytest.mark.once

pytestmark = pytest.mark.usefixtures("nothing_left")

ran: list[str] = []


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    ran.clear()


def delete(path: str) -> str:
    """Delete a file."""
    ran.append(path)
    return "gone"


class Paid:
    """A tool that costs money, as research does: a `Work` that asks."""

    name = "buy"
    once = True

    def __init__(self, question: str | None = "Buy it for $3?") -> None:
        self._question = question

    @property
    def definition(self) -> dict[str, Any]:
        empty = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
        return {"type": "function", "name": self.name, "parameters": empty, "strict": True}

    def arguments(self, raw: str) -> Any:
        return json.loads(raw or "{}")

    async def question(self, arguments: Any) -> str | None:
        return self._question

    async def run(self, arguments: Any, ongoing: Ongoing) -> Outcome:
        ran.append(self.name)
        ongoing.news("half way")
        return Outcome("bought", cost=3.0, note="a receipt")


class Person:
    """Whoever types: the answers in order, and what was asked."""

    def __init__(self, *answers: str | BaseException) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, prompt: object = "") -> str:
        self.asked.append(str(prompt))
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Person]:
    """Somebody at the keyboard; `input` is Python's own and has no other seam."""

    def sits_there(*answers: str | BaseException) -> Person:
        there = Person(*answers)
        monkeypatch.setattr(builtins, "input", there)
        return there

    return sits_there


Sits = Callable[..., Person]
DELETE = [call("delete", path="/tmp/a")]
BUY = [call("buy")]


# -- the table ---------------------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    ("approve", "function", "paid"),
    [
        (None, "runs", "asked"),
        ("ask", "asked", "asked"),
        ("always", "runs", "runs"),
        ("never", "declined", "declined"),
    ],
)
@pytest.mark.parametrize("costs", [False, True])
def test_the_table_of_who_is_asked(
    opened: Open, person: Sits, api: str, approve: Any, function: str, paid: str, costs: bool
) -> None:
    somebody = person("y", "y")
    expected = paid if costs else function
    given: Any = {"works": [Paid()]} if costs else {"tools": [delete]}
    said = BUY if costs else DELETE
    played = play(opened, said, [text("x")], api=api, approve=approve, **given)
    assert len(somebody.asked) == (expected == "asked")
    assert len(ran) == (expected != "declined")
    if expected == "declined":
        assert error_in(played.told[0]) == ("declined", "The user allows no calls.")


def test_a_tool_that_asks_nothing_is_free(opened: Open, person: Sits) -> None:
    somebody = person()
    play(opened, BUY, [text("x")], works=[Paid(None)])
    assert (somebody.asked, ran) == ([], ["buy"])


def test_what_is_no_way_to_approve_is_refused() -> None:
    for wrong in (True, False, "yes", "", 1, ["ask"], {}):
        with pytest.raises(errors.InputError, match="approve"):
            checked_approve(wrong)
    for right in (None, "ask", "always", "never", print):
        assert checked_approve(right) is right


# -- a function that decides -------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    ("said", "told"),
    [
        (True, None),
        (False, "The user declined this call."),
        (None, "The user declined this call."),
        (1, "The user declined this call."),
        ("", "The user declined this call."),
        ("Not on a Friday.", "Not on a Friday."),
        ("n" * 9999, "n" * 500),
    ],
)
@pytest.mark.parametrize("later", [False, True])
def test_a_function_says_yes_or_why_not(
    opened: Open, api: str, face: str, said: Any, told: str | None, later: bool
) -> None:
    """Only True is a yes. It may be `async`."""
    seen: list[ToolCall] = []

    def approve(call: ToolCall) -> Any:
        seen.append(call)
        return said

    async def approve_later(call: ToolCall) -> Any:
        await asyncio.sleep(0)
        return approve(call)

    decides = approve_later if later else approve
    played = play(opened, DELETE, [text("x")], api=api, face=face, approve=decides, tools=[delete])
    assert played.error is None
    assert seen == [ToolCall("delete", '{"path": "/tmp/a"}', "call_1")]
    assert ran == (["/tmp/a"] if told is None else [])
    if told is None:
        assert played.told == ["gone"]
    else:
        assert error_in(played.told[0]) == ("declined", told)
        assert played.calls[0].error == "declined"


def test_a_function_decides_over_money_too(opened: Open, person: Sits) -> None:
    somebody = person()
    play(opened, BUY, [text("x")], works=[Paid()], approve=lambda call: True)
    play(opened, BUY, [text("x")], works=[Paid()], approve=lambda call: False)
    assert (somebody.asked, ran) == ([], ["buy"])


def test_it_decides_in_the_callers_thread(opened: Open) -> None:
    threads: list[str] = []

    def approve(call: ToolCall) -> bool:
        threads.append(threading.current_thread().name)
        return True

    play(opened, DELETE, [text("x")], approve=approve, tools=[delete])
    assert threads == [threading.current_thread().name]


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("later", [False, True])
def test_what_it_raises_is_the_callers(opened: Open, face: str, later: bool) -> None:
    def approve(call: ToolCall) -> bool:
        raise LookupError("no list")

    async def approve_later(call: ToolCall) -> bool:
        return approve(call)

    played = play(
        opened,
        DELETE,
        face=face,
        approve=approve_later if later else approve,
        tools=[delete],
    )
    assert isinstance(played.error, LookupError)
    assert len(played.bodies) == 1
    assert ran == []


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("face", FACES)
def test_all_questions_stand_before_all_calls_in_their_order(
    opened: Open, api: str, face: str
) -> None:
    order: list[str] = []

    def approve(call: ToolCall) -> bool:
        order.append(f"ask {call.call_id}")
        return call.call_id != "b"

    def plain(n: int) -> str:
        """Run."""
        order.append(f"run {n}")
        return ""

    async def later(n: int) -> str:
        """Run."""
        order.append(f"run {n}")
        return ""

    made = [
        call("later", n=1, call_id="a"),
        call("plain", n=2, call_id="b"),
        call("wrong", n=3, call_id="c"),
        call("plain", n=4, call_id="d"),
        call("plain", n="five", call_id="e"),
    ]
    played = play(
        opened, made, [text("x")], api=api, face=face, approve=approve, tools=[plain, later]
    )
    assert order[:3] == ["ask a", "ask b", "ask d"]  # what cannot run is not asked about
    assert sorted(order[3:]) == ["run 1", "run 4"]
    errors_of = [one.error for one in played.calls]
    assert errors_of == [None, "declined", "unknown_tool", None, "invalid_arguments"]


def test_what_is_over_a_limit_is_not_asked_about(opened: Open) -> None:
    from kit.tools.limits import Limits

    asked: list[str] = []

    def approve(call: ToolCall) -> bool:
        asked.append(call.call_id)
        return True

    made = [call("delete", path=str(n), call_id=f"c{n}") for n in range(5)]
    limits = Limits(calls=2)
    play(opened, made, [text("x")], approve=approve, tools=[delete], limits=limits)
    assert asked == ["c0", "c1"]


def test_after_a_no_the_model_may_try_something_else(opened: Open) -> None:
    played = play(
        opened,
        DELETE,
        [call("delete", path="/tmp/b", call_id="b")],
        [text("Done.")],
        approve=lambda call: "/tmp/b" in call.arguments or "Not that one.",
        tools=[delete],
    )
    assert ran == ["/tmp/b"]
    assert played.answer is not None
    assert played.answer.text == "Done."


# -- a person ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "yes"),
    [
        *[(one, True) for one in ("y", "Y", " yes ", "YES", "j", "ja", "예", "네", "ㅇㅇ")],
        *[(one, False) for one in ("", "n", "no", "yy", "y!", "why", "아니", "아니오", "1")],
    ],
)
def test_a_person_types_a_yes_or_anything_else(
    opened: Open, person: Sits, typed: str, yes: bool
) -> None:
    person(typed)
    played = play(opened, DELETE, [text("x")], approve="ask", tools=[delete])
    assert ran == (["/tmp/a"] if yes else [])
    assert yes or error_in(played.told[0]) == ("declined", "The user declined this call.")


def test_a_person_sees_what_is_called_with_what(opened: Open, person: Sits) -> None:
    somebody = person("n")
    made = [call("delete", '{"path":"/tmp/\\ud55c\\uae00"}')]
    play(opened, made, [text("x")], approve="ask", tools=[delete])
    [asked] = somebody.asked
    assert asked == (
        'The model wants to call delete with\n{\n  "path": "/tmp/한글"\n}\nGo on? [y/N] '
    )


def test_a_person_sees_the_question_of_what_costs_money(opened: Open, person: Sits) -> None:
    somebody = person("y")
    play(opened, BUY, [text("x")], works=[Paid("Buy it\x1b[2J for $3?")])
    assert somebody.asked == ["Buy it[2J for $3?\nGo on? [y/N] "]


STEERING = "\x1b[2J\x07\r\x9b\u202e\u2066\u2028\u2029\u200e\u061c\u0085"


def test_what_a_model_writes_does_not_steer_the_terminal(opened: Open, person: Sits) -> None:
    somebody = person("n")
    played = play(
        opened,
        [call("delete", path=f"a{STEERING}b")],
        [text("x")],
        approve="ask",
        tools=[delete],
    )
    assert played.error is None
    asked = somebody.asked[0].removesuffix("\nGo on? [y/N] ")
    assert not (set(STEERING) - set("[2J\r\x07\x1b")) & set(asked)
    assert len(asked.split("\n")) == len(asked.splitlines()) == 4


def test_half_a_character_does_not_end_the_conversation(opened: Open, person: Sits) -> None:
    """A terminal cannot print one: it would raise."""
    somebody = person("n")
    made = [call("delete", '{"path": "\\ud800 half"}')]
    played = play(opened, made, [text("x")], approve="ask", tools=[delete])
    assert played.error is None
    somebody.asked[0].encode()


def test_a_long_text_does_not_hide_that_there_is_more(opened: Open, person: Sits) -> None:
    somebody = person("n")
    path = "x" * 5000 + "; rm -rf /"
    play(opened, [call("delete", path=path)], [text("x")], approve="ask", tools=[delete])
    shown, _, question = somebody.asked[0].rpartition("\n")
    assert question == "Go on? [y/N] "
    assert len(shown) < LONGEST_SHOWN + 200
    assert "… 4,062 more characters …" in shown
    assert "rm -rf /" in shown  # and how it ends


def test_each_call_is_a_question_of_its_own(opened: Open, person: Sits) -> None:
    person("y", "n")
    made = [call("delete", path="a"), call("delete", path="b", call_id="b")]
    play(opened, made, [text("x")], approve="ask", tools=[delete])
    assert ran == ["a"]


def test_a_stop_at_the_question_ends_the_conversation(opened: Open, person: Sits) -> None:
    person(KeyboardInterrupt())
    played = play(opened, DELETE, [text("x")], approve="ask", tools=[delete])
    assert isinstance(played.error, KeyboardInterrupt)
    assert ran == []
    assert len(played.bodies) == 1


# -- nobody ------------------------------------------------------------------------------------


@pytest.mark.parametrize("costs", [False, True])
@pytest.mark.parametrize(
    "no", [EOFError(), OSError("reading from stdin"), RuntimeError("input(): lost sys.stdin")]
)
def test_where_nobody_can_type_it_is_an_error_that_says_how_to_consent(
    opened: Open, person: Sits, no: BaseException, costs: bool
) -> None:
    person(no)
    given: Any = {"works": [Paid()]} if costs else {"tools": [delete]}
    said = BUY if costs else DELETE
    played = play(opened, said, [text("x")], approve="ask", **given)
    assert type(played.error) is errors.ConsentMissing
    name = "buy" if costs else "delete"
    assert str(played.error).startswith(f"{name} {'costs money' if costs else 'needs a yes'}")
    for way in ("--yes in a cell", "%config KitMagics.approve", 'approve="always"'):
        assert way in str(played.error)
    assert [one.name for one in played.error.answer.tool_calls] == [name]
    assert (ran, len(played.bodies)) == ([], 1)


def test_a_thread_that_is_not_the_main_one_cannot_ask(opened: Open, person: Sits) -> None:
    """A kernel's `input` reaches the main thread alone."""
    somebody = person("y")
    found: list[Any] = []
    thread = threading.Thread(
        target=lambda: found.append(play(opened, BUY, [text("x")], works=[Paid()]).error)
    )
    thread.start()
    thread.join(5)
    assert [type(one) for one in found] == [errors.ConsentMissing]
    assert (somebody.asked, ran) == ([], [])


def test_asynchronous_code_cannot_ask(opened: Open, person: Sits) -> None:
    somebody = person("y")
    played = play(opened, BUY, [text("x")], face="async", works=[Paid()])
    assert type(played.error) is errors.ConsentMissing
    assert (somebody.asked, ran) == ([], [])


def test_one_that_is_not_allowed_keeps_the_others_from_running(opened: Open, person: Sits) -> None:
    person(EOFError())
    made = [call("delete", path="a"), call("buy", call_id="b")]
    played = play(opened, made, tools=[delete], works=[Paid()])
    assert type(played.error) is errors.ConsentMissing
    assert ran == []


# -- what is paid ------------------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("face", FACES)
def test_what_a_tool_cost_is_in_the_call_and_in_the_answer(
    opened: Open, api: str, face: str
) -> None:
    played = play(opened, BUY, [text("x")], api=api, face=face, works=[Paid()], approve="always")
    [made] = played.calls
    assert (made.output, made.cost, made.note) == ("bought", 3.0, "a receipt")
    assert played.answer is not None
    assert played.answer.cost == 3.0
    told = [one.what for one in played.happenings if type(one).__name__ == "CallTold"]
    assert told == ["half way"]
    assert [one.call.cost for one in played.happenings if isinstance(one, CallBegan)] == [None]
