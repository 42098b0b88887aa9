"""Whether a page answers: the share of the question that it holds, rare words counting most.

A page that merely shares a common word with the question is no answer, and a name that no page
knows ("the capital of Liechtenstein") means that nothing was found, however well the rest fits.
"""

import difflib
import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kit.sandbox.pages import Page
from kit.sandbox.words import Word, index_terms, is_hangul, question_words

ENOUGH = 0.5
NAMED = 0.35
ENTITLED = 0.25
"""What a word among a page's names, and in its very title, adds: the whole page is about it."""
LEAST = 0.2
"""The share that is enough to be the closest there is, when the title itself was asked for."""
BRIEF = 7
"""Letters up to which a word is mended by one slip alone, and only into a name of a page: among
short words, one letter more often makes another word than a mistake."""

Row = tuple[str, str, str, str, str, str]
"""The index's columns of a passage: title, heading, body, and the pairs of each."""


@dataclass(frozen=True, slots=True)
class Question:
    """Words to look for, and how much of the question each of them is."""

    words: tuple[Word, ...]
    weights: tuple[float, ...]

    def share(self, terms: frozenset[str]) -> float:
        """The share of the question's weight that `terms` hold, 0 to 1."""
        total = sum(self.weights)
        pairs = zip(self.words, self.weights, strict=True)
        held = sum(weight for word, weight in pairs if holds(terms, word))
        return held / total if total else 0.0


class Shelf:
    """Which terms stand on which page, and on how many."""

    def __init__(self, rows: Iterable[tuple[Page, Row]]) -> None:
        self._terms: dict[str, frozenset[str]] = {}
        self._names: dict[str, frozenset[str]] = {}
        self._titles: dict[str, tuple[Word, ...]] = {}
        self._frequency: dict[str, int] = {}
        terms: dict[str, set[str]] = {}
        for page, row in rows:
            terms.setdefault(page.url, set()).update(*(part.split() for part in row))
            if page.url not in self._names:
                self._names[page.url] = frozenset((*row[0].split(), *row[3].split()))
                self._titles[page.url] = tuple(question_words(page.title.split()))
        self._named_terms = {term for names in self._names.values() for term in names}
        for url, found in terms.items():
            self._terms[url] = frozenset(found)
            for term in found:
                self._frequency[term] = self._frequency.get(term, 0) + 1

    def question(self, words: Sequence[Word]) -> Question:
        """The words, slips of the hand mended, with their weights."""
        mended = tuple(self._mended(word) for word in words)
        return Question(mended, tuple(map(self._weight, mended)))

    def is_title(self, word: Word) -> bool:
        return any(
            set(word.terms).intersection(one[0].terms) for one in self._titles.values() if one
        )

    def coverage(self, url: str, question: Question) -> float:
        return question.share(self._terms[url])

    def relevant(self, url: str, question: Question) -> bool:
        """Whether the page holds enough of the question to be quoted as an answer."""
        coverage = self.coverage(url, question)
        entitled = question.share(self._title_terms(url))
        if coverage + NAMED * self._named(url, question) + ENTITLED * entitled >= ENOUGH:
            return True
        unknown_name = any(
            word.text[:1].isupper() and not self._known(word) for word in question.words
        )
        asked_for = entitled or self._named_elsewhere(url, question)
        return bool(asked_for) and coverage >= LEAST and not unknown_name

    def _named_elsewhere(self, url: str, question: Question) -> bool:
        """Whether the question uses the page's name in the language the page is not written in."""
        hangul = any(is_hangul(word.text) for word in self._titles[url])
        return any(
            not word.light and is_hangul(word.text) != hangul and holds(self._names[url], word)
            for word in question.words
        )

    def _title_terms(self, url: str) -> frozenset[str]:
        return frozenset(term for word in self._titles[url] for term in word.terms)

    def fit(self, url: str, question: Question) -> float:
        """A factor for BM25's score: what is held, what is in the title, what the title is."""
        title = self._titles[url]
        asked = frozenset(term for word in question.words for term in word.terms)
        titled = sum(1 for word in title if asked.intersection(word.terms)) / max(1, len(title))
        coverage = self.coverage(url, question)
        entitled = question.share(self._title_terms(url))
        named = self._named(url, question)
        return (0.05 + coverage**2) * (1 + 2 * named) * (1 + titled + entitled)

    def _named(self, url: str, question: Question) -> float:
        return question.share(self._names[url])

    def _weight(self, word: Word) -> float:
        """How much of a question a word is: rare words, and names nobody knows, are most of it."""
        if word.light:
            return 0.5
        pages = max((self._frequency.get(term, 0) for term in word.terms), default=0)
        weight = math.log(1 + len(self._terms) / (pages + 0.5))
        if word.text[:1].isupper():
            return weight * (1.3 if self._known(word) else 2.5)
        return weight if self._known(word) else weight * 1.3

    def _known(self, word: Word) -> bool:
        return any(term in self._frequency for term in word.terms) or (
            bool(word.pairs) and all(pair in self._frequency for pair in word.pairs)
        )

    def _mended(self, word: Word) -> Word:
        """A word no page holds gives way to one that differs by a slip of the hand."""
        shortest = min(word.terms, key=len)
        if self._known(word) or shortest.isdigit() or len(shortest) > 30:
            return word
        if len(shortest) < 3 or (len(word.text) < 5 and not is_hangul(shortest)):
            return word
        letters = _letters(shortest)
        brief = len(letters) <= BRIEF
        known = self._named_terms if brief and not is_hangul(shortest) else self._frequency
        vocabulary = {_letters(term): term for term in known if _alike(term, shortest)}
        close = difflib.get_close_matches(letters, vocabulary, n=5, cutoff=0.8)
        slips = [one for one in close if _slips(one, letters) <= (1 if brief else 2)]
        if not slips:
            return word
        term = vocabulary[slips[0]]
        return question_words([term])[0] if is_hangul(term) else Word(term, (term,))


def holds(terms: frozenset[str], word: Word) -> bool:
    """Whether terms hold a word in any reading, or all its pairs of syllables."""
    if any(term in terms for term in word.terms):
        return True
    return bool(word.pairs) and all(pair in terms for pair in word.pairs)


def terms_of(text: str) -> frozenset[str]:
    """The terms and pairs of a text, to be asked with `holds`."""
    terms, pairs = index_terms(text)
    return frozenset((*terms.split(), *pairs.split()))


def _alike(term: str, word: str) -> bool:
    """Whether two words could be a slip apart: same script, about the same length and start."""
    hangul = is_hangul(word)
    return (
        is_hangul(term) == hangul
        and abs(len(term) - len(word)) <= (1 if hangul else 2)
        and _letters(term)[0] == _letters(word)[0]
    )


def _letters(word: str) -> str:
    """A word by its letters: Hangul syllables fall apart into theirs."""
    return unicodedata.normalize("NFD", word)


def _slips(one: str, other: str) -> int:
    """How many letters were left out, added, changed or swapped with the next."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        following = [i]
        for j, wanted in enumerate(other, 1):
            cost = min(row[j] + 1, following[-1] + 1, row[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and (letter, one[i - 2]) == (other[j - 2], wanted):
                cost = min(cost, before[j - 2] + 1)
            following.append(cost)
        before, row = row, following
    return row[-1]
