"""The addresses of a report, and which of them are one page."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kit.relay.report_links import Link, links_in, page_key, without_particle
from tests.growth import assert_cheap

pytestmark = pytest.mark.once

REPORT = """\
# Report [h](https://h.example)

A [title *of* it](https://a.example/x "hint"), <https://auto.example/y> and
then https://bare.example/z, ![a picture](https://img.example/p.png), `curl https://code.example`.

| what | where |
|------|-------|
| one  | https://cell.example/1 |
| two  | [named](https://cell.example/2) |

- https://item.example
  [wrapped
  words](https://item.example/2)

> quoted https://quote.example

```sh
echo
curl "https://fence.example/a" 'https://fence.example/b'
```

[by number][1], [short], and a note[^2].

[1]: https://ref.example/1 "Its title"
[short]: <https://ref.example/2>
[^2]: https://note.example/2
[unused]: https://unused.example
[^3]: Kim, *Noodles*, https://note.example/3.
"""


def urls(report: str) -> list[str]:
    return [link.url for link in links_in(report)]


def test_every_place_of_markdown_is_read() -> None:
    assert [(one.line, one.url, one.label) for one in links_in(REPORT)] == [
        (1, "https://h.example", "h"),
        (3, "https://a.example/x", "title of it"),
        (3, "https://auto.example/y", ""),
        (4, "https://bare.example/z", ""),
        (4, "https://img.example/p.png", "a picture"),
        (4, "https://code.example", ""),
        (8, "https://cell.example/1", ""),
        (9, "https://cell.example/2", "named"),
        (11, "https://item.example", ""),
        (12, "https://item.example/2", "wrapped words"),
        (15, "https://quote.example", ""),
        (19, "https://fence.example/a", ""),
        (19, "https://fence.example/b", ""),
        (22, "https://ref.example/1", "by number"),
        (22, "https://ref.example/2", "short"),
        (22, "https://note.example/2", "^2"),
        (27, "https://unused.example", "UNUSED"),
        (28, "https://note.example/3", ""),
    ]


def test_an_address_counts_once_for_each_place() -> None:
    assert urls("https://a.example [x](https://a.example)\nhttps://a.example") == 3 * [
        "https://a.example"
    ]


def test_a_links_words_are_words_even_where_they_spell_an_address() -> None:
    assert links_in("[https://good.example](https://evil.example)") == (
        Link("https://evil.example", "https://good.example", 1),
    )


def test_a_picture_in_a_link_and_the_link_are_two() -> None:
    assert urls("[![logo](https://img.example/i)](https://out.example)") == [
        "https://img.example/i",
        "https://out.example",
    ]


def test_html_is_text_with_addresses() -> None:
    assert urls('<a href="https://html.example/x">y</a>') == ["https://html.example/x"]


@pytest.mark.parametrize("other", ["ftp://a.example", "mailto:a@b.example", "www.a.example", "/x"])
def test_only_web_addresses_are_links(other: str) -> None:
    assert urls(f"[x]({other}) <{other}> {other} https:// http://. https://…") == []


# What is written behind a space, and the address that is meant.
ENDS = [
    ("https://a.example/x.", "https://a.example/x"),
    ("https://a.example/x?!)", "https://a.example/x"),
    ("(https://a.example/x)", "https://a.example/x"),
    ("(https://a.example/x), and more", "https://a.example/x"),
    ("[https://a.example/x]", "https://a.example/x"),
    ("https://a.example/A_(b)", "https://a.example/A_(b)"),
    ("(https://a.example/A_(b))", "https://a.example/A_(b)"),
    ("https://a.example/?a[]=1", "https://a.example/?a[]=1"),
    ("https://a.example/?f[b][c-d]=1&x=2", "https://a.example/?f[b][c-d]=1&x=2"),
    ("https://a.example/x[1]", "https://a.example/x"),
    ("https://a.example/x[1][2].", "https://a.example/x"),
    (r"https://a.example/x\[1\]", "https://a.example/x"),
    ("https://a.example/?a=1[2]", "https://a.example/?a=1"),
    ("https://a.example/x[링크]", "https://a.example/x"),
    ("https://a.example[1]", "https://a.example"),
    ("**https://a.example/x**", "https://a.example/x"),
    ("*https://a.example/x*", "https://a.example/x"),
    ('"https://a.example/x"', "https://a.example/x"),
    ("'https://a.example/x'", "https://a.example/x"),
    ("“https://a.example/x”", "https://a.example/x"),
    ("「https://a.example/x」", "https://a.example/x"),
    ("https://a.example/Halley's_Comet", "https://a.example/Halley's_Comet"),
    ("https://a.example/__init__.py", "https://a.example/__init__.py"),
    ("https://a.example/*/x*y", "https://a.example/*/x*y"),
    (r"https://a.example/x\_y", "https://a.example/x_y"),
    ("https://a.example/?a=1&amp;b=2", "https://a.example/?a=1&b=2"),
    ("https://a.example/x&gt;", "https://a.example/x"),
    ("https://a.example/very…", "https://a.example/very"),
    (
        "https://web.example/2020/https://a.example/x",
        "https://web.example/2020/https://a.example/x",
    ),
    ("https://[2001:db8::1]/x", "https://[2001:db8::1]/x"),
    ("HTTPS://A.example/x", "HTTPS://A.example/x"),
    ("see:https://a.example/x", "https://a.example/x"),
    # Korean right behind it
    ("https://a.example/x에서 발표", "https://a.example/x"),
    ("https://a.example/x를 보라", "https://a.example/x"),
    ("https://a.example/x에서는,", "https://a.example/x"),
    ("https://a.example/x입니다.", "https://a.example/x"),
    ("**https://a.example/x**는", "https://a.example/x"),
    ("(https://a.example/x)에서", "https://a.example/x"),
    ("https://a.example/A_(b)는", "https://a.example/A_(b)"),
    ("https://a.example에서", "https://a.example"),
    ("https://a.example:8080으로", "https://a.example:8080"),
    ("https://a.example홈페이지", "https://a.example"),
    ("https://a.example/에서", "https://a.example/"),
    ("https://a.example/x/에서는", "https://a.example/x/"),
    ("https://한국.kr에서", "https://한국.kr"),
    # Korean that is the address's own
    ("https://ko.example/wiki/짜장면", "https://ko.example/wiki/짜장면"),
    ("https://ko.example/wiki/짜장면.", "https://ko.example/wiki/짜장면"),
    ("https://ko.example/wiki/가", "https://ko.example/wiki/가"),
    ("https://ko.example/wiki/로고", "https://ko.example/wiki/로고"),
    ("https://ko.example/?q=이", "https://ko.example/?q=이"),
    ("https://ko.example/w/K팝", "https://ko.example/w/K팝"),
    ("https://ko.example/3·1_운동", "https://ko.example/3·1_운동"),
    ("https://ko.example/위키_(한국)", "https://ko.example/위키_(한국)"),
    ("https://한국.kr/가나", "https://한국.kr/가나"),
    # Known to be wrong: nobody can tell this particle from the name
    ("https://ko.example/wiki/짜장면에서", "https://ko.example/wiki/짜장면에서"),
]


@pytest.mark.parametrize(("written", "meant"), ENDS)
def test_prose_behind_a_bare_address_is_not_of_it(written: str, meant: str) -> None:
    assert urls(f"text {written}") == [meant]


def test_a_link_right_behind_a_bare_address_is_a_link() -> None:
    assert links_in("https://a.example/x[2](https://b.example/y) [3]") == (
        Link("https://a.example/x", "", 1),
        Link("https://b.example/y", "2", 1),
    )


@pytest.mark.parametrize(
    ("address", "shorter"),
    [
        ("https://ko.example/wiki/짜장면의", ["https://ko.example/wiki/짜장면"]),
        ("https://ko.example/뉴스/기사와", ["https://ko.example/뉴스/기사"]),
        ("https://ko.example/나라의", ["https://ko.example/나라", "https://ko.example/나"]),
        ("https://ko.example/면에서는", ["https://ko.example/면에서", "https://ko.example/면"]),
        ("https://ko.example/wiki/짜장면", []),
        ("https://ko.example/wiki/의", []),
        ("https://a.example/x", []),
        ("", []),
    ],
)
def test_an_address_without_what_may_be_a_particle(address: str, shorter: list[str]) -> None:
    assert [*without_particle(address)] == shorter


def test_two_addresses_with_a_comma_are_two() -> None:
    assert urls("https://a.example/x,https://b.example/y;https://c.example") == [
        "https://a.example/x",
        "https://b.example/y",
        "https://c.example",
    ]


def test_the_target_of_a_link_is_taken_as_it_is_written() -> None:
    assert urls("[x](<https://a.example/a b에서>) [y](https://a.example/_x_에서)") == [
        "https://a.example/a b에서",
        "https://a.example/_x_에서",
    ]


def test_in_json_all_values_count_and_titles_are_labels() -> None:
    report = {
        "title": "Noodles, see https://top.example",
        "https://key.example": 1,
        "sections": [{"heading": "Origin", "points": ["x (https://p.example)."], "n": [1, None]}],
        "sources": [{"title": "A", "url": "https://a.example/짜"}, {"url": "https://b.example"}],
    }
    expected = [
        ("https://top.example", ""),
        ("https://p.example", "Origin"),
        ("https://a.example/짜", "A"),
        ("https://b.example", ""),
    ]
    for text in (json.dumps(report), json.dumps(report, ensure_ascii=False, indent=1)):
        assert [(one.url, one.label) for one in links_in(text)] == expected


def test_json_knows_its_lines_and_escapes() -> None:
    assert links_in('[\n"a",\n\n"https:\\/\\/a.example\\/\\uc9dc"]') == (
        Link("https://a.example/짜", "", 4),
    )


def test_half_a_json_is_text() -> None:
    assert urls('{"url": "https://a.example/x", "more": [') == ["https://a.example/x"]


# -- pages -------------------------------------------------------------------------------------

SAME = [
    ("http://a.example/x", "https://a.example/x"),
    ("HTTPS://A.Example/x", "https://a.example/x"),
    ("https://www.a.example/x", "https://a.example/x"),
    ("https://a.example./x", "https://a.example/x"),
    ("https://a.example", "https://a.example/"),
    ("https://a.example/x/", "https://a.example/x"),
    ("https://a.example:443/x", "http://a.example:80/x"),
    ("https://a.example/x#part", "https://a.example/x"),
    ("https://a.example/x#:~:text=words,more", "https://a.example/x"),
    ("https://a.example/x?utm_source=openai", "https://a.example/x"),
    ("https://a.example/x?b=2&UTM_Medium=m&a=1&gclid=1&fbclid=2", "https://a.example/x?a=1&b=2"),
    ("https://a.example/x?", "https://a.example/x"),
    ("https://a.example/?q=a%20b", "https://a.example/?q=a+b"),
    ("https://a.example/%7Ekim/a%2db", "https://a.example/~kim/a-b"),
    ("https://a.example/%ec%a7%9c", "https://a.example/%EC%A7%9C"),
    ("https://a.example/A_%28b%29", "https://a.example/A_(b)"),
    ("https://a.example/100%", "https://a.example/100%25"),
    ("https://a.example/a b", "https://a.example/a%20b"),
    ("https://ko.example/위키/짜장면?q=면", "https://ko.example/%EC%9C%84%ED%82%A4/%EC%A7%9C%EC%9E%A5%EB%A9%B4?q=%EB%A9%B4"),
    ("https://ko.example/짜장", "https://ko.example/\u110d\u1161\u110c\u1161\u11bc"),
    ("https://한국.kr/x", "https://xn--3e0b707e.kr/x"),
    ("https://bücher.example", "https://XN--bcher-kva.example"),
    ("https://ａ.example", "https://a.example"),
]  # fmt: skip

DIFFERENT = [
    ("https://a.example/x", "https://b.example/x"),
    ("https://a.example/x", "https://a.example/X"),
    ("https://a.example/x", "https://a.example/x/y"),
    ("https://a.example/x", "https://a.example:8443/x"),
    ("https://a.example/x", "https://m.a.example/x"),
    ("https://a.example/x", "https://a.example/x?id=1"),
    ("https://a.example/?a=1", "https://a.example/?a=2"),
    ("https://a.example/?a=1&a=2", "https://a.example/?a=2&a=1"),
    ("https://a.example/a%2Fb", "https://a.example/a/b"),
    ("https://a.example/?a%26b", "https://a.example/?a&b"),
    ("https://a.example/?q=a%2Bb", "https://a.example/?q=a+b"),
    ("https://a.example/#/about", "https://a.example/#/team"),
    ("https://a.example", "https://a.example@b.example"),
    ("https://a.example/x", r"https://b.example\@a.example/x"),
    ("https://a.example/", "https://a.example%2F.b.example/"),
    ("https://faß.example", "https://fass.example"),
    ("https://www.example", "https://example"),
    ("https://[::1]/", "https://[::2]/"),
    ("ftp://a.example/", "https://a.example/"),
    ("https://[::1", "https://[::2"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_obviously_one_page_is_one(one: str, other: str) -> None:
    assert page_key(one) == page_key(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_may_be_another_page_is_another(one: str, other: str) -> None:
    assert page_key(one) != page_key(other)


PARTS = (
    *("https://", "a.example", "www.", "한국", "xn--", "99999", "x", "\u3002", "\ud800", "\x00"),
    *("%", "%ED", "/", "?", "&", "=", "#", "@", ":", "::", "[", "]", "\\", ".", "-"),
)
ADDRESSES = st.text() | st.lists(st.sampled_from(PARTS)).map("".join)


@given(ADDRESSES)
def test_any_text_has_a_key_and_its_key_is_its_own_key(text: str) -> None:
    assume("www.www" not in page_key(text))  # of these one is passed over
    assert page_key(page_key(text)) == page_key(text)


def test_an_endless_address_is_not_taken_apart() -> None:
    endless = "HTTPS://a.example/" + "%41" * 1_000_000
    assert page_key(endless) == endless


# -- bounds ------------------------------------------------------------------------------------

MARKUP = (
    *("https://a.example", "https://", "에서", "[", "](", ")", "<", ">", "![", "[1]: ", "*", "_"),
    *(
        "`",
        "```\n",
        "|",
        "\n",
        "\n\n",
        "- ",
        "> ",
        "    ",
        "\\",
        "&amp;",
        "&gt;",
        "{",
        "}",
        '"',
        "'",
    ),
)


@given(st.text() | st.lists(st.sampled_from(MARKUP), max_size=60).map("".join))
def test_any_report_is_read(report: str) -> None:
    lines = report.count("\n") + report.count("\r") + 10
    for link in links_in(report):
        assert link.url.lower().startswith(("http://", "https://"))
        assert 1 <= link.line <= lines


TOO_MUCH = {
    "long": "word https://a.example/x\n" * 200_000,
    "brackets": "[" * 100_000 + "https://a.example/x",
    "quotes": "> " * 400 + "https://a.example/x\n" + "more\n" * 5_000,
    "lists": "".join("  " * depth + "- https://a.example\n" for depth in range(300)),
    "cells": "|a" * 500 + "\n" + "|-" * 500 + "\n" + "|https://a.example\n" * 5_000,
    "stars": "*a **b https://a.example " * 10_000,
    "deep JSON": "[" * 100_000 + '"https://a.example"' + "]" * 100_000,
    "much JSON": json.dumps(["https://a.example/x"] * 100_000),
    "one address": "https://a.example/" + "(" * 1_000_000,
    "schemes": "https://" * 100_000,
}


@pytest.mark.parametrize("kind", TOO_MUCH)
def test_too_much_is_read_in_bounded_time(kind: str) -> None:
    """What is no Markdown any more is still searched."""
    assert 1 <= len(links_in(TOO_MUCH[kind])) <= 10_000
    assert_cheap(lambda: links_in(TOO_MUCH[kind]), 200)
