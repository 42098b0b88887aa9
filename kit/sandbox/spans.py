"""Values that stand in a text: numbers, dates, quotations, addresses, names.

`Text` hands each value out once, so that "12 plus 30" gives 12 to the first asker and 30 to the
next.
"""

import re
from collections.abc import Callable

from kit.sandbox.asking import STOP_KOREAN, is_asking
from kit.sandbox.lexicon import meanings
from kit.sandbox.words import TOKEN, bare, is_hangul

NUMBER_WORDS = {
    **{"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7},
    **{"eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "twenty": 20, "thirty": 30},
    **{"fifty": 50, "hundred": 100, "half": 0.5, "dozen": 12},
    **{"한": 1, "두": 2, "세": 3, "네": 4, "다섯": 5, "여섯": 6, "일곱": 7, "여덟": 8, "아홉": 9},
    "열": 10,
}  # fmt: skip
NUMBER = re.compile(
    r"(?<![\w.])[-−]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![\w.])[-−]?\d+(?:\.\d+)?|(?<=[\s(+*/x×-])\d+"
)
SCALES = (
    ("조", 1_000_000_000_000),
    ("억", 100_000_000),
    ("만", 10_000),
    ("천", 1000),
    ("trillion", 1_000_000_000_000),
    ("billion", 1_000_000_000),
    ("million", 1_000_000),
    ("thousand", 1000),
    ("k", 1000),
)
QUOTED = re.compile(
    r"\"([^\"\n]{1,2000})\"|“([^”\n]{1,2000})”|(?<!\w)'([^'\n]{1,2000})'(?!\w)|「([^」]{1,500})」|`([^`\n]{1,500})`"
)
EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
URL = re.compile(r"https?://[^\s)>\]\"'”]+")
PHONE = re.compile(r"\+?\d[\d\s().-]{6,16}\d")
MONTHS = "january february march april may june july august september october november december"
MONTH = "|".join(
    name[:3] + f"(?:{name[3:]})?" if len(name) > 3 else name for name in MONTHS.split()
)
DATE = re.compile(
    rf"(?i)\b\d{{4}}-\d{{1,2}}-\d{{1,2}}\b|\b(?:{MONTH})\.?\s+\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s+\d{{4}})?\b|"
    rf"\b\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?(?:{MONTH})(?:,?\s+\d{{4}})?\b|(?:\d{{4}}년\s*)?\d{{1,2}}월\s*\d{{1,2}}일|"
    r"\b\d{1,2}/\d{1,2}/\d{2,4}\b"
)
RELATIVE = re.compile(
    r"(?i)\b(?:today|tonight|tomorrow(?:\s+(?:morning|afternoon|evening|night))?|yesterday|now|"
    r"(?:this|next|last)\s+(?:week(?:end)?|month|year|(?:mon|tues|wednes|thurs|fri|satur|sun)day)|"
    r"(?:on\s+)?(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b|"
    r"오늘|내일|모레|어제|지금|이번\s*주말?|다음\s*주|지난\s*주|[월화수목금토일]요일"
)
CLOCK = re.compile(
    r"(?i)\b\d{1,2}:\d{2}(?:\s*[ap]\.?m\.?)?|\b\d{1,2}\s*[ap]\.?m\b\.?|(?:오전|오후)?\s*\d{1,2}시(?:\s*\d{1,2}분|\s*반)?|\b(?:noon|midnight)\b|정오|자정"
)
FILLER_WORDS = """
right like current today now tonight tomorrow outside going look looking currently degree degrees
way 도야 몇도 도씨 날 쯤 정도 까지 해 하는 있는 올까 어때 어떤가요 어떻습니까 어떨까 되나 돼
좋아 하자 오늘 내일 지금 라는
"""
FILLERS = frozenset(FILLER_WORDS.split())
JOINS = ("와", "과", "랑", "이랑", "하고")
TRAILING = re.compile(
    r"(?:에서는|에서|에게|으로|한테|이라는|라는|까지|부터|행|발|은|는|을|를|의|에|로|이|가|도)$"
)


COUNTER = re.compile(r"\s*(?:장|명|개|잔|번|권|대|마리|박|사람|분|병|그릇|시간|달|살|자리)")
"""After these a Korean numeral is a number: 두 장, 세 명."""


class Text:
    """A prompt that values are read from, each of them once."""

    def __init__(self, text: str, own: frozenset[str] = frozenset()) -> None:
        self.text = text
        self._own = own
        self._taken: list[tuple[int, int]] = []

    def take(self, pattern: re.Pattern[str]) -> str | None:
        """The first match that nobody has taken; its first group where it has one."""
        for match in pattern.finditer(self.text):
            if self._free(match.start(), match.end()):
                self._taken.append(match.span())
                return next((group for group in match.groups() if group), match.group()).strip()
        return None

    def number(self, near: str = "") -> int | float | None:
        """The first number that is left, `near` words before those elsewhere."""
        if near:
            for pattern in (
                rf"(?i)\b(?:{near})s?\b\W{{0,3}}(?:is|=|of|to|at|:|은|는|이|가|을|를)?\s*(-?\d[\d,]*(?:\.\d+)?)",
                rf"(?i)(-?\d[\d,]*(?:\.\d+)?)[\s-]*(?:{near})",
            ):
                if found := self.take(re.compile(pattern)):
                    return as_number(found)
            return None
        for match in NUMBER.finditer(self.text):
            if self._free(*match.span()) and not self._in_word(match.end()):
                self._taken.append(match.span())
                return as_number(match.group() + self.text[match.end() : match.end() + 9])
        return self._spoken()

    def numbers(self) -> list[int | float]:
        found: list[int | float] = []
        while (number := self.number()) is not None and len(found) < 100:
            found.append(number)
        return found

    def spans(self) -> list[str]:
        """The stretches of words that are neither asking nor the function's own, still free."""
        groups: list[list[re.Match[str]]] = []
        for match in TOKEN.finditer(self.text):
            if not self._free(*match.span()) or not self._tells(match.group()):
                continue
            last = groups[-1][-1] if groups else None
            if last and _adjacent(self.text[last.end() : match.start()], last.group()):
                groups[-1].append(match)
            else:
                groups.append([match])
        return [self._shown(group) for group in groups]

    def take_span(self, accept: Callable[[str], bool] = bool) -> str | None:
        for span in self.spans():
            if accept(span):
                self.mark(span)
                return span
        return None

    def mark(self, value: str) -> None:
        """Note that a value was used."""
        place = self.text.find(value)
        if place >= 0:
            self._taken.append((place, place + len(value)))

    def _spoken(self) -> int | float | None:
        for match in TOKEN.finditer(self.text):
            value = NUMBER_WORDS.get(match.group().lower())
            counted = COUNTER.match(self.text, match.end())
            if is_hangul(match.group()) and not counted:
                continue
            if value is not None and self._free(*match.span()):
                self._taken.append(match.span())
                return value
        return None

    def _tells(self, token: str) -> bool:
        lowered = token.lower()
        if is_hangul(token) and bare(token) in STOP_KOREAN | FILLERS:
            return False
        if is_asking(token) or lowered in FILLERS or RELATIVE.fullmatch(token):
            return False
        meaning = meanings(token)
        readings = {reading for reading in meaning if not reading.startswith("#")}
        return not (meaning & self._own) or bool(not readings and token[:1].isupper())

    def _shown(self, group: list[re.Match[str]]) -> str:
        text = self.text[group[0].start() : group[-1].end()]
        return strip_particle(text)

    def _free(self, start: int, end: int) -> bool:
        return all(end <= one or start >= other for one, other in self._taken)

    def _in_word(self, end: int) -> bool:
        return bool(re.match(r"[A-Za-z_](?![mM]?\b)\w*\d", self.text[end : end + 12]))


def strip_particle(text: str) -> str:
    """The last word without its particle, where enough is left of it."""
    if not is_hangul(text[-1:]):
        return text
    last = re.split(r"\s", text)[-1]
    for join in (*JOINS, ""):
        if join and last.endswith(join) and len(last) > len(join) + 1:
            return text[: -len(join)]
    short = TRAILING.sub("", last)
    return text[: len(text) - len(last) + len(short)] if len(short) >= 2 else text


def as_number(text: str) -> int | float:
    """A number as it is written: "1,200", "3만", "2.5 million"."""
    match = re.match(r"[-−]?[\d,]*\.?\d+", text)
    plain = (match.group() if match else "0").replace(",", "").replace("−", "-")
    value = float(plain) if "." in plain else int(plain)
    rest = text[match.end() :].lstrip().lower() if match else ""
    for name, scale in SCALES:
        if rest.startswith(name) and (
            is_hangul(name) or not rest[len(name) : len(name) + 1].isalpha()
        ):
            scaled = value * scale
            return int(scaled) if scaled == int(scaled) else scaled
    return value


def _adjacent(between: str, last: str) -> bool:
    """Whether two words belong to one stretch: nothing but a space or hyphen, and no "and"."""
    joined = is_hangul(last) and len(last) > 2 and last.endswith(JOINS)
    return not joined and bool(re.fullmatch(r"[ \-.'’&]{0,2}", between))
