"""What a research question leaves open is asked back; what was answered becomes its brief."""

import json
from typing import Any

import pytest

from kit.sandbox.library import Library
from kit.sandbox.mind import answer
from kit.sandbox.steps import Ask, Say, Search, Turn

LIBRARY = Library.open()
S: dict[str, Any] = {"type": "string"}
YES: dict[str, Any] = {"type": "boolean"}
LIST: dict[str, Any] = {"type": "array", "items": S}


def record(**properties: Any) -> dict[str, Any]:
    closed = {"required": list(properties), "additionalProperties": False}
    return {"type": "object", "properties": properties, **closed}


OPEN = record(needs_clarification=YES, questions={**LIST, "maxItems": 3})
BRIEF = record(brief=S)


def document(prompt: str, schema: dict[str, Any], instructions: str = "") -> Any:
    (say,) = answer(Ask((Turn("user", prompt),), instructions, schema=schema), LIBRARY)
    assert isinstance(say, Say)
    return json.loads(say.text)


PERIOD = ("어느 시기", "Which years")
PLACE = ("나라나 지역", "countries or regions")
READER = ("누가 읽고", "Who will read")
LEFT_OPEN = [
    ("김치의 역사", [PERIOD, PLACE, READER]),
    ("한국 김치의 역사", [PERIOD, READER]),
    ("조선 시대 김치", [PLACE, READER]),
    ("19세기 유럽의 철도 건설", [READER]),
    ("고등학생을 위한 온돌 이야기", [PERIOD, PLACE]),
    ("태양광 발전을 표로 정리해줘", [PERIOD, PLACE]),
    ("the history of tea", [PERIOD, PLACE, READER]),
    ("Research the history of tea in detail.", [PERIOD, PLACE, READER]),
    ("tea in Japan", [PERIOD, READER]),
    ("tea since 1850", [PLACE, READER]),
    ("tea for beginners", [PERIOD, PLACE]),
    ("tea in three bullet points", [PERIOD, PLACE]),
]


@pytest.mark.parametrize(("prompt", "asked"), LEFT_OPEN)
def test_what_the_prompt_does_not_say_is_asked(prompt: str, asked: list[tuple[str, str]]):
    found = document(prompt, OPEN)
    korean = "가" <= prompt[-1] <= "힣"
    assert found["needs_clarification"] is True and len(found["questions"]) == len(asked)
    for question, (in_korean, in_english) in zip(found["questions"], asked, strict=True):
        assert (in_korean if korean else in_english) in question and question.endswith("?")


def test_a_question_names_the_topic_in_the_prompt_s_language():
    assert all("“김치의 역사”" in one for one in document("김치의 역사", OPEN)["questions"])
    english = document("Investigate the history of tea", OPEN)["questions"]
    assert all("“history of tea”" in one for one in english)


@pytest.mark.parametrize(
    "prompt",
    [
        "조선 시대 한국의 과거 제도를 고등학생을 위한 두 쪽 보고서로",
        "Coffee in Europe from 1600 to 1800, as a table for students",
        "I want to know how bakers keep a sourdough alive, how flour, water and heat matter,"
        " which mistakes are common and how to mend them, and what is known about its yeasts.",
    ],
    ids=["all said", "all said in English", "long"],
)
def test_a_question_that_says_all_or_says_much_needs_none(prompt: str):
    assert document(prompt, OPEN) == {"needs_clarification": False, "questions": []}


@pytest.mark.parametrize(("prompt", "asked"), [("조사해줘", "무엇을"), ("Hello!", "What should")])
def test_without_a_subject_the_subject_is_asked(prompt: str, asked: str):
    found = document(prompt, OPEN)
    assert found["needs_clarification"] and [one[: len(asked)] for one in found["questions"]] == [
        asked
    ]


@pytest.mark.parametrize(
    "prompt",
    [
        "Research question: 김치의 역사",
        "Does this question need clarifying? Ask at most three about period and place.\n\n"
        "Research question: 김치의 역사",
        "**Question:** 김치의 역사\n\nSay which country, period and readers are not clear.",
        "Decide whether the question needs clarifying.\n\n김치의 역사",
        "다음 질문이 명확한지 판단해 주세요.\n\n연구 질문: 김치의 역사",
    ],
)
def test_the_task_around_the_question_says_nothing_of_it(prompt: str):
    assert document(prompt, OPEN) == document("김치의 역사", OPEN)


def test_what_was_answered_already_is_not_asked_again():
    prompt = (
        "Research question: 김치의 역사\n\nQ: 어느 시대?\nA: 조선 시대\nQ: 어디?\nA: 전라도 지역"
    )
    (only,) = document(prompt, OPEN)["questions"]
    assert READER[0] in only


def test_the_words_of_the_properties_count_and_not_their_order():
    schema = record(open_questions=LIST, is_unclear=YES)
    assert list(document("tea", schema)) == ["open_questions", "is_unclear"]
    assert document("tea", schema)["is_unclear"] is True


@pytest.mark.parametrize(("bounds", "count"), [({"maxItems": 1}, 1), ({"minItems": 2}, 3)])
def test_the_bounds_of_the_schema_hold(bounds: dict[str, int], count: int):
    found = document("tea", record(needs_clarification=YES, questions={**LIST, **bounds}))
    assert len(found["questions"]) == count


def test_other_schemas_are_left_as_they_are():
    row = record(question=S, answer=S)
    quiz = record(questions={"type": "array", "items": row})
    for schema in (
        quiz,
        record(needs_clarification=YES, questions={"type": "array", "items": row}),
    ):
        found = document("Make a quiz about coffee", schema)
        assert all(set(one) == {"question", "answer"} for one in found["questions"])
    points = document("coffee", record(summary=S, questions=LIST))
    assert not any("“" in one for one in points["questions"])
    assert "Ethiopia" in document("coffee", record(answer=S))["answer"]


# -- the brief -------------------------------------------------------------------------------------

BRIEFS = [
    (
        "Research question: 김치의 역사\n\nQ: 어느 시대가 중요합니까?\nA: 조선 시대\n"
        "Q: 누가 읽습니까?\nA: 고등학생.\n\nWrite the whole brief.",
        "김치의 역사. “어느 시대가 중요합니까?”에 대한 답은 “조선 시대”입니다."
        " “누가 읽습니까?”에 대한 답은 “고등학생”입니다.",
    ),
    (
        "Rewrite the question as a brief.\n\nResearch question: How did tea reach Europe?\n\n"
        "Q: Which period?\nA: 1600 to 1800,\nmostly by sea\n\nQ: Which countries?\nA:\n\nWrite it.",
        "How did tea reach Europe? The answer to “Which period?” is “1600 to 1800, mostly by sea”.",
    ),
    (
        "온돌의 원리\n\n질문: 누가 읽습니까?\n답변: 건축가\n\n의뢰서를 다시 써 주세요.",
        "온돌의 원리. “누가 읽습니까?”에 대한 답은 “건축가”입니다.",
    ),
    (
        "**Topic:** tea\n\n**Q1:** Where?\n**A1:** Japan.\n\n1. Q: When?\n   A: Today.\n\nGo.",
        "tea. The answer to “Where?” is “Japan”. The answer to “When?” is “Today”.",
    ),
    ("연구 질문: 한글은 누가 만들었나?\n\n의뢰서를 써 주세요.", "한글은 누가 만들었나?"),
    ("the history of tea", "the history of tea."),
]


@pytest.mark.parametrize(("prompt", "brief"), BRIEFS)
def test_a_brief_is_the_question_and_the_answers_in_sentences(prompt: str, brief: str):
    assert document(prompt, BRIEF) == {"brief": brief}


@pytest.mark.parametrize(
    ("brief", "title", "word"),
    [(BRIEFS[0][1], "# 김치의 역사\n", "조선"), (BRIEFS[1][1], "# ", "1800")],
)
def test_research_on_a_brief_bears_its_question_and_looks_for_its_answers(
    brief: str, title: str, word: str
):
    steps = answer(Ask((Turn("user", brief),), research=True), LIBRARY)
    first = next(one for one in steps if isinstance(one, Search))
    say = steps[-1]
    assert isinstance(say, Say) and say.text.startswith(title)
    assert "답은" not in say.text and "The answer to" not in say.text
    assert any(word in query for query in first.queries)


def test_a_brief_that_the_schema_cannot_hold_is_not_forced_into_it():
    assert document("the history of tea", record(brief={**S, "maxLength": 5}))["brief"] != "the h"
