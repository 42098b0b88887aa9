"""Structured output says what a page says: values of a record stand in one sentence."""

import json
import re
from typing import Any

import pytest

from kit.sandbox.library import Library
from kit.sandbox.mind import answer
from kit.sandbox.steps import Ask, Say, Turn

LIBRARY = Library.open()
S: dict[str, Any] = {"type": "string"}
INT: dict[str, Any] = {"type": "integer"}
NUM: dict[str, Any] = {"type": "number"}
YES: dict[str, Any] = {"type": "boolean"}


def record(**properties: Any) -> dict[str, Any]:
    closed = {"required": list(properties), "additionalProperties": False}
    return {"type": "object", "properties": properties, **closed}


def rows(item: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": item, **more}


def document(prompt: str, schema: dict[str, Any]) -> Any:
    last = answer(Ask((Turn("user", prompt),), schema=schema), LIBRARY)[-1]
    assert isinstance(last, Say)
    return json.loads(last.text)


TIMELINE = record(subject=S, events=rows(record(year=INT, what_happened=S)))
TIMELINES = [
    ("The history of the Moon landings as a timeline", "moon-landing", {1961, 1969, 1970, 1972}),
    ("The history of coffee as a timeline", "coffee", {1555, 1901}),
    ("A timeline of the Olympic games", "olympic-games", {-776, 1894, 1896, 1924, 1994}),
    ("짜장면의 역사를 연표로", "ko-jajangmyeon", {1883, 1905, 1948, 2006, 2011}),
    ("연표: 반도체의 역사", "ko-semiconductor", {1947, 1958, 1983}),
    ("서울 역사 타임라인", "ko-seoul", {1394}),
    ("timeline of python", "python-history", {1991, 2008}),
]


@pytest.mark.parametrize(("prompt", "slug", "years"), TIMELINES)
def test_a_timeline_has_the_page_s_years_each_beside_its_own_words(
    prompt: str, slug: str, years: set[int]
):
    page = LIBRARY.page(f"https://sandbox.invalid/corpus/{slug}")
    events = document(prompt, TIMELINE)["events"]
    found = [event["year"] for event in events]
    assert page and years <= set(found) and found == sorted(found) and len(found) <= 8
    for event in events:
        assert str(abs(event["year"])) in event["what_happened"]
        assert event["what_happened"].rstrip(".") in page.text


@pytest.mark.parametrize("kind", ["date", "year", "when"])
def test_a_date_that_is_text_stands_in_its_own_sentence_too(kind: str):
    item = record(**{kind: S}, event=S)
    events = document("timeline of the Moon landing", record(events=rows(item)))["events"]
    assert len(events) >= 3
    for event in events:
        assert event[kind] and event[kind] in event["event"]


def test_what_no_page_is_about_gives_no_events():
    assert document("A timeline of Liechtenstein", TIMELINE)["events"] == []


def test_a_list_that_must_have_items_has_them():
    item = record(year=INT, what_happened=S)
    found = document("A timeline of coffee", record(events=rows(item, minItems=4)))
    assert len(found["events"]) == 4


FIGURES = [
    ("population of Seoul", record(population=INT), 9_400_000),
    ("서울 인구", record(population=INT), 9_400_000),
    ("Eiffel Tower", record(height_m=NUM), 330),
    ("한라산", record(height=INT), 1947),
    ("caffeine in coffee", record(caffeine_mg=INT), 95),
    ("coffee", record(arabica_percent=INT), 60),
    ("coffee", record(price_usd={"type": ["number", "null"]}), None),
    ("the Moon landing", record(rock_kg=NUM), 21.5),
]


@pytest.mark.parametrize(("prompt", "schema", "value"), FIGURES)
def test_a_figure_is_of_the_kind_its_field_asks_for(prompt: str, schema: Any, value: Any):
    assert next(iter(document(prompt, schema).values())) == value


CONTACT = record(name=S, email=S, phone={"type": ["string", "null"]})


def test_each_line_of_a_text_is_a_record():
    prompt = "Extract the contacts:\nAlice Kim, alice@x.org, +82 10 1234 5678\nBob Lee: bob@y.org"
    found = document(prompt, record(contacts=rows(CONTACT)))["contacts"]
    assert [one["email"] for one in found] == ["alice@x.org", "bob@y.org"]
    assert [one["name"] for one in found] == ["Alice Kim", "Bob Lee"]
    assert found[0]["phone"] == "+82 10 1234 5678" and found[1]["phone"] is None


LABEL = record(label={"type": "string", "enum": ["positive", "negative", "neutral"]})
FEELINGS = [
    ("Classify as positive or negative: I love this phone, it is great", "positive"),
    ("What is the sentiment? Text: The battery died and support was awful", "negative"),
    ("감정 분류: 배송이 늦고 정말 실망했어요", "negative"),
    ("다음 리뷰의 감정을 분류해줘: 최고예요, 또 사고 싶어요", "positive"),
    ("Classify the sentiment: The parcel has four corners", "neutral"),
    ("Sentiment: this is not good at all", "negative"),
]


@pytest.mark.parametrize(("prompt", "label"), FEELINGS)
def test_a_feeling_is_read_from_the_text_and_not_from_the_task(prompt: str, label: str):
    assert document(prompt, LABEL)["label"] == label


def test_yes_or_no_follows_the_sentence_that_is_given_as_the_reason():
    found = document("Is the Great Wall visible from space?", record(answer=YES, reason=S))
    assert found["answer"] is False and re.search(r"\bnot\b|\bno\b|cannot|myth", found["reason"])


def test_a_glossary_defines_its_terms():
    item = record(term=S, definition=S)
    terms = document("Glossary of large language models", record(terms=rows(item)))["terms"]
    assert len(terms) >= 2
    for one in terms:
        assert one["term"].lower() in one["definition"].lower() and len(one["term"]) < 60


def test_a_quiz_asks_for_what_its_answer_says():
    item = record(question=S, answer=S)
    quiz = document("Make a quiz about coffee", record(questions=rows(item)))["questions"]
    text = LIBRARY.search("coffee")[0].page.text
    assert len(quiz) >= 3
    for one in quiz:
        assert one["question"].replace("____", one["answer"]) in text


def test_pros_and_cons_are_different_sentences():
    found = document("Pros and cons of LFP batteries", record(pros=rows(S), cons=rows(S)))
    assert any("cheaper" in one for one in found["pros"])
    assert not set(found["pros"]) & set(found["cons"])


def test_what_is_found_nowhere_is_left_empty():
    recipe = record(name=S, ingredients=rows(S), steps=rows(S))
    found = document("Recipe for banana bread", recipe)
    assert found["ingredients"] == found["steps"] == []
    book = record(title=S, author=S, year=INT)
    assert document("List books about coffee", record(books=rows(book)))["books"] == []


def test_summary_bullets_and_sources_come_from_the_page():
    found = document("한글", record(summary=S, bullets=rows(S), sources=rows(S)))
    page = LIBRARY.page("https://sandbox.invalid/corpus/ko-hangul")
    assert page and all(one in page.text for one in found["bullets"])
    assert found["sources"][0] == page.url and found["summary"] == page.summary


def test_pages_about_the_toolkit_stay_out_of_a_list_about_the_world():
    item = record(title=S, url=S)
    for prompt in ("coffee", "history of the moon landing", "김치"):
        found = document(prompt, record(items=rows(item)))["items"]
        assert found and not [one for one in found if "/toolkit/" in one["url"]]


def test_a_text_may_come_before_the_task():
    fields = record(invoice_number=S, date=S, total=NUM, currency=S, vendor=S)
    bill = "Invoice no. 4471, dated 3 May 2024, total 1,250.50 EUR, from Nordwind GmbH."
    found = document(f"{bill} Extract the fields.", fields)
    assert list(found.values()) == ["4471", "3 May 2024", 1250.5, "EUR", "Nordwind GmbH"]


def test_of_several_choices_all_that_the_text_names_are_taken():
    topics = rows({"type": "string", "enum": ["배송", "제품", "환불", "가격"]})
    found = document(
        "리뷰: 배송은 빨랐지만 제품이 고장났어요. 환불해 주세요", record(topics=topics)
    )
    assert found["topics"] == ["배송", "제품", "환불"]
