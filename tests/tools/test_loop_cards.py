"""Cards: what ran beside the text, as plain static output that shows exactly what was said."""

from __future__ import annotations

import dataclasses
import json
from html.parser import HTMLParser
from typing import Any

import pytest
from markdown_it import MarkdownIt

from kit.gateway.answer import Answer, ToolCall
from kit.gateway.card import Card, bundle_of_card, call_card, lasted, together
from kit.tools.outputs import error_output

pytestmark = pytest.mark.once

FORMS = ("text/plain", "text/markdown", "text/html")


class Page(HTMLParser):
    """What a page shows: its text, and the tags and attributes it is made of."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.shown = ""
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.shown += data


def from_markdown(content: str) -> Page:
    """As a front end with all extras renders it: bare addresses become links."""
    parser = MarkdownIt("gfm-like", {"html": True, "linkify": False})
    return Page(parser.render(content))


def squeezed(text: str) -> str:
    return "".join(text.split())


def made(name: str = "weather", arguments: str = '{"city": "Seoul"}', **more: Any) -> ToolCall:
    return ToolCall(name, arguments, "call_1", **more)


# -- what a card says --------------------------------------------------------------------------


def plain(call: ToolCall) -> str:
    return bundle_of_card(call_card(call))["text/plain"]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (made(), "weather: Seoul"),
        (made(output="20 C", seconds=0.2), "weather: Seoul\n  20 C"),
        (made(output="20 C", seconds=12.5), "weather: Seoul\n  20 C · 12 s"),
        (made(output="20 C", seconds=12.5, note="a note"), "weather: Seoul\n  20 C · a note"),
        (made(output="a\nb\n\nc", seconds=0.0), "weather: Seoul\n  a b c"),
        (made(output="", seconds=0.0), "weather: Seoul"),
        (made(arguments='{"a": 1, "b": null, "c": [1, "x"]}'), 'weather: a: 1, c: [1, "x"]'),
        (made(arguments="{}"), "weather"),
        (made(arguments=""), "weather"),
        (made(arguments='{"city": "Seo'), 'weather: {"city": "Seo'),
        (made(arguments="[1, 2]"), "weather: [1, 2]"),
        (made(arguments='{"q": "한글 🌟"}'), "weather: 한글 🌟"),
        (
            made(output=error_output("limit", "No more."), error="limit", seconds=0.0),
            "weather: Seoul\n  limit: No more.",
        ),
        (
            made(output=error_output("KeyError", "'a'"), error="KeyError", seconds=0.0),
            "weather: Seoul\n  KeyError: 'a'",
        ),
        (
            made(
                output=error_output("unknown_tool", "There is no such function."),
                error="unknown_tool",
                seconds=0.0,
            ),
            "weather: Seoul\n  unknown tool: There is no such function.",
        ),
        (made(output="no JSON", error="odd", seconds=0.0), "weather: Seoul\n  odd: no JSON"),
        (made(output="[]", error="odd", seconds=0.0), "weather: Seoul\n  odd: []"),
    ],
)
def test_a_card_says_what_was_called_and_what_came_of_it(call: ToolCall, says: str) -> None:
    assert plain(call) == says


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (made(), "waiting"),
        (made(started=True), "running"),
        (made(seconds=1.0), "completed"),
        (made(seconds=1.0, error="limit"), "failed"),
    ],
)
def test_its_colour_says_how_it_stands(call: ToolCall, status: str) -> None:
    assert call_card(call).status == status
    card = dataclasses.replace(call_card(call), status="nothing known")
    assert "style" in bundle_of_card(card)["text/html"]


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (0.4, "0 s"),
        (-5.0, "0 s"),
        (59.9, "59 s"),
        (60.0, "1 min"),
        (200.0, "3 min 20 s"),
        (7500.0, "2 h 5 min"),
        (3600.0, "1 h"),
        (273_600.0, "3 d 4 h"),
    ],
)
def test_how_long_it_took(seconds: float, says: str) -> None:
    assert lasted(seconds) == says


def test_an_answer_shows_its_calls_first() -> None:
    calls = (made(output="20 C", seconds=0.0), made("clock", "{}", output="12:00", seconds=0.0))
    bundle = Answer("Noon, and *warm*.", "r", "completed", "m", tool_calls=calls)
    shown = bundle._repr_mimebundle_()
    assert set(shown) == set(FORMS)
    for form in FORMS:
        places = [shown[form].index(one) for one in ("weather", "clock", "Noon")]
        assert places == sorted(places)


def test_several_outputs_are_one_below_the_other() -> None:
    one, two = ({"text/plain": "a", "text/html": "<p>a"}, {"text/plain": "b"})
    assert together([one, two]) == {"text/plain": "a\n\nb", "text/html": "<p>a"}
    assert together([]) == {}


# -- hostile text ------------------------------------------------------------------------------

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "![x](https://evil.org/p.png)",
    "[x](javascript:alert(1))",
    "https://evil.org/?leak",
    "www.evil.org",
    "me@evil.org",
    "<https://evil.org>",
    "$\\href{javascript:alert(1)}{x}$ \\(x\\) $$y$$ \\begin{x}",
    "# Heading",
    "---",
    "===",
    "- item",
    "1. item",
    "1) item",
    "+ item",
    "> quote",
    "```\ncode",
    "~~~",
    "    indented",
    "| a | b |",
    "a **b** __c__ `d` ~~e~~ _f_",
    "&lt;b&gt; &#60;b&#62; &amp;",
    "\\*not\\*",
    "x\n\n# Heading\n\n<b>x</b>",
    "x\r\n\r\n- a\n- b",
    "a  \nb\tc",
    "[^1]: note",
    ":smile:",
    "{{ 7*7 }} ${x} %s",
]
UNSEEN = "a\x00\x08\x1b[31m\x7f\x9b\u202eb\u2066\u200e\u200f\u061c\u2028\u2029\u0085\ud800\udfffc"
MADE_OF = {"div", "strong"}


def cards_of(text: str) -> list[Card]:
    """Every place of a card that can hold somebody's text."""
    return [
        Card(text, "about", ("line",)),
        Card("title", text, ("line",)),
        Card("title", "about", ("before", text, "after")),
        Card("title", "", (text,)),
        call_card(made(name=text)),
        call_card(made(arguments=text)),
        call_card(made(arguments=json.dumps({"a": text}))),
        call_card(made(arguments=json.dumps({text: 1, "b": text}))),
        call_card(made(output=text, seconds=1.0)),
        call_card(made(output=error_output("x", text), error="x", seconds=1.0)),
        call_card(made(output="", error=text, seconds=1.0)),
        call_card(made(note=text, seconds=1.0)),
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_it_is_in_all_three_forms(text: str) -> None:
    for card in cards_of(text):
        bundle = bundle_of_card(card)
        assert set(bundle) == set(FORMS)
        page, marked = Page(bundle["text/html"]), from_markdown(bundle["text/markdown"])
        assert page.tags == MADE_OF
        assert page.attributes <= {"style", "class"}
        assert marked.tags <= {"blockquote", "p", "strong", "br"}, bundle["text/markdown"]
        assert marked.attributes == set()
        said = squeezed(bundle["text/plain"]).replace(":", "")  # one stands behind the title
        assert squeezed(marked.shown).replace(":", "") == said
        assert squeezed(page.shown) == squeezed(marked.shown)


@pytest.mark.parametrize("text", HOSTILE)
def test_an_address_in_a_card_is_no_link(text: str) -> None:
    """Front ends make links of bare addresses in Markdown: nothing may look like one."""
    for card in cards_of(text):
        marked = bundle_of_card(card)["text/markdown"]
        for sign in ("://", "www.", "@", "$", "<", "`", "](", "\\"):
            assert sign not in marked.replace("  \n", "")


def test_formulas_in_a_card_stay_text() -> None:
    """JupyterLab sets formulas in HTML too, except where this class says not to."""
    bundle = bundle_of_card(Card("$x$", "\\(y\\)", ("$$z$$",)))
    assert '<div class="mathjax_ignore" style=' in bundle["text/html"]


def test_what_cannot_be_seen_is_not_there() -> None:
    for card in cards_of(UNSEEN):
        for form, content in bundle_of_card(card).items():
            content.encode()  # half a character would end the kernel's message
            assert not set(content) & set(UNSEEN) - set("abc[31m \n"), form


@pytest.mark.parametrize("text", ["", " ", "\n", "\u202e"])
def test_nothing_is_no_markup(text: str) -> None:
    for card in cards_of(text):
        marked = from_markdown(bundle_of_card(card)["text/markdown"])
        assert "*" not in marked.shown


@pytest.mark.parametrize(
    "arguments",
    [
        "{" * 100_000,
        '{"a": ' + "[" * 900 + "]" * 900 + "}",
        '{"a": ' + "9" * 9_000 + "}",
        json.dumps({f"k{n}": "v" * 100 for n in range(5_000)}),
        json.dumps({"a": "x" * 900_000}),
        "x" * 900_000,
    ],
)
def test_a_card_is_short_however_long_the_call_was(arguments: str) -> None:
    bundle = bundle_of_card(
        call_card(made("n" * 200, arguments, output="o" * 100_000, seconds=1.0, note="n" * 200))
    )
    assert len(bundle["text/plain"]) < 1500
    assert all(len(content) < 6000 for content in bundle.values())
