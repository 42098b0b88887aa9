"""The library: everything the sandbox knows, in an index of SQLite (FTS5, BM25) in memory.

A hit must hold most of what was asked, not merely one of its words: BM25 proposes passages, and the
share of the question's words that a page holds (rare words counting more) decides which stay. A
question whose rarest word no page knows finds nothing, and that is said plainly.
"""

import difflib
import math
import sqlite3
import threading
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kit.sandbox.asking import topic_of
from kit.sandbox.pages import Page, Passage, passages
from kit.sandbox.shelves import Stamp, built_in, folder_pages, folder_stamps
from kit.sandbox.words import Word, index_terms, is_hangul, language, question_words

ENOUGH = 0.5
"""The share of a question's weight that a page must hold to be a hit."""
CANDIDATES = 60
SHELF_WEIGHT = {"folder": 1.3, "corpus": 1.0, "toolkit": 0.8}

Row = tuple[str, str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that answers; `coverage` is the share of the question its page holds, 0 to 1."""

    page: Page
    heading: str
    text: str
    score: float
    coverage: float

    @property
    def url(self) -> str:
        return self.page.url

    @property
    def title(self) -> str:
        return self.page.title


class Library:
    """Pages that can be searched. `Library.open()` makes one; it may be used from any thread."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)
        self._stamps: tuple[Stamp, ...] | None = None
        self._lock = threading.RLock()
        self._index = sqlite3.connect(":memory:", check_same_thread=False)
        self._passages: list[Passage] = []
        self._terms: dict[str, frozenset[str]] = {}
        self._frequency: dict[str, int] = {}
        self._names: dict[str, frozenset[str]] = {}

    @classmethod
    def open(cls, folders: Sequence[Path] = ()) -> "Library":
        """The built-in pages and the documents of `folders`, read again when they change."""
        library = cls([Path(folder).expanduser().resolve() for folder in folders])
        library._renew()
        return library

    def search(self, query: str, limit: int = 5) -> list[Hit]:
        """The best passages for a query, at most one of each page, best first; [] when none is."""
        return self.find(topic_of(query).words, limit=limit, prefer=language(query))

    def find(
        self, words: Sequence[Word], *, limit: int = 5, prefer: str = "en", each: int = 1
    ) -> list[Hit]:
        """The best passages for words, at most `each` of a page; pages in `prefer` come first."""
        with self._lock:
            self._renew()
            known = [self._mended(word) for word in words]
            hits = self._ranked(known, prefer)
            return _of_each_page(hits, each)[:limit]

    def page(self, url: str) -> Page | None:
        """The page at an address, or None."""
        with self._lock:
            return next((one.page for one in self._passages if one.page.url == url), None)

    def passages_of(self, url: str) -> list[Passage]:
        """A page's passages in their order; [] for an unknown address."""
        with self._lock:
            return [one for one in self._passages if one.page.url == url]

    def titles(self, prefer: str = "en") -> list[str]:
        """What there is to ask about, by title, in one language."""
        with self._lock:
            pages = {one.page.url: one.page for one in self._passages}
            return [page.title for page in pages.values() if page.language == prefer]

    def _renew(self) -> None:
        """Index again when a document of the folders came, went or changed."""
        stamps = folder_stamps(self._folders)
        if stamps == self._stamps:
            return
        self._stamps = stamps
        rows = [*_built_in_rows(), *_rows(folder_pages(self._folders, stamps))]
        self._passages = [passage for passage, _ in rows]
        self._index.executescript(
            "DROP TABLE IF EXISTS shelf;"
            "CREATE VIRTUAL TABLE shelf USING fts5(title, heading, body, title_pairs, heading_pairs,"
            " body_pairs, tokenize='unicode61 remove_diacritics 2')"
        )
        self._index.executemany(
            "INSERT INTO shelf(rowid, title, heading, body, title_pairs, heading_pairs, body_pairs)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((number, *row) for number, (_, row) in enumerate(rows)),
        )
        self._count(rows)

    def _count(self, rows: list[tuple[Passage, Row]]) -> None:
        """Note which page holds which terms, and on how many pages each term stands."""
        terms: dict[str, set[str]] = {}
        names: dict[str, set[str]] = {}
        for passage, row in rows:
            terms.setdefault(passage.page.url, set()).update(*(part.split() for part in row))
            names.setdefault(passage.page.url, set()).update(row[0].split(), row[3].split())
        self._terms = {url: frozenset(found) for url, found in terms.items()}
        self._names = {url: frozenset(found) for url, found in names.items()}
        self._frequency = {}
        for found in self._terms.values():
            for term in found:
                self._frequency[term] = self._frequency.get(term, 0) + 1

    def _ranked(self, words: Sequence[Word], prefer: str) -> list[Hit]:
        expression = _expression(words)
        if not expression:
            return []
        found = self._index.execute(
            "SELECT rowid, -bm25(shelf, 8, 4, 1, 4, 2, 0.5) AS score FROM shelf"
            " WHERE shelf MATCH ? ORDER BY score DESC LIMIT ?",
            (expression, CANDIDATES),
        ).fetchall()
        weights = [self._weight(word) for word in words]
        hits = [self._hit(number, score, words, weights, prefer) for number, score in found]
        return sorted((hit for hit in hits if hit.coverage >= ENOUGH), key=lambda hit: -hit.score)

    def _hit(
        self, number: int, score: float, words: Sequence[Word], weights: list[float], prefer: str
    ) -> Hit:
        passage = self._passages[number]
        page = passage.page
        coverage = _share(words, weights, self._terms[page.url])
        named = _share(words, weights, self._names[page.url])
        total = score * coverage**2 * (1 + 2 * named) * SHELF_WEIGHT[page.shelf]
        total *= 1.0 if page.language == prefer else 0.6
        return Hit(page, passage.heading, passage.text, total, coverage)

    def _weight(self, word: Word) -> float:
        """How much of a question a word is: rare words, and words nobody knows, are most of it."""
        if not word.pairs and word.text.isdigit():
            return 0.5
        pages = max((self._frequency.get(term, 0) for term in word.terms), default=0)
        weight = math.log(1 + len(self._terms) / (pages + 0.5))
        return weight * (0.25 if word.verbal else 1.0) * (1.3 if word.text[:1].isupper() else 1.0)

    def _mended(self, word: Word) -> Word:
        """A word no page holds gives way to one that differs by a slip of the hand."""
        if any(term in self._frequency for term in (*word.terms, *word.pairs)):
            return word
        shortest = min(word.terms, key=len)
        if len(shortest) < (3 if is_hangul(shortest) else 5) or shortest.isdigit():
            return word
        vocabulary = {_letters(term): term for term in self._frequency if _alike(term, shortest)}
        close = difflib.get_close_matches(_letters(shortest), vocabulary, n=1, cutoff=0.8)
        if not close:
            return word
        return question_words([vocabulary[close[0]]])[0]


def _built_in_rows() -> list[tuple[Passage, Row]]:
    return list(_cached_rows())


@cache
def _cached_rows() -> tuple[tuple[Passage, Row], ...]:
    return tuple(_rows(built_in()))


def _rows(pages: Iterable[Page]) -> Iterable[tuple[Passage, Row]]:
    for page in pages:
        title, title_pairs = index_terms(f"{page.title} {page.also}")
        for passage in passages(page):
            heading, heading_pairs = index_terms(passage.heading)
            body, body_pairs = index_terms(f"{passage.text} {page.summary}")
            row = (title, heading, body, title_pairs, heading_pairs, body_pairs)
            yield passage, row


def _expression(words: Sequence[Word]) -> str:
    """An FTS5 expression: any word, in any reading, or its syllables side by side."""
    parts: list[str] = []
    for word in words:
        parts.extend(f'"{term}"' for term in word.terms)
        if word.pairs:
            parts.append(f'"{" ".join(word.pairs)}"')
    return " OR ".join(parts)


def _share(words: Sequence[Word], weights: list[float], terms: frozenset[str]) -> float:
    """The share of the words' weight that `terms` hold, 0 to 1."""
    total = sum(weights)
    held = sum(weight for word, weight in zip(words, weights, strict=True) if _holds(terms, word))
    return held / total if total else 0.0


def _holds(terms: frozenset[str], word: Word) -> bool:
    if any(term in terms for term in word.terms):
        return True
    return bool(word.pairs) and all(pair in terms for pair in word.pairs)


def _of_each_page(hits: list[Hit], each: int) -> list[Hit]:
    taken: dict[str, int] = {}
    kept: list[Hit] = []
    for hit in hits:
        taken[hit.url] = taken.get(hit.url, 0) + 1
        if taken[hit.url] <= each:
            kept.append(hit)
    return kept


def _alike(term: str, word: str) -> bool:
    """Whether two words could be a slip apart: same script, about the same length and start."""
    same_script = is_hangul(term) == is_hangul(word)
    return (
        same_script
        and abs(len(term) - len(word)) <= (1 if is_hangul(word) else 2)
        and (_letters(term)[0] == _letters(word)[0])
    )


def _letters(word: str) -> str:
    """A word by its letters: Hangul syllables fall apart into theirs."""
    return unicodedata.normalize("NFD", word)
