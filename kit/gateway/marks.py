"""Numbers of sources put into a Markdown text, without breaking what they would fall into.

Rule: behind inline code, links and addresses, never within them; nothing into blocks of code. One
pass over the text, whatever it holds: a model, or a page it read, chooses the text.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Mapping

__all__ = ["with_marks"]

_TOKEN = re.compile(
    r"(?m)(?P<line>^[ ]{0,3}(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*))"
    r"|(?P<ticks>`+)"
    r"|(?P<blank>\n[ \t]*(?=\n))"
    r"|(?P<atom>\[[^\[\]\n]{0,1000}\]\([^()\s]{0,2000}(?:\([^()\s]{0,200}\)[^()\s]{0,2000})?\)"
    r"|https?://[^\s<>()\[\]`]{1,2000})"
)

_Range = tuple[int, int, bool]
"""Start, end, and whether it is a block, which has no place behind it on its last line."""


def with_marks(text: str, marks: Mapping[int, str]) -> str:
    """`text` with each mark put in at its place, or at the next one where it breaks nothing."""
    ranges = list(_ranges(text))
    starts = [start for start, _, _ in ranges]
    pieces: list[str] = []
    done = 0
    moved: dict[int, str] = {}
    for place in sorted(marks):
        near = bisect_left(starts, place) - 1
        start, end, block = ranges[near] if near >= 0 else (0, 0, False)
        if block and start < place <= end:
            continue
        at = end if start < place < end else place
        moved[at] = moved.get(at, "") + marks[place]
    for place, mark in sorted(moved.items()):
        pieces += (text[done:place], " ", mark)
        done = place
    return "".join((*pieces, text[done:]))


def _ranges(text: str) -> Iterator[_Range]:
    """What must stay whole, in order and not overlapping."""
    fence, opened = "", 0
    paragraph: list[re.Match[str]] = []
    for token in _TOKEN.finditer(text):
        mark, info = token["fence"] or "", token["info"] or ""
        if fence:
            if mark.startswith(fence) and not info.strip():
                yield opened, token.end(), True
                fence = ""
            continue
        opens = bool(mark) and not ("`" in mark and "`" in info)
        if not opens and token["blank"] is None:
            paragraph.append(token)
            continue
        yield from _inline(paragraph)
        paragraph = []
        if opens:
            fence, opened = mark, token.start()
    yield from _inline(paragraph)
    if fence:
        yield opened, len(text), True


def _inline(tokens: list[re.Match[str]]) -> Iterator[_Range]:
    """Code spans, links and addresses of one paragraph.

    A code span ends at the next run of as many backticks as it began with, if there is one.
    """
    runs: dict[int, deque[int]] = {}
    for at, token in enumerate(tokens):
        if token["ticks"]:
            runs.setdefault(len(token["ticks"]), deque()).append(at)
    at = 0
    while at < len(tokens):
        token, last = tokens[at], at
        if token["ticks"]:
            later = runs[len(token["ticks"])]
            while later and later[0] <= at:
                later.popleft()
            last = later[0] if later else at
        if last > at or token["atom"]:
            yield token.start(), tokens[last].end(), False
        at = last + 1
