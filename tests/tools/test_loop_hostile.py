"""Calls as no specification has them: without ids, with the same one, half, or a thousand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from kit import errors
from tests.gateway.gateways import STREAM_HEAD, frame, json_reply, stream_reply
from tests.tools.conftest import Open
from tests.tools.loops import (
    APIS,
    FACES,
    Turn,
    call,
    client_of,
    error_in,
    outputs_in,
    play,
    text,
)
from tests.waiting import until

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("nothing_left")]


def weather(city: str = "Seoul") -> str:
    """The weather of a city."""
    return f"{city}: fine"


def calls_in(body: Any) -> list[tuple[Any, Any, Any]]:
    """The calls in a request of either API: id, name, arguments."""
    if "messages" in body:
        made = [one for message in body["messages"] for one in message.get("tool_calls", ())]
        return [(one["id"], one["function"]["name"], one["function"]["arguments"]) for one in made]
    made = [one for one in body["input"] if one.get("type") == "function_call"]
    return [(one["call_id"], one["name"], one["arguments"]) for one in made]


def ids_agree(body: Any) -> list[Any]:
    """The ids of the calls, each with exactly one output, no two the same."""
    made = [one for one, _, _ in calls_in(body)]
    assert made == [one for one, _ in outputs_in(body)]
    assert len(set(made)) == len(made)
    assert all(isinstance(one, str) and one for one in made)
    return made


# -- ids ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("missing", [None, "", 7, {"a": 1}])
def test_a_call_without_an_id_gets_one(opened: Open, api: str, missing: Any) -> None:
    made = [call("weather", call_id=missing), call("weather", city="Busan", call_id=missing)]
    played = play(opened, made, [text("Fine.")], api=api, tools=[weather])
    ids = ids_agree(played.bodies[1])
    assert [one.call_id for one in played.calls] == ids
    assert [one.output for one in played.calls] == ["Seoul: fine", "Busan: fine"]


@pytest.mark.parametrize("api", APIS)
def test_calls_with_one_id_are_told_apart(opened: Open, api: str) -> None:
    if api == "chat":
        made = [call("weather"), call("weather", city="Busan", call_id="call_1")]
    else:
        made = [call("weather"), call("weather", city="Busan")]
    played = play(opened, made, [text("Fine.")], api=api, tools=[weather])
    assert ids_agree(played.bodies[1])[0] == "call_1"
    assert [one for _, one in outputs_in(played.bodies[1])] == ["Seoul: fine", "Busan: fine"]


@pytest.mark.parametrize("api", APIS)
def test_an_id_that_comes_again_in_a_later_turn_is_told_apart(opened: Open, api: str) -> None:
    """Some servers count from call_0 in every answer."""
    played = play(
        opened,
        [call("weather", call_id="call_0")],
        [call("weather", city="Busan", call_id="call_0")],
        [text("Fine.")],
        api=api,
        tools=[weather],
    )
    assert ids_agree(played.bodies[2])[0] == "call_0"


def test_a_gateway_that_keeps_the_call_hears_its_own_id(opened: Open) -> None:
    played = play(
        opened,
        [call("weather", call_id="call_0")],
        [call("weather", city="Busan", call_id="call_0")],
        [text("Fine.")],
        identity="sandbox",
        tools=[weather],
    )
    said = [outputs_in(body) for body in played.bodies[1:]]
    assert said == [[("call_0", "Seoul: fine")], [("call_0", "Busan: fine")]]
    assert played.calls[0].call_id != played.calls[1].call_id


def test_the_items_own_id_stands_in_for_the_calls(opened: Open) -> None:
    made = {**call("weather", call_id=None), "id": "fc_9"}
    played = play(opened, [made], [text("Fine.")], tools=[weather])
    assert ids_agree(played.bodies[1]) == ["fc_9"]


# -- names -------------------------------------------------------------------------------------

NAMES = [
    "functions.weather",
    "multi_tool_use.parallel",
    "get weather",
    "날씨",
    "w" * 500,
    "",
    "a\nb\x1b[31m\u202e",
    "<script>alert(1)</script>",
]


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_no_gateway_takes_back_is_sent_as_one_that_it_does(
    opened: Open, api: str, name: str
) -> None:
    """OpenAI and others refuse a conversation with a name like `functions.weather` in it."""
    played = play(opened, [call(name), call("weather", call_id="b")], [text("x")], api=api,
                  tools=[weather])  # fmt: skip
    sent = [one for _, one, _ in calls_in(played.bodies[1])]
    assert sent[1] == "weather"
    assert 1 <= len(sent[0]) <= 64
    assert sent[0].isascii()
    assert sent[0].replace("_", "").replace("-", "").isalnum() or set(sent[0]) == {"_"}
    assert error_in(played.told[0])[0] == "unknown_tool"
    assert played.calls[0].name == name[:200]


@pytest.mark.parametrize("name", [None, 7, ["weather"], {"name": "weather"}])
def test_a_name_that_is_no_text_is_unknown(opened: Open, name: Any) -> None:
    played = play(opened, [call(name)], [text("x")], tools=[weather])
    assert error_in(played.told[0])[0] == "unknown_tool"


# -- arguments ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"city": "Busan"}, "Busan: fine"),
        ({}, "Seoul: fine"),
        (None, "Seoul: fine"),
    ],
)
def test_arguments_that_came_as_an_object_are_read(opened: Open, given: Any, told: str) -> None:
    """Some servers forget to write them as text. Sent back they are text."""
    made = {**call("weather"), "arguments": given}
    played = play(opened, [made], [text("x")], tools=[weather])
    assert played.told == [told]
    [(_, _, sent)] = calls_in(played.bodies[1])
    assert json.loads(sent or "{}") == (given or {})


@pytest.mark.parametrize("given", [["Busan"], 7, True])
def test_arguments_of_another_kind_are_wrong_and_not_forgotten(opened: Open, given: Any) -> None:
    """The function has a default: called without arguments it would give a wrong answer."""
    made = {**call("weather"), "arguments": given}
    played = play(opened, [made], [text("x")], tools=[weather])
    assert error_in(played.told[0])[0] == "invalid_arguments"


@pytest.mark.parametrize("face", FACES)
def test_arguments_in_one_piece_of_json_are_read_as_an_object_too(opened: Open, face: str) -> None:
    function = {"name": "weather", "arguments": {"city": "Busan"}}
    message = {"tool_calls": [{"id": "a", "type": "function", "function": function}]}
    whole = {"choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}]}
    played = play(opened, json_reply(whole), [text("x")], api="chat", face=face, tools=[weather])
    assert played.told == ["Busan: fine"]


def test_arguments_that_stream_as_an_object_are_not_forgotten(opened: Open) -> None:
    function = {"name": "weather", "arguments": {"city": "Busan"}}
    one = {"index": 0, "id": "a", "type": "function", "function": function}
    delta = {"choices": [{"index": 0, "delta": {"tool_calls": [one]}}]}
    finish = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    made = stream_reply(delta, finish, "[DONE]")
    played = play(opened, made, [text("x")], api="chat", tools=[weather])
    assert played.told == ["Busan: fine"]


# -- half a call -------------------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("raw", ["", '{"city": "Bus', "{}"])
@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
def test_a_call_that_was_cut_off_is_not_carried_out(
    opened: Open, api: str, raw: str, reason: str
) -> None:
    """What was to follow nobody knows: with nothing of it, the defaults would be taken."""
    made = {**call("weather", raw), "status": "incomplete"}
    played = play(
        opened,
        Turn([made], status="incomplete", reason=reason),
        [call("weather", city="Busan", call_id="b")],
        [text("Fine.")],
        api=api,
        tools=[weather],
    )
    kind, message = error_in(played.told[0])
    assert kind == "invalid_arguments"
    assert "cut off" in message
    assert played.told[1] == "Busan: fine"
    assert played.answer is not None
    assert played.answer.status == "completed"


def test_a_call_left_open_is_cut_off_too(opened: Open) -> None:
    made = {**call("weather", ""), "status": "in_progress"}
    played = play(opened, Turn([made], status="incomplete"), [text("x")], tools=[weather])
    assert error_in(played.told[0])[0] == "invalid_arguments"


def test_a_call_that_was_whole_before_the_answer_was_cut_off_is_carried_out(
    opened: Open,
) -> None:
    whole = {**call("weather", city="Busan"), "status": "completed"}
    half = {**call("weather", "", call_id="b"), "status": "incomplete"}
    played = play(
        opened,
        Turn([whole, half], status="incomplete", reason="max_output_tokens"),
        [text("x")],
        tools=[weather],
    )
    assert played.told[0] == "Busan: fine"
    assert error_in(played.told[1])[0] == "invalid_arguments"


# -- too much ----------------------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS)
def test_a_thousand_calls_in_one_turn_are_answered(opened: Open, api: str) -> None:
    made = [call("weather", city=f"city {n}", call_id=f"c{n}") for n in range(1000)]
    played = play(opened, made, [text("Enough.")], api=api, tools=[weather])
    assert len(ids_agree(played.bodies[1])) == 1000
    assert played.told[:32] == [f"city {n}: fine" for n in range(32)]
    assert {error_in(one)[0] for one in played.told[32:]} == {"limit"}
    assert played.bodies[1]["tool_choice"] == "none"


def endless(api: str) -> Iterator[bytes]:
    """A call whose arguments go on for as long as the client stays."""
    yield STREAM_HEAD
    piece = "and so on, " * 1000
    if api == "responses":
        item = {"type": "response.output_item.added", "output_index": 0, "item": call("weather")}
        delta = {"type": "response.function_call_arguments.delta", "output_index": 0}
        yield frame(item)
        again = frame({**delta, "delta": piece})
    else:
        one = {"index": 0, "id": "a", "function": {"name": "weather", "arguments": piece}}
        again = frame({"choices": [{"index": 0, "delta": {"tool_calls": [one]}}]})
    while True:
        yield again


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("face", FACES)
def test_arguments_without_end_are_stopped(opened: Open, api: str, face: str) -> None:
    played = play(
        opened,
        [call("weather", call_id="a")],
        endless(api),
        api=api,
        face=face,
        tools=[weather],
    )
    assert isinstance(played.error, errors.ProtocolError)
    assert "1,000,000 characters of arguments" in str(played.error)
    assert [one.output for one in played.error.answer.tool_calls] == ["Seoul: fine"]
    until(played.there.left.is_set)


@pytest.mark.parametrize("api", APIS)
def test_arguments_without_end_in_one_piece_are_no_call_either(opened: Open, api: str) -> None:
    """Resent, they would be paid for in every turn that follows."""
    raw = '{"city": "' + "x" * 1_000_000
    if api == "chat":
        function = {"name": "weather", "arguments": raw}
        message = {"tool_calls": [{"id": "a", "type": "function", "function": function}]}
        whole: Any = {"choices": [{"finish_reason": "tool_calls", "message": message}]}
    else:
        whole = {"object": "response", "status": "completed", "output": [call("weather", raw)]}
    played = play(opened, json_reply(whole), [text("x")], api=api, tools=[weather])
    assert isinstance(played.error, errors.ProtocolError)
    assert len(played.bodies) == 1


def test_a_client_can_be_used_for_many_conversations(opened: Open) -> None:
    import asyncio

    from tests.tools.loops import loop_of, replies

    there = opened(*replies([[call("weather")], [text("one")], [text("two")]], "responses"))

    async def conversations() -> list[str]:
        async with client_of(there) as client:
            found: list[str] = []
            for _ in range(2):
                stream = loop_of(client, tools=[weather])
                async for _ in stream:
                    pass
                found.append(stream.answer.text)
            return found

    assert asyncio.run(conversations()) == ["one", "two"]
