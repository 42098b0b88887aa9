"""The sources of a text: where the wire names them, and how they become citations.

Rule: offsets are code points of the text, clamped to it, in order. What is only listed beside a
text is given for its end, and is taken for a source where it has an address of the web.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from kit.gateway.events import Wire, flat_annotation, objects, text_at

__all__ = ["Citation", "listed_annotations", "source_address", "text_and_citations"]

LONGEST_URL = 2_000
LONGEST_TITLE = 500
MOST_LISTED = 5_000
"""Sources that stand beside a text; what is more is left out."""


@dataclass(frozen=True, slots=True)
class Citation:
    """One source of the text, where the gateway named one.

    `text[start:end]` is what the source is given for (often the link itself). `number` counts
    sources from 1 in order of appearance: citations of one address share it.
    """

    url: str
    title: str
    start: int
    end: int
    number: int
    kind: str = "url_citation"
    raw: Wire = field(default_factory=dict[str, Any], repr=False, compare=False)


def text_and_citations(output: list[Wire]) -> tuple[str, tuple[Citation, ...]]:
    """The text of the final messages, and their citations moved onto it."""
    messages = [item for item in output if item.get("type") == "message"]
    final = [item for item in messages if item.get("phase") == "final_answer"]
    text = ""
    found: list[tuple[int, int, Wire]] = []
    for item in final or messages:
        for part in objects(item.get("content")):
            piece = part.get("text")
            if part.get("type") != "output_text" or not isinstance(piece, str):
                continue
            for note in map(flat_annotation, objects(part.get("annotations"))):
                start, end = _range(note, len(piece))
                found.append((len(text) + start, len(text) + end, note))
            text += piece
    return text, tuple(_numbered(sorted(found, key=lambda one: one[:2])))


def _range(note: Wire, length: int) -> tuple[int, int]:
    """A citation's range, clamped; an empty one at the end where there is none."""
    start, end = note.get("start_index"), note.get("end_index")
    if not isinstance(start, int) or not isinstance(end, int):
        place = note.get("index")
        start = end = place if isinstance(place, int) else length
    start = min(max(start, 0), length)
    return start, min(max(end, start), length)


def _numbered(found: list[tuple[int, int, Wire]]) -> Iterator[Citation]:
    numbers: dict[str, int] = {}
    for start, end, note in found:
        url = text_at(note, "url")
        name = text_at(note, "title") or text_at(note, "filename")
        source = url or text_at(note, "file_id") or name
        number = numbers.setdefault(source, len(numbers) + 1)
        kind = text_at(note, "type") or "url_citation"
        yield Citation(url, name or url, start, end, number, kind, note)


def listed_annotations(completion: Wire, given: list[Wire]) -> list[Wire]:
    """What a completion lists beside its choices, as annotations; nothing that `given` has.

    `citations` are the addresses that `[1]`, `[2]` of the text mean, `search_results` have titles.
    """
    titles: dict[str, str] = {}
    for one in (*_listed(completion, "citations"), *_listed(completion, "search_results")):
        if url := source_address(one.get("url")):
            titles[url] = titles.get(url) or _short(text_at(one, "title"))
    known = {text_at(note, "url") for note in given}
    new = [(url, title) for url, title in titles.items() if url not in known]
    return [
        {"type": "url_citation", "url": url, "title": title} for url, title in new[:MOST_LISTED]
    ]


def _listed(completion: Wire, key: str) -> list[Wire]:
    """The entries of a list, each an object; some servers list bare addresses."""
    value = completion.get(key)
    entries = cast(list[Any], value) if isinstance(value, list) else []
    return objects([{"url": one} if isinstance(one, str) else one for one in entries])


def source_address(url: Any) -> str:
    """A web address as it came; "" for anything else, and for one that is no use cut short."""
    if not isinstance(url, str) or len(url) > LONGEST_URL:
        return ""
    url = url.strip()
    return url if url.lower().startswith(("http://", "https://")) else ""


def _short(title: str) -> str:
    return title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…"
