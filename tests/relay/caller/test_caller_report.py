"""What a run brought, as an answer and as files: whole, named for what it is, and harmless."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kit.errors import InputError
from kit.relay.glance import Glance, glance_line, money, seen
from kit.relay.report import markdown_of, report_of, save_report, text_of
from kit.relay.view import RunEvent, View, view_of
from tests.relay.caller.there import ID, view

pytestmark = pytest.mark.once

TEXT = "# 김치\n\n김치는 발효 음식이다 ([김치](https://a.example/1))."


def event(kind: str, number: int = 1, status: str = "running", **data: Any) -> RunEvent:
    return RunEvent(number, kind, status, data)


def looked(status: str = "completed", **more: Any) -> View:
    found = view_of(view(status, **more))
    assert found is not None
    return found


def cited(*urls: str, text: str = TEXT) -> dict[str, Any]:
    notes = [
        {"type": "url_citation", "url": url, "title": f"T{n}", "start_index": 2, "end_index": 4}
        for n, url in enumerate(urls, 1)
    ]
    part = {"type": "output_text", "text": text, "annotations": notes}
    message = {"type": "message", "role": "assistant", "content": [part]}
    usage = {"input_tokens": 10, "output_tokens": 5, "cost": 0.5}
    return {"id": "resp_1", "status": "completed", "model": "deep", "output": [message]} | {
        "usage": usage
    }


# -- as an answer --------------------------------------------------------------------------------


def test_the_relays_text_is_the_truth() -> None:
    events = [event("output_text", text="half")]
    assert text_of(looked(output_text="whole"), events) == "whole"
    assert text_of(looked("running"), [*events, event("output_text", text=" more")]) == "half more"
    assert text_of(None, ()) == ""


def test_citations_keep_their_places_only_in_the_very_text() -> None:
    same = report_of(looked(output_text=TEXT, response=cited("https://a.example/1")), (), Glance())
    assert [(one.url, one.start, one.end) for one in same.citations] == [
        ("https://a.example/1", 2, 4)
    ]
    source = event("source", url="https://a.example/1", title="김치", number=1)
    other = report_of(looked(output_text="else", response=cited("u")), [source], Glance())
    assert [(one.url, one.title, one.start, one.end) for one in other.citations] == [
        ("https://a.example/1", "김치", 4, 4)
    ]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("pending", "queued"),
        ("queued", "queued"),
        ("running", "in_progress"),
        ("completed", "completed"),
        ("failed", "failed"),
        ("cancelled", "cancelled"),
    ],
)
def test_its_status_is_an_answers(status: str, expected: str) -> None:
    assert report_of(looked(status), (), Glance()).status == expected


def test_what_it_took_is_what_the_events_say_else_the_gateway() -> None:
    ended = looked(output_text=TEXT, response=cited(), finished_at=1_795_000_009.0)
    answer = report_of(ended, (), Glance())
    assert (answer.cost, answer.seconds, answer.model) == (0.5, 9.0, "deep")
    assert answer.usage is not None
    assert report_of(ended, (), Glance(cost=0.25)).cost == 0.25
    free = looked(output_text=TEXT, response={"output": []})
    assert report_of(free, (), Glance(cost=0.0)).cost is None, "that it was free need not be said"


ODD: list[Any] = [
    {},
    {"output": "no", "usage": [], "model": 7, "id": {}},
    {"output": [None, 7, {"type": "message", "content": [{"type": "output_text", "text": 7}]}]},
    {"choices": [{"message": {"content": "chat"}}]},
    {"error": {"message": "x"}, "status": ["failed"]},
    {"usage": {"input_tokens": "many", "cost": "NaN"}},
]


@pytest.mark.parametrize("response", ODD, ids=lambda one: json.dumps(one)[:30])
def test_a_gateways_object_of_any_kind_is_no_crash(response: Any) -> None:
    wrong = [event("source", url=one, title=one) for one in (None, 7, [], {"a": 1}, "x" * 9)]
    answer = report_of(looked(output_text=TEXT, response=response), wrong, Glance())
    assert answer.text == TEXT
    assert all(isinstance(one.url, str) for one in answer.citations)
    assert "{" not in "".join(one.url for one in answer.citations)
    markdown_of("q", answer, ID)


def test_times_that_go_back_are_no_negative_time() -> None:
    odd = looked(finished_at=1.0)
    assert (report_of(odd, (), Glance()).seconds or 0.0) >= 0.0


# -- as Markdown ---------------------------------------------------------------------------------


def markdown(question: str = "김치의 역사는?", status: str = "completed", **more: Any) -> str:
    response = more.pop("response", None)
    found = looked(status, output_text=more.pop("text", TEXT), response=response, **more)
    return markdown_of(question, report_of(found, more.get("events", ()), Glance()), ID)


def test_it_has_report_sources_and_where_it_comes_from() -> None:
    given = markdown(response=cited("https://a.example/1", "https://b.example/2"))
    assert given.startswith(TEXT)
    assert "## Sources\n\n1. [T1](https://a.example/1)\n2. [T2](https://b.example/2)\n" in given
    assert given.endswith(
        f"---\n\n*Question: 김치의 역사는? · Run: {ID} · Model: deep · Cost: $0.5000*\n"
    )


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//a.example", "/api"])
def test_a_source_whose_address_is_none_of_the_web_is_no_link(url: str) -> None:
    """Who renders the file may let any address through."""
    given = markdown(response=cited(url, "https://b.example/2"))
    assert "## Sources\n\n1. T1\n2. [T2](https://b.example/2)\n" in given


def test_a_report_that_ends_in_its_sources_gets_no_second_list() -> None:
    text = f"{TEXT}\n\n## 출처\n\n1. [김치](https://a.example/1)\n"
    given = markdown(text=text, response=cited("https://a.example/1", text=text))
    assert "## Sources" not in given
    assert given.count("https://a.example/1") == 2


def test_a_source_that_is_only_linked_in_the_text_is_listed() -> None:
    """A report of one piece is no list of its sources."""
    text = "김치는 발효 음식이다 ([김치](https://a.example/1))."
    assert "## Sources" in markdown(text=text, response=cited("https://a.example/1", text=text))


@pytest.mark.parametrize("text", ['{"title": "김치", "code": "```"}', '[{"a": 1}]', ' {"a": {}} '])
def test_an_outline_stands_in_a_fence_that_it_cannot_leave(text: str) -> None:
    given = markdown(text=text)
    fence = given.split("json\n")[0]
    assert fence.strip("`") == ""
    assert given.split(f"\n{fence}\n")[0] == f"{fence}json\n{text.strip()}"


@pytest.mark.parametrize(
    "text",
    [
        "[김치](https://a.example/1)는 발효 음식이다.",
        "{김치}는 발효 음식이다.",
        "[1] 김치",
        "{\n```\n# escaped\n",
    ],
)
def test_a_report_that_only_begins_like_json_stays_one(text: str) -> None:
    assert not markdown(text=text).startswith("```json")


@pytest.mark.parametrize("status", ["failed", "cancelled", "running", "pending"])
def test_what_is_no_whole_report_says_so(status: str) -> None:
    given = markdown(status=status, text="half of ")
    assert given.startswith("half of")
    assert f"Status: {status}" in given.replace("in progress", "running").replace(
        "queued", "pending"
    )
    assert "Status" not in markdown()


def test_nothing_at_all_is_still_a_file_that_says_what_it_is() -> None:
    given = markdown(status="failed", text=None)
    assert given.startswith("---")
    assert ID in given


def test_titles_questions_and_names_are_no_markup() -> None:
    evil = "*x* [y](javascript:alert(1)) <script>a</script> `b`\n\n# c"
    response = cited("https://a.example/(1) 2<3>\"'\\")
    response["model"] = evil
    response["output"][0]["content"][0]["annotations"][0]["title"] = evil
    given = markdown(evil, response=response).removeprefix(TEXT)
    for line in given.splitlines():
        assert not line.startswith("# ")
        assert "<script>" not in line.replace("\\<", "")
        assert "[y](javascript" not in line.replace("\\[", "")
    assert "https://a.example/%281%29%202%3C3%3E%22%27%5C" in given or "%27" not in given


# -- as files ------------------------------------------------------------------------------------


def test_each_ending_is_its_form(tmp_path: Path) -> None:
    facts = {"question": "<김치>", "text": TEXT, "cost": None}
    assert save_report(tmp_path / "a.md", TEXT, facts).read_text("utf-8") == TEXT
    page = save_report(tmp_path / "a.HTML", TEXT, facts).read_text("utf-8")
    assert "<title>&lt;김치&gt;</title>" in page
    assert "<h1>김치</h1>" in page.replace(' id="김치"', "")
    assert json.loads(save_report(tmp_path / "a.json", TEXT, facts).read_text("utf-8")) == facts


def test_a_page_has_nothing_of_what_a_report_smuggles(tmp_path: Path) -> None:
    evil = (
        "<script>alert(1)</script><img src=x onerror=alert(1)>\n"
        "[a](javascript:alert(1)) ![b](https://evil.example/pixel.png)\n"
        "<iframe src='https://evil.example'></iframe><style>*{display:none}</style>\n"
        "<a href='data:text/html,x' onclick='x()'>c</a> <form action='https://evil.example'>"
    )
    facts = {"question": "</title><script>alert(2)</script>"}
    page = save_report(tmp_path / "a.html", evil, facts).read_text("utf-8")
    head, _, body = page.partition("</style>")
    assert "<script" not in page
    for tag in ("<iframe", "<form", "<style", "<img"):
        assert tag not in body
    assert "&lt;/title&gt;" in head
    assert 'href="javascript' not in body
    assert 'href="data' not in body


@pytest.mark.parametrize("letter", ["a", "가", "😀"])
def test_a_report_takes_any_name_that_the_system_takes(tmp_path: Path, letter: str) -> None:
    name = letter * ((255 - len(".md")) // len(letter.encode())) + ".md"
    assert save_report(tmp_path / name, TEXT, {}).read_text("utf-8") == TEXT
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a", "a.txt", "a.md.exe", ".md", "a.pdf"])
def test_another_ending_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"\.md, \.html, \.json"):
        save_report(tmp_path / name, TEXT, {})
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    "path", ["nowhere/a.md", "folder.md", "file/a.md", "~nobody-of-that-name/a.md", "a\0.md"]
)
def test_what_cannot_be_written_is_one_line(tmp_path: Path, path: str) -> None:
    (tmp_path / "folder.md").mkdir()
    (tmp_path / "file").write_text("")
    file = path if path.startswith("~") else str(tmp_path / path)
    with pytest.raises(InputError) as caught:
        save_report(file, TEXT, {})
    assert "cannot be written" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    file = save_report(tmp_path / "a.md", "old", {})
    with pytest.raises(InputError):
        save_report(file, "half of a pair: \ud800", {})
    assert file.read_text() == "old"
    assert [*tmp_path.iterdir()] == [file]


# -- at a glance ---------------------------------------------------------------------------------


def test_a_glance_is_made_of_events_one_by_one() -> None:
    log = [
        event("status", status="pending", mode="stream"),
        event("request", body={}),
        event("status", upstream_response_id="resp_1"),
        event("search", queries=["kimchi", "김치"]),
        event("page", url="https://a.example/1"),
        event("page", url="https://www.a.example/1#further-down"),
        event("page", url="https://a.example/2"),
        event("reasoning", summary="**Plan**"),
        event("source", url="https://a.example/1", number=1, title="T"),
        event("output_text", text="김치"),
        event("warning", code="no_search", message="Nothing\nwas looked up."),
        event("usage", cost_usd=0.02, estimate=True),
    ]
    glance = Glance()
    for one in log:
        glance = seen(glance, one, 100.0)
    assert glance_line(glance, 12.0, 101.0) == (
        "running · writing the report · 1 search, 2 pages, 1 source · 2 characters · 12 s"
        " · about $0.02"
    )
    assert glance.upstream_id == "resp_1"
    assert glance.warnings == ("Nothing was looked up.",)
    assert "last heard of 1 min ago" in glance_line(glance, 12.0, 160.0)
    ended = seen(glance, event("error", status="failed", message="It\nfailed."), 102.0)
    assert (ended.status, ended.doing, ended.problem) == ("failed", "", "It failed.")
    assert glance_line(ended, None, 999.0) == "failed · 1 search, 2 pages, 1 source · about $0.02"


def test_what_a_relay_says_of_a_failure_has_no_keys_on_a_card() -> None:
    said = "Bearer sk-abcdefghij0123456789 at http://10.0.0.7:4000 " + "x" * 1000
    glance = seen(Glance(), event("error", message=said), 1.0)
    glance = seen(glance, event("warning", message=said), 1.0)
    for shown in (glance.problem or "", *glance.warnings):
        assert "sk-abcdefghij" not in shown
        assert "10.0.0.7" not in shown
        assert len(shown) <= 300


@pytest.mark.parametrize(
    ("cost", "estimate", "expected"),
    [
        (None, False, ""),
        (0.0, False, ""),
        (0.0123, False, "$0.0123"),
        (0.0123, True, "about $0.01"),
        (0.00002, False, "$0.00002"),
        (0.001, True, "less than $0.01"),
        (12.5, False, "$12.5000"),
    ],
)
def test_money_is_never_shown_as_nothing(cost: float | None, estimate: bool, expected: str) -> None:
    assert money(cost, estimate) == expected


def test_a_glance_is_a_value() -> None:
    assert replace(Glance(), status="x") == Glance("x")
