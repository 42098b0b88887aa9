"""What a live card is told: changes only, and whoever comes late sees the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.notebook.board import Board, Facts
from kit.notebook.diary import Row
from tests.notebook.shown import Shown

pytestmark = pytest.mark.once

ROW = st.builds(Row, st.sampled_from(["search", "call", "note"]), st.sampled_from("ab"))
FACTS = st.builds(Facts, phase=st.sampled_from(["", "x"]), seconds=st.sampled_from([0.0, 1.0]))
MOMENT = st.tuples(
    st.sampled_from(["", "a", "*b* c", "\n\n", "1. d\n", "```\n", "<b>"]),
    FACTS,
    st.lists(st.tuples(st.integers(0, 5), ROW), max_size=2),
)


def grown(rows: list[Row], changes: list[tuple[int, Row]]) -> list[Row]:
    """Rows only grow, in number and each in itself."""
    for place, row in changes:
        rows[min(place, len(rows)) : place + 1] = [row]
    return rows


@settings(max_examples=150, deadline=None)
@given(st.lists(MOMENT, max_size=12), st.integers(0, 12))
def test_who_comes_late_sees_what_the_first_sees(moments: list[Any], late: int) -> None:
    board, first, second = Board(), Shown(), Shown()
    text, rows = "", [Row("note", "first")][:0]
    for number, (piece, facts, changes) in enumerate(moments):
        text, rows = text + piece, grown(rows, changes)
        news = board.news(text, facts, rows)
        first.take(news)
        if number == late:
            whole = board.whole()
            first.take(whole)
            second.take(whole)
        elif number > late:
            second.take(news)
    if late < len(moments):
        assert second.picture == first.picture
        assert [row for _, row in sorted(first.rows.items())] == [one.document() for one in rows]


def test_nothing_is_told_where_only_time_has_passed() -> None:
    board = Board()
    assert board.news("a", Facts(seconds=1, silent=1)) != {}
    assert board.news("a", Facts(seconds=2, silent=2)) == {}
    assert board.whole()["facts"]["seconds"] == 2


def test_a_row_is_told_when_it_is_new_or_has_changed() -> None:
    board = Board()
    asked, running, done = Row("search", "q"), Row("call", "f()"), Row("call", "f()", state="done")
    assert board.news("", Facts(), [asked])["rows"] == [[0, asked.document()]]
    assert board.news("", Facts(), [asked, running])["rows"] == [[1, running.document()]]
    assert board.news("", Facts(), [asked, done])["rows"] == [[1, done.document()]]
    assert board.news("", Facts(), [asked, done]) == {}


@pytest.mark.parametrize("name", ["phase", "model", "tokens", "spend"])
def test_a_fact_is_one_line_that_turns_nothing_around(name: str) -> None:
    """They hold what a model searches for, or the name of a function it made up."""
    said = "a\u202eb\n\x1bc\ud800" + 1_000 * "d"
    told = Board().news("", Facts(**{name: said}, notes=(said,)))["facts"]
    for one in (told[name], *told["notes"]):
        assert one.startswith("ab cddd")
        assert len(one) <= 300


def test_what_is_told_can_be_sent() -> None:
    """A half of a character is no UTF-8: it would fail the cell that tells of it."""
    facts = Facts(phase="searching: \ud800", notes=("\udfff",))
    board = Board()
    for told in (board.news("a\ud800", facts, [Row("note", "x")]), board.whole()):
        assert json.dumps(told, ensure_ascii=False).encode("utf-8")
