"""Chunks of chat completions become one completion, and that the items of a response."""

from __future__ import annotations

from typing import Any

import pytest

from kit.gateway.answer import answer_of
from kit.gateway.completion import ChatAssembly, items_of_completion
from kit.gateway.events import (
    ArgumentsDelta,
    CitationAdded,
    Failure,
    TextDelta,
    chat_events,
    response_event,
)

Wire = dict[str, Any]


def chunk(finish: str | None = None, index: int = 0, **delta: Any) -> Wire:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "chatcmpl-1", "model": "m", "choices": [choice], "usage": None}


def call(**fields: Any) -> Wire:
    return chunk(tool_calls=[fields])


def f(name: str | None = None, arguments: str | None = None) -> Wire:
    return {key: value for key, value in (("name", name), ("arguments", arguments)) if value}


def _at(index: int, id: str, function: Wire) -> Wire:
    return {"index": index, "id": id, "type": "function", "function": function}


def assembled(*chunks: Wire) -> ChatAssembly:
    assembly = ChatAssembly()
    for one in chunks:
        assembly.feed(one)
    return assembly


def calls(*chunks: Wire) -> list[tuple[Any, Any, Any]]:
    output = answer_of(assembled(*chunks).response()).output
    return [(item["call_id"], item["name"], item["arguments"]) for item in output]


def test_content_refusal_and_reasoning_are_joined_apart() -> None:
    assembly = assembled(
        chunk(role="assistant", content=""),
        chunk(reasoning_content="hm"),
        chunk(reasoning_content="m"),
        chunk(content="Hel", refusal=None),
        chunk(content="lo"),
        chunk(refusal="No"),
        chunk(refusal="."),
        chunk("stop"),
    )
    answer = answer_of(assembly.response())
    assert (answer.text, answer.refusal, answer.reasoning) == ("Hello", "No.", "hmm")
    assert (answer.status, answer.model, answer.id) == ("completed", "m", "chatcmpl-1")


@pytest.mark.parametrize(
    "chunks",
    [
        [
            call(index=0, id="c1", type="function", function=f("get", "")),
            call(index=0, function=f(arguments='{"a"')),
            call(index=0, function=f(arguments=": 1}")),
        ],
        [  # a server that repeats what belongs into the first fragment
            call(index=0, id="c1", type="function", function=f("get", '{"a"')),
            call(index=0, id="c1", type="function", function=f("get", ": 1}")),
        ],
        [  # the name comes late
            call(index=0, id="", function={"name": "", "arguments": '{"a"'}),
            call(index=0, id="c1", function=f("get", ": 1}")),
        ],
        [call(id="c1", function=f("get", '{"a"')), call(id="c1", function=f(arguments=": 1}"))],
        [call(id="c1", function=f("get", '{"a"')), call(function=f(arguments=": 1}"))],
        [
            call(index=0, id="c1", function=f("get", '{"a"')),
            call(id="c1", function=f(arguments=": 1}")),
        ],
        [call(index=0, id="c1", function=f("get", '{"a": 1}')), call(index=0, function=None)],
        [  # a server that makes up an id for every fragment
            call(index=0, id="c1", function=f("get", "")),
            call(index=0, id="x2", function=f(arguments='{"a"')),
            call(index=0, id="x3", function={"name": "", "arguments": ": 1}"}),
        ],
    ],
)
def test_fragments_of_one_call_are_merged(chunks: list[Wire]) -> None:
    assert calls(*chunks, chunk("tool_calls")) == [("c1", "get", '{"a": 1}')]


@pytest.mark.parametrize(
    "chunks",
    [
        [
            call(index=1, id="c2", function=f("g", "2")),
            call(index=0, id="c1", function=f("f", "1")),
            call(index=1, function=f(arguments="2")),
            call(index=0, function=f(arguments="1")),
        ],
        [
            call(id="c1", function=f("f", "1")),
            call(id="c2", function=f("g", "2")),
            call(id="c1", function=f(arguments="1")),
            call(id="c2", function=f(arguments="2")),
        ],
        [
            chunk(tool_calls=[{"function": f("f", "1")}, {"function": f("g", "2")}]),
            chunk(tool_calls=[{"function": f(arguments="1")}, {"function": f(arguments="2")}]),
        ],
        [  # one after the other, the id in the first fragment only
            call(id="c1", function=f("f", "1")),
            call(function=f(arguments="1")),
            call(id="c2", function=f("g", "2")),
            call(function=f(arguments="2")),
        ],
        [  # every call under the same index
            call(index=0, id="c1", function=f("f", "1")),
            call(index=0, function=f(arguments="1")),
            call(index=0, id="c2", function=f("g", "2")),
            call(index=0, function=f(arguments="2")),
        ],
        [
            call(index=0, id="c1", function=f("f", "1")),
            call(index=0, id="c2", function=f("g", "2")),
            call(index=0, id="c1", function=f("f", "1")),
            call(index=0, function=f(arguments="")),
            call(index=0, id="c2", function=f(arguments="2")),
        ],
        [chunk(tool_calls=[_at(0, "c1", f("f", "11")), _at(0, "c2", f("g", "22"))])],
    ],
)
def test_parallel_calls_stay_apart_and_in_order(chunks: list[Wire]) -> None:
    assert [one[1:] for one in calls(*chunks)] == [("f", "11"), ("g", "22")]


def test_another_call_under_an_index_stands_behind_the_first_and_before_the_next_index() -> None:
    found = calls(
        call(index=1, id="c3", function=f("h", "3")),
        call(index=0, id="c1", function=f("f", "1")),
        call(index=0, id="c2", function=f("g", "2")),
        call(index=1, function=f(arguments="3")),
    )
    assert found == [("c1", "f", "1"), ("c2", "g", "2"), ("c3", "h", "33")]


def test_one_id_for_two_indexes_is_two_calls() -> None:
    chunks = [call(index=at, id="c", function=f(name, "1")) for at, name in enumerate("fg")]
    assert calls(*chunks) == [("c", "f", "1"), ("c", "g", "1")]


def test_choices_may_be_empty_and_usage_comes_where_it_likes() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    for chunks in (
        [chunk(content="x"), chunk("stop"), {"choices": [], "usage": usage}],
        [{"choices": []}, chunk(content="x"), {**chunk("stop"), "usage": usage}],
        [{**chunk(content="x"), "usage": usage}, chunk("stop"), {"choices": [], "usage": None}],
    ):
        answer = answer_of(assembled(*chunks).response())
        assert answer.usage is not None
        assert (answer.text, answer.usage.total_tokens) == ("x", 3)


def test_other_choices_are_not_mixed_in() -> None:
    chunks = [chunk(content="a"), chunk(index=1, content="b"), chunk("stop", 1), chunk(content="c")]
    assembly = assembled(*chunks)
    assert assembly.text == "ac"
    assert not assembly.terminal


def test_citations_are_collected_once_and_made_flat() -> None:
    inner = {"url": "https://e.org", "title": "E", "start_index": 0, "end_index": 1}
    note = {"type": "url_citation", "url_citation": inner}
    assembly = assembled(
        chunk(content="x"), chunk(annotations=[note]), chunk(annotations=[note]), chunk("stop")
    )
    [citation] = answer_of(assembly.response()).citations
    assert (citation.url, citation.title, citation.start, citation.end) == (
        "https://e.org",
        "E",
        0,
        1,
    )


A, B = "https://a.org", "https://b.org"


@pytest.mark.parametrize(
    "lists",
    [
        [{"citations": [A, B]}, {"citations": [A, B]}],
        [{"citations": [A]}, {"citations": [A, B]}, {"citations": [A]}],
        [{"citations": [A]}, {"citations": [B]}],
        [{"citations": [A, B]}, {"citations": []}, {"citations": None}],
    ],
)
def test_sources_listed_on_chunks_are_collected_once(lists: list[Wire]) -> None:
    results = {"search_results": [{"url": B, "title": "B"}]}
    chunks = [{**chunk(content="x"), **one, **results} for one in lists]
    answer = answer_of(assembled(*chunks, chunk("stop")).response())
    assert [(one.url, one.title) for one in answer.citations] == [(A, A), (B, "B")]


def test_a_nested_citation_is_flat_in_its_event() -> None:
    inner = {"url": "https://e.org", "title": "E"}
    note = {"type": "url_citation", "url_citation": inner}
    [said] = chat_events(chunk(annotations=[note]))
    told = response_event({"type": "response.output_text.annotation.added", "annotation": note})
    for event in (said, told):
        assert isinstance(event, CitationAdded)
        assert event.annotation == {"type": "url_citation", **inner}


@pytest.mark.parametrize(
    ("finish", "status", "reason"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("function_call", "completed", None),
        ("length", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
        ("eos_token", "completed", None),
        ("error", "failed", None),
    ],
)
def test_the_finish_reason_is_the_status(finish: str, status: str, reason: str | None) -> None:
    answer = answer_of(assembled(chunk(content="x"), chunk(finish)).response())
    assert (answer.status, answer.incomplete) == (status, reason)
    assert answer.raw["choices"][0]["finish_reason"] == finish


@pytest.mark.parametrize("unsaid", ["", " ", "null", None, 7, {}])
def test_a_finish_reason_that_says_nothing_ends_no_chat(unsaid: Any) -> None:
    """Some servers send one with every chunk."""
    assembly = assembled(chunk(unsaid, content="Hel"), chunk(unsaid, content="lo"))
    assert (assembly.terminal, assembly.response()["choices"][0]["finish_reason"]) == (False, None)
    assembly.feed(chunk("length"))
    assembly.feed(chunk(unsaid))
    assert (assembly.terminal, answer_of(assembly.response()).status) == (True, "incomplete")


def test_unknown_keys_pass_through() -> None:
    response = assembled(chunk(content="x", sparkle=[1]), {"zap": 2, "choices": []}).response()
    assert response["choices"][0]["message"]["sparkle"] == [1]
    assert response["zap"] == 2


def test_an_error_chunk_is_an_error() -> None:
    raw = {"error": {"message": "no", "code": "500"}}
    assembly = assembled(chunk(content="x"), raw)
    assert assembly.error == raw["error"]
    assert not assembly.terminal
    [failure] = chat_events(raw)
    assert isinstance(failure, Failure)


def test_an_error_in_a_choice_is_one_and_its_text_is_kept() -> None:
    raw = chunk("error", content="y")
    raw["choices"][0]["error"] = {"message": "no", "code": 502}
    assembly = assembled(chunk(content="x"), raw)
    assert (assembly.error, assembly.text) == (raw["choices"][0]["error"], "xy")
    text, failure = chat_events(raw)
    assert isinstance(text, TextDelta)
    assert isinstance(failure, Failure)
    assert failure.error["message"] == "no"


def test_a_chunk_may_hold_several_events() -> None:
    both = chunk(content="x", tool_calls=[{"index": 0, "function": {"arguments": "{"}}])
    assert [type(event) for event in chat_events(both)] == [TextDelta, ArgumentsDelta]


def test_content_in_parts_is_text() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}, 7]
    completion = {"choices": [{"message": {"content": parts}, "finish_reason": "stop"}]}
    assert answer_of(completion).text == "ab"
    chunks = [chunk(content="x"), chunk(content=parts), chunk(content=[7, {"type": "image"}])]
    assembly = assembled(*chunks, chunk("stop", reasoning=parts))
    answer = answer_of(assembly.response())
    assert (assembly.text, answer.text, answer.reasoning) == ("xab", "xab", "ab")
    said = [event for one in chunks for event in chat_events(one) if isinstance(event, TextDelta)]
    assert "".join(event.text for event in said) == "xab"


@pytest.mark.parametrize("value", [None, "x", 1, -1.5, True, [], {}, [1], {"a": 1}])
@pytest.mark.parametrize(
    "place",
    [
        *("choices", "usage", "delta", "index", "finish_reason", "content", "tool_calls"),
        *("annotations", "call", "function", "arguments", "name", "id", "call_index", "role"),
    ],
)
def test_no_field_of_the_wrong_kind_breaks_it(place: str, value: Any) -> None:
    whole: Wire = call(index=0, id="c", function={"name": "f", "arguments": "{}"})
    choice = whole["choices"][0]
    delta = choice["delta"] | {"content": "x", "annotations": [], "role": "assistant"}
    fragment = delta["tool_calls"][0]
    for holder, key in (
        (whole, place),
        (choice, place),
        (delta, place),
        (fragment, place.removeprefix("call_")),
        (fragment["function"], place),
    ):
        if key in holder:
            holder[key] = value
    if place == "call":
        delta["tool_calls"] = [value]
    choice["delta"] = value if place == "delta" else delta
    assembly = assembled(whole, chunk(content="y"))
    answer_of(assembly.response())
    items_of_completion(assembly.response())
    chat_events(whole)
    assert isinstance(assembly.text, str)
