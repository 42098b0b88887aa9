"""How an answer shows itself: nothing hostile comes through, and nothing honest is broken."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from kit.gateway.answer import Answer, answer_of
from kit.gateway.show import markdown_of, mimebundle, plain_of, usage_line
from tests.growth import assert_linear

pytestmark = pytest.mark.once

Wire = dict[str, Any]


def cited(text: str, *sources: tuple[str, str, int, int], **fields: Any) -> Answer:
    """An answer with citations of (url, title, start, end)."""
    notes = [
        {"type": "url_citation", "url": url, "title": title, "start_index": start, "end_index": end}
        for url, title, start, end in sources
    ]
    part = {"type": "output_text", "text": text, "annotations": notes}
    item = {"type": "message", "role": "assistant", "content": [part]}
    return answer_of({"status": "completed", "output": [item], **fields})


class Page(HTMLParser):
    """The links and the visible text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def page(answer: Answer) -> Page:
    return Page(mimebundle(answer)["text/html"])


# -- numbers and sources -----------------------------------------------------------------------


def test_text_sources_and_usage_stand_below_each_other() -> None:
    text = "Paris is the capital. It is old."
    sources = ("https://a.org", "A", 0, 21), ("https://b.org", "B", 22, 32)
    usage = {"input_tokens": 1200, "output_tokens": 34, "total_tokens": 1234, "cost": 0.00123}
    answer = cited(text, *sources, model="m", usage=usage)
    assert plain_of(answer) == (
        "Paris is the capital. It is old.\n\n[1] A https://a.org\n[2] B https://b.org\n\n"
        "m · 1,200 in, 34 out · $0.0012"
    )
    shown = page(answer)
    assert "Paris is the capital. [1] It is old. [2]" in " ".join(shown.text.split())
    assert shown.links == ["https://a.org", "https://b.org"]
    assert set(mimebundle(answer)) == {"text/plain", "text/markdown", "text/html"}


def test_sources_at_one_place_are_numbered_together_and_once() -> None:
    sources = [
        ("https://a.org", "A", 0, 2),
        ("https://b.org", "B", 1, 2),
        ("https://a.org", "A", 0, 2),
    ]
    assert "Hi [1][2]" in page(cited("Hi there", *sources)).text


def test_numbers_count_code_points() -> None:
    text = "👩‍💻 짜장면은 맛있다 🌟 그렇다"
    end = text.index(" 그렇다")
    assert "🌟 [1] 그렇다" in page(cited(text, ("https://a.org", "A", 0, end))).text


def test_a_citation_without_a_range_is_a_source_without_a_number_in_the_text() -> None:
    shown = page(cited("Hello", ("https://a.org", "A", 5, 5)))
    assert "[1]" not in shown.text
    assert shown.links == ["https://a.org"]


@pytest.mark.parametrize(
    ("text", "inside", "whole"),
    [
        ("See `code here` now", "code", "`code here` "),
        ("See ``a ` b`` now", "a ` b", "``a ` b`` "),
        ("See [the site](https://e.org/x) now", "the site", "[the site](https://e.org/x) "),
        ("See [the site](https://e.org/x) now", "e.org", "[the site](https://e.org/x) "),
        ("See https://e.org/a/b now", "e.org", "https://e.org/a/b "),
    ],
)
def test_a_number_stands_behind_code_and_links_and_not_in_them(
    text: str, inside: str, whole: str
) -> None:
    start = text.index(inside)
    markdown = markdown_of(cited(text, ("https://a.org", "A", start, start + len(inside))))
    assert whole + "&#91;1&#93; now" in markdown


def test_a_block_of_code_is_left_alone() -> None:
    text = "Run\n\n```python\nprint(1)\n```\n\nand see"
    for inside in ("print(1)", "```python", "print(1)\n```"):
        start = text.index(inside)
        answer = cited(text, ("https://a.org", "A", start, start + len(inside)))
        assert markdown_of(answer).startswith(text)


def test_a_single_backtick_does_not_make_code_of_what_follows() -> None:
    text = "It costs 5` or so.\n\nReally `much`."
    answer = cited(text, ("https://a.org", "A", 20, text.index(" `much")))
    assert "Really &#91;1&#93; `much`" in markdown_of(answer)


# -- hostile sources ---------------------------------------------------------------------------

INJECTIONS = [
    "](https://evil.org) [click",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](https://evil.org/pixel.png)",
    "A\n\n# Heading\n\n1. [x](https://evil.org)",
    "A\n```\ncode",
    "`code` **bold** _it_ ~~s~~ | a | b |",
    "$x^2$ \\(x\\) \\[x\\]",
    "&lt;script&gt;&#60;script&#62;",
    "<https://evil.org>",
    "https://evil.org",
    "[ref]: https://evil.org",
]


@pytest.mark.parametrize("title", INJECTIONS)
def test_a_title_is_text_and_nothing_else(title: str) -> None:
    shown = page(cited("Hi there", ("https://a.org", title, 0, 2)))
    assert shown.links == ["https://a.org"]
    assert shown.tags <= {"p", "ol", "li", "a", "strong", "em", "span"}
    assert " ".join(title.split()) in " ".join(shown.text.split())


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\nscript:alert(1)",
        " javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "//evil.org",
        "",
    ],
)
def test_only_web_addresses_become_links(url: str) -> None:
    shown = page(cited("Hi there", (url, "Title", 0, 2)))
    assert shown.links == []
    assert "Title" in shown.text


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://a.org/x y", "https://a.org/x%20y"),
        ("https://a.org/>)[x](javascript:alert(1))", None),
        ("https://a.org/\n\n# Heading", None),
        ('https://a.org/"onmouseover="alert(1)', None),
        ("https://a.org/?a=1&copy;=2", "https://a.org/?a=1&copy;=2"),
        ("https://a.org/?a=(b)", "https://a.org/?a=%28b%29"),
        ("https://ko.wikipedia.org/wiki/짜장면", None),
        ("https://a.org/\x00\x1b[31m", None),
    ],
)
def test_an_address_stays_one_link(url: str, link: str | None) -> None:
    shown = page(cited("Hi there", (url, "Title", 0, 2)))
    [only] = shown.links
    assert only.startswith("https://")
    assert link is None or only == link
    assert shown.tags <= {"p", "ol", "li", "a", "strong", "em", "span"}


def test_hostile_text_is_cleaned_too() -> None:
    text = "<script>alert(1)</script><img src=x onerror=alert(1)>[x](javascript:alert(1))"
    bundle = mimebundle(cited(text))
    for form in ("text/html", "text/markdown"):
        assert "<script" not in bundle[form]
        assert "<img" not in bundle[form]
        assert "](javascript:" not in bundle[form]


def test_a_terminal_gets_no_control_characters() -> None:
    source = ("https://a.org/\x1b]0;x\x07", "A\x1b[2J\nB\u202ec", 0, 2)
    plain = plain_of(cited("Hi\x1b[31m\x9b31m there\tyes\n\x08", source, model="m\x1b[0m"))
    assert re.findall(r"[^\S\n\t ]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", plain) == []
    assert "there\tyes\n" in plain
    assert "A[2J B" in plain


def test_the_model_name_is_short_and_text() -> None:
    answer = cited("x", model="<b>m</b>" * 100)
    assert len(usage_line(answer)) < 100
    assert "<b>" not in mimebundle(answer)["text/html"]


# -- remarks and forms -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "remark"),
    [
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            "(not finished: max output tokens)",
        ),
        ({"status": "incomplete"}, "(not finished: no reason given)"),
        ({"status": "queued"}, "(queued)"),
        ({"status": "in_progress"}, "(in progress)"),
        ({"status": "cancelled"}, "(cancelled)"),
        ({"status": "completed"}, ""),
    ],
)
def test_what_is_not_whole_says_so(fields: Wire, remark: str) -> None:
    answer = cited("Hel", **fields)
    assert plain_of(answer) == "\n\n".join(filter(None, ["Hel", remark]))
    assert remark in page(answer).text


def test_a_failed_response_says_why() -> None:
    answer = cited("Hel", status="failed", error={"message": "the reason"})
    assert "(failed: the reason)" in plain_of(answer)
    assert "(failed: the reason)" in page(answer).text


def test_a_refusal_is_shown_as_one() -> None:
    item = {"type": "message", "content": [{"type": "refusal", "refusal": "I can't."}]}
    answer = answer_of({"status": "completed", "output": [item]})
    assert plain_of(answer) == "I can't.\n\n(the model refused)"


def test_structured_output_is_shown_as_json() -> None:
    item = {"type": "message"} | {"content": [{"type": "output_text", "text": '{"a":"`````"}'}]}
    answer = answer_of({"status": "completed", "output": [item]}, parsed={"a": "x"})
    assert markdown_of(answer) == '``````json\n{\n  "a": "`````"\n}\n``````'


@pytest.mark.parametrize(
    ("count", "words"), [(0, ""), (1, "1 search"), (2, "2 searches"), (1200, "1,200 searches")]
)
def test_searches_are_counted(count: int, words: str) -> None:
    raw = {"status": "completed", "output": [{"type": "web_search_call"}] * count}
    assert usage_line(answer_of(raw)) == words


def test_small_costs_are_not_rounded_to_nothing() -> None:
    costs = {0.0: "$0.0000", 0.000055: "$0.000055", 0.0012: "$0.0012", 1.5: "$1.5000"}
    for cost, words in costs.items():
        assert usage_line(cited("x", usage={"cost": cost})).rpartition(" · ")[2] == words


# -- sizes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("`" * 300_000, "`a``b```c" * 30_000, "[" * 300_000, "[a](" * 75_000),
        *("a " * 150_000, "https://" * 30_000, "```\n" * 75_000, "\n\n" * 150_000),
    ],
    ids=lambda text: text[:9],
)
def test_numbering_takes_time_in_proportion_to_the_text(text: str) -> None:

    def number(size: int) -> None:
        sources = [("https://a.org", "A", at, at + 1) for at in range(0, size - 1, 50)]
        markdown_of(cited(text[:size], *sources))

    assert_linear(number, len(text) // 4, len(text))


def test_a_list_of_sources_has_an_end() -> None:
    sources = [(f"https://e.org/{at}", "T", 0, 2) for at in range(100_000)]
    plain = plain_of(cited("Hi there", *sources))
    assert "and 99,500 more" in plain
    assert len(plain) < 50_000


def test_a_page_is_counted_once_however_often_it_was_looked_into() -> None:
    actions = [
        {"type": "open_page", "url": "https://a.example/one"},
        {"type": "find_in_page", "url": "https://a.example/one#part", "pattern": "x"},
        {"type": "open_page", "url": "https://a.example/two"},
        {"type": "open_page"},
        {"type": "search", "query": "x"},
    ]
    output = [{"type": "web_search_call", "action": action} for action in actions]
    words = usage_line(answer_of({"status": "completed", "output": output}))
    assert words == "1 search · 3 pages"
