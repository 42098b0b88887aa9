"""What a run did is held against what its report claims: an invented source is found."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kit
from kit.gateway.answer import answer_of
from kit.relay.evidence import (
    CheckedLink,
    Cited,
    Evidence,
    Source,
    checked,
    evidence_of,
    sources_of,
)
from tests.growth import assert_cheap

pytestmark = pytest.mark.once

Wire = dict[str, Any]

OPENED = "https://opened.example/page"
FOUND = "https://found.example/page"
INVENTED = "https://invented.example/page"


def call(status: str | None = "completed", **action: Any) -> Wire:
    item: Wire = {"type": "web_search_call", "action": action}
    return item if status is None else {**item, "status": status}


def search(*urls: str) -> Wire:
    return call(type="search", query="q", sources=[{"type": "url", "url": url} for url in urls])


def page(url: str | None) -> Wire:
    return call(type="open_page", url=url)


def tool(**fields: Any) -> Wire:
    return {"type": "mcp_call", **fields}


def message(text: str = "", *cited: tuple[str, str]) -> Wire:
    """A message that cites (url, title), in this order."""
    notes = [
        {"type": "url_citation", "url": url, "title": title, "start_index": n, "end_index": n}
        for n, (url, title) in enumerate(cited)
    ]
    part = {"type": "output_text", "text": text or "x" * len(cited), "annotations": notes}
    return {"type": "message", "content": [part]}


def response(*items: Any, **fields: Any) -> Wire:
    return {"status": "completed", "output": list(items), **fields}


def verdicts(report: str, *items: Any, events: Any = (), **fields: Any) -> list[str]:
    evidence = evidence_of(response(*items, **fields), events)
    return [link.verdict for link in checked(report, evidence)]


# -- a real run --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real() -> Wire:
    """A research run of the sandbox, with the sources of its searches."""
    with kit.Client() as client:
        include = ["web_search_call.action.sources"]
        answer = client.respond("짜장면의 역사", model="sandbox-research", include=include)
        return answer.raw


def test_an_honest_report_checks_clean(real: Wire) -> None:
    answer = answer_of(real)
    links = checked(answer.text, evidence_of(real))
    assert len(links) >= len({one.url for one in answer.citations}) >= 1
    assert {link.verdict for link in links} == {"opened"}
    assert {link.number for link in links} == {one.number for one in answer.citations}


def test_a_planted_link_is_found(real: Wire) -> None:
    planted = f"{answer_of(real).text}\n\nMore: [a study]({INVENTED}).\n"
    *honest, last = checked(planted, evidence_of(real))
    assert {link.verdict for link in honest} == {"opened"}
    assert last == CheckedLink(INVENTED, "a study", planted.count("\n"), "never seen", None)


def test_without_the_sources_of_searches_a_planted_link_is_unknown(real: Wire) -> None:
    """As gateways answer that were not asked, or do not know, `include`."""
    output = [
        {**item, "action": {key: item["action"][key] for key in item["action"] if key != "sources"}}
        if item["type"] == "web_search_call"
        else item
        for item in real["output"]
    ]
    evidence = evidence_of({**real, "output": output})
    assert evidence.opened and not evidence.searched and not evidence.reports_sources
    assert checked(INVENTED, evidence)[0].verdict == "unknown"


def test_the_sources_of_a_run_are_its_pages(real: Wire) -> None:
    sources = sources_of(evidence_of(real))
    assert [source.number for source in sources if source.cited] == [1]
    assert sources[0].title == "짜장면의 역사"
    assert sources[0].opened


# -- verdicts ----------------------------------------------------------------------------------

LINK = f"[x]({INVENTED})"
IN_VAIN = call("failed", type="open_page", url=INVENTED)
NO_ADDRESSES = [{"type": "api"}, {"url": 1}, "x", None]

ITEMS: list[tuple[str, list[Any], str]] = [
    ("a page opened", [page(INVENTED)], "opened"),
    ("a page searched in", [call(type="find_in_page", url=INVENTED, pattern="x")], "opened"),
    ("no status", [call(None, type="open_page", url=INVENTED)], "opened"),
    ("as the same page", [page("http://WWW.invented.example/page/?utm_source=openai#x")], "opened"),
    ("listed by a search", [search(FOUND, INVENTED)], "searched"),
    ("listed and opened", [search(INVENTED), page(INVENTED)], "opened"),
    ("listed as a result", [{**search(), "results": [{"url": INVENTED}]}], "searched"),
    ("opened in vain", [search(FOUND), IN_VAIN], "never seen"),
    ("opened in vain, but listed", [search(INVENTED), IN_VAIN], "searched"),
    ("nowhere", [search(FOUND), page(OPENED)], "never seen"),
    ("cited only", [search(FOUND), message("", (INVENTED, "T"))], "never seen"),
    ("cited, no sources reported", [page(OPENED), message("", (INVENTED, "T"))], "unknown"),
    ("no sources reported", [call(type="search", query="q"), page(OPENED)], "unknown"),
    ("empty sources", [search(), page(OPENED)], "unknown"),
    ("sources without an address", [call(type="search", sources=NO_ADDRESSES)], "unknown"),
    ("some searches find nothing", [search(), search(FOUND)], "never seen"),
    ("some searches report", [search(FOUND), call(type="search", query="q")], "unknown"),
    ("the same the other way", [call(type="search", query="q"), search(FOUND)], "unknown"),
    ("a search that failed", [search(FOUND), call("failed", type="search")], "never seen"),
    ("a call of no kind", [search(FOUND), call()], "unknown"),
    ("a page without an address", [page(None)], "unknown"),
    ("a page without an address, among sources", [search(FOUND), page(None)], "never seen"),
    ("an action of another type", [{"type": "web_search_call", "action": "search"}], "unknown"),
    ("no action", [{"type": "web_search_call"}], "unknown"),
    ("nothing", [], "unknown"),
    ("a tool that says what it found", [tool(output=f'{{"url":"{INVENTED}"}}')], "searched"),
    ("the same, escaped", [tool(output=INVENTED.replace("/", "\\/"))], "searched"),
    ("of files", [tool(type="file_search_call", results=[{"text": INVENTED}])], "searched"),
    ("a tool that found others", [search(FOUND), tool(output="none")], "never seen"),
    ("a tool that failed", [search(FOUND), tool(error="no")], "never seen"),
    ("a tool that hides what it found", [search(FOUND), {"type": "file_search_call"}], "unknown"),
    ("a tool that nobody knows", [search(FOUND), {"type": "acme:browse"}], "unknown"),
    ("a tool without the web", [search(FOUND), {"type": "code_interpreter_call"}], "never seen"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("items", "verdict"), [one[1:] for one in ITEMS], ids=[o[0] for o in ITEMS]
)
def test_a_link_is_as_good_as_what_the_run_did(items: list[Any], verdict: str) -> None:
    assert verdicts(LINK, *items) == [verdict]


def test_of_what_the_relay_dropped_absence_proves_nothing() -> None:
    assert verdicts(LINK, search(FOUND), truncated_by_relay=True) == ["unknown"]
    assert verdicts(LINK, page(INVENTED), truncated_by_relay=True) == ["opened"]


def test_events_know_pages_where_there_is_no_response() -> None:
    events = [
        {"type": "search", "data": {"queries": ["q"]}},
        {"type": "page", "data": {"url": OPENED}},
        {"type": "source", "data": {"number": 1, "url": FOUND, "title": "Found"}},
    ]
    evidence = evidence_of(None, events)
    assert evidence == Evidence((OPENED,), (), (Cited(1, FOUND, "Found"),))
    report = f"{OPENED} {INVENTED}"
    assert [one.verdict for one in checked(report, evidence)] == ["opened", "unknown", "unknown"]


def test_an_event_does_not_open_what_the_response_could_not() -> None:
    events = [{"type": "page", "data": {"url": INVENTED}}]
    assert verdicts(LINK, search(FOUND), IN_VAIN, events=events) == ["never seen"]
    assert verdicts(LINK, search(FOUND), IN_VAIN, page(INVENTED), events=events) == ["opened"]


def test_each_link_is_checked_where_it_stands() -> None:
    report = f"[a]({OPENED}#part)\n\n- {FOUND}\n- {FOUND}\n"
    evidence = evidence_of(response(search(FOUND), page(OPENED), message("", (OPENED, "O"))))
    assert checked(report, evidence) == (
        CheckedLink(f"{OPENED}#part", "a", 1, "opened", 1),
        CheckedLink(FOUND, "", 3, "searched", None),
        CheckedLink(FOUND, "", 4, "searched", None),
    )


PAGE = "https://ko.example/wiki/짜장면"


@pytest.mark.parametrize(
    ("written", "verdict", "url"),
    [
        (f"{PAGE}의 기원", "searched", PAGE),
        (f"{PAGE}에서는 다르다", "searched", PAGE),
        (f"{PAGE} 참고", "searched", PAGE),
        ("https://ko.example/wiki/짬뽕의 기원", "never seen", "https://ko.example/wiki/짬뽕의"),
        (f"[기원]({PAGE}의)", "never seen", f"{PAGE}의"),
        (f"<{PAGE}의>", "never seen", f"{PAGE}의"),
        (f'{{"title": "기원", "text": "{PAGE}의 기원"}}', "searched", PAGE),
    ],
)
def test_a_particle_behind_a_page_that_was_seen_is_not_of_its_address(
    written: str, verdict: str, url: str
) -> None:
    (link,) = checked(written, evidence_of(response(search(PAGE))))
    assert (link.verdict, link.url) == (verdict, url)


def test_a_page_whose_name_ends_like_a_particle_is_itself() -> None:
    (link,) = checked(f"{PAGE}의", evidence_of(response(search(PAGE), page(f"{PAGE}의"))))
    assert (link.verdict, link.url) == ("opened", f"{PAGE}의")


def test_a_citation_that_a_particle_follows_is_not_told_twice() -> None:
    evidence = evidence_of(response(search(PAGE), message("", (PAGE, "P"))))
    assert checked(f"{PAGE}의 기원", evidence) == (CheckedLink(PAGE, "", 1, "searched", 1),)


def test_a_citation_that_is_no_link_in_the_text_is_checked_too() -> None:
    """Its line is 0. One that is, by any spelling, is not told twice."""
    cited = (OPENED + "?utm_source=openai", "O"), (INVENTED, "I")
    evidence = evidence_of(response(search(FOUND), page(OPENED), message("", *cited)))
    assert checked(f"See {OPENED}.", evidence) == (
        CheckedLink(OPENED, "", 1, "opened", 1),
        CheckedLink(INVENTED, "I", 0, "never seen", 2),
    )


# -- sources -----------------------------------------------------------------------------------


def test_sources_are_cited_ones_then_opened_then_found() -> None:
    items = [
        search(FOUND, OPENED, "https://cited.example/a"),
        page(OPENED),
        page("https://opened.example/other"),
        message("", ("https://cited.example/a", "A"), ("https://opened.example/other", "")),
    ]
    assert sources_of(evidence_of(response(*items))) == (
        Source(1, "A", "https://cited.example/a", opened=False, cited=True),
        Source(
            2,
            "https://opened.example/other",
            "https://opened.example/other",
            opened=True,
            cited=True,
        ),
        Source(None, OPENED, OPENED, opened=True, cited=False),
        Source(None, FOUND, FOUND, opened=False, cited=False),
    )


def test_a_page_is_one_row_however_it_is_spelled() -> None:
    items = [
        search(OPENED + "/", "http://www.opened.example/page"),
        page(OPENED),
        message("", (OPENED, "O"), (OPENED + "#there", "O, there"), (FOUND, "F")),
    ]
    assert [(one.number, one.url) for one in sources_of(evidence_of(response(*items)))] == [
        (1, OPENED),
        (3, FOUND),
    ]


def test_numbers_are_those_of_the_answer() -> None:
    """Files are cited too, and take numbers."""
    item = message("abcd", ("https://b.example", "B"), ("https://a.example", "A"))
    item["content"][0]["annotations"].insert(
        1, {"type": "file_citation", "file_id": "f", "filename": "f.pdf", "index": 0}
    )
    raw = response(item)
    expected = {one.url: one.number for one in answer_of(raw).citations if one.url}
    assert expected == {"https://b.example": 1, "https://a.example": 3}
    assert {one.url: one.number for one in evidence_of(raw).citations} == expected


# -- anything ----------------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
NAMES = st.sampled_from(
    (
        *("type", "output", "action", "sources", "url", "status", "results", "content"),
        *("annotations", "text", "title", "data", "number", "truncated_by_relay", "error"),
    )
)
WORDS = st.sampled_from(
    (
        *("web_search_call", "mcp_call", "file_search_call", "message", "output_text", "search"),
        *("open_page", "find_in_page", "url_citation", "page", "source", "completed", OPENED),
    )
)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=20,
)


@given(
    st.none() | st.fixed_dictionaries({"output": st.lists(ANYTHING) | ANYTHING}),
    st.lists(ANYTHING | st.fixed_dictionaries({"type": WORDS, "data": ANYTHING})),
)
def test_any_type_may_stand_anywhere(raw: Any, events: list[Any]) -> None:
    evidence = evidence_of(raw, events)
    assert len(sources_of(evidence)) <= len(
        evidence.citations + evidence.opened + evidence.searched
    )
    for link in checked(LINK, evidence):
        assert link.verdict in ("opened", "searched", "never seen", "unknown")


def test_a_number_that_is_none_is_counted() -> None:
    numbers: list[Any] = [True, -1, 10**400, "2", None]
    events = [
        {"type": "source", "data": {"number": number, "url": f"https://a.example/{place}"}}
        for place, number in enumerate(numbers)
    ]
    assert [one.number for one in evidence_of(None, events).citations] == [1, 2, 3, 4, 5]


MANY = [f"https://a.example/{'x' * 100}/{number}" for number in range(100_000)]
TOO_MUCH: dict[str, list[Any]] = {
    "sources": [search(*MANY)],
    "searches": [search(url) for url in MANY],
    "pages": [search(FOUND), *map(page, MANY)],
    "citations": [search(FOUND), message("", *((url, "T") for url in MANY))],
    "a tool's words": [search(FOUND), tool(output=" ".join(MANY))],
    "long addresses": [search(*(f"https://a.example/{n}{'가' * 8_000}" for n in range(2_000)))],
}


@pytest.mark.parametrize("kind", TOO_MUCH)
def test_what_is_too_much_is_not_read_and_proves_nothing(kind: str) -> None:
    evidence = evidence_of(response(*TOO_MUCH[kind]))
    assert checked(LINK, evidence)[0].verdict == "unknown"
    assert sources_of(evidence)
    assert_cheap(lambda: sources_of(evidence_of(response(*TOO_MUCH[kind]))), 300)
