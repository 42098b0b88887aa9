"""Streamed events of /v1/responses become one response, whatever a gateway does to them."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from kit.errors import ProtocolError
from kit.gateway.answer import answer_of
from kit.gateway.assembly import ResponseAssembly

Wire = dict[str, Any]


def event(kind: str, **fields: Any) -> Wire:
    return {"type": f"response.{kind}", **fields}


def added(index: int | None, type_: str, **fields: Any) -> Wire:
    return event("output_item.added", **at(index), item={"type": type_, **fields})


def done(index: int | None, type_: str, **fields: Any) -> Wire:
    return event("output_item.done", **at(index), item={"type": type_, **fields})


def text(delta: str, index: int | None = 0, place: int = 0, **fields: Any) -> Wire:
    return event("output_text.delta", **at(index), content_index=place, delta=delta, **fields)


def at(index: int | None) -> Wire:
    return {} if index is None else {"output_index": index}


def message(*texts: str, **fields: Any) -> Wire:
    parts = [{"type": "output_text", "text": one, "annotations": []} for one in texts]
    return {"type": "message", "role": "assistant", "content": parts, **fields}


def completed(*output: Wire, **fields: Any) -> Wire:
    return event("completed", response={"status": "completed", "output": [*output], **fields})


def assembled(*events: Wire) -> ResponseAssembly:
    assembly = ResponseAssembly()
    for one in events:
        assembly.feed(one)
    return assembly


def output(*events: Wire) -> list[Wire]:
    return assembled(*events).response()["output"]


def texts(items: Iterable[Wire]) -> list[str]:
    return ["".join(part["text"] for part in item.get("content", ())) for item in items]


# -- positions, not ids ------------------------------------------------------------------------


def test_ids_that_change_with_every_event_do_not_matter() -> None:
    """One backend rotates `item_id` and the response's id; positions stay."""
    events = [
        event("created", response={"id": "resp_1", "status": "in_progress"}),
        added(0, "message", id="a1", role="assistant", content=[]),
        event("content_part.added", output_index=0, content_index=0, item_id="a2")
        | {"part": {"type": "output_text", "text": ""}},
        text("Hel", item_id="a3"),
        text("lo", item_id="a4"),
        event("output_text.done", output_index=0, content_index=0, item_id="a5", text="Hello"),
        done(0, "message", id="a6", content=[{"type": "output_text", "text": "Hello"}]),
        completed(message("Hello", id="a7"), id="resp_2"),
    ]
    assembly = assembled(*events)
    assert assembly.text == "Hello"
    assert assembly.response()["id"] == "resp_2"
    assert texts(assembled(*events[:5]).response()["output"]) == ["Hello"]


def test_without_positions_the_id_says_which_item() -> None:
    items = output(
        added(None, "function_call", id="one", name="f", arguments=""),
        added(None, "function_call", id="two", name="g", arguments=""),
        event("function_call_arguments.delta", item_id="one", delta="1"),
        event("function_call_arguments.delta", item_id="two", delta="2"),
        event("function_call_arguments.delta", item_id="one", delta="1"),
    )
    assert [(item["name"], item["arguments"]) for item in items] == [("f", "11"), ("g", "2")]


def test_without_positions_and_ids_the_last_item_of_the_kind_is_meant() -> None:
    items = output(
        added(None, "reasoning"),
        event("reasoning_summary_text.delta", summary_index=0, delta="hm"),
        text("Hi", None),
        text(" you", None, item_id="unknown"),
    )
    assert [item["type"] for item in items] == ["reasoning", "message"]
    assert items[0]["summary"][0]["text"] == "hm"
    assert texts(items[1:]) == ["Hi you"]


def test_a_message_closed_but_never_opened_does_not_replace_a_call() -> None:
    """A bridge closes an empty message beside the call that it streamed."""
    items = output(
        added(None, "function_call", id="fc", call_id="c", name="f", arguments=""),
        event("function_call_arguments.done", item_id="fc", arguments="{}"),
        done(None, "message", id="msg", role="assistant", content=[]),
        done(None, "function_call", id="fc", call_id="c", name="f", arguments="{}"),
        event("completed", response={"output": []}),
    )
    assert [item["type"] for item in items] == ["function_call", "message"]
    assert items[0]["arguments"] == "{}"


def test_positions_may_have_gaps_and_come_in_any_order() -> None:
    items = output(text("c", 7), text("a", 2), text("b", 4), text("c", 7))
    assert texts(items) == ["a", "b", "cc"]


def test_an_item_opened_twice_is_replaced() -> None:
    events = [added(0, "message", content=[]), text("old"), added(0, "message", content=[])]
    assert texts(output(*events, text("new"))) == ["new"]


@pytest.mark.parametrize("interleaved", [False, True])
def test_another_item_under_the_same_position_is_another_item(interleaved: bool) -> None:
    """Some servers count every output item as the first."""

    def of(number: int) -> list[Wire]:
        id_, name = f"fc_{number}", f"f{number}"
        delta = event("function_call_arguments.delta", item_id=id_, output_index=0, delta="1")
        opened = added(0, "function_call", id=id_, name=name, arguments="")
        closed = done(0, "function_call", id=id_, call_id=str(number), name=name, arguments="")
        return [opened, delta, delta, closed]

    one, two = of(1), of(2)
    mixed = [event for both in zip(one, two, strict=True) for event in both]
    behind = added(1, "message", id="msg", content=[])
    items = output(*(mixed if interleaved else [*one, *two]), behind)
    assert [item.get("name") for item in items] == ["f1", "f2", None]
    assert [item.get("arguments") for item in items] == ["11", "11", None]
    assert [item.get("call_id") for item in items] == ["1", "2", None]


def test_a_text_without_a_known_id_goes_on_with_the_last_item_of_its_position() -> None:
    items = output(
        added(0, "message", id="m1", content=[]),
        text("one", item_id="m1"),
        added(0, "message", id="m2", content=[]),
        text("tw"),
        text("o", item_id="x"),
        text("!", item_id="m1"),
        completed(),
    )
    assert texts(items) == ["one!", "two"]


def test_an_item_opened_again_by_its_own_id_is_replaced() -> None:
    again = [added(0, "message", id="m", content=[]), text("old", item_id="m")]
    other = added(0, "message", id="n", content=[])
    items = output(*again, other, again[0], text("new", item_id="m"))
    assert texts(items) == ["new", ""]


def test_an_id_for_items_of_two_positions_does_not_mix_them() -> None:
    """A bridge gives the reasoning and the message of an answer one id."""
    items = output(
        added(0, "message", id="same", content=[]),
        added(1, "message", id="same", content=[]),
        text("a", 0, item_id="same"),
        text("b", 1, item_id="same"),
    )
    assert texts(items) == ["a", "b"]


def test_parallel_calls_may_interleave() -> None:
    calls = [
        event("function_call_arguments.delta", output_index=index, delta=piece)
        for index, piece in [(1, '{"a"'), (0, '{"x"'), (1, ": 1}"), (0, ": 2}")]
    ]
    items = output(
        added(0, "function_call", call_id="c0", name="f", arguments=""),
        added(1, "function_call", call_id="c1", name="g", arguments=""),
        *calls,
    )
    assert [item["arguments"] for item in items] == ['{"x": 2}', '{"a": 1}']


# -- what was never opened ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("delta", "item"),
    [
        (text("x"), {"type": "message", "content": [{"type": "output_text", "text": "x"}]}),
        (
            event("refusal.delta", output_index=0, content_index=0, delta="x"),
            {"type": "message", "content": [{"type": "refusal", "refusal": "x"}]},
        ),
        (
            event("reasoning_text.delta", output_index=0, content_index=0, delta="x"),
            {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "x"}]},
        ),
        (
            event("reasoning.delta", output_index=0, content_index=0, delta="x"),
            {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "x"}]},
        ),
        (
            event("reasoning_summary_text.delta", output_index=0, summary_index=0, delta="x"),
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "x"}]},
        ),
        (
            event("function_call_arguments.delta", output_index=0, delta="x"),
            {"type": "function_call", "arguments": "x"},
        ),
        (
            event("custom_tool_call_input.delta", output_index=0, delta="x"),
            {"type": "custom_tool_call", "input": "x"},
        ),
        (
            event("code_interpreter_call_code.delta", output_index=0, delta="x"),
            {"type": "code_interpreter_call", "code": "x"},
        ),
    ],
)
def test_a_delta_for_nothing_opens_what_it_belongs_to(delta: Wire, item: Wire) -> None:
    [made] = output(delta)
    assert made | item == made


def test_a_stream_may_start_in_the_middle() -> None:
    """A resumed stream repeats no `created` and no `added`."""
    assembly = assembled(text("…rest"), completed(message("All of it, the …rest")))
    assert assembly.terminal
    assert assembly.text == "All of it, the …rest"


# -- `done` is the last word -------------------------------------------------------------------


def test_done_overwrites_the_deltas() -> None:
    closed = event("output_text.done", output_index=0, content_index=0, text="right")
    assert texts(output(text("wro"), text("ng"), closed)) == ["right"]


def test_deltas_may_be_missing() -> None:
    items = output(
        event("output_text.done", output_index=0, content_index=0, text="Hi"),
        event("function_call_arguments.done", output_index=1, arguments="{}", name="f"),
        event("reasoning_summary_text.done", output_index=2, summary_index=1, text="b"),
        event("content_part.done", output_index=3, content_index=0)
        | {"part": {"type": "output_text", "text": "part"}},
        done(4, "message", content=[{"type": "output_text", "text": "item"}]),
    )
    assert texts([items[0], items[3], items[4]]) == ["Hi", "part", "item"]
    assert (items[1]["name"], items[1]["arguments"]) == ("f", "{}")
    assert items[2]["summary"][-1]["text"] == "b"


@pytest.mark.parametrize(
    "silent",
    [
        event("output_text.done", output_index=0, content_index=0, text=""),
        event("output_text.done", output_index=0, content_index=0),
        event("content_part.done", output_index=0, content_index=0)
        | {"part": {"type": "output_text", "text": ""}},
        done(0, "message", content=[]),
        done(0, "message", content=[{"type": "output_text", "text": ""}]),
        done(0, "message", content=None),
        completed(message("")),
        event("completed", response={"output": [{"type": "message"}]}),
    ],
)
def test_a_silent_done_does_not_erase_what_was_streamed(silent: Wire) -> None:
    assert texts(output(text("Hel"), text("lo"), silent)) == ["Hello"]


# -- the terminal event ------------------------------------------------------------------------


@pytest.mark.parametrize("final", [{"output": []}, {"output": None}, {}, {"output": "?"}])
def test_a_terminal_without_output_keeps_what_was_streamed(final: Wire) -> None:
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    response = assembled(
        added(1, "message", content=[]),
        text("b", 1),
        text("a", 0),
        event("completed")
        | {"response": {"id": "resp", "status": "completed", "usage": usage, **final}},
    ).response()
    assert texts(response["output"]) == ["a", "b"]
    assert response["usage"] == usage


def test_a_terminal_with_output_is_the_truth() -> None:
    assert texts(output(text("wrong"), text("gone", 1), completed(message("right")))) == ["right"]


def test_annotations_that_were_only_streamed_are_kept() -> None:
    note = {"type": "url_citation", "url": "https://e.org", "title": "E"}
    note |= {"start_index": 0, "end_index": 2}
    streamed = event("output_text.annotation.added", output_index=0, content_index=0) | {
        "annotation": note
    }
    for final in (completed(message("Hi")), completed(), event("completed")):
        [item] = output(text("Hi"), streamed, streamed, final)
        assert item["content"][0]["annotations"] == [note]


def test_annotations_are_there_while_they_arrive() -> None:
    assembly = assembled(text("Hi"))
    for count in (1, 2):
        note = {"type": "url_citation", "url": f"https://e.org/{count}"}
        assembly.feed(
            event("output_text.annotation.added", output_index=0, content_index=0, annotation=note)
        )
        [part] = assembly.response()["output"][0]["content"]
        assert len(part["annotations"]) == count


def test_annotations_of_the_terminal_win() -> None:
    def note(url: str) -> Wire:
        return {"type": "url_citation", "url": url, "start_index": 0, "end_index": 1}

    final = message("Hi")
    final["content"][0]["annotations"] = [note("https://b.org")]
    streamed = event("output_text.annotation.added", output_index=0, content_index=0)
    [item] = output(text("Hi"), streamed | {"annotation": note("https://a.org")}, completed(final))
    assert [one["url"] for one in item["content"][0]["annotations"]] == ["https://b.org"]


def test_streamed_items_with_gaps_still_fill_the_terminals_items() -> None:
    final = completed({"type": "reasoning", "summary": []}, message(""))
    summary = event("reasoning_summary_text.delta", output_index=3, summary_index=0, delta="hm")
    items = output(summary, text("Hi", 9), final)
    assert items[0]["summary"][0]["text"] == "hm"
    assert texts(items[1:]) == ["Hi"]


@pytest.mark.parametrize(
    ("kind", "response", "status"),
    [
        ("completed", {}, "completed"),
        ("failed", {}, "failed"),
        ("incomplete", {}, "incomplete"),
        ("cancelled", {}, "cancelled"),
        ("completed", {"status": "incomplete"}, "incomplete"),
        ("completed", {"status": "in_progress"}, "completed"),
        ("failed", {"status": "completed"}, "failed"),
        ("cancelled", {"status": "completed"}, "cancelled"),
        ("incomplete", {"status": None}, "incomplete"),
    ],
)
def test_the_terminal_names_the_status(kind: str, response: Wire, status: str) -> None:
    assembly = assembled(text("x"), event(kind, response=response))
    assert assembly.terminal
    assert assembly.response()["status"] == status


def test_without_a_terminal_there_is_no_success() -> None:
    assembly = assembled(text("x"), event("output_text.done", output_index=0, text="x"))
    assert not assembly.terminal
    assert assembly.response()["status"] == "in_progress"


def test_nothing_after_the_terminal_changes_it() -> None:
    final = completed(message("right"), id="resp_1")
    late = [
        text(" and wrong"),
        event("in_progress", response={"id": "resp_2", "status": "in_progress"}),
        event("failed", response={"status": "failed"}),
        {"type": "error", "error": {"message": "late"}},
    ]
    assembly = assembled(final, *late)
    assert assembly.response() | {"id": "resp_1", "status": "completed"} == assembly.response()
    assert assembly.text == "right"
    assert assembly.error is None


# -- kinds of items ----------------------------------------------------------------------------


def test_reasoning_keeps_its_parts_apart_and_its_encrypted_content() -> None:
    def summary(kind: str, place: int, **fields: Any) -> Wire:
        return event(f"reasoning_summary_{kind}", output_index=0, summary_index=place, **fields)

    empty = {"type": "summary_text", "text": ""}
    [item] = output(
        added(0, "reasoning", id="rs", summary=[]),
        summary("part.added", 0, part=empty),
        summary("text.delta", 0, delta="a"),
        summary("text.delta", 0, delta="b"),
        summary("text.done", 0, text="ab"),
        summary("part.done", 0, part={"type": "summary_text", "text": "ab"}),
        summary("part.added", 1, part=empty),
        summary("text.delta", 1, delta="c"),
        done(0, "reasoning", id="rs", summary=[], encrypted_content="litellm_enc:x"),
    )
    assert [part["text"] for part in item["summary"]] == ["ab", "c"]
    assert item["encrypted_content"] == "litellm_enc:x"


def test_a_refusal_is_not_text() -> None:
    assembly = assembled(
        added(0, "message", content=[]),
        event("content_part.added", output_index=0, content_index=0)
        | {"part": {"type": "refusal", "refusal": ""}},
        event("refusal.delta", output_index=0, content_index=0, delta="I "),
        event("refusal.delta", output_index=0, content_index=0, delta="can't."),
    )
    answer = answer_of(assembly.response())
    assert (assembly.text, answer.text, answer.refusal) == ("", "", "I can't.")


def test_a_search_shows_how_far_it_is_and_keeps_what_its_end_says() -> None:
    events = [
        added(0, "web_search_call", id="ws", status="in_progress"),
        event("web_search_call.searching", output_index=0),
    ]
    assert output(*events)[0]["status"] == "searching"
    action = {"type": "search", "queries": ["q"], "sources": [{"type": "url", "url": "u"}]}
    [item] = output(*events, done(0, "web_search_call", id="ws", status="completed", action=action))
    assert (item["status"], item["action"]) == ("completed", action)


def test_several_parts_of_a_message_stay_in_their_places() -> None:
    """Places may have gaps as well; nothing is invented to fill them."""
    [item] = output(text("b", 0, 5), text("a", 0, 1), text("b", 0, 5))
    assert [part["text"] for part in item["content"]] == ["a", "bb"]


def test_the_unknown_is_kept() -> None:
    items = output(
        event("something.new", output_index=0),
        added(0, "acme:gadget", id="x", knobs=[1, 2]),
        event("gadget.turned", output_index=0),
        event("content_part.added", output_index=1, content_index=0)
        | {"part": {"type": "hologram", "beams": 3}},
        completed(),
    )
    assert items[0]["knobs"] == [1, 2]
    assert items[1]["content"][0] == {"type": "hologram", "beams": 3}


@pytest.mark.parametrize("value", [None, "x", 1.5, -1, True, [], {}, [1], {"a": 1}, 10**30])
@pytest.mark.parametrize(
    "field",
    [
        *("output_index", "content_index", "summary_index", "item_id", "sequence_number"),
        *("delta", "text", "item", "part", "annotation", "response", "type", "error"),
    ],
)
def test_no_field_of_the_wrong_kind_breaks_it(field: str, value: Any) -> None:
    kinds = [
        *("output_text.delta", "output_text.done", "refusal.delta", "content_part.added"),
        *("reasoning_summary_text.delta", "reasoning_summary_part.done", "output_item.added"),
        *("output_item.done", "function_call_arguments.delta", "function_call_arguments.done"),
        *("output_text.annotation.added", "web_search_call.searching", "created", "completed"),
    ]
    whole = {
        "output_index": 0,
        "content_index": 0,
        "delta": "x",
        "text": "x",
        "item": {"type": "message", "id": "i", "content": [1, {"type": "output_text"}]},
        "part": {"type": "output_text", "text": "x"},
        "annotation": {"type": "url_citation"},
        "response": {"output": [1, {"type": "message", "content": "x"}]},
    }
    for kind in kinds:
        before = event("output_item.added", output_index=0, item={"type": "message", "content": 5})
        assembly = assembled(before, {**event(kind), **whole, field: value}, text("y"))
        answer_of(assembly.response())
        assert isinstance(assembly.text, str)


# -- sequence numbers and errors ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("numbers", "last"),
    [([0], 0), ([1, 2, 3], 3), ([3, 1], 3), ([None, 4, None], 4), ([], None), (["7"], None)],
)
def test_the_highest_sequence_number_is_kept(numbers: list[Any], last: int | None) -> None:
    events = [event("x", **({} if one is None else {"sequence_number": one})) for one in numbers]
    assert assembled(*events).last_sequence == last


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "error", "error": {"message": "no", "code": "x"}},
        {"type": "error", "message": "no", "code": "x"},
        {"error": {"message": "no", "code": "x"}},
    ],
)
def test_an_error_is_read_in_each_of_its_three_shapes(raw: Wire) -> None:
    error = assembled(raw).error
    assert error is not None
    assert (error["message"], error["code"]) == ("no", "x")


# -- hostile sizes -----------------------------------------------------------------------------


def opened(index: int | None) -> Wire:
    return added(index, "message", content=[])


def cited(number: int) -> Wire:
    note = {"type": "url_citation", "url": "https://e.org", "start_index": number}
    return event("output_text.annotation.added", output_index=0, content_index=0, annotation=note)


STORMS: dict[str, Callable[[int], list[Wire]]] = {
    "items": lambda at: [opened(at), text("x", at)],
    "items that end": lambda at: [opened(at), text("x", at), done(at, "message", content=[])],
    "items without a position": lambda at: [opened(None)],
    "ends of one item": lambda at: [done(0, "message", content=[])],
    "ids that never come again": lambda at: [text("x", None, item_id=f"{at:0400d}")],
    "annotations": lambda at: [cited(at)],
    "deltas of many items": lambda at: [text("x", at % 1000)],
    "far parts": lambda at: [text("x", at, 10**6)],
    "parts": lambda at: [text("x", 0, at)],
    "one long text": lambda at: [text("x" * 1000)],
}


@pytest.mark.parametrize("name", STORMS)
def test_a_flood_takes_time_in_proportion_to_its_size(name: str) -> None:
    """Ten times as much takes about ten times as long, not a hundred times."""
    few, many = (
        min(_seconds([one for at in range(size) for one in STORMS[name](at)]) for _ in range(2))
        for size in (800, 8_000)
    )
    assert many < 40 * max(few, 0.002), f"{few:.3f} s for a tenth, {many:.3f} s for all"


def _seconds(events: list[Wire]) -> float:
    """Processor time: others share the machine."""
    gc.disable()
    try:
        began = time.process_time()
        assembly = assembled(*events, completed())
        answer_of(assembly.response())
        return time.process_time() - began
    finally:
        gc.enable()


def test_deep_parts_do_not_exhaust_the_stack() -> None:
    deep: Wire = {"type": "output_text"}
    for _ in range(900):
        deep = {"type": "output_text", "content": [deep]}
    item = {"type": "message", "content": [deep]}
    assembled(
        added(0, "message", content=[deep]),
        event("output_item.done", output_index=0, item=item),
        completed(item),
    ).response()


def test_more_objects_than_any_response_has_are_refused() -> None:
    assembly = ResponseAssembly()
    with pytest.raises(ProtocolError, match="more than 400,000 items"):
        for at in range(400_001):
            assembly.feed(opened(at % 2))
