"""What a field of a document gets, by its name: a title, a year, the sentence that speaks of it.

A field that wants something particular (a figure, a person, an address) gets it from the text or
gets nothing; only fields that want any text get a sentence.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from kit.sandbox.figures import WANTS_SCORE, dated, figure_in, years_in
from kit.sandbox.lexicon import meanings_of
from kit.sandbox.relevance import terms_of
from kit.sandbox.schema import Schema, types_of
from kit.sandbox.spans import DATE, EMAIL, PHONE
from kit.sandbox.words import sentences, stem, tokens


@dataclass(frozen=True, slots=True)
class Fact:
    """What one object is filled from: a page or section, its text, and other facts below it."""

    title: str
    summary: str
    url: str
    text: str
    heading: str = ""
    parts: tuple["Fact", ...] = ()
    best: str = ""
    """The sentences of all pages that answer, where these are more than `text`."""
    headings: Mapping[str, str] = field(default_factory=dict[str, str])
    """The section that a sentence stands in."""
    alone: bool = False
    """A single sentence: its values are all in it, or nowhere."""
    material: bool = False
    """Text of the caller, and not of the library."""
    place: int = 0
    asks: str = ""
    answers: str = ""
    """A question made from the text, with its answer."""
    choices: tuple[str, ...] = ()
    focus: frozenset[str] = frozenset()
    """Terms of the question beside the page's own title."""

    def is_named(self, name: str) -> bool:
        """Whether a field is named after the page: `coffee` after "Coffee"."""
        return len(name) > 1 and stem(name.replace("_", " ")) in (
            stem(self.title),
            *map(stem, tokens(self.title)[:1]),
        )

    @property
    def of_focus(self) -> bool:
        return not self.focus.isdisjoint(terms_of(self.text))

    @property
    def sentences(self) -> list[str]:
        return sentences(self.text)


SOURCES = r"(?i)source|reference|citation|url|link|출처|참고"
DATED = re.compile(r"(?i)^(?:.*_)?(?:date|day|when|year|time|period)$|날짜|일자|시기|연도|년도")
TEXTS = (
    (r"(?i)url|link|uri|href|website|source|citation|출처|주소", "url"),
    (r"(?i)e_?mail|이메일", "email"),
    (r"(?i)phone|mobile|전화|연락처", "phone"),
    (r"(?i)^(?:capital|수도)", "capital"),
    (r"(?i)author|director|artist|inventor|founder|creator|composer|^person$|^who$|"
     r"저자|작가|감독|발명가|창시자|인물", "person"),
    (r"(?i)currency|isbn|publisher|symbol|ticker|postal|zip|통화|출판사|티커", "rare"),
    (r"(?i)heading|section|subtitle|aspect|category|소제목|분류", "heading"),
    (r"(?i)country|nation|location|place|region|국가|나라|장소|위치", "place"),
    (r"(?i)title|name|label|subject|topic|dish|city|language|keyword|term|제목|이름|주제", "title"),
    (r"(?i)summary|abstract|overview|tl_?dr|description|요약|개요|설명", "summary"),
    (r"(?i)date|^day$|^when$|born|birth|founded|published|날짜|생일|일자|시기", "date"),
    (r"(?i)year|연도|년도", "year"),
    (r"(?i)quote|evidence|인용|근거", "sentence"),
    (r"(?i)question|query|질문|문제", "question"),
    (r"(?i)^(?:correct_?)?answer|^back$|정답|답변|^답$", "answer"),
)  # fmt: skip
TELLS = re.compile(
    r"(?i)text|answer|content|explanation|reason|detail|fact|event|what|note|result|message|body|"
    r"analysis|conclusion|insight|comment|history|background|story|paragraph|definition|meaning|"
    r"invention|happened|milestone|achievement|finding|point|value|why|how|^[a-z]$|"
    r"설명|내용|답|이유|근거|배경|역사|정의|뜻|의미|사건|결론"
)
"""Fields that any sentence serves; others want one that speaks of them."""
PLACE = re.compile(
    r"(?<=\bof )(?:[A-Z][\w\u00c0-\u024f]+ ?)+\b|(?<=\bin )(?:[A-Z][\w\u00c0-\u024f]+ ?)+\b"
)
CAPITAL = re.compile(
    r"(?P<capital>[A-Z]\w+)\s+is\s+the\s+capital\b[^.]*?\bof\s+(?P<country>[A-Z]\w+(?:\s[A-Z]\w+)?)|"
    r"(?P<ko>[가-힣]+)(?:은|는)\s+(?P<land>[가-힣]+)의\s+수도"
)
PERSON = re.compile(
    r"(?:\bby\s+)?(?<![.!?]\s)\b(?P<name>[A-Z][a-z\u00c0-\u024f]+(?:\s(?:(?:de|van|von|del|J|F)\.?\s)?"
    r"[A-Z][a-z\u00c0-\u024f]+){1,2})\b(?=\s+(?:founded|invented|wrote|made|created|began|patented|led|published|"
    r"composed|developed|designed|discovered|released))|\bby\s+(?P<by>[A-Z]\w+(?:\s[A-Z]\w+){1,2})"
)
PARTICULAR = ("email", "phone", "person", "rare", "capital", "date", "year")
"""Kinds of text that are found or are not there."""


def kind_of_text(name: str) -> str:
    return next((kind for pattern, kind in TEXTS if re.search(pattern, name)), "text")


def can_fill(name: str, schema: Schema, fact: Fact, *, strict: bool = False) -> bool:
    """Whether the fact has what a field wants; fields that may be null want nothing."""
    types = types_of(schema)
    if "null" in types or not types or "enum" in schema or "const" in schema:
        return True
    if types[0] in ("integer", "number"):
        return number_for(name, schema, fact) is not None
    if types[0] != "string":
        return True
    kind = kind_of_text(name)
    if strict and kind == "text":
        return _near(name, fact) is not None
    return kind not in PARTICULAR or bool(_particular(kind, fact))


def text_for(name: str, schema: Schema, fact: Fact, prompt: str) -> str | None:
    if found := _of_format(schema.get("format"), fact):
        return found
    if labelled := _labelled(name, prompt):
        return labelled
    kind = kind_of_text(name)
    if kind in PARTICULAR:
        return _particular(kind, fact) or (None if "null" in types_of(schema) else "")
    match kind:
        case "url":
            return fact.url
        case "heading":
            return fact.heading or fact.title
        case "title":
            return fact.title
        case "place":
            return _place(fact) or ("" if fact.alone else fact.title)
        case "summary":
            return fact.summary or next(iter(fact.sentences), "")
        case "question":
            return fact.asks or prompt
        case "answer" if fact.answers:
            return fact.answers
        case "sentence":
            return next(iter(fact.sentences), "")
        case _:
            return _text(name, fact)


def _text(name: str, fact: Fact) -> str:
    """The sentence that speaks of the field, else the one that answers best."""
    if fact.alone:
        return fact.text
    if side := next((one for one in fact.parts if one.parts and one.is_named(name)), None):
        return _side(side, fact.heading)
    section = next((one for one in fact.parts if _headed(name, one)), None)
    if found := (section and section.text) or _near(name, fact):
        return found
    return (next(iter(fact.sentences), "") or fact.summary) if TELLS.search(name) else ""


def _headed(name: str, part: Fact) -> bool:
    return bool(part.heading) and bool(meanings_of(name) & meanings_of(part.heading))


def _side(page: Fact, heading: str) -> str:
    """What a page says under a heading, or in the sentence that speaks of it; else nothing."""
    own = next((one.text for one in page.parts if one.heading == heading), "")
    return own or _near(heading, page) or ""


def _place(fact: Fact) -> str | None:
    named = CAPITAL.search(fact.text)
    country = named and (named["country"] or named["land"])
    return country or _first(PLACE, f"{fact.summary} {fact.text}")


def _particular(kind: str, fact: Fact) -> str | None:
    """What is found or is not there: an address, a date, a person, the capital of a country."""
    text = fact.text
    match kind:
        case "email":
            return _first(EMAIL, text)
        case "phone":
            return _first(PHONE, text) if fact.material else None
        case "date":
            years = dated(text)
            return _first(FULL_DATE, text) or (years[0][1] if years else _first(DATE, text))
        case "year":
            return next((shown for _, shown in dated(text)), None)
        case "capital":
            match = CAPITAL.search(text)
            return (match["capital"] or match["ko"]) if match else None
        case "person":
            match = PERSON.search(text)
            return (match["name"] or match["by"]) if match else None
        case _:
            return None


FULL_DATE = re.compile(
    r"\d{4}년\s*\d{1,2}월(?:\s*\d{1,2}일)?|\d{1,2}\s+[A-Z][a-z]+\s+\d{4}|"
    r"[A-Z][a-z]+\s+\d{1,2},\s+\d{4}|\d{4}-\d{2}-\d{2}|"
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December)\s\d{4}"
)
FORMATS = {
    "date": "2000-01-01",
    "date-time": "2000-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "nobody@sandbox.invalid",
    "hostname": "sandbox.invalid",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "uri": "https://sandbox.invalid/",
}
"""Values that satisfy a format and, where a name is needed, one that is reserved for examples."""


def _of_format(kind: object, fact: Fact) -> str | None:
    """A value for a `format`: the one found where it can be written so, else a reserved one."""
    if kind not in FORMATS:
        return None
    if kind == "uri" and fact.url:
        return fact.url
    if kind == "email":
        return _first(EMAIL, fact.text) or FORMATS["email"]
    if kind in ("date", "date-time"):
        found = re.search(r"\b(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])\b", fact.text)
        year = next((year for year in years_in(fact.text) if year > 999), None)
        date = found.group() if found else f"{year}-01-01" if year else FORMATS["date"]
        return date if kind == "date" else f"{date}T00:00:00Z"
    return FORMATS[str(kind)]


def _labelled(name: str, prompt: str) -> str | None:
    """A value the prompt gives by name: "name: Alice", "my name is Alice", "title = \\"A\\""."""
    label = re.escape(name).replace("_", r"[_\s]")
    found = re.search(
        rf"(?i)\b{label}\s*(?:is\s+|=\s*|:\s*)(?:\"([^\"]{{1,200}})\"|([^\s,.;\"]{{1,80}}))", prompt
    )
    return next((group for group in found.groups() if group), None) if found else None


def number_for(name: str, schema: Schema, fact: Fact) -> int | float | None:
    """A figure of the field's kind, from the sentence that speaks of the field before others."""
    lived = re.search(r"\(\s*(\d{3,4})\s*[~–-]\s*(\d{3,4})\s*\)", fact.text)
    if lived and (which := re.search(r"(?i)(born|birth|출생)|(died|death|사망)", name)):
        return int(lived[1 if which[1] else 2])
    if WANTS_SCORE.search(name):
        return schema.get("maximum", 1)
    wanted = meanings_of(name)
    told = fact.sentences
    order = sorted(range(len(told)), key=lambda n: (-len(wanted & meanings_of(told[n])), n))
    found = (figure_in(name, told[n], alone=fact.alone) for n in order)
    if (figure := next((one for one in found if one is not None), None)) is not None:
        return figure
    if re.search(r"(?i)count|total|^n$|number_of|개수", name) and not fact.alone:
        return len(fact.parts) or len(told)
    return None


def _near(name: str, fact: Fact) -> str | None:
    """The sentence that speaks of the field, by its name's words in either language."""
    wanted = meanings_of(name)
    scored = [
        (len(wanted & meanings_of(one)), -place, one) for place, one in enumerate(fact.sentences)
    ]
    best = max(scored, default=(0, 0, ""))
    return best[2] if best[0] else None


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found.group().strip() if found else None
