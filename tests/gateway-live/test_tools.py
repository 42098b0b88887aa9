"""The tool loop over the living gateways, where a second turn may forget the first."""

from __future__ import annotations

import json
import uuid

import pytest

from living import NewClient, Proxy, Upstream

pytestmark = pytest.mark.gateway_live

WAYS = ("native", "bridged")
TOOL = {
    **{"type": "function", "name": "weather", "description": "The weather in a city."},
    "parameters": {
        **{"type": "object", "additionalProperties": False, "required": ["city"]},
        "properties": {"city": {"type": "string"}},
    },
    "strict": True,
}


def weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: its name
    """
    return f"clear in {city}"


def question() -> str:
    return f"What is the weather in Seoul? ({uuid.uuid4().hex})"


@pytest.mark.parametrize("model", WAYS)
def test_a_function_is_called_and_its_output_told(model: str, client: NewClient) -> None:
    answer = client(model).run_tools(question(), tools=[weather])
    (call,) = answer.tool_calls
    assert (call.name, call.output, call.error) == ("weather", "clear in Seoul", None)
    assert "clear in Seoul" in answer.text


@pytest.mark.parametrize("model", WAYS)
def test_a_function_is_called_over_chat(model: str, client: NewClient) -> None:
    answer = client(model).run_tools(question(), tools=[weather], api="chat")
    assert [call.output for call in answer.tool_calls] == ["clear in Seoul"]
    assert "clear in Seoul" in answer.text


def test_an_id_makes_the_bridge_forget_the_question(plain: Proxy, quick: Upstream) -> None:
    """It is taken without a word. LiteLLM remembers the call of a call's output, and no more."""
    asked = question()
    first = plain.ask("POST", "/responses", {"model": "bridged", "input": asked, "tools": [TOOL]})
    (call,) = first.json()["output"]
    output = f"clear ({uuid.uuid4().hex})"
    told = {"type": "function_call_output", "call_id": call["call_id"], "output": output}
    second = plain.ask(
        "POST",
        "/responses",
        {
            **{"model": "bridged", "input": [told], "tools": [TOOL]},
            "previous_response_id": first.json()["id"],
        },
    )
    assert second.status_code == 200
    (sent,) = quick.submissions(output)
    assert asked not in json.dumps(sent.body)


def test_any_id_is_taken_by_the_bridge(client: NewClient) -> None:
    answer = client("bridged").respond("Hello!", previous_response_id="resp_nonsense")
    assert answer.status == "completed"


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("model", WAYS)
def test_every_turn_of_the_loop_has_the_question(
    named: bool, model: str, client: NewClient, quick: Upstream
) -> None:
    """So the loop finishes on the bridge as well, also where its caller names a response."""
    asked, one = question(), client(model)
    before = one.respond("Hello!").id if named else None
    answer = one.run_tools(asked, tools=[weather], previous_response_id=before)
    assert [call.output for call in answer.tool_calls] == ["clear in Seoul"]
    assert len(quick.submissions(asked)) == 2


def test_the_upstream_itself_goes_on_from_an_id(client: NewClient) -> None:
    one = client("native")
    said = one.respond("Reply with exactly: 김치")
    again = one.respond("What did you just say?", previous_response_id=said.id)
    assert "김치" in again.text
