"""Words, stems and pairs: how text of two languages becomes terms that an index can hold.

A Latin word gives its stem ("testing" -> "test"). A Korean word carries its particles, and no list
of them is ever sure ("회의" is a meeting, or "회" with a particle), so it gives every reading: the
whole word, and the word without each ending that could be one. Pairs of syllables stand beside the
words, so that a part of a compound finds it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

LATIN_RUN = re.compile(r"[A-Za-z\u00c0-\u024f][A-Za-z0-9\u00c0-\u024f_]*(?:['’][a-z]{1,2}\b)?")
HYPHENED = re.compile(r"\b[A-Za-z][-/][A-Za-z]+")
"""One letter and a word, such as "K-pop", "p-value", "A/B": one word, found as "kpop" too."""
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
"""An option of a command, such as "--web-search": one word, and found as its parts too."""
TOKEN = re.compile(
    rf"{OPTION.pattern}|{HYPHENED.pattern}|(?<![\w-])-[a-z](?![\w-])|"
    r"\d+(?:[.,:]\d+)*"
    rf"|{LATIN_RUN.pattern}"
    r"|[가-힣]+"
    r"|[^\W\d_가-힣A-Za-z\u00c0-\u024f]+"
)

ENDINGS = """
으로부터 로부터 에서부터 에게서 에서는 에서도 에서의 으로는 으로도 으로의 에게는 이라는 라는
이라고 라고 이란 란 이랑 랑 에서 에게 에는 에도 까지 부터 처럼 보다 마다 조차 마저 밖에 으로 로는
로도 로의 하고 한테 께서 이나 이든 이며 이면 이고 에의 과의 와의 들의 들은 들이 들을 들 의 을 를
은 는 이 가 에 와 과 도 로 나 만 요 야 님 인 이야 이에요 예요 입니다 인가요 인가 인지 이지 이죠
였던 이던 려면 으려면
"""
PARTICLES = tuple(sorted(ENDINGS.split(), key=len, reverse=True))
SURE_PARTICLE = re.compile(
    r"(?:에서는|에서의|에서|으로는|으로|에게|에는|까지|부터|이란|을|를|은|는|(?<![주회강정합협논동결문편거])의)$"
)
VERBAL = frozenset("하한할함해했되된될됨돼됐시")
VERBAL_END = re.compile(
    r"(?:나요|까요|니까|습니다|어요|아요|는지|은지|을까|는가|는데|다|죠|지요|니|냐|어|았|었|던|진|야|해|한가|할까|려면|으면)$"
)


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a question: as written, and the terms that would each count as finding it."""

    text: str
    terms: tuple[str, ...]
    pairs: tuple[str, ...] = ()
    light: bool = False
    """A verb, or a word such as "reason" or "방법": it says little of the topic by itself."""

    @property
    def noun(self) -> str:
        """The word without a particle."""
        return bare(self.text)


def language(text: str) -> str:
    """`ko` when at least a fifth of the letters are Hangul, else `en`."""
    hangul = sum(1 for letter in text if "가" <= letter <= "힣" or "ㄱ" <= letter <= "ㅣ")
    letters = sum(1 for letter in text if letter.isalpha())
    return "ko" if hangul and hangul * 5 >= letters else "en"


def tokens(text: str) -> list[str]:
    """The words of `text` in order, as written."""
    return TOKEN.findall(text)


def is_hangul(word: str) -> bool:
    return bool(word) and "가" <= word[0] <= "힣"


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """A light English stem: good enough to bring a word's forms together, never shown."""
    word = word.lower().replace("’", "'").split("'")[0]
    if len(word) <= 3 or not word.isascii():
        return word
    word = _singular(word)
    for ending in ("ization", "ation", "ingly", "edly", "ing", "ion", "ed", "ly", "ment", "ness"):
        rest = word.removesuffix(ending)
        if rest != word and len(rest) >= 3 and re.search("[aeiouy]", rest):
            word = _finish(rest, ending)
            break
    return word.removesuffix("e") if len(word) > 3 else word


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _finish(rest: str, ending: str) -> str:
    """What is left of a word whose ending went: "runn" -> "run", "investig" -> "investigat"."""
    if ending in ("ation", "ization"):
        return rest + ("iz" if ending == "ization" else "at")
    if len(rest) > 3 and rest[-1] == rest[-2] and rest[-1] not in "aeiouls":
        return rest[:-1]
    return rest


LIGHT_WORDS = """
come comes create created invent invented discover discovered develop developed found founded
start started begin began begun build built work works working mean means cause causes use used
play played write written wrote name named first second last difference differences differ
compare comparison compared versus vs form formed meaning way ways reason reasons type types
kind kinds example examples history origin origins advantage advantages benefit benefits feature
features cost costs take takes took year date people person person's live lives old new big
large small high tall long far number amount change changed role effect effects impact
importance future trend trends story background 역사 유래 기원 방법 법 이유 까닭 차이 차이점
특징 종류 뜻 의미 원리 장점 단점 장단점 과정 배경 영향 역할 전망 미래 추세 사례 예시 비교 처음
최초 연도 년도 사람 이름 날짜 시기 만든 만드는 하는 되는 쓰는 나온 높이 크기 개수 숫자 먹는 간
온 어원 정의 개념 개요 현황 동향
"""
LIGHT = frozenset(stem(word) for word in LIGHT_WORDS.split())


def bare(word: str) -> str:
    """A Korean word without a particle that surely is one; other words as they are."""
    if not is_hangul(word):
        return word
    rest = SURE_PARTICLE.sub("", word)
    if rest == word and len(word) > 2 and word[-1] in "와과가" and _may_follow(word[-1], word[-2]):
        rest = word[:-1]
    return rest if len(rest) > 1 else word


def _may_follow(particle: str, syllable: str) -> bool:
    """Whether a particle can follow: 과 a closed syllable, 와 and 가 an open one."""
    closed = (ord(syllable) - 0xAC00) % 28 != 0
    return closed == (particle == "과")


@lru_cache(maxsize=50_000)
def readings_of(word: str) -> tuple[str, ...]:
    """A Korean word and what it would be without an ending, the likeliest first after itself."""
    found = [word]
    for particle in PARTICLES:
        if word.endswith(particle) and len(word) > len(particle):
            found.append(word[: -len(particle)])
    if len(word) > 2 and word.endswith("기"):  # a verb as a noun: 바꾸기
        found.append(word[:-1])
    cut = next((i for i, syllable in enumerate(word) if i >= 2 and syllable in VERBAL), None)
    if cut is not None:
        found.append(word[:cut])
    return tuple(dict.fromkeys(found))


def pairs_of(word: str) -> tuple[str, ...]:
    """The neighbouring pairs of syllables of a Korean (or Han, or Kana) word."""
    return tuple(word[i : i + 2] for i in range(len(word) - 1))


def index_terms(text: str) -> tuple[str, str]:
    """`text` as two lines for the index: terms, and pairs of syllables."""
    terms: list[str] = []
    pairs: list[str] = []
    for token in tokens(text):
        if not _is_wide(token):
            terms.extend(_latin_terms(token))
            continue
        terms.extend(readings_of(token) if is_hangul(token) else (token,))
        pairs.extend((*pairs_of(token), "zz"))  # a mark, so that no phrase crosses two words
    return " ".join(terms), " ".join(pairs)


def question_words(texts: Iterable[str]) -> list[Word]:
    """The given tokens as words to look for, in order, none twice."""
    words: dict[str, Word] = {}
    for token in texts:
        if is_hangul(token):
            terms = readings_of(token)
            verbal = len(token) > 2 and bool(VERBAL_END.search(token))
            light = verbal or not LIGHT.isdisjoint(terms)
            word = Word(token, terms, pairs_of(_shortest(terms)), light)
        elif _is_wide(token):
            word = Word(token, (token,), pairs_of(token))
        else:
            light = stem(token) in LIGHT or token.isdigit()
            word = Word(token, _latin_terms(token)[:1], light=light)
        words.setdefault(word.terms[-1], word)
    return list(words.values())


def _latin_terms(token: str) -> tuple[str, ...]:
    """The stem of a word; for "K-pop" that of "kpop", and of "pop" beside it."""
    if token.startswith("--"):
        return token, *(stem(part) for part in token.strip("-").split("-") if part)
    if not HYPHENED.fullmatch(token):
        return (stem(token),)
    return stem(token.replace("-", "").replace("/", "")), stem(token[2:])


def _shortest(terms: tuple[str, ...]) -> str:
    """The shortest reading of two syllables or more: the noun itself, most often."""
    return min((term for term in terms if len(term) > 1), key=len, default=terms[0])


def _is_wide(token: str) -> bool:
    return token[0] >= "\u1100"


SENTENCE_END = re.compile(
    r"(?<=[.!?。])[\"”’)\]]*\s+(?=[\"“'‘(\[]?[A-Z0-9가-힣\u00c0-\u024f`])|\n+"
)
ABBREVIATED = re.compile(r"(?:\b[A-Z]|\b(?:Mr|Mrs|Dr|St|vs|etc|e\.g|i\.e|No|approx))\.$")


def sentences(text: str) -> list[str]:
    """The sentences of `text`, whitespace tidied; an initial's full stop does not end one."""
    found: list[str] = []
    start = 0
    for end in SENTENCE_END.finditer(text):
        piece = text[start : end.start()]
        if ABBREVIATED.search(piece) and "\n" not in end.group():
            continue
        found.append(text[start : end.end()])
        start = end.end()
    found.append(text[start:])
    return [tidy for piece in found if (tidy := " ".join(piece.split()))]
