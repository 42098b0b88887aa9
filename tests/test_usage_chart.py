"""`kit.usage_chart()`: a static picture that is right without colour, script, sanitizer or eyes."""

from __future__ import annotations

import re
import time
from typing import Any

import html5lib
import pytest

import kit
from kit import connect
from kit.connect_usage_chart import UsageChart
from kit.gateway.answer import Usage
from kit.gateway.ledger import Call, Ledger

pytestmark = pytest.mark.once

NOON = time.mktime((2026, 3, 1, 12, 0, 0, 0, 0, -1))
HOSTILE = "<img src=x onerror=alert(1)>|**m**\x1b[2J\u202e$x$ [a](http://evil.example)"


@pytest.fixture(autouse=True)
def nothing_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is a kernel that has just begun."""
    monkeypatch.setattr(connect, "_chosen", connect._Chosen())
    monkeypatch.setattr(connect, "_shared", None)
    monkeypatch.setattr(connect, "ledger", Ledger(time.time()))


def call(number: int = 0, **known: Any) -> Call:
    given = {"model": "m-1", "usage": Usage(100, 20), "cost": 0.01, "asked": NOON + 60 * number}
    return Call(**{"what": "chat", "gateway": "g", **given, **known})


def chart(count: int, **known: Any) -> dict[str, str]:
    return shown(*(call(number, **known) for number in range(count)))


def shown(*calls: Call) -> dict[str, str]:
    return UsageChart(calls)._repr_mimebundle_()


def elements(html: str) -> list[Any]:
    """Every element, as a browser reads it."""
    page = html5lib.parseFragment(html, namespaceHTMLElements=False)
    return [one for one in page.iter() if isinstance(one.tag, str) and one is not page]


def words(html: str) -> str:
    """What is read out: the text alone."""
    page = html5lib.parseFragment(html, namespaceHTMLElements=False)
    return " ".join(" ".join(page.itertext()).split())


def bars(html: str) -> list[str]:
    """The titles of the columns of tokens."""
    plot = next(one for one in elements(html) if one.get("role") == "img")
    return [one.get("title") for one in plot]


def heights(html: str, color: str) -> list[int]:
    """Of the boxes of this colour that are drawn in pixels of height."""
    styles = [one.get("style") or "" for one in elements(html) if one.tag == "div"]
    drawn = (re.search(r"height:(\d+)px", style) for style in styles if color in style)
    return [int(found[1]) for found in drawn if found]


INPUT, OUTPUT, COST = "#1e88e5", "#ef6c00", "rgba(128,128,128"


# -- what it shows -------------------------------------------------------------------------------


def test_it_shows_what_this_session_has_asked() -> None:
    assert "nothing has been asked yet" in repr(kit.usage_chart())
    with kit.Client() as client:
        client.chat("Reply with exactly: OK")
        client.respond("Reply with exactly: OK")
    assert re.match(
        r"Usage of this session: 2 calls · \d+ in, \d+ out · \$0\n", repr(kit.usage_chart())
    )


@pytest.mark.parametrize(
    ("count", "drawn", "each"),
    [
        (1, 1, "a call"),
        (5, 5, "a call"),
        (40, 40, "a call"),
        (41, 21, "2 calls"),
        (1_000, 40, "25 calls"),
        (1_001, 39, "26 calls"),
    ],
)
def test_there_are_as_many_bars_as_can_be_told_apart(count: int, drawn: int, each: str) -> None:
    html = chart(count)["text/html"]
    assert len(bars(html)) == drawn
    assert f"a bar is {each}, " in words(html)
    assert f"{count:,} {'call' if count == 1 else 'calls'} · {100 * count:,} in" in words(html)


def test_bars_are_as_high_as_what_they_show() -> None:
    html = shown(call(usage=Usage(100, 0)), call(usage=Usage(25, 25)), call(usage=Usage(1, 0)))
    assert heights(html["text/html"], INPUT) == [116, 29, 2], "little is not nothing"
    assert heights(html["text/html"], OUTPUT) == [29]
    assert "input   █▃▁  at most 100" in html["text/plain"]
    assert "output  ·█·  at most 25" in html["text/plain"]


def test_the_cost_so_far_only_grows() -> None:
    costs = [0.25, None, 0.5, 0.25]
    html = shown(*(call(cost=cost) for cost in costs))
    assert heights(html["text/html"], COST) == [9, 9, 27, 36]
    assert "cost    ▃▃▇█  so far" in html["text/plain"]


@pytest.mark.parametrize(
    ("known", "told", "steps"),
    [
        ([0.5, 0.25], "$0.7500", 2),
        ([0.5, None], "$0.5000, unknown for 1 call", 2),
        ([0.5, None, None], "$0.5000, unknown for 2 calls", 3),
        ([None, None], "cost unknown", 0),
        ([0.0, 0.0], "$0", 0),
        ([0.0, None], "$0, unknown for 1 call", 0),
    ],
)
def test_an_unknown_cost_is_said_to_be_unknown(
    known: list[float | None], told: str, steps: int
) -> None:
    forms = shown(*(call(cost=cost) for cost in known))
    assert forms["text/plain"].partition("\n")[0].endswith(f" · {told}")
    assert told in words(forms["text/html"])
    assert len(heights(forms["text/html"], COST)) == steps


def test_unknown_tokens_are_no_zero() -> None:
    forms = shown(call(), call(usage=None), call(usage=Usage(0, 0)))
    assert "input   █?·" in forms["text/plain"]
    assert "100 in, 20 out, unknown for 1 call" in forms["text/plain"]
    assert "? not said" in words(forms["text/html"])
    assert bars(forms["text/html"])[1].endswith("tokens unknown, $0.0200 so far")
    assert "? not said" not in words(shown(call())["text/html"])


def test_each_model_has_its_sum_the_largest_first() -> None:
    forms = shown(
        call(model="small", usage=Usage(1, 1)),
        call(model="large", usage=Usage(1_000, 1)),
        call(model="small", usage=Usage(1, 1), cost=None),
        call(model=""),
    )
    assert forms["text/plain"].splitlines()[-3:] == [
        "large      1 call · 1,000 in, 1 out · $0.0100",
        "(no name)  1 call · 100 in, 20 out · $0.0100",
        "small      2 calls · 2 in, 2 out · $0.0100, unknown for 1 call",
    ]
    assert "small 2 2 in, 2 out $0.0100, unknown for 1 call" in words(forms["text/html"])
    assert forms["text/markdown"].count("\n| ") == 5


def test_of_very_many_models_the_others_are_one() -> None:
    forms = shown(*(call(number, model=f"m-{number:02}") for number in range(30)))
    assert forms["text/plain"].splitlines()[-1].startswith("18 other models  18 calls · 1,800 in")
    assert sum(line.startswith("m-") for line in forms["text/plain"].splitlines()) == 12


def test_a_session_of_several_days_names_them() -> None:
    html = words(shown(call(0), call(24 * 60))["text/html"])
    assert "call 1, 2026-03-01 12:00 to call 2, 2026-03-02 12:00" in html
    assert "call 1, 12:00 to call 2, 12:01" in words(shown(call(0), call(1))["text/html"])


# -- where it is shown ---------------------------------------------------------------------------


@pytest.fixture(params=[0, 1, 5, 1_000], ids="{} calls".format)
def forms(request: pytest.FixtureRequest) -> dict[str, str]:
    return shown(
        *(call(number, cost=None if number % 3 else 0.1) for number in range(request.param))
    )


def test_there_is_a_form_for_every_front_end(forms: dict[str, str]) -> None:
    assert list(forms) == ["text/plain", "text/markdown", "text/html"]
    assert all(form.strip() for form in forms.values())
    assert len(forms["text/html"]) < 40_000


def test_it_is_boxes_and_tables_that_no_sanitizer_takes_away(forms: dict[str, str]) -> None:
    tags = {one.tag for one in elements(forms["text/html"])}
    assert tags <= {
        *("div", "span", "strong", "details", "summary"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
    assert not re.search(r"url\(|https?:|//|javascript|\bon\w+=", forms["text/html"])


def test_where_variables_are_taken_away_each_colour_is_still_there(forms: dict[str, str]) -> None:
    for one in elements(forms["text/html"]):
        declarations = [part for part in (one.get("style") or "").split(";") if part]
        for place, declaration in enumerate(declarations):
            if "var(" in declaration:
                name = declaration.partition(":")[0]
                assert re.fullmatch(rf"{name}:#[0-9a-f]{{6}}", declarations[place - 1])
                assert re.search(r"var\(--jp-[a-z0-9-]+,#[0-9a-f]{6}\)$", declaration)


def test_text_and_lines_have_the_colour_of_the_page(forms: dict[str, str]) -> None:
    """So they are right in a light theme and in a dark one."""
    styles = ";".join(one.get("style") or "" for one in elements(forms["text/html"]))
    assert not re.search(r"(^|;)color:", styles)
    assert not re.search(r"border[a-z-]*:[^;]*(#|rgb|var)", styles)


def test_input_and_output_differ_without_colour() -> None:
    html = chart(3)["text/html"]
    for one in elements(html):
        style = one.get("style") or ""
        if INPUT in style or OUTPUT in style:
            assert ("linear-gradient" in style) == (OUTPUT in style)
    assert "input (plain)" in words(html)
    assert "output (striped)" in words(html)


def test_every_figure_of_a_bar_is_there_as_words() -> None:
    """A sanitizer takes roles and labels; a screen reader passes over empty boxes."""
    html = shown(call(0), call(1, usage=None, cost=None), call(2))["text/html"]
    said = words(html)
    assert "The bars as a table" in said
    for row in ("1 12:00 100 in, 20 out $0.0100", "2 12:01 tokens unknown $0.0100"):
        assert row in said
    assert bars(html)[2] == "3, 12:02: 100 in, 20 out, $0.0200 so far"


def test_a_hostile_name_is_text() -> None:
    forms, harmless = shown(call(model=HOSTILE)), shown(call(model="m"))
    tags = [[one.tag for one in elements(form["text/html"])] for form in (forms, harmless)]
    assert tags[0] == tags[1]
    assert "<img src=x onerror=alert(1)>|**m**[2J$x$" in words(forms["text/html"])
    for form in forms.values():
        assert not set("\x1b\u202e") & set(form)
    assert not set("<*[$") & set(forms["text/markdown"].splitlines()[-1])
    assert 'class="mathjax_ignore"' in forms["text/html"]


def test_a_name_with_lines_stays_on_its_own() -> None:
    for name in ("a\nb", "a\u2028b", "a\r\nb"):
        forms = shown(call(model=name))
        assert forms["text/plain"].splitlines()[-1].startswith("a b  1 call")


@pytest.mark.parametrize("name", ["usage", "usage_chart"])
def test_both_are_public_and_say_what_they_do(name: str) -> None:
    assert name in kit.__all__
    assert getattr(kit, name).__doc__
