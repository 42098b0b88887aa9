"""What the doctor has seen of a gateway chooses how a next turn tells it what was said.

Nothing that it has seen makes a conversation fail: a gateway that has changed is asked in another
way, as one of which nothing is known.
"""

from __future__ import annotations

from typing import Any

import pytest

from kit.gateway.capabilities import Capabilities, Seen, keeps_history
from kit.settings import Endpoint
from tests.tools.conftest import Open
from tests.tools.loops import FACES, call, play, refused, text, thought
from tests.tools.test_loop_memory import ENCRYPTED, FORGOT, clock, summary, told

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("nothing_left")]

PAIR = ["function_call", "function_call_output"]


def seen(**verdicts: Any) -> Capabilities:
    named = {name.replace("_", " "): one for name, one in verdicts.items()}
    return Capabilities({name: Seen(*one.split("/")) for name, one in named.items()})


@pytest.mark.parametrize(
    ("identity", "verdict", "keeps"),
    [
        ("gateway", "yes", True),
        ("gateway", "no/forgotten", False),
        ("gateway", "unknown", None),
        ("sandbox", "no/refused", False),
        ("local", "yes", True),
        ("sandbox", "unknown/late", True),
    ],
)
def test_what_was_seen_comes_before_what_is_promised(
    identity: str, verdict: str, keeps: Any
) -> None:
    endpoint = Endpoint("http://127.0.0.1:1/v1", identity=identity)
    assert keeps_history(endpoint, seen(tools_by_id=verdict)) is keeps


@pytest.mark.parametrize("face", FACES)
def test_an_id_that_was_seen_to_hold_is_named(opened: Open, face: str) -> None:
    played = play(
        opened,
        [call("clock")],
        [text("Noon.")],
        face=face,
        tools=[clock],
        known=seen(tools_by_id="yes"),
    )
    assert played.bodies[1]["previous_response_id"] == "resp_1"
    assert played.bodies[1]["input"] == [told()]


@pytest.mark.parametrize("verdict", ["no/forgotten", "no/refused"])
def test_an_id_that_was_seen_to_be_forgotten_is_not_named(opened: Open, verdict: str) -> None:
    """Not even where the documentation promises it."""
    known = seen(tools_by_id=verdict, history="yes")
    played = play(
        opened, [call("clock")], [text("Noon.")], tools=[clock], identity="sandbox", known=known
    )
    assert summary(played.bodies) == [
        (None, [ENCRYPTED], ["user"]),
        (None, [ENCRYPTED], ["user", *PAIR]),
    ]


def test_memory_of_texts_is_none_of_functions(opened: Open) -> None:
    """A bridge with a database remembers what was said, and fails behind a function."""
    played = play(
        opened, [call("clock")], [text("Noon.")], tools=[clock], known=seen(history="yes")
    )
    assert [one for one, _, _ in summary(played.bodies)] == [None, None]


def test_a_gateway_that_has_forgotten_since_is_told_everything(opened: Open) -> None:
    played = play(
        opened,
        [call("clock")],
        FORGOT,
        [text("Noon.")],
        tools=[clock],
        known=seen(tools_by_id="yes"),
    )
    assert played.answer is not None and played.answer.text == "Noon."
    assert played.bodies[2]["include"] == [ENCRYPTED]


def test_reasoning_that_was_seen_refused_is_not_asked_for(opened: Open) -> None:
    """One refused request less."""
    known = seen(encrypted="no/refused")
    played = play(opened, [call("clock")], [text("Noon.")], tools=[clock], known=known)
    assert summary(played.bodies) == [(None, None, ["user"]), (None, None, ["user", *PAIR])]


@pytest.mark.parametrize("verdict", ["unknown/busy", "no/model", "yes"])
def test_only_a_refusal_keeps_it_from_being_asked_for(opened: Open, verdict: str) -> None:
    played = play(opened, [text("Noon.")], tools=[clock], known=seen(encrypted=verdict))
    assert played.bodies[0]["include"] == [ENCRYPTED]


def test_reasoning_that_comes_all_the_same_can_be_left_out(opened: Open) -> None:
    """What is known keeps nothing from being mended."""
    no = refused("The encrypted content gAAA... could not be verified.")
    played = play(
        opened,
        [thought("gAAA"), call("clock")],
        no,
        [text("Noon.")],
        tools=[clock],
        known=seen(encrypted="no/refused"),
    )
    assert played.answer is not None and played.answer.text == "Noon."
    assert [kinds for _, _, kinds in summary(played.bodies)] == [
        ["user"],
        ["user", "reasoning", *PAIR],
        ["user", *PAIR],
    ]
