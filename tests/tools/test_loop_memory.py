"""How a next turn tells the gateway what was said: by an id where that holds, else in full."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kit import errors
from kit.gateway.capabilities import keeps_history
from kit.settings import Endpoint
from tests.gateway.gateways import stream_reply
from tests.tools.conftest import Open
from tests.tools.loops import APIS, FACES, Turn, call, outputs_in, play, refused, text, thought

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("nothing_left")]

ENCRYPTED = "reasoning.encrypted_content"
USER = {"role": "user", "content": "hi"}
FORGOT = refused("Previous response with id 'resp_1' not found.", "404 Not Found")
NO_OUTPUT = refused("No tool call found for function call output with call_id call_1.")


def clock() -> str:
    """The time."""
    return "12:00"


def told(call_id: str = "call_1") -> dict[str, str]:
    return {"type": "function_call_output", "call_id": call_id, "output": "12:00"}


def summary(bodies: list[Any]) -> list[tuple[Any, Any, list[str]]]:
    """Of each request: the id it names, what it wants included, and what it says."""
    return [
        (
            one.get("previous_response_id"),
            one.get("include"),
            [item.get("type") or item["role"] for item in one["input"]],
        )
        for one in bodies
    ]


# -- what is known of gateways -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "identity", "keeps"),
    [
        ("https://api.openai.com/v1", "gateway", True),
        ("https://team.openai.azure.com/openai/v1", "gateway", True),
        ("https://litellm.example.org/v1", "gateway", None),
        ("http://127.0.0.1:4000/v1", "gateway", None),
        ("https://api.openai.com.evil.org/v1", "gateway", None),
        ("https://evil-api.openai.com/v1", "gateway", None),
        ("https://openai.azure.com.evil.org/v1", "gateway", None),
        ("https://API.OPENAI.COM:443/v1", "gateway", True),
        ("http://127.0.0.1:1/v1", "sandbox", True),
        ("http://127.0.0.1:1/v1", "local", False),
    ],
)
def test_only_those_who_promise_it_keep_a_history(url: str, identity: str, keeps: Any) -> None:
    assert keeps_history(Endpoint(url, identity=identity)) is keeps


# -- a gateway that keeps responses ------------------------------------------------------------


@pytest.mark.parametrize("face", FACES)
def test_a_turn_names_the_one_before_and_says_only_what_is_new(opened: Open, face: str) -> None:
    """Instructions and tools are not kept with a response: they are sent every time."""
    played = play(
        opened,
        [thought(), call("clock", call_id="a")],
        [call("clock", call_id="b")],
        [text("Noon.")],
        face=face,
        identity="sandbox",
        tools=[clock],
        system="Be brief.",
    )
    assert [body["input"] for body in played.bodies] == [[USER], [told("a")], [told("b")]]
    named = [body.get("previous_response_id") for body in played.bodies]
    assert named == [None, "resp_1", "resp_2"]
    assert not any("include" in body for body in played.bodies)
    assert all(body["instructions"] == "Be brief." for body in played.bodies)
    assert all(len(body["tools"]) == 1 for body in played.bodies)


def test_history_is_said_once_where_it_is_kept(opened: Open) -> None:
    earlier = [{"role": "user", "content": "I am Ada."}]
    played = play(
        opened,
        [call("clock")],
        [text("Noon.")],
        identity="sandbox",
        tools=[clock],
        history=earlier,
    )
    assert [body["input"] for body in played.bodies] == [[*earlier, USER], [told()]]


@pytest.mark.parametrize(
    ("identity", "options"),
    [
        ("gateway", {}),
        ("local", {}),
        ("sandbox", {"store": False}),
        ("gateway", {"store": True}),
    ],
)
def test_elsewhere_no_id_is_named(opened: Open, identity: str, options: Any) -> None:
    played = play(
        opened, [call("clock")], [text("Noon.")], identity=identity, tools=[clock], **options
    )
    said = ["user", "function_call", "function_call_output"]
    assert summary(played.bodies) == [(None, [ENCRYPTED], ["user"]), (None, [ENCRYPTED], said)]
    assert all(body.get("store") == options.get("store") for body in played.bodies)


def test_an_answer_without_an_id_cannot_be_named(opened: Open) -> None:
    frames = Turn([call("clock")]).reply("responses", 1)
    nameless = [one.replace(b'"id": "resp_1", ', b"") for one in frames if isinstance(one, bytes)]  # type: ignore[union-attr]
    played = play(
        opened,
        nameless,
        [call("clock", call_id="b")],
        [text("Noon.")],
        identity="sandbox",
        tools=[clock],
    )
    pair = ["function_call", "function_call_output"]
    assert [(one, said) for one, _, said in summary(played.bodies)] == [
        (None, ["user"]),
        (None, ["user", *pair]),
        ("resp_2", ["function_call_output"]),
    ]


# -- an id that the caller names ---------------------------------------------------------------


def test_a_named_response_is_gone_on_from(opened: Open) -> None:
    played = play(
        opened,
        [call("clock")],
        [text("Noon.")],
        identity="sandbox",
        tools=[clock],
        previous_response_id="resp_0",
    )
    assert summary(played.bodies) == [
        ("resp_0", None, ["user"]),
        ("resp_1", None, ["function_call_output"]),
    ]


def test_a_gateway_that_nobody_knows_is_told_all_since_a_named_response(opened: Open) -> None:
    """It may take every id, this one too, and forget: LiteLLM's bridge does."""
    played = play(
        opened, [call("clock")], [text("Noon.")], tools=[clock], previous_response_id="resp_0"
    )
    assert summary(played.bodies) == [
        ("resp_0", [ENCRYPTED], ["user"]),
        ("resp_0", [ENCRYPTED], ["user", "function_call", "function_call_output"]),
    ]


def test_a_named_response_is_named_in_every_turn_where_nothing_new_is_stored(
    opened: Open,
) -> None:
    played = play(
        opened,
        [call("clock")],
        [text("Noon.")],
        tools=[clock],
        previous_response_id="resp_0",
        store=False,
    )
    said = ["user", "function_call", "function_call_output"]
    assert summary(played.bodies) == [
        ("resp_0", [ENCRYPTED], ["user"]),
        ("resp_0", [ENCRYPTED], said),
    ]


def test_a_named_response_that_is_gone_is_an_error(opened: Open) -> None:
    played = play(opened, FORGOT, tools=[clock], previous_response_id="resp_0")
    assert isinstance(played.error, errors.NotFound)
    assert len(played.bodies) == 1


# -- a gateway that promised more than it does -------------------------------------------------


@pytest.mark.parametrize("no", [FORGOT, NO_OUTPUT])
@pytest.mark.parametrize("face", FACES)
def test_a_gateway_that_forgot_is_told_everything(opened: Open, no: bytes, face: str) -> None:
    """And it is not trusted again; what was thought is from now on asked for encrypted."""
    played = play(
        opened,
        [call("clock", call_id="a")],
        no,
        [thought("xyz"), call("clock", call_id="b")],
        [text("Noon.")],
        face=face,
        identity="sandbox",
        tools=[clock],
    )
    pair = ["function_call", "function_call_output"]
    assert summary(played.bodies) == [
        (None, None, ["user"]),
        ("resp_1", None, ["function_call_output"]),
        (None, [ENCRYPTED], ["user", *pair]),
        (None, [ENCRYPTED], ["user", *pair, "reasoning", *pair]),
    ]
    assert played.answer is not None
    assert played.answer.text == "Noon."
    assert played.answer.previous_response_id == "resp_1"


def test_a_gateway_that_forgot_a_turn_after_a_named_response_is_told_all_since(
    opened: Open,
) -> None:
    played = play(
        opened,
        [call("clock")],
        FORGOT,
        [text("Noon.")],
        identity="sandbox",
        tools=[clock],
        previous_response_id="resp_0",
    )
    said = ["user", "function_call", "function_call_output"]
    assert [(one, items) for one, _, items in summary(played.bodies)] == [
        ("resp_0", ["user"]),
        ("resp_1", ["function_call_output"]),
        ("resp_0", said),
    ]


def test_a_gateway_that_refuses_everything_is_asked_no_more_than_that(opened: Open) -> None:
    played = play(
        opened, [call("clock")], NO_OUTPUT, identity="sandbox", tools=[clock], limits=None
    )
    assert isinstance(played.error, errors.BadRequest)
    assert len(played.bodies) == 4  # by id, in full with the reasoning, in full without it
    assert [call.output for call in played.error.answer.tool_calls] == ["12:00"]


# -- reasoning ---------------------------------------------------------------------------------


@pytest.mark.parametrize("face", FACES)
def test_a_model_without_reasoning_is_asked_without_it_and_not_again(
    opened: Open, face: str
) -> None:
    no = refused("Encrypted content is not supported with this model.", param="include")
    played = play(
        opened, no, [call("clock")], [text("Noon.")], face=face, tools=[clock], tool_choice="auto"
    )
    said = ["user", "function_call", "function_call_output"]
    assert summary(played.bodies) == [
        (None, [ENCRYPTED], ["user"]),
        (None, None, ["user"]),
        (None, None, said),
    ]
    assert [body.get("tool_choice") for body in played.bodies] == ["auto", "auto", None]
    assert played.kinds.count("TurnBegan") == 2


def test_what_the_caller_wants_included_is_still_asked_for(opened: Open) -> None:
    no = refused("Encrypted content is not supported with this model.")
    wanted = ["web_search_call.action.sources"]
    played = play(opened, no, [text("Noon.")], tools=[clock], include=wanted)
    assert [body["include"] for body in played.bodies] == [[*wanted, ENCRYPTED], wanted]


def test_reasoning_that_another_deployment_encrypted_is_left_out(opened: Open) -> None:
    """Behind one gateway stand several; what one encrypted the other cannot read."""
    no = refused("The encrypted content gAAA... could not be verified.")
    played = play(
        opened,
        [thought("gAAA"), call("clock", call_id="a")],
        no,
        [thought("gBBB"), call("clock", call_id="b")],
        [text("Noon.")],
        tools=[clock],
    )
    pair = ["function_call", "function_call_output"]
    assert summary(played.bodies) == [
        (None, [ENCRYPTED], ["user"]),
        (None, [ENCRYPTED], ["user", "reasoning", *pair]),
        (None, None, ["user", *pair]),
        (None, None, ["user", *pair, *pair]),
    ]


def test_reasoning_is_said_again_word_for_word(opened: Open) -> None:
    item = {**thought("gAAA"), "status": None, "content": [], "vendor": {"a": [1]}}
    played = play(opened, [item, call("clock")], [text("Noon.")], tools=[clock])
    assert played.bodies[1]["input"][1] == item


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    ("no", "kind"),
    [
        (refused("no", "401 Unauthorized"), errors.AuthenticationFailed),
        (refused("no", "404 Not Found"), errors.NotFound),
        (refused("no such model", code="model_not_found"), errors.ModelUnknown),
        (refused("no", "500 Internal Server Error"), errors.ServerFailed),
        (refused("no", "429 Too Many Requests"), errors.RateLimited),
    ],
)
def test_what_asking_in_another_way_would_not_help_is_raised_at_once(
    opened: Open, api: str, no: bytes, kind: type[errors.KitError]
) -> None:
    played = play(opened, no, api=api, tools=[clock])
    assert type(played.error) is kind
    assert len(played.bodies) == 1


def test_over_chat_there_is_no_other_way(opened: Open) -> None:
    played = play(opened, refused("no"), api="chat", tools=[clock])
    assert isinstance(played.error, errors.BadRequest)
    assert len(played.bodies) == 1


def test_a_refusal_in_the_middle_of_a_stream_is_not_asked_again(opened: Open) -> None:
    """Something of an answer had arrived, and was shown."""
    created = {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}}
    frames = stream_reply(created, {"type": "error", "error": {"message": "no", "code": "400"}})
    played = play(opened, frames, tools=[clock])
    assert isinstance(played.error, errors.ResponseFailed)
    assert len(played.bodies) == 1


def test_outputs_follow_all_calls_of_a_turn(opened: Open) -> None:
    """One request answers every call of the turn before: a missing one would be refused."""
    made = [call("clock", json.dumps({"n": n}), call_id=f"c{n}") for n in range(5)]
    for identity in ("gateway", "sandbox"):
        played = play(opened, made, [text("Noon.")], identity=identity, tools=[clock])
        assert [one for one, _ in outputs_in(played.bodies[1])] == [f"c{n}" for n in range(5)]
