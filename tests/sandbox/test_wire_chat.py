"""`/v1/chat/completions` over HTTP: the same answers in the shape of chat."""

import json

import pytest

ASK = [{"role": "user", "content": "Hello"}]
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {}}}
TIME = {"type": "function", "function": {"name": "get_time"}}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}


def create(http, **body):
    return http.post("/chat/completions", json={"model": "sandbox", "messages": ASK, **body})


def chunks(answer) -> list[dict]:
    frames = answer.text.removesuffix("\n\n").split("\n\n")
    assert frames.pop() == "data: [DONE]"
    assert all(frame.startswith("data: ") for frame in frames)
    return [json.loads(frame[6:]) for frame in frames]


def assembled(found: list[dict]) -> dict:
    """The message that the deltas of a stream add up to, and its finish reason."""
    message: dict = {"content": "", "tool_calls": {}, "annotations": []}
    for chunk in found:
        for choice in chunk["choices"]:
            delta = choice["delta"]
            message["content"] += delta.get("content") or ""
            message["annotations"] += delta.get("annotations", [])
            for call in delta.get("tool_calls", []):
                known = message["tool_calls"].setdefault(call["index"], {"arguments": ""})
                known["name"] = known.get("name") or call["function"].get("name")
                known["arguments"] += call["function"]["arguments"]
            message["finish_reason"] = choice["finish_reason"]
    return message


def test_a_completion_has_the_fields_of_chat(http):
    body = create(http).json()
    (choice,) = body["choices"]
    assert (body["object"], choice["finish_reason"]) == ("chat.completion", "stop")
    assert choice["message"]["content"] == "1: Hello"
    assert choice["message"]["refusal"] is None
    usage = body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0
    assert "cached_tokens" in usage["prompt_tokens_details"]
    assert "reasoning_tokens" in usage["completion_tokens_details"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": [{"role": "user", "content": "한글 " * 30}]},
        {"web_search_options": {}},
        {"tools": [WEATHER, TIME]},
        {"model": "sandbox:parallel-calls"},
        {"model": "sandbox:refusal"},
        {"model": "some-deep-research"},
        {"messages": [{"role": "user", "content": "word " * 50}], "max_tokens": 16},
        {"messages": [{"role": "user", "content": "word " * 50}], "max_completion_tokens": 16},
    ],
)
def test_a_stream_adds_up_to_the_completion(http, body):
    whole = create(http, **body).json()["choices"][0]
    found = chunks(create(http, stream=True, **body))
    assert len({chunk["id"] for chunk in found}) == 1
    assert {chunk["object"] for chunk in found} == {"chat.completion.chunk"}
    assert all("usage" not in chunk for chunk in found)
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in found]
    assert [reason for reason in reasons if reason] == reasons[-1:] == [whole["finish_reason"]]
    message = assembled(found)
    assert message["content"] == (whole["message"]["content"] or "")
    assert message["annotations"] == whole["message"]["annotations"]
    calls = [call["function"] for call in whole["message"].get("tool_calls", [])]
    if body.get("model") != "sandbox:parallel-calls":
        assert list(message["tool_calls"].values()) == calls
    assert len(message["tool_calls"]) == len(calls)


def test_usage_comes_last_when_it_is_asked_for(http):
    found = chunks(create(http, stream=True, stream_options={"include_usage": True}))
    assert [chunk["usage"] for chunk in found[:-1]] == [None] * (len(found) - 1)
    assert found[-1]["choices"] == []
    assert found[-1]["usage"]["total_tokens"] > 0


def test_citations_are_nested_and_hold(http):
    message = create(http, web_search_options={}).json()["choices"][0]["message"]
    cited = message["annotations"][0]
    assert cited["type"] == "url_citation"
    span = slice(cited["url_citation"]["start_index"], cited["url_citation"]["end_index"])
    assert message["content"][span].startswith("([example.com](")


def test_a_tool_loop_closes(http):
    called = create(http, tools=[WEATHER]).json()["choices"][0]
    assert called["finish_reason"] == "tool_calls"
    assert called["message"]["content"] is None
    (call,) = called["message"]["tool_calls"]
    result = {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}
    messages = [*ASK, called["message"], result]
    answer = create(http, tools=[WEATHER], messages=messages).json()["choices"][0]
    assert answer["message"]["content"] == "get_weather said sunny"


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("none", None),
        ("required", ["get_weather", "get_time"]),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [TIME]}},
         ["get_time"]),
    ],
)  # fmt: skip
def test_tool_choice_narrows_what_is_called(http, choice, names):
    body = create(http, tools=[WEATHER, TIME], tool_choice=choice).json()
    calls = body["choices"][0]["message"].get("tool_calls")
    assert (calls and [call["function"]["name"] for call in calls]) == names


def test_a_picture_is_named_and_not_looked_at(http):
    content = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
    ]
    body = create(http, messages=[{"role": "user", "content": content}]).json()
    assert "Not looked at: the picture" in body["choices"][0]["message"]["content"]


CALLED = {
    "role": "assistant",
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}],
}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "p", "schema": PERSON}}
LOOSE = {"type": "json_schema", "json_schema": {"name": "p", "schema": {"type": "object"}}}


def test_a_schema_is_answered_in_its_shape(http):
    text = create(http, response_format=SCHEMA).json()["choices"][0]["message"]["content"]
    assert json.loads(text)["name"] == "김치"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "input_text"}]}]},
         "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"messages": [*ASK, {"role": "tool", "content": "x"}]}, "messages[1].tool_call_id"),
        ({"messages": [*ASK, {"role": "tool", "content": "x", "tool_call_id": "c"}]}, "messages"),
        ({"messages": [*ASK, CALLED]}, "messages"),
        ({"n": 2}, "n"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"tools": [{"type": "function", "name": "flat"}]}, "tools[0].function"),
        ({"response_format": LOOSE}, "response_format.json_schema.schema"),
        ({"stream_options": True}, "stream_options"),
        ({"model": "gpt-7"}, "model"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_by_name(http, body, param):
    answer = create(http, **body)
    assert answer.status_code == (404 if param == "model" else 400)
    assert answer.json()["error"]["param"] == param
