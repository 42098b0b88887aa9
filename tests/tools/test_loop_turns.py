"""What exactly is sent in every turn, over both APIs."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from pydantic import BaseModel

from kit import errors
from tests.tools.conftest import Open
from tests.tools.loops import APIS, FACES, Turn, call, outputs_in, play, text, thought

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("nothing_left")]


def weather(city: str, unit: str = "C") -> str:
    """The weather of a city."""
    return f"{city}: 20 {unit}"


def clock() -> str:
    """The time."""
    return "12:00"


WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "The weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "unit": {"type": ["string", "null"], "description": 'null: "C"'},
        },
        "required": ["city", "unit"],
        "additionalProperties": False,
    },
    "strict": True,
}
NESTED = {"type": "function", "function": {k: v for k, v in WEATHER.items() if k != "type"}}
USER = {"role": "user", "content": "hi"}


@pytest.mark.parametrize("face", FACES)
def test_a_conversation_over_responses_says_everything_again(opened: Open, face: str) -> None:
    """Nobody knows whether this gateway keeps anything: stateless, with the reasoning."""
    played = play(
        opened,
        [thought("abc"), call("weather", city="Seoul", call_id="call_7")],
        [text("Fine.")],
        face=face,
        tools=[weather],
        system="Be brief.",
    )
    shared = {"model": "m", "stream": True, "instructions": "Be brief.", "tools": [WEATHER]}
    shared["include"] = ["reasoning.encrypted_content"]
    made = {"type": "function_call", "call_id": "call_7", "name": "weather"}
    told = {"type": "function_call_output", "call_id": "call_7", "output": "Seoul: 20 C"}
    assert played.bodies == [
        {**shared, "input": [USER]},
        {
            **shared,
            "input": [USER, thought("abc"), {**made, "arguments": '{"city": "Seoul"}'}, told],
        },
    ]
    assert played.answer is not None
    assert (played.answer.text, played.answer.id) == ("Fine.", "resp_2")


@pytest.mark.parametrize("face", FACES)
def test_a_conversation_over_chat(opened: Open, face: str) -> None:
    played = play(
        opened,
        [call("weather", city="Seoul", call_id="call_7")],
        [text("Fine.")],
        api="chat",
        face=face,
        tools=[weather],
        system="Be brief.",
    )
    usage = {"stream_options": {"include_usage": True}}
    shared = {"model": "m", "stream": True, "tools": [NESTED], **usage}
    asked = [{"role": "system", "content": "Be brief."}, USER]
    function = {"name": "weather", "arguments": '{"city": "Seoul"}'}
    made = {"id": "call_7", "type": "function", "function": function}
    assert played.bodies == [
        {**shared, "messages": asked},
        {
            **shared,
            "messages": [
                *asked,
                {"role": "assistant", "content": None, "tool_calls": [made]},
                {"role": "tool", "tool_call_id": "call_7", "content": "Seoul: 20 C"},
            ],
        },
    ]
    assert played.answer is not None
    assert played.answer.text == "Fine."


@pytest.mark.parametrize("api", APIS)
def test_without_a_call_there_is_one_turn(opened: Open, api: str) -> None:
    played = play(opened, [text("Hello.")], api=api, tools=[weather])
    assert played.kinds == ["TurnBegan"]
    assert len(played.bodies) == 1
    assert played.answer is not None
    assert (played.answer.text, played.calls) == ("Hello.", ())


@pytest.mark.parametrize("api", APIS)
def test_without_functions_no_tools_and_no_choice_are_sent(opened: Open, api: str) -> None:
    played = play(opened, [text("Hello.")], api=api, tool_choice="required")
    assert not {"tools", "tool_choice"} & played.bodies[0].keys()


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("face", FACES)
def test_what_happens_is_told_in_order(opened: Open, api: str, face: str) -> None:
    played = play(
        opened,
        [text("Let me see."), call("weather", city="Seoul"), call("clock", call_id="call_2")],
        [text("Fine.")],
        api=api,
        face=face,
        tools=[weather, clock],
    )
    began, ended = ["CallBegan"] * 2, ["CallEnded"] * 2
    assert played.kinds == ["TurnBegan", *began, *ended, "TurnBegan"]
    turns = [one for one in played.happenings if type(one).__name__ == "TurnBegan"]
    assert [(one.number, one.last) for one in turns] == [(1, False), (2, False)]
    why = [one.why for one in played.happenings if type(one).__name__ == "CallBegan"]
    assert why == ["Let me see."] * 2


@pytest.mark.parametrize("api", APIS)
def test_text_beside_a_call_is_kept_in_what_is_said_again(opened: Open, api: str) -> None:
    played = play(
        opened, [text("Let me see."), call("clock")], [text("Noon.")], api=api, tools=[clock]
    )
    assert played.answer is not None
    assert played.answer.text == "Noon."
    if api == "chat":
        said = played.bodies[1]["messages"][1]
        assert (said["content"], len(said["tool_calls"])) == ("Let me see.", 1)
    else:
        part = {"type": "output_text", "text": "Let me see."}
        assert played.bodies[1]["input"][1]["content"] == [part]


def test_the_phase_of_a_message_is_kept_and_the_final_one_is_the_answer(opened: Open) -> None:
    played = play(
        opened,
        [text("Let me see.", phase="commentary"), call("clock")],
        [text("Almost.", phase="commentary"), text("Noon.", phase="final_answer")],
        tools=[clock],
    )
    assert played.bodies[1]["input"][1]["phase"] == "commentary"
    assert played.answer is not None
    assert played.answer.text == "Noon."


# -- options, in which turn --------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    ("choice", "nested"),
    [
        ("required", "required"),
        ("auto", "auto"),
        (
            {"type": "function", "name": "clock"},
            {"type": "function", "function": {"name": "clock"}},
        ),
    ],
)
def test_a_tool_choice_holds_for_the_first_turn_alone(
    opened: Open, api: str, choice: Any, nested: Any
) -> None:
    """A function that has to be called would otherwise be called for ever."""
    played = play(
        opened,
        [call("clock")],
        [call("clock", call_id="call_2")],
        [text("Noon.")],
        api=api,
        tools=[clock],
        tool_choice=choice,
    )
    assert [body.get("tool_choice") for body in played.bodies] == [
        nested if api == "chat" else choice,
        None,
        None,
    ]


@pytest.mark.parametrize("api", APIS)
def test_every_turn_has_the_options_of_the_first(opened: Open, api: str) -> None:
    options = {"model": "big", "temperature": 0.5, "max_tokens": 99, "metadata": {"a": "b"}}
    played = play(
        opened, [call("clock")], [text("Noon.")], api=api, tools=[clock], effort="low", **options
    )
    for name in ("model", "temperature", "metadata", "reasoning", "reasoning_effort"):
        assert played.bodies[0].get(name) == played.bodies[1].get(name)
    assert [body["model"] for body in played.bodies] == ["big", "big"]


@pytest.mark.parametrize("api", APIS)
def test_hosted_tools_stand_beside_functions_in_every_turn(opened: Open, api: str) -> None:
    search = {"type": "web_search"}
    played = play(
        opened,
        [call("clock")],
        [text("Noon.")],
        api=api,
        tools=[clock],
        hosted=[search],
    )
    for body in played.bodies:
        assert [one["type"] for one in body["tools"]] == ["function", "web_search"]


def test_what_the_gateway_ran_itself_needs_no_output(opened: Open) -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    played = play(opened, [search, text("Found.")], tools=[clock], web_search=True)
    assert len(played.bodies) == 1
    assert played.bodies[0]["tools"][-1] == {"type": "web_search"}
    assert played.calls == ()


@pytest.mark.parametrize("api", APIS)
def test_history_stands_before_the_prompt_once(opened: Open, api: str) -> None:
    earlier = [{"role": "user", "content": "I am Ada."}, {"role": "assistant", "content": "Hi!"}]
    played = play(opened, [call("clock")], [text("Noon.")], api=api, tools=[clock], history=earlier)
    for body in played.bodies:
        said = body["messages"] if api == "chat" else body["input"]
        assert said[:3] == [*earlier, USER]
        assert said.count(earlier[0]) == 1


@pytest.mark.parametrize("api", APIS)
def test_an_image_is_sent_in_every_turn_that_says_everything(opened: Open, api: str) -> None:
    png = base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
        "gg=="
    )
    played = play(opened, [call("clock")], [text("Noon.")], api=api, tools=[clock], images=[png])
    first, second = (body["messages" if api == "chat" else "input"][0] for body in played.bodies)
    assert first == second
    assert len(first["content"]) == 2


@pytest.mark.parametrize("api", APIS)
def test_a_list_of_messages_is_a_prompt_too(opened: Open, api: str) -> None:
    said = [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}]
    played = play(opened, [call("clock")], [text("Noon.")], api=api, tools=[clock], prompt=said)
    for body in played.bodies:
        assert (body["messages"] if api == "chat" else body["input"])[:2] == said


class Noon(BaseModel):
    hour: int


@pytest.mark.parametrize("api", APIS)
def test_a_schema_goes_with_every_turn_and_the_last_answer_is_read_by_it(
    opened: Open, api: str
) -> None:
    played = play(
        opened, [call("clock")], [text('{"hour": 12}')], api=api, tools=[clock], schema=Noon
    )
    assert all(("response_format" if api == "chat" else "text") in body for body in played.bodies)
    assert played.answer is not None
    assert played.answer.parsed == Noon(hour=12)


def test_what_is_asked_to_be_included_is_included_in_every_turn(opened: Open) -> None:
    wanted = "web_search_call.action.sources"
    played = play(opened, [call("clock")], [text("Noon.")], tools=[clock], include=[wanted])
    for body in played.bodies:
        assert body["include"] == [wanted, "reasoning.encrypted_content"]


def test_what_is_asked_to_be_included_is_not_asked_twice(opened: Open) -> None:
    wanted = ["reasoning.encrypted_content"]
    played = play(opened, [text("Noon.")], tools=[clock], include=wanted)
    assert played.bodies[0]["include"] == wanted


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"prompt": ""}, "empty"),
        ({"prompt": []}, "empty"),
        ({"colour": "red"}, "colour"),
        ({"api": "chat", "include": ["x"]}, "include"),
        ({"api": "chat", "previous_response_id": "resp_0"}, "previous_response_id"),
    ],
)
@pytest.mark.parametrize("face", FACES)
def test_what_cannot_be_sent_is_refused_before_anything_is(
    opened: Open, options: Any, says: str, face: str
) -> None:
    played = play(opened, [text("Hello.")], face=face, tools=[clock], **options)
    assert isinstance(played.error, errors.InputError)
    assert says in str(played.error)
    assert played.error.answer is None
    assert played.bodies == []


# -- several calls -----------------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("face", FACES)
def test_outputs_stand_in_the_order_of_the_calls_whichever_ends_first(
    opened: Open, api: str, face: str
) -> None:
    ended: list[str] = []

    async def wait(name: str, after: str = "") -> str:
        """Wait."""
        while after and after not in ended:
            await asyncio.sleep(0.02)
        ended.append(name)
        return f"{name} has ended"

    played = play(
        opened,
        [
            call("wait", name="slow", after="quick", call_id="slow"),
            call("wait", name="quick", call_id="quick"),
            call("clock", call_id="plain"),
        ],
        [text("Done.")],
        api=api,
        face=face,
        tools=[wait, clock],
    )
    said = [("slow", "slow has ended"), ("quick", "quick has ended"), ("plain", "12:00")]
    assert outputs_in(played.bodies[1]) == said
    assert [(one.call_id, one.output) for one in played.calls] == said
    heard = [one.call.call_id for one in played.happenings if type(one).__name__ == "CallEnded"]
    assert sorted(heard) == ["plain", "quick", "slow"]
    assert [one for one in heard if one != "plain"] == ["quick", "slow"]


@pytest.mark.parametrize("api", APIS)
def test_three_rounds_are_said_again_in_full(opened: Open, api: str) -> None:
    played = play(
        opened,
        [call("weather", city="Seoul", call_id="a")],
        [call("weather", city="Busan", call_id="b")],
        [text("Fine.")],
        api=api,
        tools=[weather],
    )
    assert outputs_in(played.bodies[2]) == [("a", "Seoul: 20 C"), ("b", "Busan: 20 C")]
    kinds = [
        one.get("type") or one["role"]
        for one in played.bodies[2]["messages" if api == "chat" else "input"]
    ]
    pair = ["assistant", "tool"] if api == "chat" else ["function_call", "function_call_output"]
    assert kinds == ["user", *pair, *pair]


def test_reasoning_without_its_encrypted_content_is_not_said_again(opened: Open) -> None:
    """Its id points into a memory that this gateway may not have."""
    played = play(opened, [thought(), call("clock")], [text("Noon.")], tools=[clock])
    assert "reasoning" not in [one.get("type") for one in played.bodies[1]["input"]]


def test_ids_of_items_are_not_sent_back(opened: Open) -> None:
    made = {**call("clock"), "id": "fc_1", "status": "completed"}
    said = text("Let me see.", id="msg_1", status="completed")
    played = play(opened, Turn([said, made]), [text("Noon.")], tools=[clock])
    assert not any("id" in one for one in played.bodies[1]["input"])
