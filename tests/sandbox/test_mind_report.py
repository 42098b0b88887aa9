"""A research run plans, searches, opens what it cites, and ends in one report."""

import json
import re

import pytest

from kit.sandbox.library import Library
from kit.sandbox.mind import answer
from kit.sandbox.steps import Ask, FindInPage, OpenPage, Say, Search, Step, Think, Turn

LIBRARY = Library.open()


def research(prompt: str, instructions: str = "") -> tuple[Step, ...]:
    return answer(Ask((Turn("user", prompt),), instructions, research=True), LIBRARY)


@pytest.mark.parametrize(
    "prompt",
    [
        "짜장면의 역사와 기원에 대해 상세히 조사해줘",
        "Investigate how vaccines work and where they come from",
        "Compare tea and coffee, as a markdown brief",
        "Research question: What is BM25 and how do search engines rank?\nFormat: markdown_report",
    ],
)
def test_a_run_goes_from_a_plan_to_a_report_that_cites_what_was_opened(prompt: str):
    steps = research(prompt)
    kinds = [type(step) for step in steps]
    assert kinds[:3] == [Think, Search, Think] and kinds[-1] is Say and kinds.count(Say) == 1
    assert kinds.count(Search) >= 3 and FindInPage in kinds
    report = steps[-1]
    assert isinstance(report, Say) and report.text.startswith("# ") and len(report.citations) >= 5
    opened = {step.url for step in steps if isinstance(step, OpenPage)}
    for citation in report.citations:
        assert citation.url in opened
        assert f"]({citation.url})" in report.text[citation.start : citation.end]


def test_the_report_is_in_the_language_of_the_prompt():
    korean, english = research("커피의 역사를 조사해줘")[-1], research("research coffee")[-1]
    assert isinstance(korean, Say) and "## 요약" in korean.text and "## 출처" in korean.text
    assert isinstance(english, Say) and "## Summary" in english.text


def test_questions_that_the_prompt_lists_are_the_sections():
    report = research("Research coffee:\n1. Where did it come from?\n2. Who grows most of it?")[-1]
    assert isinstance(report, Say)
    headings = re.findall(r"^## (.+)$", report.text, re.M)
    assert headings == ["Summary", "Where did it come from?", "Who grows most of it?", "Sources"]


def test_no_sentence_is_quoted_in_two_sections():
    report = research("research the printing press in depth")[-1]
    assert isinstance(report, Say)
    body = report.text.split("## Summary")[1].split("\n## ", 1)[1]
    lines = re.findall(r"^> (.+?) \(\[", body, re.M)
    assert len(lines) == len(set(lines)) > 2


@pytest.mark.parametrize(
    ("prompt", "instructions"),
    [("vaccines as a JSON outline", ""), ("vaccines", "Deliver a json_outline.")],
)
def test_an_outline_is_json_with_sources(prompt: str, instructions: str):
    outline = research(prompt, instructions)[-1]
    assert isinstance(outline, Say)
    document = json.loads(outline.text)
    assert document["sections"] and all(one["sources"] for one in document["sections"])


def test_nothing_found_ends_in_an_honest_answer_and_no_citation():
    report = research("the future of asteroid mining")[-1]
    assert isinstance(report, Say) and "holds nothing" in report.text and not report.citations
