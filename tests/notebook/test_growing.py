"""A page that is told a text in pieces has all of it, and nothing that was not cleaned."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.clean import clean_html
from kit.notebook.growing import LONGEST_TAIL, Growing
from tests.notebook.shown import Shown, letters, text_of
from tests.test_clean import FRAGMENTS, HOSTILE, complaint

pytestmark = pytest.mark.once

# The order of these decides what a browser and a person see of a text.
TEXTS = st.one_of(
    st.text(max_size=120),
    st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join),
)
CUTS = st.lists(st.integers(0, 400), max_size=12)


def shown(pieces: Iterable[str], growing: Growing | None = None) -> Shown:
    """A page that was told of every piece."""
    growing, page, text = growing or Growing(), Shown(), ""
    for piece in pieces:
        text += piece
        page.take(growing.grown(text))
    return page


def cut(text: str, places: Iterable[int]) -> list[str]:
    ends = [0, *sorted({place for place in places if place < len(text)}), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(ends)]


def by(size: int, text: str) -> list[str]:
    return cut(text, range(0, len(text), size))


def has_all(page: Shown, text: str) -> bool:
    """Whether every letter is there, in its order. Where words became an address's, or the name of
    a link, more is there than the whole text would show."""
    rest = iter(letters(page.text))
    return all(one in rest for one in letters(text_of(clean_html(text))))


@settings(max_examples=300, deadline=None)
@given(TEXTS, CUTS)
def test_text_cut_anywhere_is_all_there_and_clean(text: str, places: list[int]) -> None:
    page = shown(cut(text, places))
    assert complaint(page.html) is None
    assert has_all(page, text)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_clean_at_each_of_its_letters(text: str) -> None:
    growing, page = Growing(), Shown()
    for end in range(1, len(text) + 1):
        page.take(growing.grown(text[:end]))
        assert complaint(page.html) is None


BLOCKS = {
    "paragraphs": "One *two* three.\nfour\n\nFive `six` seven.\n\n",
    "a list": "- one\n- two\n  - three\n\n  four\n- five\n\nsix\n\n",
    "numbers": "1. one\n2. two\n\n3. three\n\nfour\n\n",
    "a table": "| a | b |\n|---|:-:|\n| 1 | 2 |\n| 3 | 4 |\n\nafter\n\n",
    "code": "before\n\n```python\nif x:\n\n    y = '<b>'\n```\n\nafter\n\n",
    "indented code": "before\n\n    a\n\n    b\n\nafter\n\n",
    "a quote": "> one\n> two\nthree\n\n> four\n\nfive\n\n",
    "headings": "# One\n\ntwo\n\nThree\n=====\n\nfour\n\n---\n\nfive\n\n",
    "formulas": "It is $a_1 * b_1$ and\n\n$$\na * b * c\n$$\n\nafter\n\n",
    "한국어": "# 제목\n\n첫 문단입니다. **굵게**\n\n- 하나\n- 둘\n\n",
}


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("name", BLOCKS)
def test_a_text_of_blocks_is_shown_as_the_whole_would_be(name: str, size: int) -> None:
    text = 3 * BLOCKS[name]
    assert shown(by(size, text)).html == clean_html(text)


def test_blocks_that_are_complete_are_told_once() -> None:
    text = "A sentence of some words.\n\n" * 400
    page = shown(by(10, text))
    assert page.html == clean_html(text)
    assert page.letters_told < 12 * len(text)


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["a\r", "\nb"], "a\nb"),
        (["a\r", "b"], "a\nb"),
        (["a\r\n", "\r\nb"], "a\n\nb"),
        (["a\r\n\r", "\nb"], "a\n\nb"),
        (["a\r", "\r", "b"], "a\n\nb"),
        (["a\ud83d", "\ude00b"], "a\ufffd\ufffdb"),
        (["a\u202e", "b\u2028c"], "ab\nc"),
        (["```\na\r", "\nb\r", "\n```"], "```\na\nb\n```"),
    ],
)
def test_a_letter_of_two_halves_is_one_where_they_are_cut_apart(
    pieces: list[str], text: str
) -> None:
    assert shown(pieces).html == clean_html(text)


def test_a_text_that_becomes_another_replaces_what_was_shown() -> None:
    growing = Growing()
    page = shown(by(3, "First this.\n\nThen that."), growing)
    told = growing.grown("Something *else*.")
    assert told["clear"] is True
    page.take(told)
    assert page.html == clean_html("Something *else*.")
    page.take(growing.grown(""))
    assert page.text == ""


def test_a_text_that_did_not_grow_tells_nothing() -> None:
    growing = Growing()
    assert growing.grown("") == {}
    assert growing.grown("a") != {}
    assert growing.grown("a") == {}


LONG = {
    "a line": "word " * 200_000,
    "lines": "word word\n" * 30_000,
    "a table": "| a | b |\n|---|---|\n" + "| one | two |\n" * 3_000,
    "a code block": "```\n" + "x = 1  # one\n" * 9_000,
    "brackets": "[" * 50_000,
    "stars": "*a " * 30_000,
    "a paragraph in a hundred": "word word\n\n" * 50 + "word " * 5_000 + "\n\nend",
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_block_is_all_there_and_told_about_once(name: str) -> None:
    """Not again with each piece: of a megabyte that would be fifty."""
    text = LONG[name]
    page = shown(by(len(text) // 100, text))
    assert complaint(page.html) is None
    assert letters(page.text) == letters(text)
    assert page.letters_told < 6 * len(text) + 100 * 2 * LONGEST_TAIL


def test_a_page_that_comes_late_has_what_the_others_have() -> None:
    text = "".join(BLOCKS.values()) + "```\n" + "long line\n" * 1_000 + "```\n\nThe end."
    growing, first = Growing(), Shown()
    for end in range(0, len(text), 397):
        first.take(growing.grown(text[:end]))
        late = Shown()
        told = growing.whole()  # every page hears it
        first.take(told)
        late.take(told)
        first.take(news := growing.grown(text[: end + 40]))
        late.take(news)
        assert late.picture == first.picture
        assert has_all(late, text[: end + 40])
