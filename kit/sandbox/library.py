"""The library: everything the sandbox knows, in an index of SQLite (FTS5, BM25) in memory.

BM25 proposes passages; `relevance` decides which of them answer. Nothing found is an empty list.
"""

import re
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from kit.sandbox.asking import topic_of
from kit.sandbox.pages import Page, Passage, passages
from kit.sandbox.relevance import Question, Row, Shelf, terms_of
from kit.sandbox.shelves import Stamp, built_in, folder_pages, folder_stamps
from kit.sandbox.words import Word, index_terms, language

CANDIDATES = 60
OTHER_LANGUAGE = 0.3
SHELF_WEIGHT = {"folder": 1.3, "corpus": 1.0, "toolkit": 0.8}
LITTLE = 0.6
HEADED = 3.0
"""A heading that holds the whole question is likely to stand over its answer."""
GUIDE = 1.5
"""A page that was written to be asked counts more than the documentation beside it."""
OF_THE_TOOLKIT = re.compile(
    r"(?i)^(?:--[a-z-]+|kit|responses|sandbox|toolkit|litellm_\w+|kit_\w+|(?:샌드박스|매직|툴킷)\S{0,2})$"
)
NAMED = 4.0
"""What it counts when the question names the toolkit or something of its own."""


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
        weakref.finalize(self, self._index.close)  # Python 3.13 warns of what nobody closed
        self._passages: list[Passage] = []
        self._shelf = Shelf(())

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
            if all(word.text.isdigit() and len(word.text) != 4 for word in words):
                return []  # figures alone stand on any page
            question = self._shelf.question(words)
            return _of_each_page(_of_one_world(self._ranked(question, prefer)), each)[:limit]

    def entitles(self, words: Sequence[Word]) -> bool:
        """Whether a word is the title of a page: a subject of its own."""
        with self._lock:
            return any(not word.light and self._shelf.is_title(word) for word in words)

    def mended(self, words: Sequence[Word]) -> tuple[Word, ...]:
        """The words as the library would spell them, where one is a slip of the hand."""
        with self._lock:
            return self._shelf.question(words).words

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

    def close(self) -> None:
        """Let go of the index; nothing can be asked afterwards."""
        with self._lock:
            self._index.close()

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
            "CREATE VIRTUAL TABLE shelf USING fts5(title, heading, body,"
            " title_pairs, heading_pairs, body_pairs, tokenize='unicode61 remove_diacritics 2')"
        )
        self._index.executemany(
            "INSERT INTO shelf(rowid, title, heading, body, title_pairs, heading_pairs, body_pairs)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((number, *row) for number, (_, row) in enumerate(rows)),
        )
        self._shelf = Shelf((passage.page, row) for passage, row in rows)

    def _ranked(self, question: Question, prefer: str) -> list[Hit]:
        expression = _expression(question.words)
        if not expression:
            return []
        found = self._index.execute(
            "SELECT rowid, -bm25(shelf, 8, 4, 1, 4, 2, 0.5) AS score FROM shelf"
            " WHERE shelf MATCH ? ORDER BY score DESC LIMIT ?",
            (expression, CANDIDATES),
        ).fetchall()
        hits = [self._hit(number, score, question, prefer) for number, score in found]
        relevant = [hit for hit in hits if self._shelf.relevant(hit.url, question)]
        most = max((hit.coverage for hit in relevant), default=0.0)
        return sorted(relevant, key=lambda hit: _discounted(hit, most), reverse=True)

    def _hit(self, number: int, score: float, question: Question, prefer: str) -> Hit:
        passage = self._passages[number]
        page = passage.page
        coverage = self._shelf.coverage(page.url, question)
        total = score * self._shelf.fit(page.url, question) * SHELF_WEIGHT[page.shelf]
        total *= 1 + HEADED * question.share(_terms_of_heading(passage.heading)) ** 2
        if page.shelf == "toolkit":
            total *= GUIDE if "/docs/" not in page.url else 1.0
            total *= NAMED if any(OF_THE_TOOLKIT.match(w.text) for w in question.words) else 1.0
        total *= 1.0 if page.language == prefer else OTHER_LANGUAGE
        return Hit(page, passage.heading, passage.text, total, coverage)


def _discounted(hit: Hit, most: float) -> float:
    """The score, less where another page knows far more of the question, in whatever language."""
    return hit.score * (OTHER_LANGUAGE if hit.coverage < most * LITTLE else 1.0)


@lru_cache(maxsize=5000)
def _terms_of_heading(heading: str) -> frozenset[str]:
    return terms_of(heading)


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
            body, body_pairs = index_terms(passage.text)
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


def _of_one_world(hits: list[Hit]) -> list[Hit]:
    """Pages about the toolkit answer questions about the toolkit, and stay out of all others."""
    if hits and hits[0].page.shelf == "toolkit":
        return hits
    return [hit for hit in hits if hit.page.shelf != "toolkit"]


def _of_each_page(hits: list[Hit], each: int) -> list[Hit]:
    taken: dict[str, int] = {}
    kept: list[Hit] = []
    for hit in hits:
        taken[hit.url] = taken.get(hit.url, 0) + 1
        if taken[hit.url] <= each:
            kept.append(hit)
    return kept
