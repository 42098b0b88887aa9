"""Before a long piece of research: what its question leaves open, and the question made whole.

Two shapes of structured output are meant, told by the words of their properties: whether a question
needs clarifying and what to ask back (`needs_clarification`, `questions`), and one text that is the
`brief`. Both are made by rule, since there is no model. Three things are asked about, a period, a
place, and the reader with the form, unless the prompt says them; a brief is the question and the
answers, joined. Nothing is added, nothing is concluded, and every other schema is left alone.
"""

import re
from collections.abc import Iterator, Mapping

from kit.sandbox.asking import topic_of
from kit.sandbox.dialogue import Conversation
from kit.sandbox.phrases import phrase
from kit.sandbox.schema import Schema, is_mapping, types_of
from kit.sandbox.steps import count_tokens
from kit.sandbox.told import Told, read_told
from kit.sandbox.wishes import Shape, language_wanted, shape_of

MOST_QUESTIONS = 3
SHORT = 40
"""Tokens of a question that can leave something open; a longer one has said what it wants."""
CLARIFIES = re.compile(r"(?i)clarif|ambigu|unclear|명확")
ASKS_BACK = re.compile(r"(?i)question|질문")
BRIEF = re.compile(r"(?i)(?:^|[_\W])brief(?:$|[_\W])|의뢰서")


def clarified(schema: Schema, talk: Conversation) -> dict[str, object] | None:
    """The document for a schema of these shapes; None for another, and where none would fit."""
    properties = schema.get("properties")
    if not is_mapping(properties) or not 1 <= len(properties) <= 2:
        return None
    told = read_told(talk.prompt)
    language = language_wanted(told.question, talk.instructions)
    if len(properties) == 1:
        return _brief(properties, told, language)
    return _questions(properties, told, language)


def _brief(properties: Mapping[str, Schema], told: Told, language: str) -> dict[str, object] | None:
    ((name, wanted),) = properties.items()
    if not BRIEF.search(name):
        return None
    text = told.joined(language)
    return {name: text} if text and _holds(wanted, text) else None


def _questions(
    properties: Mapping[str, Schema], told: Told, language: str
) -> dict[str, object] | None:
    flag = next((name for name in properties if CLARIFIES.search(name)), "")
    asked = next((name for name in properties if name != flag and ASKS_BACK.search(name)), "")
    if not flag or not asked or not _is(properties[flag], "boolean"):
        return None
    wanted = properties[asked]
    if not _is(wanted, "array"):
        return None
    left_open = list(_left_open(told, language))[: min(MOST_QUESTIONS, wanted.get("maxItems", 99))]
    needed = bool(left_open) and count_tokens(told.question) <= SHORT
    least = int(wanted.get("minItems", 0))
    questions = left_open if needed else left_open[:least]
    if len(questions) < least or not all(_holds(wanted["items"], one) for one in questions):
        return None
    return {name: needed if name == flag else questions for name in properties}


def _is(schema: Schema, kind: str) -> bool:
    """Whether a field is of a type, and free to hold any value of it."""
    return types_of(schema)[:1] == [kind] and not schema.keys() & {"enum", "const", "format"}


def _holds(schema: Schema, text: str) -> bool:
    low, high = schema.get("minLength", 0), schema.get("maxLength", len(text))
    return _is(schema, "string") and low <= len(text) <= high


LANDS = (
    r"korea|japan|china|taiwan|india|vietnam|asia|europe|africa|america|australia|canada|mexico|brazil|russia|"
    r"germany|france|italy|spain|britain|england|u\.?s\.?a?|uk|eu"
)
PERIOD = re.compile(
    r"(?i)\b(?:1\d{3}|20\d{2})s?\b|\b\d+(?:st|nd|rd|th)\b|\b(?:centur(?:y|ies)|decades?|eras?|periods?|"
    r"dynast(?:y|ies)|ancient|antiquity|medieval|prehistoric|modern|contemporary|recent(?:ly)?|today|nowadays|"
    r"current(?:ly)?|since|until|during|years?)\b|(?-i:\b(?:AD|BCE?)\b)|"
    r"\d+\s*(?:년|세기|월)|세기|시대|시기|시절|기간|년대|연대|왕조|고대|중세|근대|현대|최근|요즘|오늘날|현재|올해|작년|"
    r"이전|이후|초기|말기"
)
PLACE = re.compile(
    rf"(?i:\b(?:{LANDS})\b|\b(?:countr(?:y|ies)|regions?|cit(?:y|ies)|world(?:wide)?|global(?:ly)?|"
    r"international(?:ly)?|domestic|local(?:ly)?)\b)|"
    r"\b(?:in|across|within|throughout|from)\s+(?:the\s+)?[A-Z][a-z]+|"
    r"한국|국내|해외|세계|우리나라|북한|남한|일본|중국|대만|인도|베트남|아시아|유럽|아프리카|미국|영국|독일|프랑스|이탈리아|"
    r"서울|부산|제주|나라|국가|지역|지방|도시"
)
READER = re.compile(
    r"(?i)\b(?:audience|readers?|beginners?|experts?|specialists?|students?|pupils?|children|kids|teachers?|"
    r"investors?|managers?|executives?|class|table|timeline|bullets?|slides?|essay|article|memo|presentation|"
    r"outline|summary|report|pages?|words?|format)\b|"
    r"독자|대상|위한|위해|초보|입문|전문가|학생|어린이|아이들|교사|일반인|투자자|표로|목록|연표|요약|발표|기사|보고서|리포트|"
    r"논문|에세이|쪽|페이지|분량|형식|개조식"
)
OPEN = (("open_period", PERIOD), ("open_place", PLACE), ("open_reader", READER))


def _left_open(told: Told, language: str) -> Iterator[str]:
    """A question about each thing that the prompt does not say; or what it is about at all."""
    topic = topic_of(told.question).phrase
    if not topic:
        yield phrase("open_subject", language)
        return
    for name, pattern in OPEN:
        said = pattern.search(told.said) or (pattern is READER and _has_form(told.said))
        if not said:
            yield phrase(name, language, topic=topic)


def _has_form(text: str) -> bool:
    """Whether a length or form is asked for; depth alone ("in detail") is neither."""
    shape = shape_of(text)
    return shape != Shape(long=shape.long)
