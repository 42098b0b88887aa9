"""What a field of a document gets, by its name: a title, a year, the sentence that speaks of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kit.sandbox.lexicon import meanings_of
from kit.sandbox.schema import Schema
from kit.sandbox.spans import DATE, EMAIL, NUMBER, as_number
from kit.sandbox.words import sentences


@dataclass(frozen=True, slots=True)
class Fact:
    """What one object is filled from: a page or section, its text, and other facts below it."""

    title: str
    summary: str
    url: str
    text: str
    heading: str = ""
    parts: tuple["Fact", ...] = ()

    @property
    def sentences(self) -> list[str]:
        return sentences(self.text)


SOURCES = r"(?i)source|reference|citation|url|link|출처|참고"
TEXTS = (
    (r"(?i)url|link|uri|href|website|source|citation|출처|주소", "url"),
    (r"(?i)e_?mail|이메일", "email"),
    (r"(?i)heading|section|subtitle|소제목", "heading"),
    (r"(?i)country|nation|location|place|region|국가|나라|장소|위치", "place"),
    (r"(?i)title|name|label|subject|topic|dish|city|language|keyword|term|제목|이름|주제", "title"),
    (r"(?i)summary|abstract|overview|tl_?dr|description|요약|개요|설명", "summary"),
    (r"(?i)date|day|born|birth|founded|published|날짜|생일|일자", "date"),
    (r"(?i)year|연도|년도", "year"),
    (r"(?i)quote|evidence|인용|근거", "sentence"),
    (r"(?i)question|query|질문", "prompt"),
)  # fmt: skip


def text_for(name: str, schema: Schema, fact: Fact, prompt: str) -> str | None:
    if found := _of_format(schema.get("format"), fact):
        return found
    if labelled := _labelled(name, prompt):
        return labelled
    kind = next((kind for pattern, kind in TEXTS if re.search(pattern, name)), "text")
    match kind:
        case "url" if fact.url:
            return fact.url
        case "email":
            return _first(EMAIL, f"{prompt} {fact.text}")
        case "heading":
            return fact.heading or fact.title
        case "title":
            return fact.title
        case "place":
            return _first(PLACE, f"{fact.summary} {fact.text}") or fact.title
        case "summary":
            return fact.summary or next(iter(fact.sentences), "")
        case "date":
            return _first(DATE, fact.text) or _first(YEAR, fact.text)
        case "year":
            return _first(YEAR, fact.text)
        case "prompt":
            return prompt
        case "sentence":
            return next(iter(fact.sentences), "")
        case _:
            return _near(name, fact) or fact.summary or " ".join(fact.sentences[:2])


PLACE = re.compile(
    r"(?<=\bof )(?:[A-Z][\w\u00c0-\u024f]+ ?)+\b|(?<=\bin )(?:[A-Z][\w\u00c0-\u024f]+ ?)+\b"
)
YEAR = re.compile(r"\b(?:1[0-9]\d{2}|20\d{2})(?=\b|년)")
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
        year = _first(YEAR, fact.text)
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
    """A number of the text: a year for a year, else the one that stands with the field's words."""
    lived = re.search(r"\(\s*(\d{3,4})\s*[~–-]\s*(\d{3,4})\s*\)", fact.text)
    if lived and (which := re.search(r"(?i)(born|birth|출생)|(died|death|사망)", name)):
        return int(lived[1 if which[1] else 2])
    if re.search(r"(?i)year|연도|년도|founded|born|since|invented|created", name):
        year = _first(YEAR, _near(name, fact) or "") or _first(YEAR, fact.text)
        return int(year) if year else None
    if re.search(r"(?i)confidence|score|probability|relevance|rating|신뢰도|점수", name):
        return schema.get("maximum", 1)
    near = _near(name, fact)
    if re.search(r"(?i)count|total|^n$|number_of|개수", name) and not near:
        return len(fact.parts) or len(fact.sentences)
    for text in (near or "", fact.text):
        numbers = [one for one in NUMBER.finditer(text) if not YEAR.fullmatch(one.group())]
        if numbers:
            end = numbers[0].end()
            return as_number(numbers[0].group() + text[end : end + 9])
    return None


def _near(name: str, fact: Fact) -> str | None:
    """The sentence that speaks of the field, by its name's words in either language."""
    wanted = meanings_of(name)
    scored = [
        (len(wanted & meanings_of(one)), -place, one) for place, one in enumerate(fact.sentences)
    ]
    best = max(scored, default=(0, 0, ""))
    return best[2] if best[0] else None


def truth_for(name: str, fact: Fact) -> bool:
    if re.search(r"(?i)needs?_|has_error|missing|unknown|clarif", name):
        return False
    return bool(
        re.search(r"(?i)found|relevant|valid|known|exists|answer", name) or _near(name, fact)
    )


def member(members: Sequence[Any], text: str) -> object:
    """The member that the text names first; else the first one."""
    lowered = text.lower()
    named = [
        (lowered.find(str(one).lower().replace("_", " ")), place)
        for place, one in enumerate(members)
        if isinstance(one, str) and len(one) > 1 and str(one).lower().replace("_", " ") in lowered
    ]
    if named:
        return members[min(named)[1]]
    spoken = meanings_of(text[:2000])
    for member in members:
        concepts = {one for one in meanings_of(str(member)) if one.startswith("#")}
        if isinstance(member, str) and concepts & spoken:
            return member
    return members[0]


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found.group() if found else None
