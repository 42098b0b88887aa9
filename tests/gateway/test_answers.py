"""What is read out of a response or a completion, whichever spelling it has."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from kit.gateway.answer import Answer, answer_of

Wire = dict[str, Any]


def note(start: Any, end: Any, url: str = "https://e.org", title: str = "E") -> Wire:
    kind = {"type": "url_citation", "url": url, "title": title}
    return kind | {"start_index": start, "end_index": end}


def part(text: Any, *notes: Any) -> Wire:
    return {"type": "output_text", "text": text, "annotations": [*notes]}


def message(*parts: Any, **fields: Any) -> Wire:
    return {"type": "message", "role": "assistant", "content": [*parts], **fields}


def answer(*items: Any, **fields: Any) -> Answer:
    return answer_of({"id": "r", "status": "completed", "output": [*items], **fields})


def completion(content: Any, finish: str = "stop", **fields: Any) -> Answer:
    choice = {"index": 0, "finish_reason": finish, "message": {"content": content, **fields}}
    return answer_of({"id": "c", "choices": [choice]})


# -- text --------------------------------------------------------------------------------------


def test_all_parts_of_all_messages_are_the_text() -> None:
    items = [message(part("a"), part("b")), {"type": "reasoning"}, message(part("c"))]
    assert answer(*items).text == "abc"


def test_a_final_answer_is_preferred_to_commentary() -> None:
    items = [
        message(part("Let me look. "), phase="commentary"),
        message(part("It is "), phase="final_answer"),
        message(part("42."), phase="final_answer"),
    ]
    assert answer(*items).text == "It is 42."
    assert answer(items[0]).text == "Let me look. "
    assert len(answer(*items).items) == 3
    assert answer(*items).items[1]["phase"] == "final_answer"


@pytest.mark.parametrize(
    "item",
    [
        message({"type": "output_text"}),
        message({"type": "output_text", "text": None}),
        message({"type": "output_text", "text": 7}),
        message("text", None, 7),
        {"type": "message", "content": None},
        {"type": "message", "content": "text"},
        {"type": "message"},
        {"type": None},
        {},
        None,
        "message",
    ],
)
def test_odd_items_say_nothing_and_break_nothing(item: Any) -> None:
    assert answer(item, message(part("x"))).text == "x"


def test_str_is_the_text_and_repr_is_short() -> None:
    long = answer(message(part("x" * 10_000)))
    assert str(long) == long.text
    assert len(repr(long)) < 200
    assert "raw" not in repr(long)


# -- citations ---------------------------------------------------------------------------------


def test_offsets_count_code_points_and_move_with_their_part() -> None:
    first = part("짜장면 🌟 ", note(0, 3, "https://a.org"))
    second = part("👩‍💻 먹자", note(4, 6, "https://b.org"))
    made = answer(message(first), message(second))
    assert [made.text[one.start : one.end] for one in made.citations] == ["짜장면", "먹자"]
    assert [one.number for one in made.citations] == [1, 2]


def test_offsets_count_from_the_final_answer_alone() -> None:
    items = [
        message(part("Thinking…", note(0, 3, "https://no.org")), phase="commentary"),
        message(part("Yes.", note(0, 3)), phase="final_answer"),
    ]
    [citation] = answer(*items).citations
    assert (citation.url, citation.start, citation.end) == ("https://e.org", 0, 3)


@pytest.mark.parametrize(
    ("start", "end", "came"),
    [
        (0, 5, (0, 5)),
        (3, 99, (3, 5)),
        (99, 120, (5, 5)),
        (-4, 2, (0, 2)),
        (4, 2, (4, 4)),
        (-9, -3, (0, 0)),
        (None, None, (5, 5)),
        ("0", "5", (5, 5)),
        (0, None, (5, 5)),
        (10**30, 10**31, (5, 5)),
    ],
)
def test_offsets_are_clamped_to_the_text(start: Any, end: Any, came: tuple[int, int]) -> None:
    [citation] = answer(message(part("Hello", note(start, end)))).citations
    assert (citation.start, citation.end) == came


def test_citations_come_in_order_and_a_source_has_one_number() -> None:
    notes = [
        note(6, 9, "https://b.org"),
        note(0, 3, "https://a.org"),
        note(3, 6, "https://b.org"),
        note(0, 9, "https://c.org"),
    ]
    made = answer(message(part("012345678", *notes)))
    assert [(one.url[8], one.start, one.number) for one in made.citations] == [
        ("a", 0, 1),
        ("c", 0, 2),
        ("b", 3, 3),
        ("b", 6, 3),
    ]


@pytest.mark.parametrize(
    ("annotation", "title", "place"),
    [
        (
            {"type": "file_citation", "file_id": "f", "filename": "a.pdf", "index": 2},
            "a.pdf",
            (2, 2),
        ),
        (
            {"type": "container_file_citation", "file_id": "f", "filename": "p.png"}
            | {"start_index": 0, "end_index": 1},
            "p.png",
            (0, 1),
        ),
        ({"type": "file_path", "file_id": "f", "index": 1}, "", (1, 1)),
        ({"type": "acme:note", "anything": 1}, "", (3, 3)),
        ({}, "", (3, 3)),
    ],
)
def test_citations_of_other_kinds_are_kept(annotation: Wire, title: str, place: Any) -> None:
    [citation] = answer(message(part("abc", annotation))).citations
    assert (citation.title, (citation.start, citation.end)) == (title, place)
    assert citation.kind == annotation.get("type", "url_citation")
    assert citation.raw == annotation


PLACE = {"start_index": 1, "end_index": 3}
PAGE = {"url": "https://e.org", "title": "E"}


@pytest.mark.parametrize(
    "nested",
    [
        {"type": "url_citation", "url_citation": {**PAGE, **PLACE}},
        {"type": "url_citation", "url_citation": PAGE, **PLACE},
        {"type": "url_citation", "url_citation": {**PAGE, **PLACE, "type": "url"}, "title": "?"},
    ],
)
def test_nested_citations_are_read(nested: Wire) -> None:
    """Chat nests a citation under its own type; some gateways do so in a response too."""
    notes = [nested, "x", None]
    for made in (completion("a🌟bc", annotations=notes), answer(message(part("a🌟bc", *notes)))):
        [citation] = made.citations
        assert (citation.url, citation.title) == ("https://e.org", "E")
        assert (citation.start, citation.end, citation.kind) == (1, 3, "url_citation")


def listed(**fields: Any) -> list[tuple[str, str]]:
    """Address and title of each source that a completion names beside its message."""
    choice = {"finish_reason": "stop", "message": {"content": "Seoul [1]", **fields.pop("of", {})}}
    made = answer_of({"choices": [choice], **fields}).citations
    assert {(one.start, one.end) for one in made if not one.raw.get("end_index")} <= {(9, 9)}
    assert [one.number for one in made] == [*range(1, len(made) + 1)]
    return [(one.url, one.title) for one in made]


A, B = "https://a.org", "http://b.org"


@pytest.mark.parametrize(
    ("fields", "sources"),
    [
        ({"citations": [A, B, A]}, [(A, A), (B, B)]),
        ({"citations": [B, A], "search_results": [{"url": A, "title": "A"}]}, [(B, B), (A, "A")]),
        ({"search_results": [{"url": A, "title": "A", "date": "2026-01-01"}]}, [(A, "A")]),
        ({"citations": [A], "search_results": [{"url": B, "title": 7}]}, [(A, A), (B, B)]),
        ({"citations": [{"url": A, "title": "A"}]}, [(A, "A")]),
        ({"citations": ["javascript:x", "doc 1", "", None, 7, [], {}, A]}, [(A, A)]),
        ({"citations": A, "search_results": {"url": B}}, []),
        ({"citations": [A + "/" + "a" * 2_000, B]}, [(B, B)]),
        ({"citations": None, "search_results": None}, []),
    ],
)
def test_sources_listed_beside_a_chat_are_its_citations(
    fields: Wire, sources: list[tuple[str, str]]
) -> None:
    assert listed(**fields) == sources


def test_a_source_that_is_annotated_is_not_listed_again() -> None:
    noted = {"annotations": [note(0, 5, A, "Noted")]}
    assert listed(citations=[A, B], of=noted) == [(A, "Noted"), (B, B)]


def test_what_is_listed_beside_a_chat_is_bounded() -> None:
    many = listed(citations=[f"https://e.org/{at}" for at in range(20_000)])
    assert len(many) == 5_000
    [(_, title)] = listed(search_results=[{"url": A, "title": "t" * 10_000}])
    assert title == "t" * 499 + "…"


def test_a_source_without_a_title_shows_its_address() -> None:
    [citation] = answer(message(part("x", note(0, 1, title="")))).citations
    assert citation.title == "https://e.org"


# -- usage and cost ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (
            {
                "input_tokens": 10,
                "input_tokens_details": {"cached_tokens": 4},
                "output_tokens": 5,
                "output_tokens_details": {"reasoning_tokens": 3},
                "total_tokens": 15,
            },
            (10, 5, 15, 4, 3),
        ),
        (
            {
                "prompt_tokens": 10,
                "prompt_tokens_details": {"cached_tokens": 4},
                "completion_tokens": 5,
                "completion_tokens_details": {"reasoning_tokens": 3},
                "total_tokens": 15,
            },
            (10, 5, 15, 4, 3),
        ),
        ({"input_tokens": 10, "output_tokens": 5}, (10, 5, 15, 0, 0)),
        (
            {"prompt_tokens": 10, "prompt_tokens_details": None, "completion_tokens": None},
            (10, 0, 10, 0, 0),
        ),
        ({"input_tokens": 0, "prompt_tokens": 10, "output_tokens": 0}, (10, 0, 10, 0, 0)),
        ({"input_tokens": 0, "output_tokens": 0}, (0, 0, 0, 0, 0)),
        (
            {"input_tokens": 1e5, "output_tokens": 9.0, "total_tokens": 1.5},
            (10**5, 9, 100_009, 0, 0),
        ),
        ({"prompt_tokens": "120000", "completion_tokens": "9"}, (120_000, 9, 120_009, 0, 0)),
        ({"input_tokens": 10, "output_tokens": -5, "total_tokens": "x"}, (10, 0, 10, 0, 0)),
        ({"input_tokens": 10, "output_tokens": True}, (10, 0, 10, 0, 0)),
        ({"input_tokens": 10**30, "output_tokens": 1}, (2**53, 1, 2**53, 0, 0)),
        ({"input_tokens": "9" * 5_000, "output_tokens": 1e300}, (2**53, 2**53, 2**53, 0, 0)),
    ],
)
def test_usage_is_read_in_both_spellings(usage: Wire, counts: tuple[int, ...]) -> None:
    made = answer(message(part("x")), usage=usage).usage
    assert made is not None
    assert dataclasses.astuple(made) == counts


UNREADABLE: list[Any] = [None, "many", "", "-5", "1.5", "٣", -5, 1.5, True, [], {}]
UNREADABLE += [float("nan"), float("inf")]


@pytest.mark.parametrize(
    "usage",
    [
        *(None, {}, [], "x", 7, {"cost": 0.25}, {"total_tokens": 12}),
        *({"input_tokens": one, "output_tokens": one, "total_tokens": 0} for one in UNREADABLE),
        *({"prompt_tokens": one, "completion_tokens": None} for one in UNREADABLE),
    ],
)
def test_no_usage_is_none(usage: Any) -> None:
    assert answer(message(part("x")), usage=usage).usage is None


@pytest.mark.parametrize(
    ("usage", "header", "cost"),
    [
        ({"cost": 0.25}, None, 0.25),
        ({"cost": 0.25}, "0.5", 0.25),
        ({"input_tokens": 1}, "0.5", 0.5),
        (None, "5.5e-05", 0.000055),
        (None, "0", 0.0),
        ({"cost": None}, "x", None),
        ({"cost": "nan"}, None, None),
        ({"cost": -1}, "inf", None),
        (None, None, None),
    ],
)
def test_the_cost_is_what_the_gateway_says(usage: Any, header: Any, cost: float | None) -> None:
    headers = {} if header is None else {"x-litellm-response-cost": header}
    raw = {"status": "completed", "output": [], "usage": usage}
    assert answer_of(raw, headers).cost == cost


def test_the_request_id_is_the_gateways_own() -> None:
    headers = {"x-litellm-call-id": "call", "llm_provider-x-request-id": "upstream"}
    assert answer_of({}, headers).request_id == "call"
    assert answer_of({}, {**headers, "x-request-id": "own"}).request_id == "own"


# -- status ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "status", "incomplete"),
    [
        ({"status": "queued", "output": []}, "queued", None),
        ({"output": [message(part("x"))]}, "completed", None),
        ({"output": []}, "in_progress", None),
        ({"error": {"message": "no"}, "output": []}, "failed", None),
        (
            {"incomplete_details": {"reason": "max_output_tokens"}, "output": []},
            "incomplete",
            "max_output_tokens",
        ),
        ({"status": None, "output": [message()]}, "completed", None),
        ({"status": "paused", "output": []}, "in_progress", None),
        ({"status": "paused", "output": [message()]}, "in_progress", None),
        (
            {"status": "done", "output": [message()], "usage": {"input_tokens": 1}},
            "completed",
            None,
        ),
    ],
)
def test_a_status_that_is_missing_or_unknown_is_derived(
    raw: Wire, status: str, incomplete: str | None
) -> None:
    made = answer_of(raw)
    assert (made.status, made.incomplete) == (status, incomplete)


def test_a_refusal_is_told_apart_from_text() -> None:
    refused = message({"type": "refusal", "refusal": "I can't help with that."})
    for made in (answer(refused), completion(None, refusal="I can't help with that.")):
        assert (made.text, made.refusal) == ("", "I can't help with that.")


def test_reasoning_searches_and_calls_are_found() -> None:
    items = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}]},
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "b"}]},
        {"type": "web_search_call", "id": "w1", "status": "completed"},
        {"type": "web_search_call", "id": "w2", "action": {"type": "open_page"}},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""},
    ]
    made = answer(*items)
    assert made.reasoning == "a\n\nb"
    assert len(made.searches) == 2
    assert [one["call_id"] for one in made.function_calls] == ["c"]
    assert made.output == tuple(items)


def test_items_to_resend_hold_no_ids_of_a_gateways_memory() -> None:
    items = [
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "x"},
        {"type": "web_search_call", "id": "ws_1"},
        message(part("Hi", note(0, 1)), id="msg_1", status="completed"),
        {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"},
    ]
    reasoning, said, call = answer(*items).items
    assert reasoning["encrypted_content"] == "x"
    text = {"type": "output_text", "text": "Hi"}
    assert said == {"role": "assistant", "type": "message", "content": [text]}
    assert call == {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}


def test_an_answer_can_be_pickled_copied_and_not_changed() -> None:
    made = answer(message(part("Hi", note(0, 1))), usage={"input_tokens": 1})
    assert pickle.loads(pickle.dumps(made)) == made
    assert copy.deepcopy(made) == made
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.text = "changed"  # type: ignore[misc]


@pytest.mark.parametrize("value", [None, "x", 1, 1.5, True, [], {}, [None], {"a": 1}])
@pytest.mark.parametrize(
    "field",
    [
        *("id", "status", "model", "output", "usage", "error", "incomplete_details", "choices"),
        *("content", "type", "annotations", "text", "summary", "url", "title", "start_index"),
    ],
)
def test_no_field_of_the_wrong_kind_breaks_reading_or_showing(field: str, value: Any) -> None:
    annotation = {**note(0, 1), **({field: value} if field in note(0, 1) else {})}
    one = {**part("x", annotation), **({field: value} if field in part("x") else {})}
    item = {**message(one), **({field: value} if field in message() else {})}
    thought = {"type": "reasoning", "summary": value}
    raw = {"status": "completed", "output": [item, thought], **({field: value})}
    made = answer_of(raw)
    assert isinstance(made.text, str)
    assert made._repr_mimebundle_()
    assert isinstance(made.reasoning + made.refusal + str(made.error) + repr(made.items), str)
