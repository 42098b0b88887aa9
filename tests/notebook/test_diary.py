"""What happens while a model works, as rows: bounded, one line each, and nothing twice."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from kit.gateway import events
from kit.gateway.answer import ToolCall
from kit.notebook.board import Board, Facts
from kit.notebook.diary import LONGEST_LINE, LONGEST_THOUGHTS, MOST_ROWS, Diary, Row
from kit.notebook.workbench import Workbench
from kit.relay.view import RunEvent
from kit.tools.happenings import CallBegan, CallEnded
from tests.test_clean import HOSTILE

pytestmark = pytest.mark.once


LONG = "long " * 50_000


def happened(kind: str, **data: Any) -> RunEvent:
    return RunEvent(number=1, type=kind, status="running", data=data)


def searched(**action: Any) -> events.ItemDone:
    item = {"type": "web_search_call", "action": action}
    return events.ItemDone(type="response.output_item.done", raw={}, item=item)


def cited(**annotation: Any) -> events.CitationAdded:
    return events.CitationAdded(type="", raw={}, annotation=annotation)


def thought(text: str) -> events.ReasoningDelta:
    return events.ReasoningDelta(type="", raw={}, text=text)


def finished(*annotations: Any) -> events.Finished:
    content = [{"annotations": [*annotations]}, None, {"annotations": "none"}]
    return events.Finished(type="", raw={}, response={"output": [{"content": content}, 1]})


def rows_of(*happenings: Any) -> list[Row]:
    diary = Diary()
    for one in happenings:
        diary.note(one)
    return diary.rows


WEB = "https://example.org/a"
CASES: list[tuple[list[Any], list[Row]]] = [
    ([searched(type="search", queries=["a", "b"])], [Row("search", "a"), Row("search", "b")]),
    ([searched(type="search", query="a")], [Row("search", "a")]),
    ([searched(type="search", query="a"), searched(query="a")], [Row("search", "a")]),
    ([searched(type="open_page", url=WEB)], [Row("page", WEB, WEB)]),
    ([searched(type="find_in_page", url=WEB)], [Row("page", WEB, WEB)]),
    ([cited(url=WEB, title="T")], [Row("source", "T", WEB)]),
    ([cited(url=WEB), finished({"url": WEB, "title": "T"})], [Row("source", "T", WEB)]),
    ([finished({"type": "u", "u": {"url": WEB, "title": "T"}})], [Row("source", "T", WEB)]),
    ([thought("a "), thought("b")], [Row("thought", "a b")]),
    ([happened("search", queries=["a"])], [Row("search", "a")]),
    ([happened("page", url=WEB)], [Row("page", WEB, WEB)]),
    ([happened("source", url=WEB, title="T")], [Row("source", "T", WEB)]),
    ([happened("reasoning", summary="a")], [Row("thought", "a\n\n")]),
    ([happened("warning", message="a"), happened("warning", message="a")], [Row("note", "a")]),
    # what a gateway should not send
    ([searched(), searched(queries="a"), searched(query=1), searched(query=" ")], []),
    ([searched(type="open_page", url=None), cited(), cited(url=1), happened("page", url=" ")], []),
    ([happened("search", queries=None), happened("source"), happened("unheard of")], []),
]


@pytest.mark.parametrize(("happenings", "rows"), CASES)
def test_what_happens_is_a_row_of_its_own_once(happenings: list[Any], rows: list[Row]) -> None:
    assert rows_of(*happenings) == rows


def test_there_are_so_many_rows_and_no_more() -> None:
    diary = Diary()
    for number in range(MOST_ROWS + 7):
        diary.note(searched(query=f"query {number}"))
    assert len(diary.rows) == MOST_ROWS
    assert diary.rows[-1] == Row("note", "8 more are not listed here")


def test_what_a_person_should_know_finds_room_behind_the_last_row() -> None:
    diary = Diary()
    for number in range(MOST_ROWS + 7):
        diary.note(searched(query=f"query {number}"))
    diary.warn("The budget is spent.")
    assert diary.rows[-1] == Row("note", "The budget is spent.")


def test_long_thinking_is_told_in_parts() -> None:
    """Two thousand pieces: a page is told the part that grows, and not all of it each time."""
    board, diary, told = Board(), Diary(), 0
    for number in range(2_000):
        diary.note(thought(f"thought {number % 10} "))
        told += len(json.dumps(board.news("", Facts(), diary.rows)))
    assert "".join(row.text for row in diary.rows).count("thought") == 2_000
    assert told < 3_000_000


@pytest.mark.parametrize("text", [*HOSTILE, LONG, "two\nlines", "\ud800", "a\u202eb"])
def test_the_words_of_a_row_are_one_bounded_line(text: str) -> None:
    call = ToolCall(text, text, "c1")
    diary = Diary()
    diary.call("c1", call.name, call.arguments, text)
    diary.warn(text)
    for one in (searched(query=text), searched(type="open_page", url=text), thought(text)):
        diary.note(one)
    diary.note(cited(url=text, title=text))
    for row in diary.rows:
        longest = LONGEST_THOUGHTS if row.kind == "thought" else LONGEST_LINE
        assert len(row.text) <= longest and len(row.state) <= LONGEST_LINE
        assert row.kind == "thought" or "\n" not in row.text + row.state
        assert not {"\x00", "\x1b", "\u202e", "\ud800"} & {*row.text, *row.state}
        assert row.url == "" or re.fullmatch(r"https?://[^\s\"'<>`\\]+", row.url)


def test_thoughts_end_where_they_are_too_many() -> None:
    (row,) = rows_of(*(thought(LONG) for _ in range(3)))
    assert len(row.text) == LONGEST_THOUGHTS


def test_a_call_is_one_row_however_it_stands() -> None:
    """Also where a gateway gives two calls one id, or none."""
    bench = Workbench(0.0)
    for id in ("", "c1"):
        first, second = ToolCall("f", "{}", id), ToolCall("g", "{}", id)
        bench.note(CallBegan(first, ""))
        bench.note(CallEnded(replace(first, seconds=0.1)))
        bench.note(CallBegan(second, ""))
        bench.note(CallEnded(replace(second, seconds=0.1, error="timed_out")))
    two = [Row("call", "f()", state="done"), Row("call", "g()", state="timed out")]
    assert bench.diary.rows == [*two, *two]
