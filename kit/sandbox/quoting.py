"""Quotations: which sentences of a page answer a question, and how a quotation is written down.

A `Draft` collects text and remembers where each link stands, so that every citation covers exactly
the link that a reader sees. Sentences are copied, never rewritten.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kit.sandbox.lexicon import concept, meanings_of
from kit.sandbox.pages import Page, Passage
from kit.sandbox.relevance import holds, terms_of
from kit.sandbox.steps import Citation, Say, count_tokens
from kit.sandbox.words import Word, sentences

LONGEST_SENTENCE = 420

KINDS = (
    ("when", r"(?i)\b(?:when|what\s+year|which\s+year|what\s+date|how\s+old|since\s+when)\b|"
     r"언제|연도|년도|몇\s*년|몇\s*월|며칠|날짜|시기"),
    ("who", r"(?i)\b(?:who|whom|whose)\b|누가|누구|사람은|인물"),
    ("number", r"(?i)\bhow\s+(?:many|much|tall|high|long|large|big|far|heavy|fast|hot|old|often)\b|"
     r"\b(?:number|percentage|population|height|length|price)\s+of\b|몇|얼마|높이|길이|인구|크기|개수|거리|비율"),
    ("where", r"(?i)\bwhere\b|어디|장소|위치"),
    ("why", r"(?i)\bwhy\b|\breasons?\b|왜|이유|까닭"),
    ("how", r"(?i)\bhow\b|어떻게|방법|원리|과정"),
)  # fmt: skip
SIGNS = {
    "when": re.compile(
        r"\b(?:1\d{3}|20\d{2}|\d{3,4}\s*BC)\b|\d+세기|\d+(?:th|st|nd|rd)\s+century|\d+년|\d+월"
    ),
    "who": re.compile(
        r"(?:[A-Z][\w.\u00c0-\u024f]+\s+){1,3}[A-Z]\w+|[가-힣]{2,4}(?:이|가|은|는|께서)\s|[가-힣]{2,}(?:왕|장군)"
    ),
    "number": re.compile(r"(?<![\d.,])(?!(?:1\d|20)\d{2}\b)\d[\d.,]*(?![월일년])"),
    "where": re.compile(
        r"\b(?:in|at|near|from)\s+(?:the\s+)?[A-Z]|\b(?:began|begun|originat\w+|c[ao]mes?\s+from)\b|[가-힣]+(?:에서|시|도|구|군|섬|지방|항)\b"
    ),
    "why": re.compile(
        r"(?i)\b(?:because|so that|since|therefore|in order|reason)\b|때문|위해|므로|까닭|덕분|위한"
    ),
    "how": re.compile(
        r"(?i)\b(?:by|through|with|using|works?|means|then)\b|으로|하여|하면|원리|과정|이용"
    ),
}


@dataclass(frozen=True, slots=True)
class Quote:
    """One sentence of a page, as it stands there."""

    text: str
    page: Page
    heading: str
    score: float
    place: int


def kind_of(prompt: str) -> str | None:
    """What is asked for: `when`, `who`, `number`, `where`, `why`, `how`; None: anything."""
    return next((kind for kind, pattern in KINDS if re.search(pattern, prompt)), None)


def quotes(
    passages: Sequence[Passage],
    words: Sequence[Word],
    *,
    kind: str | None = None,
    unlike: frozenset[str] = frozenset(),
) -> list[Quote]:
    """Every sentence of the passages with how well it answers, in the page's order.

    Words of the page's own title say little, since the whole page is about them. Sentences in
    `unlike` are left out: they have been said.
    """
    found: list[Quote] = []
    heading = None
    for passage in passages:
        opens = passage.heading != heading
        heading = passage.heading
        named = terms_of(passage.page.title)
        known = terms_of(passage.page.also)
        under = terms_of(passage.heading)
        for number, sentence in enumerate(sentences(passage.text)):
            text = _bounded(sentence)
            if not text or text in unlike:
                continue
            score = _score(text, words, named, known, under, kind)
            score += 0.4 * (opens and number == 0) + 0.3 * (not found)
            score += 0.6 * (kind is None and _defines(text, passage.page.title))
            found.append(Quote(text, passage.page, passage.heading, score, len(found)))
    return found


def _score(
    text: str,
    words: Sequence[Word],
    named: frozenset[str],
    known: frozenset[str],
    under: frozenset[str],
    kind: str | None,
) -> float:
    terms = terms_of(text)
    score = 0.0
    for word in words:
        about = holds(named, word)
        worth = (
            0.3
            if about
            else 0.8
            if word.light and not word.text.isdigit()
            else 1.2
            if holds(known, word)
            else 2.0
        )
        if holds(terms, word):
            score += worth * (1.3 if holds(under, word) else 1.0)
        elif holds(under, word):
            score += worth * 0.7
        elif not word.light and concept(word.text) & meanings_of(text):
            score += worth * 0.6  # "population" and "people live" speak of the same
    if kind and SIGNS[kind].search(text):
        score += 1.2
    return score


def _defines(text: str, title: str) -> bool:
    """Whether a sentence says what the page's subject is: "A semiconductor such as ..."."""
    name = title.split("(")[0].split()[0].lower().rstrip("s의")
    start = text.lower().removeprefix("the ").removeprefix("a ").removeprefix("an ")
    return start.startswith(name) and bool(
        re.search(r"\b(?:is|are|was)\b|(?:이다|말한다)\.?$", text)
    )


def best(found: Sequence[Quote], count: int) -> list[Quote]:
    """The `count` best, in the order in which they stand on the page."""
    chosen = sorted(found, key=lambda quote: (-quote.score, quote.place))[:count]
    return sorted(chosen, key=lambda quote: quote.place)


def telling(found: Sequence[Quote], count: int) -> list[Quote]:
    """The best, without those that answer much less well than the best of all."""
    top = max((quote.score for quote in found), default=0.0)
    return best([quote for quote in found if quote.score >= top * 0.7], count)


def leads(found: Sequence[Quote], count: int) -> list[Quote]:
    """The opening sentence of each section, then the best of the rest: an overview of a page."""
    openings: dict[str, Quote] = {}
    for quote in found:
        openings.setdefault(quote.heading, quote)
    chosen = list(openings.values())[:count]
    rest = [quote for quote in found if quote not in chosen]
    return sorted([*chosen, *best(rest, count - len(chosen))], key=lambda quote: quote.place)


class Draft:
    """Text in the making, with a citation for every link that was written into it."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._citations: list[Citation] = []

    def write(self, text: str) -> "Draft":
        self._parts.append(text)
        self._length += len(text)
        return self

    def cite(self, page: Page) -> "Draft":
        """Write ` ([Title](url))`; the citation covers the parentheses and what is in them."""
        self.write(" ")
        return self.link(page, "(", ")")

    def link(self, page: Page, before: str = "", after: str = "") -> "Draft":
        start = self._length
        self.write(f"{before}[{link_text(page.title)}]({page.url}){after}")
        self._citations.append(Citation(start, self._length, page.url, page.title))
        return self

    def quote(self, chosen: Iterable[Quote]) -> "Draft":
        """Sentences as a block quotation: one line for each run from the same section."""
        lines: list[list[Quote]] = []
        for quote in chosen:
            if lines and (lines[-1][-1].page, lines[-1][-1].heading) == (quote.page, quote.heading):
                lines[-1].append(quote)
            else:
                lines.append([quote])
        for number, line in enumerate(lines):
            self.write("> " if number == 0 else "\n>\n> ")
            self.write(" ".join(quote.text for quote in line)).cite(line[0].page)
        return self

    def say(self, limit: int | None = None) -> Say:
        return shortened("".join(self._parts), self._citations, limit)


def shortened(text: str, citations: Iterable[Citation], limit: int | None) -> Say:
    """The text as a `Say`, cut where it would exceed `limit` tokens, with the citations left."""
    if limit is None or count_tokens(text) <= limit:
        return Say(text, tuple(citations))
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if count_tokens(text[:middle]) <= limit:
            low = middle
        else:
            high = middle - 1
    kept = tuple(citation for citation in citations if citation.end <= low)
    return Say(text[:low], kept, truncated=True)


def link_text(title: str) -> str:
    """A title that cannot end the link it stands in."""
    return re.sub(r"[\[\]\\`<>*_]", " ", title).strip() or "source"


def _bounded(sentence: str) -> str:
    """One sentence on one line, not longer than a reader bears, no table's or list's skeleton."""
    text = re.sub(r"^(?:[-*+>]|\d+[.)])\s+", "", sentence.strip())
    if not re.search(r"\w", text) or text.startswith("|"):
        return ""
    return text if len(text) <= LONGEST_SENTENCE else text[: LONGEST_SENTENCE - 1].rstrip() + "…"
