"""What costs money is done once: the same call again gets what the first one gave."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from kit.gateway.answer import ToolCall
from kit.tools.limits import Limits
from kit.tools.work import Ongoing, Outcome
from tests.tools.conftest import Open
from tests.tools.loops import APIS, FACES, call, play, text

pytestmark = pytest.mark.usefixtures("nothing_left")


class Research:
    """A run for each question: what it began is in `runs`. "nothing" begins none and fails, and
    "badly" fails after it has begun; `once` is whether it costs money."""

    name = "study"

    def __init__(self, once: bool = True) -> None:
        self.once = once
        self.runs: list[str] = []

    @property
    def definition(self) -> dict[str, Any]:
        return {"type": "function", "name": self.name, "parameters": {"type": "object"}}

    def arguments(self, raw: str) -> Any:
        return {"about": "all", **json.loads(raw or "{}")}

    async def question(self, arguments: Any) -> str | None:
        return "Study it for $3?"

    async def run(self, arguments: Any, ongoing: Ongoing) -> Outcome:
        self.runs.append(arguments["about"])
        if arguments["about"] == "nothing":
            return Outcome("nothing began", "refused")
        ongoing.begun(SimpleNamespace(id=f"run_{len(self.runs)}"))
        await asyncio.sleep(0)
        failed = "research_failed" if arguments["about"] == "badly" else None
        return Outcome(f"report {len(self.runs)}", failed, cost=3.0)


def study(n: int, raw: str = '{"about":"tea"}') -> Any:
    return call("study", raw, call_id=f"c{n}")


def always(turns: list[list[Any]], research: Research, opened: Open, **given: Any) -> Any:
    more = {"approve": "always", **given}
    return play(opened, *turns, [text("x")], works=[research], **more)


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    "turns",
    [[[study(1), study(2)]], [[study(1)], [study(2)]]],
    ids=["in one turn", "later"],
)
def test_the_same_call_again_gets_the_first_ones_output(
    opened: Open, api: str, face: str, turns: Any
) -> None:
    research = Research()
    played = always(turns, research, opened, api=api, face=face)
    assert research.runs == ["tea"]
    assert played.told == ["report 1", "report 1"]
    first, second = played.calls
    assert (first.note, first.cost) == ("", 3.0)
    assert (second.note, second.cost) == ("the same as above", 0.0)
    assert first.run is second.run
    assert played.answer.cost == 3.0


@pytest.mark.parametrize(
    ("ways", "runs"),
    [
        (['{"about":"tea"}', '{ "about": "\\u0074ea" }'], ["tea"]),
        (["", '{"about":"all"}'], ["all"]),  # as they are read, defaults included
        (['{"about":"tea"}', '{"about":"coffee"}'], ["tea", "coffee"]),
    ],
)
def test_the_same_are_equal_arguments(opened: Open, ways: list[str], runs: list[str]) -> None:
    research = Research()
    always([[study(n, raw) for n, raw in enumerate(ways)]], research, opened)
    assert research.runs == runs


@pytest.mark.parametrize(
    ("about", "runs"), [("nothing", ["nothing", "nothing"]), ("badly", ["badly"])]
)
def test_only_what_spent_nothing_may_be_made_again(
    opened: Open, about: str, runs: list[str]
) -> None:
    research, raw = Research(), json.dumps({"about": about})
    played = always([[study(1, raw)], [study(2, raw)]], research, opened)
    assert research.runs == runs
    assert all(one.error for one in played.calls)


@pytest.mark.parametrize("says", [True, False])
def test_one_question_is_asked_for_all_of_them(opened: Open, says: bool) -> None:
    asked: list[str] = []

    def approve(call: ToolCall) -> bool:
        asked.append(call.call_id)
        return says

    research = Research()
    played = always([[study(1), study(2)]], research, opened, approve=approve)
    assert asked == ["c1"]
    assert [one.error for one in played.calls] == [None if says else "declined"] * 2
    assert len(research.runs) == says


def test_the_same_call_for_ever_ends_all_the_same(opened: Open) -> None:
    research = Research()
    played = always([[study(n)] for n in range(9)], research, opened, limits=Limits(repeats=3))
    assert research.runs == ["tea"]
    assert [one.error for one in played.calls] == [None, None, None, "repeated"]


def test_what_is_free_is_done_as_often_as_it_is_called(opened: Open) -> None:
    research = Research(once=False)
    always([[study(1), study(2)]], research, opened)
    assert research.runs == ["tea", "tea"]


@pytest.mark.parametrize("face", FACES)
def test_calls_that_a_gateway_gives_one_id_stay_apart(opened: Open, face: str) -> None:
    """Local servers number the calls of each turn anew."""
    turns = [[study(1)], [study(1, '{"about":"coffee"}')], [study(1)]]
    research = Research()
    played = always(turns, research, opened, face=face)
    assert played.error is None
    assert research.runs == ["tea", "coffee"]
    assert [one.output for one in played.calls] == ["report 1", "report 2", "report 1"]
