"""What a report says that an older one did not: by line, and by word where a line changed.

Rule: the work is bounded before it starts. Lines and words that both texts have exactly once hold
them together; only the short pieces between are left to difflib, which is quadratic and worse.
What would take longer is shown as taken out and put in, which is true of any two texts.

Reports are hostile. They come in tidied, as lines of text, and are never Markdown or HTML again.
"""

from __future__ import annotations

import html
import json
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate, groupby
from typing import Any, Literal

from kit.clean_reading import tidy
from kit.clean_writing import in_a_fence
from kit.gateway.json_text import read_json
from kit.relay.evidence import Source
from kit.relay.report_links import links_in, page_key

__all__ = ["Line", "ReportDiff", "diff_of"]

LONGEST_REPORT = 400_000  # characters that are compared
MOST_LINES = 6_000
LONGEST_LINE = 20_000  # of which the words are compared
LARGEST_GAP = 2_500  # cells of difflib's table, 50 lines by 50
MOST_CELLS = 400_000  # of all tables
CONTEXT = 2
FARTHEST = 4  # lines among which a changed line is looked for
ALIKE = 0.4  # of the words, to be one line that changed
LARGEST_SHOWN = 100_000  # characters
MOST_SOURCES_SHOWN = 200
LONGEST_SHOWN_ADDRESS = 500


@dataclass(frozen=True, slots=True)
class Line:
    """A line that both reports have (" "), only the old one ("-"), or only the new one ("+").

    `pieces` are its words, with whether the other report lacks them there. A line "@" stands
    before each group of changes and says where it is.
    """

    sign: Literal["@", " ", "-", "+"]
    pieces: tuple[tuple[str, bool], ...]

    @property
    def text(self) -> str:
        return "".join(words for words, _ in self.pieces)

    def __str__(self) -> str:
        return self.text if self.sign == "@" else self.sign + self.text


@dataclass(frozen=True, slots=True)
class ReportDiff:
    """What changed from an older report to a newer one.

    A source is a page that a report links to, or that its gateway cited for it. `cut` is true where
    a report is too long, and what comes behind was not compared.
    """

    changes: tuple[Line, ...]
    added_sources: tuple[str, ...]
    removed_sources: tuple[str, ...]
    unchanged: bool
    cut: bool = False

    def __str__(self) -> str:
        """The changes as a unified diff, then the sources; what is too much to be read is left."""
        head = ["--- old", "+++ new"] if self.changes else []
        return "\n".join([*head, *map(str, self._shown())])

    def __repr__(self) -> str:
        if self.unchanged:
            return "ReportDiff(unchanged)"
        changes = sum(line.sign == "@" for line in self.changes)
        added, removed = len(self.added_sources), len(self.removed_sources)
        return f"ReportDiff(changes={changes}, sources=+{added} -{removed})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        plain = str(self)
        lines = "".join(map(_html_of, self._shown()))
        style = "white-space:pre-wrap;overflow-wrap:anywhere"
        return {
            "text/plain": plain,
            "text/markdown": "\n".join(in_a_fence(plain, "diff")) + "\n",
            # A dollar in a report is no formula in its diff.
            "text/html": f'<div class="mathjax_ignore" style="{style}">{lines}</div>',
        }

    def _shown(self) -> Iterator[Line]:
        if self.unchanged:
            yield _note("(unchanged)")
        ends = [*accumulate(len(line.text) + 2 for line in self.changes)]
        shown = bisect_right(ends, LARGEST_SHOWN)
        yield from self.changes[:shown]
        if left := len(ends) - shown:
            yield _note(f"… and {left:,} more lines")
        if self.cut:
            yield _note("… and what is too long to be compared")
        yield from _listed("Added sources", "+", self.added_sources)
        yield from _listed("Removed sources", "-", self.removed_sources)


def diff_of(
    new: str, old: str, new_sources: Iterable[Source] = (), old_sources: Iterable[Source] = ()
) -> ReportDiff:
    """What changed from `old` to `new`. Of the runs' sources, those that were cited count."""
    before, after = _pages(old, old_sources), _pages(new, new_sources)
    added = tuple(url for page, url in after.items() if page not in before)
    removed = tuple(url for page, url in before.items() if page not in after)
    (was, was_cut), (text, text_cut) = _lines(old), _lines(new)
    cut = was_cut or text_cut
    same = was == text and not (added or removed) and (not cut or tidy(old) == tidy(new))
    changes = () if was == text else tuple(_grouped([*_Comparison().lines(was, text)]))
    return ReportDiff(changes, added, removed, same, cut)


def _pages(report: str, sources: Iterable[Source]) -> dict[str, str]:
    """The addresses of a report by their page, each as it is first written."""
    cited = (tidy(source.url) for source in sources if source.cited)
    pages: dict[str, str] = {}
    for url in (*(link.url for link in links_in(report)), *cited):
        pages.setdefault(page_key(url), url)
    return pages


def _lines(report: str) -> tuple[list[str], bool]:
    """The lines that are compared, and whether there are more. JSON is spread over lines."""
    text = tidy(report).strip("\n")
    text = _spread(text) if text[:1] in ("{", "[") and len(text) <= LONGEST_REPORT else text
    lines = text[:LONGEST_REPORT].split("\n")
    return lines[:MOST_LINES], len(text) > LONGEST_REPORT or len(lines) > MOST_LINES


def _spread(text: str) -> str:
    """JSON on as many lines as it has values; anything else as it is."""
    spread, length = list[str](), 0
    try:
        # Piece by piece: of what is nested deeply, most would be indentation.
        for piece in json.JSONEncoder(ensure_ascii=False, indent=2).iterencode(read_json(text)):
            spread.append(piece)
            if (length := length + len(piece)) > LONGEST_REPORT:
                break
    except (ValueError, RecursionError):
        return text
    return tidy("".join(spread))


_WORD = re.compile(r"https?://[^\s)\]]+|\w+|\s+|[^\w\s]")
_Pair = tuple[int, int]  # a place of the old text and one of the new
_Gap = tuple[_Pair, _Pair]


class _Comparison:
    """Compares texts until its cells are used up; then it tells them apart more coarsely."""

    def __init__(self) -> None:
        self._cells = MOST_CELLS

    def lines(self, old: list[str], new: list[str]) -> Iterator[Line]:
        for (a, b), (x, y) in _gaps(self._common(old, new), old, new):
            yield from self._replaced(old[a:x], new[b:y])
            yield from (Line(" ", ((line, False),)) for line in old[x : x + 1])

    def _common(self, old: list[str], new: list[str]) -> list[_Pair]:
        """The places of what both have, in order."""
        anchors = _anchors(old, new)
        gaps = _gaps(anchors, old, new)
        inner = (pair for gap in gaps for pair in self._between(old, new, gap))
        return sorted([*anchors, *inner])

    def _between(self, old: list[str], new: list[str], gap: _Gap) -> Iterator[_Pair]:
        (a, b), (x, y) = gap
        while a < x and b < y and old[a] == new[b]:
            yield a, b
            a, b = a + 1, b + 1
        while a < x and b < y and old[x - 1] == new[y - 1]:
            x, y = x - 1, y - 1
            yield x, y
        cells = (x - a) * (y - b)
        if 0 < cells <= min(LARGEST_GAP, self._cells):
            self._cells -= cells
            table = SequenceMatcher(None, old[a:x], new[b:y], autojunk=False)
            for i, j, size in table.get_matching_blocks():
                yield from ((a + i + step, b + j + step) for step in range(size))

    def _replaced(self, old: list[str], new: list[str]) -> Iterator[Line]:
        gone = [Line("-", ((line, True),)) for line in old]
        came = [Line("+", ((line, True),)) for line in new]
        for x, y in _alike(old, new):
            before, after = _WORD.findall(old[x]), _WORD.findall(new[y])
            common = self._common(before, after)
            gone[x] = Line("-", _pieces(before, {i for i, _ in common}))
            came[y] = Line("+", _pieces(after, {j for _, j in common}))
        yield from (*gone, *came)


def _gaps(common: list[_Pair], old: list[str], new: list[str]) -> Iterator[_Gap]:
    """From where to where nothing is common: before each pair, and behind the last."""
    starts = [(0, 0), *((x + 1, y + 1) for x, y in common)]
    return zip(starts, [*common, (len(old), len(new))], strict=True)


def _anchors(old: list[str], new: list[str]) -> list[_Pair]:
    """The longest row of things that both have exactly once, in the order of both."""
    count_old, count_new = Counter(old), Counter(new)
    places = {one: place for place, one in enumerate(new) if count_new[one] == 1}
    ends: list[int] = []  # where in `new` the best row of each length ends
    rows: list[Any] = []  # and that row, from its end: place, place, the row before
    for x, one in enumerate(old):
        if count_old[one] == 1 and one in places:
            y = places[one]
            length = bisect_left(ends, y)
            ends[length : length + 1] = [y]
            rows[length : length + 1] = [(x, y, rows[length - 1] if length else None)]
    row, pairs = rows[-1] if rows else None, list[_Pair]()
    while row is not None:
        x, y, row = row
        pairs.append((x, y))
    return pairs[::-1]


def _alike(old: list[str], new: list[str]) -> Iterator[_Pair]:
    """Lines that are likely one line, before and after."""
    came = [_bag(line) for line in new]
    start = 0
    for x, line in enumerate(old):
        gone, size = _bag(line)
        for y in range(start, min(start + FARTHEST, len(new))):
            few, many = sorted((gone, came[y][0]), key=len)
            shared = sum(min(count, many[word]) for word, count in few.items())
            if shared and 2 * shared >= ALIKE * (size + came[y][1]):
                yield x, y
                start = y + 1
                break


def _bag(line: str) -> tuple[Counter[str], int]:
    words = re.findall(r"\w+", line) if len(line) <= LONGEST_LINE else []
    return Counter(words), len(words)


def _pieces(words: list[str], common: set[int]) -> tuple[tuple[str, bool], ...]:
    changed = [place not in common for place in range(len(words))]
    for place, word in enumerate(words[1:-1], 1):  # a space between changed words is one of them
        changed[place] |= word.isspace() and changed[place - 1] and changed[place + 1]
    runs = groupby(zip(words, changed, strict=True), key=lambda one: one[1])
    return tuple(("".join(word for word, _ in run), is_changed) for is_changed, run in runs)


def _grouped(lines: list[Line]) -> Iterator[Line]:
    """The changed lines with some around them, each group under its header."""
    changed = (place for place, line in enumerate(lines) if line.sign != " ")
    near = {place + step for place in changed for step in range(-CONTEXT, CONTEXT + 1)}
    at_old = at_new = 1
    for shown, run in groupby(enumerate(lines), key=lambda one: one[0] in near):
        group = [line for _, line in run]
        old, new = (sum(line.sign != sign for line in group) for sign in "+-")
        if shown:
            yield _note(f"@@ -{at_old},{old} +{at_new},{new} @@")
            yield from group
        at_old, at_new = at_old + old, at_new + new


def _listed(title: str, sign: Literal["-", "+"], urls: tuple[str, ...]) -> Iterator[Line]:
    if urls:
        yield _note(f"{title} ({len(urls):,}):")
    for url in urls[:MOST_SOURCES_SHOWN]:
        yield Line(sign, ((url[:LONGEST_SHOWN_ADDRESS], True),))


def _note(text: str) -> Line:
    return Line("@", ((text, False),))


_MARKS = {"-": ("del", "248,81,73"), "+": ("ins", "46,160,67")}  # seen on white and on black


def _html_of(line: Line) -> str:
    if line.sign not in _MARKS:
        faint = ' style="opacity:0.6"' if line.sign == "@" else ""
        return f"<div{faint}>{html.escape(str(line))}</div>"
    tag, color = _MARKS[line.sign]
    mark = f'<{tag} style="text-decoration:none;background-color:rgba({color},0.35)">'
    words = (
        f"{mark}{html.escape(text)}</{tag}>" if changed else html.escape(text)
        for text, changed in line.pieces
    )
    return f'<div style="background-color:rgba({color},0.12)">{line.sign}{"".join(words)}</div>'
