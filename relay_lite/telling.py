"""What a gateway says, as events of the run's log (pure).

Rule: the log never says a thing twice, whoever tells it: a stream, a stream begun anew, a response
that was fetched whole. So each source is compared with what the log has: its text as far as the
two agree, its searches, pages and summaries by their number, its sources by their address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, cast

from kit.gateway.answer import Answer
from kit.gateway.citations import source_address
from kit.gateway.events import (
    CitationAdded,
    Event,
    ItemAdded,
    ItemDone,
    TextDelta,
    Wire,
    flat_annotation,
    objects,
)
from relay_lite import store
from relay_lite.store import Draft
from relay_lite.text import LoggedText, storable

__all__ = ["Telling"]

LONGEST_WORDS = 500
LONGEST_SUMMARY = 4_000
MOST_QUERIES = 20
MOST_TOLD = 5_000
"""Searches, pages, summaries and sources of one run; what is more is not told."""


class Telling:
    """Turns events and responses into drafts. `searches` and `pages` count what was done.

    `text` is what the log has of the text. midway: the source goes on behind what the log has.
    """

    def __init__(
        self, log: Iterable[store.Event] = (), *, limit: int = 1_000_000, midway: bool = False
    ) -> None:
        self._told: Counter[tuple[str, str]] = Counter()
        self._sources: set[str] = set()
        self.warned: set[str] = set()
        pieces: list[str] = []
        for event in log:
            self._remember(event.type, event.data, pieces)
        self.text = LoggedText("".join(pieces), limit)
        self._seen = self._told.copy()  # of the source that is heard now
        self._commentary: dict[Any, bool] = {}  # for each item of the source that was seen to begin
        # An item that began before: with text in the log it is the answer, without it may comment.
        self._unsure = midway and not self.text.length

    @property
    def searches(self) -> int:
        return sum(count for (kind, _), count in self._told.items() if kind == "search")

    @property
    def pages(self) -> int:
        return sum(count for (kind, _), count in self._told.items() if kind == "page")

    @property
    def sources(self) -> int:
        return len(self._sources)

    def restart(self) -> None:
        """The next source begins at the beginning."""
        self._seen.clear()
        self._commentary.clear()
        self._unsure = False
        self.text.restart()

    def hear(self, events: Sequence[Event]) -> list[Draft]:
        """What is new in these events of a stream; their text as one draft."""
        drafts: list[Draft] = []
        deltas: list[str] = []
        place = 0
        for event in events:
            if words := self._words(event):
                place = len(drafts) if not deltas else place
                deltas.append(words)
            if isinstance(event, ItemDone):
                drafts += self._item(event.item)
            elif isinstance(event, CitationAdded):
                drafts += self._source(event.annotation)
        if deltas and (text := self.text.add("".join(deltas))):
            drafts.insert(place, Draft("output_text", {"text": text}))
        return drafts

    def read(self, answer: Answer) -> list[Draft]:
        """What is new in a response that came whole, as it stands."""
        self.restart()
        drafts = [draft for item in answer.output for draft in self._item(item)]
        if text := self.text.add(answer.text):
            drafts.append(Draft("output_text", {"text": text}))
        for citation in answer.citations:
            drafts += self._source({"url": citation.url, "title": citation.title})
        return drafts

    def warn(self, code: str, message: str) -> list[Draft]:
        """A warning, if the run has not been given it."""
        if code in self.warned:
            return []
        self.warned.add(code)
        return [Draft("warning", {"code": code, "message": message})]

    # -- one thing at a time ---------------------------------------------------------------

    def _words(self, event: Event) -> str:
        """What an event of a stream brings of the report, which comments are no part of.

        Where it is not sure what an item is, its end says so, and has its text.
        """
        number = event.raw.get("output_index")
        if isinstance(event, TextDelta):
            return "" if self._commentary.get(number, self._unsure) else event.text
        if isinstance(event, ItemAdded):
            self._commentary[number] = _comments(event.item)
        elif isinstance(event, ItemDone) and self._unsure and number not in self._commentary:
            self._commentary[number] = aside = _comments(event.item)
            return "" if aside else _text_of(event.item)
        return ""

    def _item(self, item: Wire) -> list[Draft]:
        match item.get("type"):
            case "web_search_call":
                # what failed opened nothing, and listed nothing
                return [] if item.get("status") == "failed" else self._search(item.get("action"))
            case "reasoning":
                summaries = [
                    part.get("text")
                    for part in objects(item.get("summary"))
                    if part.get("type") == "summary_text"
                ]
                return [
                    draft
                    for summary in summaries
                    if (words := _short(summary, LONGEST_SUMMARY))
                    for draft in self._tell("reasoning", words, {"summary": words})
                ]
            case "message":
                notes = [
                    note
                    for part in objects(item.get("content"))
                    for note in objects(part.get("annotations"))
                ]
                return [draft for note in notes for draft in self._source(flat_annotation(note))]
            case _:
                return []

    def _search(self, action: Any) -> list[Draft]:
        if not isinstance(action, dict):
            return []
        action = cast(Wire, action)
        if action.get("type") == "search":
            queries = _queries(action)
            return self._tell("search", "\n".join(queries), {"queries": queries}) if queries else []
        url = _address(action.get("url"))
        return self._tell("page", url, {"url": url}) if url else []

    def _source(self, note: Wire) -> list[Draft]:
        url = _address(note.get("url"))
        if not url or url in self._sources or len(self._sources) >= MOST_TOLD:
            return []
        self._sources.add(url)
        title = _short(note.get("title"), LONGEST_WORDS) or url
        return [Draft("source", {"number": len(self._sources), "url": url, "title": title})]

    def _tell(self, kind: str, key: str, data: dict[str, Any]) -> list[Draft]:
        """A draft, unless the log has as many of these as this source has named so far."""
        self._seen[kind, key] += 1
        known = self._seen[kind, key] <= self._told[kind, key]
        if known or self._told.total() >= MOST_TOLD:
            return []
        self._told[kind, key] += 1
        return [Draft(kind, data)]

    def _remember(self, kind: str, data: dict[str, Any], pieces: list[str]) -> None:
        match kind:
            case "output_text":
                pieces.append(str(data.get("text") or ""))
            case "search":
                self._told[kind, "\n".join(data.get("queries") or ())] += 1
            case "page":
                self._told[kind, str(data.get("url"))] += 1
            case "reasoning":
                self._told[kind, str(data.get("summary"))] += 1
            case "source":
                self._sources.add(str(data.get("url")))
            case "warning":
                self.warned.add(str(data.get("code")))
            case _:
                pass


def _comments(item: Wire) -> bool:
    return item.get("phase") == "commentary"


def _text_of(item: Wire) -> str:
    parts = objects(item.get("content")) if item.get("type") == "message" else []
    texts = [part.get("text") for part in parts if part.get("type") == "output_text"]
    return "".join(text for text in texts if isinstance(text, str))


def _queries(action: Wire) -> list[str]:
    given = action.get("queries")
    queries = cast(list[Any], given) if isinstance(given, list) else []
    several = queries or [action.get("query")]
    return [words for one in several[:MOST_QUERIES] if (words := _short(one, LONGEST_WORDS))]


def _address(url: Any) -> str:
    return storable(source_address(url))


def _short(words: Any, longest: int) -> str:
    if not isinstance(words, str):
        return ""
    words = storable(words[: longest + 1]).strip()
    return words if len(words) <= longest else words[: longest - 1] + "…"
