"""What is left of a stopped cell: what may have taken effect, and what cannot have."""

from __future__ import annotations

from typing import Any

import pytest

from kit.gateway.answer import Answer, ToolCall
from kit.gateway.card import bundle_of_card, call_card
from kit.notebook.leaving import interrupted, unfinished
from kit.notebook.workbench import Workbench
from kit.tools.happenings import CallAsked, CallBegan, CallEnded, CallStarted

pytestmark = pytest.mark.once


class Run:
    id = "inv_1"


def made(name: str, **more: Any) -> ToolCall:
    return ToolCall(name, "{}", f"id of {name}", **more)


WAITING = made("mail")
RUNNING = made("pay", started=True)
DONE = made("clock", started=True, seconds=0.1, output="12:00")
ASKED_FOR = made("deep_research")
BEGINNING = made("deep_research", started=True)
RESEARCHING = made("deep_research", started=True, run=Run())


def left(*calls: ToolCall, why: str = "stopped") -> Answer:
    return unfinished(Answer("", "r", "in_progress", "m", tool_calls=calls), why)


@pytest.mark.parametrize(
    ("call", "why", "says"),
    [
        (RUNNING, "stopped", "interrupted: stopped while it ran; it may have taken effect"),
        (RUNNING, "broken off", "interrupted: broken off while it ran; it may have taken effect"),
        (WAITING, "stopped", "not carried out: it did not begin"),
        (ASKED_FOR, "stopped", "not carried out: it did not begin"),
        (BEGINNING, "stopped", "it may have begun: kit.runs() shows it"),
        (RESEARCHING, "stopped", "goes on without this cell"),
        (DONE, "stopped", "12:00"),
    ],
)
def test_a_call_says_whether_it_may_have_taken_effect(call: ToolCall, why: str, says: str) -> None:
    (kept,) = left(call, why=why).tool_calls
    assert call_card(kept).lines[0] == says


@pytest.mark.parametrize(
    ("calls", "says"),
    [
        ([RUNNING], "Stopped while pay ran; it may have taken effect."),
        ([DONE, RUNNING], "Stopped while pay ran; it may have taken effect."),
        (
            [RUNNING, WAITING],
            "Stopped while pay ran; it may have taken effect. mail did not begin.",
        ),
        ([WAITING], "Stopped before mail began."),
        ([ASKED_FOR, WAITING], "Stopped before deep_research, mail began."),
        ([RESEARCHING], "Stopped while deep_research ran."),
        (
            [RUNNING, RESEARCHING],
            "Stopped while pay, deep_research ran; pay may have taken effect.",
        ),
    ],
)
def test_the_error_says_the_same(calls: list[ToolCall], says: str) -> None:
    error = interrupted(left(*calls), ["kit.last", "a"], whole=False)
    assert str(error).startswith(f"{says} What had arrived is in kit.last and a.")


def test_research_that_goes_on_is_found_again_and_a_question_is_no_research() -> None:
    on, asked = (
        str(interrupted(left(one), ["kit.last"], whole=False)) for one in (RESEARCHING, ASKED_FOR)
    )
    assert "kit.run('inv_1') finds it again" in on
    assert "goes on" not in asked and "may have begun" not in asked


@pytest.mark.parametrize(
    ("call", "status"),
    [(WAITING, "waiting"), (RUNNING, "running"), (DONE, "completed")],
)
def test_the_colour_of_a_card_knows_what_has_begun(call: ToolCall, status: str) -> None:
    card = call_card(call)
    assert card.status == status
    assert "border-left" in bundle_of_card(card)["text/html"]


# -- while it goes on ---------------------------------------------------------------------------

FIRST, SECOND = made("pay"), made("mail")
BEGAN = [CallBegan(FIRST, ""), CallBegan(SECOND, "")]
STARTED = [CallStarted(made(name, started=True)) for name in ("pay", "mail")]
ENDED = CallEnded(made("pay", started=True, seconds=0.1))


@pytest.mark.parametrize(
    ("happened", "states", "phase"),
    [
        (BEGAN, ["waiting", "waiting"], "mail waits"),
        ([*BEGAN, CallAsked(FIRST)], ["waiting for a yes", "waiting"], "pay waits for a yes"),
        (
            [*BEGAN, CallAsked(FIRST), CallAsked(SECOND)],
            ["waiting", "waiting for a yes"],
            "mail waits for a yes",
        ),
        (
            [*BEGAN, CallAsked(FIRST), CallAsked(SECOND), STARTED[0]],
            ["running", "waiting"],
            "pay runs",
        ),
        ([*BEGAN, *STARTED], ["running", "running"], "mail runs"),
        ([*BEGAN, STARTED[0], ENDED], ["done", "waiting"], "mail waits"),
    ],
)
def test_only_what_has_begun_is_called_running(
    happened: list[Any], states: list[str], phase: str
) -> None:
    bench = Workbench(0.0)
    for one in happened:
        bench.note(one)
    assert [row.state for row in bench.diary.rows] == states
    assert bench.facts(1.0).phase == phase
    shown = [card.lines[0] if card.lines else "done" for card in bench.cards()]
    assert shown == states
