"""Every fault, by what comes on the wire; a fault that nothing here shows fails the last test.

Faults in the calling of functions are shown in `test_wire_fault_calls`.
"""

import json

import httpx
import pytest

from kit.sandbox.fault_scripts import TANGLED
from kit.sandbox.faults import FAULTS
from tests.sandbox import test_wire_fault_calls

pytestmark = pytest.mark.once

TERMINAL = {"response.completed", "response.failed", "response.incomplete"}
TEXT = "some words to be cut in the middle of the answer, more or less"


def create(http, fault, **body):
    body = {"model": f"sandbox:{fault}", "input": TEXT, **body}
    return http.post("/responses", json=body)


def chat(http, fault, **body):
    messages = [{"role": "user", "content": TEXT}]
    body = {"model": f"sandbox:{fault}", "messages": messages, **body}
    return http.post("/chat/completions", json=body)


def datas(body: str) -> list:
    """The data of every complete frame: parsed, `[DONE]` as it is."""
    found = []
    for frame in body.replace("\r\n", "\n").removeprefix("\ufeff").split("\n\n")[:-1]:
        for line in frame.split("\n"):
            if line.startswith("data: "):
                text = line.removeprefix("data: ")
                found.append(text if text == "[DONE]" else json.loads(text))
    return found


def stream(http, fault, **body) -> list:
    return datas(create(http, fault, stream=True, **body).content.decode())


def types(found: list) -> list[str]:
    return [event if event == "[DONE]" else event.get("type") for event in found]


# -- answers that are none ------------------------------------------------------------------------

REFUSALS = {
    "429": (429, {"retry-after": "1"}, "rate_limit_exceeded"),
    "429-ms": (429, {"retry-after-ms": "30", "retry-after": "7"}, "rate_limit_exceeded"),
    "429-121": (429, {"retry-after": "121"}, "rate_limit_exceeded"),
    "429-quota": (429, {}, "insufficient_quota"),
    "429-litellm": (429, {"llm_provider-retry-after": "7"}, "429"),
    "503": (503, {}, "server_is_overloaded"),
    "529": (529, {}, None),
    "403": (403, {}, None),
    "400-litellm-key": (400, {}, "400"),
    "400-context": (400, {}, "context_length_exceeded"),
}


@pytest.mark.parametrize(("fault", "expected"), REFUSALS.items(), ids=REFUSALS.keys())
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("call", [create, chat])
def test_refusals(http, fault, expected, streamed, call):
    """The same for both APIs, streamed or not: the status comes before any stream."""
    status, headers, code = expected
    answer = call(http, fault, stream=streamed)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert headers.items() <= dict(answer.headers).items()
    assert ("retry-after" in answer.headers) is ("retry-after" in headers)


@pytest.mark.parametrize(
    ("fault", "status", "kind", "text"),
    [("html-502", 502, "text/html", "<html>"), ("500", 500, "text/plain", "Internal Server Error")],
)
def test_answers_that_are_no_json(http, fault, status, kind, text):
    answer = create(http, fault)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith(kind)
    assert answer.text.startswith(text)


@pytest.mark.parametrize("metadata", [{}, {"kit_request_id": "a"}, {"kit_request_id": "b"}])
def test_429_once_lets_the_second_attempt_through(http, metadata):
    statuses = [create(http, "429-once", metadata=metadata).status_code for _ in range(4)]
    assert statuses == [429, 200, 429, 200]


# -- outcomes -------------------------------------------------------------------------------------


def output_of(http, read_stream, fault) -> list:
    """The output, which is the same streamed in proper order and in one piece."""
    whole = create(http, fault).json()
    final = read_stream(create(http, fault, stream=True).text)[-1]["response"]
    assert final["status"] == whole["status"]
    assert [item["type"] for item in final["output"]] == [item["type"] for item in whole["output"]]
    return [whole["status"], *whole["output"]]


def test_refusal(http, read_stream):
    status, item = output_of(http, read_stream, "refusal")
    assert (status, item["content"][0]["type"]) == ("completed", "refusal")
    message = chat(http, "refusal").json()["choices"][0]["message"]
    assert (message["content"], message["refusal"][:9]) == (None, "I'm sorry")


def test_reasoning(http, read_stream):
    _, *items = output_of(http, read_stream, "reasoning")
    assert [item["type"] for item in items] == ["reasoning", "reasoning", "message"]


def test_citation_out_of_range(http, read_stream):
    _, item = output_of(http, read_stream, "citation-out-of-range")
    part = item["content"][0]
    good, *bad = part["annotations"]
    span = part["text"][good["start_index"] : good["end_index"]]
    assert span == "([example.com](https://example.com/a))"
    assert [(n["start_index"], n["end_index"]) for n in bad] == [(20, 10_000), (30, 10), (-5, 3)]


@pytest.mark.parametrize(
    ("fault", "arguments"), [("bad-json-args", '{"city": "Seo'), ("empty-args", "")]
)
def test_odd_arguments(http, read_stream, fault, arguments):
    _, item = output_of(http, read_stream, fault)
    assert (item["name"], item["arguments"]) == ("get_weather", arguments)
    (call,) = chat(http, fault).json()["choices"][0]["message"]["tool_calls"]
    assert call["function"] == {"name": "get_weather", "arguments": arguments}


def test_parallel_calls(http):
    """Events of two calls take turns; numbers and sums still hold."""
    events = stream(http, "parallel-calls")[:-1]
    inside = [event for event in events if "output_index" in event]
    indexes = [event["output_index"] for event in inside]
    assert indexes[:6] == [0, 1, 0, 1, 0, 1]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    for index, item in enumerate(events[-1]["response"]["output"]):
        mine = [event for event in inside if event["output_index"] == index]
        assert "".join(event.get("delta", "") for event in mine) == item["arguments"]


def test_a_tool_loop_ends_after_the_outputs(http):
    called = create(http, "parallel-calls").json()
    outputs = [
        {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
        for call in called["output"]
    ]
    again = create(http, "parallel-calls", input=outputs, previous_response_id=called["id"]).json()
    assert [item["type"] for item in again["output"]] == ["message"]


def test_mcp_approval(http, read_stream):
    _, listing, request = output_of(http, read_stream, "mcp-approval")
    assert (listing["type"], request["type"]) == ("mcp_list_tools", "mcp_approval_request")


@pytest.mark.parametrize(
    ("fault", "reason", "finish"),
    [
        ("incomplete-tokens", "max_output_tokens", "length"),
        ("incomplete-filter", "content_filter", "content_filter"),
    ],
)
def test_incomplete(http, read_stream, fault, reason, finish):
    assert output_of(http, read_stream, fault)[0] == "incomplete"
    assert create(http, fault).json()["incomplete_details"] == {"reason": reason}
    assert chat(http, fault).json()["choices"][0]["finish_reason"] == finish


@pytest.mark.parametrize(
    ("fault", "code"), [("failed", "server_error"), ("failed-limit", "rate_limit_exceeded")]
)
def test_failed(http, read_stream, fault, code):
    assert output_of(http, read_stream, fault)[0] == "failed"
    assert create(http, fault).json()["error"]["code"] == code
    assert chat(http, fault).status_code == 500


# -- streams --------------------------------------------------------------------------------------


def test_cut(http):
    for body in (create(http, "cut", stream=True).text, chat(http, "cut", stream=True).text):
        assert not body.endswith("\n")
        found = datas(body)
        assert len(found) >= 3
        assert "[DONE]" not in found
        assert not TERMINAL & set(types(found))


@pytest.mark.parametrize("call", [create, chat])
def test_drop(http, call):
    with pytest.raises(httpx.RemoteProtocolError):
        call(http, "drop", stream=True)


def test_done_without_terminal(http):
    found = types(stream(http, "done-without-terminal"))
    assert found[-2:] == ["response.output_item.done", "[DONE]"]
    chunks = datas(chat(http, "done-without-terminal", stream=True).text)
    assert chunks[-1] == "[DONE]"
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in chunks[:-1])


def test_empty_output(http):
    found = stream(http, "empty-output")
    assert "response.output_text.delta" in types(found)
    for response in (found[-2]["response"], create(http, "empty-output").json()):
        assert (response["status"], response["output"]) == ("completed", [])
        assert response["usage"] is None
    run = create(http, "empty-output", background=True).json()["id"]
    assert http.get(f"/responses/{run}").json()["output"] == []


def test_rotating_ids(http):
    found = stream(http, "rotating-ids")[:-1]
    responses = [event["response"]["id"] for event in found if "response" in event]
    items = [event["item_id"] for event in found if "item_id" in event]
    assert len(set(responses)) == len(responses) > 2
    assert len(set(items)) == len(items) > 2


def test_no_event_lines(http):
    body = create(http, "no-event-lines", stream=True).text
    assert "event:" not in body
    assert types(datas(body))[-2:] == ["response.completed", "[DONE]"]


def test_no_sequence(http):
    assert not any("sequence_number" in event for event in stream(http, "no-sequence"))


def test_duplicate_index(http):
    added = [e for e in stream(http, "duplicate-index") if e != "[DONE]" and "item" in e]
    assert [event["output_index"] for event in added] == [0, 0, 0]
    assert added[0]["item"]["id"] == "item_ghost"


def test_unknown_events(http):
    found = stream(http, "unknown-events")
    assert "response.hologram.delta" in types(found)
    assert types(found)[-2:] == ["response.completed", "[DONE]"]
    assert all("x_future" in c for c in datas(chat(http, "unknown-events", stream=True).text)[:-1])


def test_unicode(http):
    """The bytes are right as a whole, and every chunk is wrong alone."""
    with http.stream(
        "POST", "/responses", json={"model": "sandbox:unicode", "input": "x", "stream": True}
    ) as answer:
        body = b"".join(answer.iter_raw(chunk_size=None))
    assert body.startswith(b"\xef\xbb\xbfevent: response.created\r\n")
    found = datas(body.decode("utf-8-sig"))
    text = "".join(e["delta"] for e in found if e != "[DONE]" and "delta" in e)
    assert text == TANGLED
    assert "\u2028" in text and "\u0085" in text and "🇰🇷" in text
    assert types(found)[-1] == "[DONE]"


@pytest.mark.parametrize("address", ["/responses", "/chat/completions"])
def test_slow(http, address):
    """Half an answer, then silence for longer than anybody waits."""
    body = {"input": TEXT, "messages": [{"role": "user", "content": TEXT}], "stream": True}
    got = []
    with (
        pytest.raises(httpx.ReadTimeout),
        http.stream("POST", address, json={"model": "sandbox:slow", **body}, timeout=2.0) as answer,
    ):
        for chunk in answer.iter_raw():
            got.append(chunk)
    assert b"delta" in b"".join(got)
    with pytest.raises(httpx.ReadTimeout):
        http.post(address, json={"model": "sandbox:slow", **body, "stream": False}, timeout=0.2)


def test_ping(http):
    body = create(http, "ping", stream=True).text
    assert body.startswith(": ping\n\nevent: response.created\n")
    for filler in ("\n\n:\n\n", "\n\nevent: ping\n\n", "\n\nretry: 3000\n\n"):
        assert filler in body
    assert types(datas(body))[-2:] == ["response.completed", "[DONE]"]


def test_error_then_failed(http):
    found = stream(http, "error-then-failed")
    assert types(found)[-3:] == ["error", "response.failed", "[DONE]"]
    error, failed = found[-3:-1]
    assert error["error"]["message"] == failed["response"]["error"]["message"]
    assert [e["sequence_number"] for e in found[:-1]] == list(range(len(found) - 1))


def test_error_first(http):
    (error,) = stream(http, "error-first")
    assert (error["type"], error["error"]["type"]) == ("error", "server_error")


def test_flat_error(http):
    *_, error = stream(http, "flat-error")
    assert (error["type"], error["code"], "error" in error) == ("error", "server_error", False)
    assert error["message"]


@pytest.mark.parametrize("call", [create, chat])
def test_chat_error(http, call):
    *_, error, done = datas(call(http, "chat-error", stream=True).text)
    assert (done, set(error), error["error"]["code"]) == ("[DONE]", {"error"}, "500")


# -- what is overlooked and forgotten -------------------------------------------------------------


@pytest.mark.parametrize("call", [create, chat])
def test_json_instead_of_sse(http, call):
    answer = call(http, "json-instead-of-sse", stream=True)
    assert answer.headers["content-type"] == "application/json"
    assert TEXT in answer.text


def test_background_ignored(http):
    response = create(http, "background-ignored", background=True).json()
    assert (response["status"], response["background"]) == ("completed", False)


def test_previous_ignored(http):
    response = create(http, "previous-ignored", previous_response_id="resp_nonsense").json()
    assert response["output"][0]["content"][0]["text"] == f"1: {TEXT}"


def test_poll_404(http):
    run = create(http, "poll-404", background=True).json()["id"]
    statuses = [http.get(f"/responses/{run}").status_code for _ in range(3)]
    assert statuses == [404, 200, 200]


def test_stream_expired(http):
    run = stream(http, "stream-expired", background=True)[0]["response"]["id"]
    refused = http.get(f"/responses/{run}", params={"stream": "true"})
    assert refused.status_code == 400
    assert "no longer be streamed" in refused.json()["error"]["message"]
    assert http.get(f"/responses/{run}").json()["status"] == "completed"


def test_cancel_race(serve):
    with httpx.Client(base_url=f"{serve(pace=1).url}/v1", trust_env=False) as http:
        run = create(http, "cancel-race", input="x " * 200, background=True).json()["id"]
        assert http.post(f"/responses/{run}/cancel").json()["status"] == "cancelled"
        statuses = set()
        while "completed" not in statuses:
            statuses.add(http.get(f"/responses/{run}").json()["status"])
        assert "cancelled" not in statuses


# -- all of them ----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["sandbox:nonsense", "sandbox-research:nonsense", "sandbox:"])
def test_an_unknown_fault_lists_the_known_ones(http, model):
    answer = http.post("/responses", json={"model": model, "input": "x"})
    assert answer.status_code == 404
    assert all(name in answer.json()["error"]["message"] for name in FAULTS)


def test_a_research_model_can_have_faults_too(http):
    answer = http.post("/responses", json={"model": "sandbox-research:429", "input": "x"})
    assert answer.status_code == 429


def test_every_fault_has_a_row_here():
    both = [*globals(), *vars(test_wire_fault_calls)]
    tested = {name.removeprefix("test_").replace("_", "-") for name in both}
    tested |= {*REFUSALS, "html-502", "500", "429-once", "bad-json-args", "empty-args"}
    tested |= {"incomplete-tokens", "incomplete-filter", "failed-limit"}
    assert set(FAULTS) <= tested
    assert all(fault.does.endswith(".") for fault in FAULTS.values())
