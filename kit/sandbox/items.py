"""What the items of a list are about: single sentences, definitions, questions, sections, pages.

An item whose fields want a year, a figure, a name is one sentence that has all of them; where no
sentence has them there is no item. Years come in their order.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from kit.sandbox.facts import DATED, SOURCES, Fact, can_fill, kind_of_text
from kit.sandbox.figures import wants_year, years_in
from kit.sandbox.given import read_record, records_in
from kit.sandbox.judging import members_named
from kit.sandbox.schema import Schema, is_mapping, types_of
from kit.sandbox.spans import NUMBER
from kit.sandbox.words import is_hangul

CHOICES = re.compile(r"(?i)^(?:options|choices|distractors)$|보기|선택지")
BUT = re.compile(r",?\s+but\s+|(?<=지만),?\s+|(?<=으나),?\s+")
TITLES = re.compile(
    r"(?i)keyword|tag|topic|names?$|titles?$|items?$|list|foods|cities|dishes|키워드|이름|목록"
)
SENTENCES = re.compile(
    r"(?i)point|bullet|fact|highlight|detail|takeaway|finding|insight|note|item|milestone|event|"
    r"achievement|sentence|summar|reason|result|feature|characteristic|evidence|quote|paragraph|"
    r"answer|요점|핵심|사실|내용|항목|특징|업적|사건|이유|근거|문장|요약|장점|단점"
)
GOOD = re.compile(
    r"(?i)\b(?:cheap(?:er)?|better|best|fast(?:er)?|safe(?:r|st)?|strong(?:er)?|saves?|lasts?|longer|easy|"
    r"easier|simple|reliable|efficient|advantages?|benefits?|protects?|needs?\s+no|free|promises?|largest)\b|"
    r"싸|저렴|빠르|빨라|안전|튼튼|편리|쉽|쉬워|장점|효율|오래\s*가|수명이\s*길|좋"
)
BAD = re.compile(
    r"(?i)\b(?:however|but|slow(?:er|s)?|expensive|costly|risks?|problems?|limits?|less|loses?|dangerous|"
    r"hard(?:er)?|difficult|disadvantages?|drawbacks?|not\s+yet|cannot|fails?|errors?|heat|false|wrong)\b|"
    r"비싸|느리|느려|위험|어렵|어려|단점|문제|한계|못하|않|부족|낮다|짧"
)
SIDES = (
    (re.compile(r"(?i)^pros?$|^advantage|benefit|strength|upside|장점|이점|강점"), GOOD, BAD),
    (
        re.compile(r"(?i)^cons?$|disadvantage|drawback|weakness|downside|risk|단점|약점|위험|한계"),
        BAD,
        None,
    ),
)
DEFINES = (
    re.compile(r"^(?:(?:An?|The)\s+)?(?P<term>[\w/-]+(?:\s+[\w/-]+){0,3}?)\s+(?:\([^)]{1,40}\)\s+)?(?:is|are|means)\s+"
               r"(?!also\b|not\b|often\b|called\b|usually\b|slow\b)(?:an?|the|one|programs?|made|what)\b"),
    re.compile(r"^(?P<term>[^\s,.]+(?:\s+[^\s,.]+){0,2}?)(?:은|는|이란|란)\s.*(?:이다|한다|말한다|뜻한다)\.?$"),
    re.compile(r"\b(?:is|are)\s+called\s+(?P<term>[a-z]+(?:\s+[a-z]+)?)\b"),
)  # fmt: skip
PRONOUNS = frozenset(
    (
        "it",
        "this",
        "that",
        "they",
        "these",
        "those",
        "he",
        "she",
        "there",
        "which",
        "who",
        "이",
        "그",
    )
)
TERM = re.compile(r"(?i)^(?:term|word|concept|용어|낱말|개념)$")
DEFINITION = re.compile(r"(?i)definition|meaning|explanation|정의|뜻|의미|설명")
QUESTION = re.compile(r"(?i)^(?:question|prompt|front|q|질문|문제)$")
ANSWER = re.compile(r"(?i)^(?:correct_?)?(?:answer|back|a|답|정답|답변)$")
ASKS_SECTIONS = re.compile(r"(?i)\bfaq|자주\s*묻는")
BLANK = "____"
HIDDEN = re.compile(
    r"\b\d[\d,.]*\d(?:\s(?:percent|million|metres|kilograms|people|milligrams))?(?=년|명|미터|개|\b)|"
    r"(?<=\s)[A-Z][\w\u00c0-\u024f]+(?:\s[A-Z][\w\u00c0-\u024f]+)+|(?<=\s)[A-Z][a-z]{3,}"
)


def facts_for_objects(item: Schema, fact: Fact, most: int, prompt: str) -> list[Fact]:
    """What the objects of a list are filled from."""
    fields = {str(key): one for key, one in item.get("properties", {}).items() if is_mapping(one)}
    if fact.material:
        whole = [one for one in records_in(fact.text) if read_record(item, one)[1]]
        return [Fact(one[:80], one, "", one, alone=True, material=True) for one in whole[:50]]
    if sides := [part for part in fact.parts if part.parts and any(map(part.is_named, fields))]:
        headings = [one for side in sides for one in side.parts]
        return [replace(one, parts=tuple(sides)) for one in headings][:most]
    if quizzed := _quizzed(fields, fact, prompt):
        return quizzed[:most]
    if any(TERM.match(name) for name in fields) and any(map(DEFINITION.search, fields)):
        return _defined(fact)[:most]
    kinds = {kind_of_text(name) for name in fields}
    if {
        "title",
        "person",
    } <= kinds:  # books, films: a work is named in quotation marks or not at all
        return [one for one in _titled(fact) if _fills(fields, one)][:most]
    if any(_is_dated(name, fields[name]) for name in fields):
        found = [one for one in _clauses(fact) if _fills(fields, one)]
        return _in_time(found, most)
    if any(_needs_figure(one) for one in fields.values()):
        pages = [one for one in fact.parts if one.parts] or [fact]
        entities = [one for one in pages if one.url and _fills(fields, one)]
        alone = [one for one in _single(fact) if _fills(fields, one)]
        named = bool(kinds & {"title", "place"})
        return (entities if named and len(entities) >= len(alone) else alone)[:most]
    return [one for one in fact.parts or (fact,) if one.text and _fills(fields, one)][:most]


def facts_for_values(name: str, item: Schema, fact: Fact, most: int) -> list[Fact]:
    """What the plain values of a list are: addresses, numbers, titles, sentences."""
    if re.search(SOURCES, name):
        return list({one.url: one for one in (fact.parts or (fact,)) if one.url}.values())[:most]
    if CHOICES.search(name) and fact.asks:
        return [replace(fact, text=one) for one in fact.choices][:most]
    if types_of(item)[:1] in (["integer"], ["number"]):
        numbers = map(str, years_in(fact.best or fact.text)) if wants_year(name) else None
        found = dict.fromkeys(numbers or NUMBER.findall(fact.text))
        return [replace(fact, text=number, parts=(), best="") for number in found][:most]
    if members := item.get("enum"):
        named = members_named(members, f"{fact.title}\n{fact.text}")
        return [replace(fact, text=str(one), title="", alone=True) for one in named][:most]
    for side, holds, unless in SIDES:
        if side.search(name):
            told = [one for one in _single(fact) if one.of_focus] or _single(fact)
            halves = [replace(one, text=half) for one in told for half in _halves(one.text)]
            halves = [one for one in halves if holds.search(one.text)]
            return [one for one in halves if not (unless and unless.search(one.text))][:most]
    if TITLES.search(name) and not re.search(r"(?i)points|facts", name) and fact.parts:
        named = (replace(one, text=one.title, summary=one.title, parts=()) for one in fact.parts)
        return list(named)[:most]
    pieces = [one for one in _single(fact, fact.text) if len(one.text) > 1]
    if SENTENCES.search(name) or fact.material:
        return pieces[:most]
    return [one for one in pieces if can_fill(name, {"type": "string"}, one, strict=True)][:most]


WORK = re.compile(r"[\"“『《‘']([^\"”』》’']{3,80})[\"”』》’']")


def _titled(fact: Fact) -> list[Fact]:
    """Sentences that name a work, each with its title."""
    found = [(WORK.search(one.text), one) for one in _single(fact)]
    return [replace(one, title=work.group(1)) for work, one in found if work]


def _halves(sentence: str) -> list[str]:
    """What a sentence says on either side of its "but"."""
    return [half for half in BUT.split(sentence) if half]


def _single(fact: Fact, text: str = "") -> list[Fact]:
    """A fact for each sentence of the pages that answer."""
    whole = replace(fact, text=text or fact.best or fact.text)
    return [_alone(fact, one) for one in dict.fromkeys(whole.sentences)]


def _alone(fact: Fact, sentence: str) -> Fact:
    heading = fact.headings.get(sentence, fact.heading)
    whole = replace(fact, text=sentence, summary=sentence, heading=heading)
    return replace(whole, parts=(), best="", alone=True)


def _fills(fields: dict[str, Schema], fact: Fact) -> bool:
    """Whether a fact has what every required field wants to find."""
    return all(can_fill(name, schema, fact) for name, schema in fields.items())


def _is_dated(name: str, schema: Schema) -> bool:
    if "null" in types_of(schema):
        return False
    if set(types_of(schema)) & {"integer", "number"}:
        return wants_year(name)
    return "string" in types_of(schema) and bool(DATED.search(name))


def _needs_figure(schema: Schema) -> bool:
    return types_of(schema) in (["integer"], ["number"])


def _clauses(fact: Fact) -> list[Fact]:
    """Sentences with a year; one with several years falls apart where each part has its own."""
    found: list[Fact] = []
    for single in _single(fact):
        for number, piece in enumerate(_parted(single.text)):
            found.append(replace(single, text=piece, summary=piece, place=number))
    return found


JOINTS = re.compile(
    r";\s+|,\s+and\s+(?=the\s|[A-Z])|,\s+(?=[A-Z][\w\u00c0-\u024f]+\s)|\s+and\s+(?=[A-Z])|"
    r"(?<=[가-힣][고며]),\s+"
)


def _parted(sentence: str) -> list[str]:
    pieces: list[str] = []
    start = 0
    for joint in JOINTS.finditer(sentence):
        piece, rest = sentence[start : joint.start()], sentence[joint.end() :]
        if years_in(piece) and years_in(rest) and piece.count("(") == piece.count(")"):
            pieces.append(piece)
            start = joint.end()
    return [*pieces, sentence[start:]]


def _in_time(found: Sequence[Fact], most: int) -> list[Fact]:
    """By year; where there are too many, openings of sentences go before what was joined on.

    A day without a year is of the year that was spoken of before it.
    """
    years: list[int] = []
    for one in found:
        years.append(next(iter(years_in(one.text)), years[-1] if years else 9999))
    kept = sorted(range(len(found)), key=lambda number: (found[number].place, number))[:most]
    return [found[number] for number in sorted(kept, key=lambda number: (years[number], number))]


def _defined(fact: Fact) -> list[Fact]:
    """Sentences that say what something is, each with the term it explains."""
    found: dict[str, Fact] = {}
    for single in _single(fact):
        for pattern in DEFINES:
            match = pattern.search(single.text)
            term = next((group for group in match.groups() if group), "") if match else ""
            if term and term.split()[0].lower() not in PRONOUNS and len(term) < 60:
                found.setdefault(term.lower(), replace(single, title=term))
                break
    return list(found.values())


def _quizzed(fields: Iterable[str], fact: Fact, prompt: str) -> list[Fact]:
    """Questions with their answers: sentences with a gap, or the sections of the pages."""
    names = list(fields)
    if not (any(map(QUESTION.match, names)) and any(map(ANSWER.match, names))):
        return []
    if ASKS_SECTIONS.search(f"{prompt} {' '.join(names)}"):
        sections = [one for page in fact.parts for one in page.parts or (page,)]
        return [
            replace(one, asks=f"{fact.title}: {one.heading or one.title}?", answers=one.text)
            for one in sections
        ]
    found: list[Fact] = []
    for single in _single(fact):
        hidden = HIDDEN.search(single.text, 1)
        if hidden and not is_hangul(hidden.group()):
            gap = single.text[: hidden.start()] + BLANK + single.text[hidden.end() :]
            found.append(replace(single, asks=gap, answers=hidden.group()))
    return [replace(one, choices=_choices(one, found)) for one in found]


def _choices(asked: Fact, others: Sequence[Fact]) -> tuple[str, ...]:
    """The answer among those of other questions of its kind."""
    number = asked.answers[0].isdigit()
    alike = [one.answers for one in others if one.answers[0].isdigit() == number]
    return tuple(sorted(list(dict.fromkeys([asked.answers, *alike]))[:4]))
