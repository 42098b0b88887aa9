"""`/v1/responses` over HTTP: what is accepted, what comes back, and in which order it streams."""

import base64
import json

import httpx
import pytest

from kit.sandbox.app import open_sandbox
from kit.serving import serve_in_thread

SEARCH = [{"type": "web_search"}]
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "year": {"type": "integer"}},
    "required": ["name", "year"],
    "additionalProperties": False,
}
OPEN_RESPONSES_KEYS = frozenset(
    {"id", "object", "created_at", "completed_at", "status", "incomplete_details", "model"}
    | {"previous_response_id", "instructions", "output", "error", "tools", "tool_choice", "text"}
    | {"truncation", "parallel_tool_calls", "top_p", "presence_penalty", "frequency_penalty"}
    | {"top_logprobs", "temperature", "reasoning", "usage", "max_output_tokens", "store"}
    | {"max_tool_calls", "background", "service_tier", "metadata", "safety_identifier"}
    | {"prompt_cache_key"}
)


def create(http, **body):
    return http.post("/responses", json={"model": "sandbox", "input": "Hello", **body})


def text_of(response) -> str:
    parts = [part for item in response["output"] for part in item.get("content", [])]
    return "".join(part["text"] for part in parts)


def kinds(response) -> list[str]:
    return [item["type"] for item in response["output"]]


@pytest.mark.parametrize("address", ["/responses", "/v1/responses"])
def test_it_answers_with_and_without_the_version(gateway, http, address):
    answer = http.post(gateway.url + address, json={"model": "sandbox", "input": "Hi"})
    assert text_of(answer.json()) == "1: Hi"


def test_every_required_key_is_there_and_who_answered(http):
    assert len(OPEN_RESPONSES_KEYS) == 31
    answer = create(http)
    response = answer.json()
    assert set(response) >= OPEN_RESPONSES_KEYS
    assert response["metadata"] == {"sandbox": "no language model"}
    assert answer.headers["x-sandbox"] == "no language model"
    assert answer.headers["x-request-id"].startswith("req_")
    assert set(response["usage"]["input_tokens_details"]) == {"cached_tokens", "cache_write_tokens"}
    assert set(response["usage"]["output_tokens_details"]) == {"reasoning_tokens"}


STREAMS = {
    "text": {},
    "empty text": {"input": ""},
    "korean and emoji": {"input": "한글 👩‍👩‍👧‍👦 " * 20},
    "search": {"tools": SEARCH},
    "search with sources": {"tools": SEARCH, "include": ["web_search_call.action.sources"]},
    "function call": {"tools": [WEATHER]},
    "two calls": {"tools": [WEATHER, {**WEATHER, "name": "get_time"}]},
    "reasoning": {"reasoning": {"effort": "low", "summary": "auto"}},
    "research": {"model": "any-research-preview"},
    "research in the background": {"model": "o3-deep-research", "background": True},
    "background": {"background": True},
    "schema": {"text": {"format": {"type": "json_schema", "name": "p", "schema": PERSON}}},
    "token limit": {"input": "word " * 40, "max_output_tokens": 16},
    "refusal": {"model": "sandbox:refusal"},
    "failed": {"model": "sandbox:failed"},
    "approval": {"model": "sandbox:mcp-approval"},
}


@pytest.mark.parametrize("body", STREAMS.values(), ids=STREAMS.keys())
def test_streams_obey_the_grammar(http, read_stream, body):
    """Order, names, numbers, deltas that add up, and a terminal event that repeats everything."""
    answer = create(http, stream=True, **body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    final = read_stream(answer.content.decode())[-1]["response"]
    assert set(final) >= OPEN_RESPONSES_KEYS


def test_annotations_come_between_the_deltas_they_belong_to(http, read_stream):
    events = read_stream(create(http, stream=True, tools=SEARCH).text)
    said, followed = "", []
    for event in events:
        said += event.get("delta", "")
        if "annotation" in event:
            assert event["annotation"]["end_index"] <= len(said)
            followed.append(len(said))
    assert followed[0] < len(said)


def test_a_search_shows_its_pages_only_when_they_are_included(http):
    plain = create(http, tools=SEARCH).json()
    response = create(http, tools=SEARCH, include=["web_search_call.action.sources"]).json()
    assert kinds(response) == ["web_search_call"] * 3 + ["message"]
    actions = [item["action"] for item in response["output"][:3]]
    assert [action["type"] for action in actions] == ["search", "open_page", "find_in_page"]
    assert actions[0]["sources"][0] == {"type": "url", "url": "https://example.com/kimchi"}
    assert "sources" not in plain["output"][0]["action"]
    later = http.get(f"/responses/{plain['id']}", params={"include[]": [
        "web_search_call.action.sources"]}).json()  # fmt: skip
    assert len(later["output"][0]["action"]["sources"]) == 2


def test_citations_hold_in_code_points(http):
    part = create(http, tools=SEARCH).json()["output"][-1]["content"][0]
    first, second = part["annotations"]
    assert part["text"][first["start_index"] : first["end_index"]].startswith("([example.com](")
    assert part["text"][second["start_index"] : second["end_index"]] == "김치는 발효 음식이다. "


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({}, False),
        ({"reasoning": {"effort": "high"}}, False),
        ({"reasoning": {"summary": "auto"}}, True),
        ({"model": "x-research"}, True),
    ],
)
def test_reasoning_is_shown_when_asked_for_and_in_research(http, body, shown):
    assert ("reasoning" in kinds(create(http, **body).json())) is shown


def test_a_function_loop_goes_on_by_id_and_by_resent_items(http):
    called = create(http, tools=[WEATHER]).json()
    (call,) = called["output"]
    assert set(call) >= {"id", "call_id", "name", "arguments", "status"}
    assert called["status"] == "completed"
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
    by_id = create(http, input=[output], previous_response_id=called["id"]).json()
    resent = create(http, input=[{"role": "user", "content": "Hello"}, call, output]).json()
    assert text_of(by_id) == text_of(resent) == "get_weather said sunny"


@pytest.mark.parametrize("tools", [[WEATHER], [WEATHER, {**WEATHER, "name": "get_time"}]])
def test_parallel_calls_can_be_declined(http, tools):
    calls = create(http, tools=tools, parallel_tool_calls=False).json()["output"]
    assert [call["name"] for call in calls] == ["get_weather"]


def test_a_conversation_is_remembered_along_its_chain(http):
    first = create(http, input="one").json()
    second = create(http, input="two", previous_response_id=first["id"]).json()
    third = create(http, input="three", previous_response_id=second["id"]).json()
    assert text_of(third) == "3: three"
    assert third["previous_response_id"] == second["id"]


def test_echoed_function_tools_have_every_key(http):
    (tool,) = create(http, tools=[WEATHER], tool_choice="none").json()["tools"]
    assert set(tool) == {"type", "name", "description", "parameters", "strict"}


def test_credentials_of_hosted_tools_are_not_repeated(http):
    mcp = {"type": "mcp", "server_label": "x", "headers": {"a": "top"}, "authorization": "secret"}
    assert create(http, tools=[mcp]).json()["tools"] == [{"type": "mcp", "server_label": "x"}]


def test_the_token_limit_ends_it_incomplete(http):
    response = create(http, input="word " * 40, max_output_tokens=16).json()
    assert response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["output"][0]["status"] == "incomplete"
    assert response["completed_at"] is None


def test_a_schema_is_answered_in_its_shape(http):
    shape = {"format": {"type": "json_schema", "name": "person", "schema": PERSON, "strict": True}}
    response = create(http, text=shape).json()
    assert json.loads(text_of(response)) == {"name": "김치", "year": 1999}
    assert response["text"]["format"]["schema"] == PERSON


def file_part(data: bytes, name: str, kind: str) -> dict:
    encoded = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    return {"type": "input_file", "filename": name, "file_data": encoded}


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"type": "input_image", "image_url": "data:image/png;base64,AA=="}, "the picture"),
        ({"type": "input_file", "file_url": "http://127.0.0.1:9/x", "filename": "x.md"}, "x.md"),
        (file_part(b"%PDF-1.7\0\xff", "paper.pdf", "application/pdf"), "paper.pdf"),
        (file_part(b"\xff\xfe\x00" * 9, "odd.txt", "text/plain"), "odd.txt"),
    ],
)
def test_what_cannot_be_seen_is_said(http, part, said):
    content = [{"type": "input_text", "text": "What is this?"}, part]
    text = text_of(create(http, input=[{"role": "user", "content": content}]).json())
    assert text.startswith("1: What is this?")
    assert f"Not looked at: {said}" in text


@pytest.fixture(scope="module")
def real():
    """A sandbox with its own mind and library."""
    served = serve_in_thread(open_sandbox(pace=0.0))
    with httpx.Client(base_url=f"{served.url}/v1", trust_env=False, timeout=30) as client:
        yield client
    served.stop()


NOTES = "# Owls\n\nThe zephyrine owl nests in bakeries. It was first seen in 1931.\n"


@pytest.mark.parametrize("name", ["notes.md", "notes.log", "../../etc/passwd", "", "노트.txt"])
def test_a_text_file_is_read_and_quoted(real, name):
    """Its name is a label, not a path; the next request does not find it."""
    content = [
        {"type": "input_text", "text": "Where does the zephyrine owl nest?"},
        file_part(NOTES.encode(), name, "text/plain"),
    ]
    response = create(real, input=[{"role": "user", "content": content}]).json()
    assert "nests in bakeries" in text_of(response)
    assert response["output"][-1]["content"][0]["annotations"]
    again = create(real, input="Where does the zephyrine owl nest?").json()
    assert "bakeries" not in text_of(again)


def test_a_text_file_is_summarised(real):
    text = "The harbour was built in 1931. Ships brought tea to the harbour. " * 4 + "It rained."
    content = [
        {"type": "input_text", "text": "Summarise the attached file."},
        file_part(text.encode(), "report.txt", "text/plain"),
    ]
    response = create(real, input=[{"role": "user", "content": content}]).json()
    assert "The harbour was built in 1931." in text_of(response)


def test_input_items_are_listed_in_pages(http):
    items = [{"role": "user", "content": str(n)} for n in range(5)]
    created = create(http, input=items).json()
    address = f"/responses/{created['id']}/input_items"
    page = http.get(address, params={"limit": 2, "order": "asc"}).json()
    assert [item["content"][0]["text"] for item in page["data"]] == ["0", "1"]
    assert page["has_more"] is True
    rest = http.get(address, params={"order": "asc", "after": page["last_id"]}).json()
    assert [item["content"][0]["text"] for item in rest["data"]] == ["2", "3", "4"]
    newest = http.get(address).json()["data"][0]
    assert newest["content"][0]["text"] == "4"
    assert http.get(address, params={"limit": "0"}).status_code == 400


def test_a_deleted_response_is_gone(http):
    created = create(http).json()
    address = f"/responses/{created['id']}"
    assert http.get(address).json() == created
    assert http.delete(address).json()["deleted"] is True
    assert http.get(address).status_code == http.delete(address).status_code == 404
    assert create(http, previous_response_id=created["id"]).status_code == 400


def test_what_is_not_stored_cannot_be_fetched(http):
    created = create(http, store=False).json()
    assert created["store"] is False
    assert http.get(f"/responses/{created['id']}").status_code == 404


def test_sixteen_pairs_of_metadata_leave_no_room_for_the_label(http):
    full = {f"key{n}": "x" for n in range(16)}
    assert create(http, metadata=full).json()["metadata"] == full


CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_2", "output": "x"}
STRICT_SCHEMA = {"type": "json_schema", "name": "p", "schema": {"type": "object"}}
BAD_REQUESTS = [
    ({"input": None}, "input", "Missing required parameter"),
    ({"input": 5}, "input", "expected a list"),
    ({"input": []}, "input", "empty"),
    ({"input": ["x"]}, "input[0]", "expected an object"),
    ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role", "robot"),
    ({"input": [{"role": "user"}]}, "input[0].content", "Missing"),
    ({"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
     "input[0].content[0].type", "'input_text'"),
    ({"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]},
     "input[0].content[0].type", "'output_text'"),
    ({"input": [{"type": "dance"}]}, "input[0].type", "dance"),
    ({"input": [CALL]}, "input", "No tool output found for function call call_1"),
    ({"input": [CALL, OUTPUT]}, "input", "call_id call_2"),
    ({"tools": [{"type": "telepathy"}]}, "tools", "telepathy"),
    ({"tools": [{"type": "function", "name": "bad name"}]}, "tools[0].name", "letters"),
    ({"tools": [{**WEATHER, "strict": True}]}, "tools[0].parameters", "get_weather"),
    ({"tools": {}}, "tools", "expected a list"),
    ({"tool_choice": "maybe"}, "tool_choice", "maybe"),
    ({"tool_choice": {"type": "function", "name": "f"}}, "tool_choice", "not among"),
    ({"text": {"format": STRICT_SCHEMA}}, "text.format.schema", "Invalid schema for 'p'"),
    ({"text": {"format": {"type": "yaml"}}}, "text.format.type", "yaml"),
    ({"text": {"verbosity": "chatty"}}, "text.verbosity", "chatty"),
    ({"previous_response_id": "resp_nope"}, "previous_response_id", "not found"),
    ({"previous_response_id": "a", "conversation": "b"}, "previous_response_id", "exclude"),
    ({"metadata": {str(n): "x" for n in range(17)}}, "metadata", "16"),
    ({"metadata": {"k": 5}}, "metadata.k", "expected a string"),
    ({"metadata": {"k": "x" * 513}}, "metadata.k", "512"),
    ({"include": ["everything"]}, "include[0]", "everything"),
    ({"stream": "yes"}, "stream", "expected a boolean"),
    ({"temperature": 9}, "temperature", "between 0 and 2"),
    ({"max_output_tokens": 0}, "max_output_tokens", "at least 1"),
    ({"max_output_tokens": True}, "max_output_tokens", "expected an integer"),
    ({"reasoning": {"effort": "huge"}}, "reasoning.effort", "huge"),
    ({"reasoning": {"summary": "epic"}}, "reasoning.summary", "epic"),
    ({"truncation": "sometimes"}, "truncation", "sometimes"),
    ({"safety_identifier": "x" * 129}, "safety_identifier", "128"),
    ({"model": None}, "model", "Missing"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "param", "message"), BAD_REQUESTS)
def test_what_is_wrong_is_a_400_that_names_it(http, body, param, message):
    answer = create(http, **body)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, param)
    assert message in error["message"]
    assert set(error) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'"x"'])
def test_a_body_that_is_no_object_is_a_400(http, body):
    answer = http.post("/responses", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert "JSON" in answer.json()["error"]["message"]


def test_unknown_models_and_addresses_are_404s_in_the_usual_shape(http):
    answer = create(http, model="gpt-7")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    assert "'sandbox'" in answer.json()["error"]["message"]
    assert http.get("/nothing").json()["error"]["message"].startswith("GET /v1/nothing")
    assert http.get("/responses").status_code == 405
    assert create(http, conversation="conv_1").status_code == 404


def test_any_key_is_taken_but_one(http):
    for key, status in [("sk-anything", 200), ("sk-wrong", 401)]:
        answer = http.get("/models", headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == status
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert [model["id"] for model in http.get("/models").json()["data"]] == ["sandbox"]


def test_half_a_surrogate_pair_does_not_break_the_answer(http):
    body = b'{"model": "sandbox", "input": "odd \\ud800 text"}'
    answer = http.post("/responses", content=body, headers={"content-type": "application/json"})
    assert text_of(answer.json()) == "1: odd ? text"


def test_a_failing_mind_is_a_500_and_the_server_lives(http, serve):
    def broken(ask, library):
        raise ZeroDivisionError("secret detail")

    served = serve(answer=broken)
    answer = http.post(f"{served.url}/responses", json={"model": "sandbox", "input": "x"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["connection"] == "close", "or the next call meets a dead connection"
    assert http.get(f"{served.url}/models").status_code == 200
