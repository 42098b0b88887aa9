"""What the doctor has seen of a gateway chooses how a next turn tells it what was said.

Nothing that it has seen makes a conversation fail: a gateway that has changed is asked in another
way, as one of which nothing is known.
"""

from __future__ import annotations

from typing import Any

import pytest

from kit import errors
from kit.gateway.capabilities import Capabilities, Seen, keeps_history
from kit.settings import Endpoint
from tests.gateway.gateways import json_reply, stream_reply
from tests.tools.conftest import Open
from tests.tools.loops import APIS, FACES, call, play, refused, text, thought
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


# -- a memory that is wrong ----------------------------------------------------------------------

MUST = refused("Stream must be set to true")
LOST = {
    "code": "previous_response_not_found",
    "message": "Previous response with id 'resp_1' not found.",
}
CREATED: Any = {
    "type": "response.created",
    "response": {"id": "resp_2", "object": "response", "status": "in_progress", "output": []},
}
FAILED: Any = {
    "type": "response.failed",
    "response": {**CREATED["response"], "status": "failed", "error": LOST},
}


@pytest.mark.parametrize(
    "no",
    [
        FORGOT,
        refused("No tool call found for function call output with call_id call_1."),
        refused(
            "litellm.APIConnectionError: messages with role 'tool' must be a response to a "
            "preceding message with 'tool_calls'.",
            "500 Internal Server Error",
        ),
        refused("Previous response with id 'resp_1' not found.", "500 Internal Server Error"),
        stream_reply({"type": "error", "error": {"message": "No tool call found for call_1."}}),
        stream_reply(CREATED, {"type": "error", "error": LOST}),
        stream_reply(FAILED, "[DONE]"),
        stream_reply(CREATED, FAILED, "[DONE]"),
        json_reply(FAILED["response"]),
    ],
)
@pytest.mark.parametrize(
    "about", [{"known": seen(tools_by_id="yes")}, {"identity": "sandbox"}], ids=["seen", "promised"]
)
@pytest.mark.parametrize("face", FACES)
def test_however_a_gateway_says_that_it_forgot_it_is_told_everything(
    opened: Open, no: Any, about: Any, face: str
) -> None:
    played = play(opened, [call("clock")], no, [text("Noon.")], face=face, tools=[clock], **about)
    assert played.answer is not None and played.answer.text == "Noon."
    assert [one for one, _, _ in summary(played.bodies)] == [None, "resp_1", None]


def test_a_gateway_that_forgot_where_streams_break_off_is_told_everything(opened: Open) -> None:
    """It answers in one piece then, and so it fails."""
    known = seen(responses_stream="no/cut", tools_by_id="yes")
    failed = json_reply(FAILED["response"])
    played = play(opened, [call("clock")], failed, [text("Noon.")], tools=[clock], known=known)
    assert played.answer is not None and played.answer.text == "Noon."
    assert [one for one, _, _ in summary(played.bodies)] == [None, "resp_1", None]


@pytest.mark.parametrize("item", [text("It is"), thought(), call("clock", call_id="b")])
def test_a_failure_behind_the_beginning_of_an_answer_is_not_asked_again(
    opened: Open, item: Any
) -> None:
    """It was shown, and is paid for."""
    begun = {"type": "response.output_item.added", "output_index": 0, "item": item}
    played = play(
        opened,
        [call("clock")],
        stream_reply(CREATED, begun, FAILED),
        tools=[clock],
        known=seen(tools_by_id="yes"),
    )
    assert isinstance(played.error, errors.ResponseFailed)
    assert len(played.bodies) == 2


@pytest.mark.parametrize("frames", [[FAILED], [CREATED, FAILED]])
def test_where_no_id_was_named_nothing_was_forgotten(opened: Open, frames: Any) -> None:
    played = play(opened, [call("clock")], stream_reply(*frames), tools=[clock])
    assert isinstance(played.error, errors.ResponseFailed)
    assert len(played.bodies) == 2


@pytest.mark.parametrize(
    "no",
    [
        refused("boom", "500 Internal Server Error"),
        refused("No tool call found.", "429 Too Many Requests"),
        refused("No tool call found.", "401 Unauthorized"),
        refused("no such model", code="model_not_found"),
    ],
)
def test_what_says_nothing_of_the_turn_before_is_not_sent_twice(opened: Open, no: Any) -> None:
    """It may have been taken, and is paid for."""
    played = play(opened, [call("clock")], no, tools=[clock], known=seen(tools_by_id="yes"))
    assert isinstance(played.error, errors.GatewayError)
    assert len(played.bodies) == 2


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("face", FACES)
def test_a_gateway_that_streams_alone_by_now_is_asked_for_streams(
    opened: Open, api: str, face: str
) -> None:
    known = seen(responses_stream="no/cut", chat_stream="no/cut")
    played = play(
        opened,
        MUST,
        [call("clock")],
        [text("Noon.")],
        api=api,
        face=face,
        tools=[clock],
        known=known,
    )
    assert played.answer is not None and played.answer.text == "Noon."
    assert [one["stream"] for one in played.bodies] == [False, True, True]
    assert played.kinds.count("TurnBegan") == 2


def test_two_memories_that_are_wrong_are_mended_one_after_the_other(opened: Open) -> None:
    known = seen(responses_stream="no/cut", tools_by_id="yes", encrypted="no/refused")
    played = play(
        opened, MUST, [call("clock")], FORGOT, [text("Noon.")], tools=[clock], known=known
    )
    assert played.answer is not None and played.answer.text == "Noon."
    assert [(one["stream"], one.get("previous_response_id")) for one in played.bodies] == [
        (False, None),
        (True, None),
        (True, "resp_2"),
        (True, None),
    ]


def test_streams_that_do_break_off_are_not_asked_for_because_an_id_was_forgotten(
    opened: Open,
) -> None:
    """The refusal was about the id, as the stream's shows; what was seen of streams still holds."""
    known = seen(responses_stream="no/cut", tools_by_id="yes")
    played = play(
        opened, [call("clock")], FORGOT, FORGOT, [text("Noon.")], tools=[clock], known=known
    )
    assert played.answer is not None and played.answer.text == "Noon."
    assert [(one["stream"], one.get("previous_response_id")) for one in played.bodies] == [
        (False, None),
        (False, "resp_1"),
        (True, "resp_1"),
        (False, None),
    ]


@pytest.mark.parametrize("identity", ["gateway", "sandbox"])
@pytest.mark.parametrize("by_id", ["yes", "no/forgotten", "no/refused", "unknown"])
@pytest.mark.parametrize("encrypted", ["yes", "no/refused", "no/model", "unknown"])
@pytest.mark.parametrize("gateway", ["keeps", "forgets", "cannot decrypt"])
def test_a_conversation_ends_well_whatever_is_remembered(
    opened: Open, identity: str, by_id: str, encrypted: str, gateway: str
) -> None:
    named = by_id == "yes" or (identity == "sandbox" and by_id == "unknown")
    no: list[Any] = [FORGOT] if gateway == "forgets" and named else []
    if gateway == "cannot decrypt" and not named:
        no = [refused("The encrypted content gAAA... could not be verified.")]
    played = play(
        opened,
        [thought("gAAA"), call("clock")],
        *no,
        [text("Noon.")],
        identity=identity,
        tools=[clock],
        known=seen(tools_by_id=by_id, encrypted=encrypted),
    )
    assert played.answer is not None and played.answer.text == "Noon."
