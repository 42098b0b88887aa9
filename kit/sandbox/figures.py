"""Figures of a sentence by their kind: a year is no price, and kilograms are no population.

A field's name says which kind it wants. What stands in a sentence with another unit, or as part of
a date, is none of it: no figure is better than a wrong one.
"""

import re

from kit.sandbox.lexicon import meanings_of
from kit.sandbox.spans import DATE, NUMBER, as_number

YEAR = re.compile(
    r"(?P<bc>\b\d{1,4})\s*(?:BCE?\b|B\.C\.)|기원전\s*(?P<ago>\d{1,4})\s*년|"
    r"\b(?:AD|CE)\s*(?P<ad>\d{1,4})\b|\b(?P<ce>\d{1,4})\s*(?:AD|CE)\b|"
    r"(?<![\d.,:/$€£₩#])(?P<plain>1\d{3}|20\d{2})(?=년|년대|\b)(?![.,:]\d|[%$€°]|\s*(?:percent|people|words|"
    r"kilo|metre|meter|miles?\b|km\b|m\b|kg\b|bytes?|dollars?|euros?|won\b|개|명|원|미터|킬로|퍼센트))|"
    r"(?<![\d.,])(?P<korean>\d{3})년(?!\s*(?:동안|간|만|뒤|후|전|넘|이상|가까이|된|의\s*역사))"
)
SCALE = r"\s*(?:hundred|thousand|million|billion|trillion|만|억|조|천)?\s*"
AMOUNT = r"(?:(?<![\w.])[-−]?\d[\d,]*(?:\.\d+)?" + SCALE + r")"
UNITS = (
    (r"price|cost|fee|salary|revenue|budget|gdp|amount_(?:usd|krw|eur)|가격|값|비용|요금|매출|예산",
     rf"(?:US)?[$€£₩¥]\s*{AMOUNT}|{AMOUNT}(?:US\s+)?(?:dollars?|euros?|won|yen|pounds?|USD|EUR|KRW|원|달러|유로|엔|파운드)"),
    (r"percent|pct|share|rate|ratio|fraction|비율|율$|퍼센트|점유",
     rf"{AMOUNT}(?:percent|per\s+cent|%|퍼센트|프로)"),
    (r"population|people|visitors|inhabitants|residents|speakers|members|employees|인구|인원|명수",
     rf"{AMOUNT}(?:people|inhabitants|residents|persons|speakers|visitors|members|명|인(?=[\s을이은.,]))"),
    (r"height|length|distance|altitude|depth|width|elevation|_k?m$|met(?:er|re)s|높이|길이|거리|깊이|고도",
     rf"{AMOUNT}(?:kilomet(?:er|re)s?|met(?:er|re)s?|km\b|m\b|miles?|feet|킬로미터|미터)"),
    (r"weight|mass|_[mk]?g$|kilograms?|caffeine|무게|중량",
     rf"{AMOUNT}(?:(?:kilo|milli)?grams?|[mk]?g\b|tonn?es?|tons?|킬로그램|밀리그램|그램|톤)"),
    (r"temperature|celsius|degrees|온도|기온|도씨",
     rf"{AMOUNT}(?:degrees|°\s*C?|도(?=[\s가로에.,]))"),
    (r"minutes|hours|duration|days|months|age\b|기간|시간|나이",
     rf"{AMOUNT}(?:minutes?|hours?|days?|months?|years?|weeks?|분|시간|일|개월|년|세|살)"),
    (r"capacity|_(?:mb|gb|tb)$|bytes|용량",
     rf"{AMOUNT}(?:[KMGT]i?B|(?:kilo|mega|giga|tera)?bytes?)"),
)  # fmt: skip
ANY = re.compile(r"(?i)^(?:value|amount|number|figure|n|quantity|num|수치|값|숫자|수량)$")
WANTS_YEAR = re.compile(
    r"(?i)year|연도|년도|founded|established|born|died|birth|death|since|invented|created|released|출생|사망|설립"
)
WANTS_SCORE = re.compile(r"(?i)confidence|score|probability|relevance|rating|신뢰도|점수")


def years_in(text: str) -> list[int]:
    """The years of a text in its order; before Christ they are negative."""
    return [year for year, _ in dated(text)]


def dated(text: str) -> list[tuple[int, str]]:
    """The years of a text, each with how it stands there: (-776, "776 BC")."""
    found: list[tuple[int, str]] = []
    for match in YEAR.finditer(text):
        before = match["bc"] or match["ago"]
        digits = before or next(group for group in match.groups() if group)
        found.append((-int(digits) if before else int(digits), match.group()))
    return found


def wants_year(name: str) -> bool:
    return bool(WANTS_YEAR.search(name))


def figure_in(name: str, sentence: str, *, alone: bool = False) -> int | float | None:
    """The figure of a sentence that a field wants, or None.

    `alone` says that the sentence is all there is: then a figure without a unit of its own need
    not stand beside the field's words.
    """
    if wants_year(name):
        of_what = meanings_of(name) - meanings_of("year date time since")
        if of_what and not alone and not of_what & meanings_of(sentence):
            return None  # the year of something else
        return next(iter(years_in(sentence)), None)
    speaks = bool(meanings_of(name) & meanings_of(sentence))
    for wanted, pattern in UNITS:
        if re.search(wanted, name, re.I):
            match = next(re.finditer(pattern, sentence, re.I), None)
            if match:
                return as_number(_matched(match))
            return _bare_figure(sentence) if speaks and not _unit_stands(sentence) else None
    if speaks or ANY.match(name) or (alone and re.search(r"(?i)count|number|개수", name)):
        return _bare_figure(sentence)
    return None


def _matched(match: re.Match[str]) -> str:
    return re.sub(r"^[^\d−-]+", "", match.group())


def _unit_stands(sentence: str) -> bool:
    """Whether the sentence's figures have units, which are then not the one that was wanted."""
    return any(re.search(pattern, sentence, re.I) for _, pattern in UNITS)


def _bare_figure(sentence: str) -> int | float | None:
    """The first number that is no year and no part of a date."""
    taken = [match.span() for pattern in (DATE, YEAR) for match in pattern.finditer(sentence)]
    for match in NUMBER.finditer(sentence):
        if not any(start <= match.start() < end for start, end in taken):
            return as_number(match.group() + sentence[match.end() : match.end() + 9])
    return None
