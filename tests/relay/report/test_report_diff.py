"""Two reports, and what the newer one says that the older did not."""

from __future__ import annotations

import json
import random
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.clean import clean_markdown
from kit.relay.evidence import Source
from kit.relay.report_diff import ReportDiff, diff_of
from tests.growth import assert_cheap

pytestmark = pytest.mark.once

OLD = """\
# Noodles

Jajangmyeon came from Shandong. [1](https://a.example/x)

It is sold in Incheon.

It is black.

It is sweet.

It is loved.

The end.
"""
NEW = """\
# Noodles

Jajangmyeon came from Shandong in China. [1](https://b.example/x)

It is sold in Incheon.

It is black.

It is sweet.

It is loved.
Everywhere.

The end.
"""


class Page(HTMLParser):
    """What stands between `ins` and `del` tags, and all text, of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.marked: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attrs} <= {"style", "class"}
        self.tags.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.open[-1] in ("ins", "del"):
            self.marked.append((self.open[-1], data))


def bundle(diff: ReportDiff) -> dict[str, str]:
    return diff._repr_mimebundle_()


def page(diff: ReportDiff) -> Page:
    return Page(bundle(diff)["text/html"])


def source(url: str, *, cited: bool = True) -> Source:
    return Source(1 if cited else None, url, url, opened=False, cited=cited)


# -- what is told ------------------------------------------------------------------------------


def test_it_reads_as_a_unified_diff_with_sources() -> None:
    assert str(diff_of(NEW, OLD)) == (
        "--- old\n"
        "+++ new\n"
        "@@ -1,5 +1,5 @@\n"
        " # Noodles\n"
        " \n"
        "-Jajangmyeon came from Shandong. [1](https://a.example/x)\n"
        "+Jajangmyeon came from Shandong in China. [1](https://b.example/x)\n"
        " \n"
        " It is sold in Incheon.\n"
        "@@ -10,4 +10,5 @@\n"
        " \n"
        " It is loved.\n"
        "+Everywhere.\n"
        " \n"
        " The end.\n"
        "Added sources (1):\n"
        "+https://b.example/x\n"
        "Removed sources (1):\n"
        "-https://a.example/x"
    )


def test_within_a_changed_line_words_are_marked() -> None:
    assert page(diff_of(NEW, OLD)).marked == [
        ("del", "https://a.example/x"),
        ("ins", " in China"),
        ("ins", "https://b.example/x"),
        ("ins", "Everywhere."),
        ("ins", "https://b.example/x"),
        ("del", "https://a.example/x"),
    ]


def test_korean_words_are_words() -> None:
    diff = diff_of("짜장면은 산둥 지방에서 왔다.", "짜장면은 산둥에서 왔다.")
    assert page(diff).marked == [("del", "산둥에서"), ("ins", "산둥 지방에서")]


def test_its_repr_is_short() -> None:
    assert repr(diff_of(NEW, OLD)) == "ReportDiff(changes=2, sources=+1 -1)"
    assert repr(diff_of(OLD, OLD)) == "ReportDiff(unchanged)"


SAME = [
    ("", ""),
    (OLD, OLD),
    (OLD, OLD.replace("\n", "\r\n")),
    (OLD, f"\n{OLD}\n"),
    ("a\x1b[31m", "a[31m"),
    ('{"a": [1, 2]}', '{\n  "a": [1,2]\n}'),
    ('["\\uc9dc"]', '["짜"]'),
]


@pytest.mark.parametrize(("new", "old"), SAME)
def test_what_a_reader_sees_alike_is_unchanged(new: str, old: str) -> None:
    diff = diff_of(new, old)
    assert diff.unchanged
    assert diff.changes == ()
    assert str(diff) == page(diff).text == "(unchanged)"


def test_json_is_compared_value_by_value() -> None:
    old = json.dumps({"title": "t", "points": ["a", "b"]})
    new = json.dumps({"title": "t", "points": ["a", "c"]})
    assert str(diff_of(new, old)) == (
        '--- old\n+++ new\n@@ -3,5 +3,5 @@\n   "points": [\n     "a",\n-    "b"\n+    "c"\n   ]\n }'
    )


def test_a_source_is_a_page_however_it_is_spelled() -> None:
    diff = diff_of("[x](http://www.a.example/?utm_source=openai)", "<https://a.example>")
    assert (diff.added_sources, diff.removed_sources) == ((), ())


def test_cited_sources_of_the_runs_count_as_well() -> None:
    """What was only found changes with every search, and is not of the report."""
    new = [source("https://c.example"), source("https://d.example", cited=False)]
    diff = diff_of("same", "same", new, [source("https://e.example")])
    assert diff.added_sources == ("https://c.example",)
    assert diff.removed_sources == ("https://e.example",)
    assert not diff.unchanged
    assert str(diff).startswith("Added sources (1):")


def test_what_is_too_long_to_be_compared_is_said() -> None:
    long = "a line of text\n" * 100_000
    diff = diff_of(f"{long}new", f"{long}old")
    assert diff.cut
    assert not diff.unchanged
    assert "too long to be compared" in str(diff)
    assert diff_of(long, long).unchanged


# -- hostile -----------------------------------------------------------------------------------

HOSTILE = [
    "<script>alert(1)</script>",
    "</div><img src=x onerror=alert(1)>",
    "```\n<script>alert(1)</script>\n````",
    "[x](javascript:alert(1)) &lt;b&gt;",
    "$\\href{javascript:alert(1)}{x}$ \\(x\\)",
    "\x1b[2J\u202etxt",
    'https://a.example/"><script>alert(1)</script>',
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_hostile_comes_through(text: str) -> None:
    for diff in (diff_of(text, ""), diff_of("", text), diff_of(f"{text} b", f"{text} a")):
        forms = bundle(diff)
        assert Page(forms["text/html"]).tags <= {"div", "ins", "del"}
        assert not re.search("[\x1b\u202e]", "".join(forms.values()))
        # What cleans any Markdown finds nothing to clean in ours.
        assert clean_markdown(forms["text/markdown"]) == forms["text/markdown"]


def test_formulas_are_left_alone() -> None:
    assert bundle(diff_of("$x$", ""))["text/html"].startswith('<div class="mathjax_ignore"')


LINES = st.lists(st.sampled_from(["a b", "a c", "", "b", "a b c d", "[1", "{", "한글 은"])).map(
    "\n".join
)


@given(LINES | st.text(), LINES | st.text())
def test_old_and_new_can_be_read_from_any_diff(new: str, old: str) -> None:
    """Applied to the old lines, the diff gives the new ones."""
    diff = diff_of(new, old)
    page(diff)
    shown = [line for line in diff.changes if line.sign != "@"]
    gone = [line.text for line in shown if line.sign != "+"]
    came = [line.text for line in shown if line.sign != "-"]
    if diff.changes:
        assert gone != came
        assert is_row_within(gone, plain_lines(old))
        assert is_row_within(came, plain_lines(new))
    else:
        assert plain_lines(old) == plain_lines(new)


def plain_lines(report: str) -> list[str]:
    """The lines of a report that is no JSON, with everything invisible left out."""
    ends = re.sub("\r\n?|[\x85\u2028\u2029]", "\n", report)
    text = re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "", ends)
    return text.strip("\n").split("\n")


def is_row_within(part: list[str], whole: list[str]) -> bool:
    rest = iter(whole)
    return all(line in rest for line in part)


# -- bounds ------------------------------------------------------------------------------------


def report(size: int, words: int, *, seed: int) -> str:
    chance = random.Random(seed)
    lines: list[str] = []
    while sum(map(len, lines)) < size:
        lines += [" ".join(f"w{chance.randrange(3_000)}" for _ in range(words)), ""]
    return "\n".join(lines)


def edited(text: str, share: float) -> str:
    chance = random.Random(2)
    return re.sub(r"\w+", lambda word: "new" if chance.random() < share else word[0], text)


BIG = report(100_000, 60, seed=1)
SHORT = report(100_000, 5, seed=1)


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (edited(BIG, 0.01), BIG),
        (edited(BIG, 0.3), BIG),
        (edited(SHORT, 0.3), SHORT),
        (report(100_000, 60, seed=3), BIG),
        ("\n".join(reversed(SHORT.split("\n"))), SHORT),
    ],
    ids=["few words", "many words", "short lines", "another", "reversed"],
)
def test_a_big_report_is_compared_well_under_a_second(new: str, old: str) -> None:
    assert_cheap(lambda: bundle(diff_of(new, old)), 30)  # 4 where it was written


def few(kinds: str, count: int, *, seed: int, between: str) -> str:
    """What difflib is slow at: few different things, many times."""
    return between.join(random.Random(seed).choices(kinds, k=count))


def deep(last: str) -> str:
    return "[" * 300 + "1," * 90_000 + last + "]" * 300


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (few("ab", 6_000, seed=1, between="\n"), few("ab", 6_000, seed=2, between="\n")),
        (few("abc", 9_000, seed=1, between=" "), few("abc", 9_000, seed=2, between=" ")),
        ("x\n" * 5_000 + "y", "x\n" * 5_000),
        (deep("1"), deep("2")),
        ("word https://a.example/x\n" * 100_000, "word https://b.example/x\n" * 100_000),
        ("a" * 1_000_000, "b" * 1_000_000),
        ("\n".join(f"https://a.example/{n}{'x' * 300}" for n in range(9_000)), ""),
    ],
    ids=["lines", "words", "equal lines", "deep JSON", "long", "one word", "sources"],
)
def test_too_much_is_compared_and_shown_in_bounds(new: str, old: str) -> None:
    assert len(bundle(diff_of(new, old))["text/plain"]) < 400_000
    assert_cheap(lambda: bundle(diff_of(new, old)), 200)
