"""What happens while a model works, as rows a person can read: searches, pages, sources, thoughts,
calls (pure).

Rule: rows only grow, in number and each in itself, so that a page is told what is new and nothing
twice. Their words are a model's or the web's: one line each, bounded, and shown as text.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from kit.clean_reading import web_address
from kit.gateway import events
from kit.gateway.card import printable
from kit.relay.view import RunEvent

__all__ = ["Diary", "Row"]

MOST_ROWS = 300
MOST_OF_ALL = MOST_ROWS + 20
"""With notes: what a person should know finds room behind the last search."""
LONGEST_PART = 400
LONGEST_LINE = 300
LONGEST_THOUGHTS = 20_000

Kind = Literal["search", "page", "source", "thought", "call", "note"]


@dataclass(frozen=True, slots=True)
class Row:
    """`url` is an http address or ""; `state` is a word for how a call stands."""

    kind: Kind
    text: str
    url: str = ""
    state: str = ""

    def document(self) -> dict[str, str]:
        """As the page is told it."""
        return {"kind": self.kind, "text": self.text, "url": self.url, "state": self.state}


class Diary:
    """Takes events of answers, of tools and of runs; `rows` has what they come to."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._left_out = 0
        self._thought = self._thoughts = 0
        self._places: dict[Any, int] = {}

    def note(self, event: Any) -> None:
        """Take an event in; what says nothing to a person is passed over."""
        if isinstance(event, RunEvent):
            self._note_run(event)
            return
        match event:
            case events.ReasoningDelta():
                self._think(event.text)
            case events.ItemAdded() | events.ItemDone():
                self._note_item(event.item)
            case events.CitationAdded():
                self._source(event.annotation)
            case events.Finished():
                for one in _citations(event.response):
                    self._source(one)
            case _:
                pass

    def call(self, key: Hashable, name: str, arguments: str, state: str) -> None:
        """How a function call stands; the same `key` is the same row."""
        self._put(("call", key), Row("call", _line(f"{name}({arguments})"), state=_line(state)))

    def warn(self, text: str) -> None:
        """Something a person should know."""
        self._put(("note", text), Row("note", _line(text)))

    def _note_run(self, event: RunEvent) -> None:
        data = event.data
        match event.type:
            case "search":
                for query in _texts(data.get("queries")):
                    self._search(query)
            case "page":
                self._page(_text(data, "url"))
            case "source":
                self._source(data)
            case "reasoning":
                self._think(_text(data, "summary") + "\n\n")
            case "warning":
                self.warn(_text(data, "message"))
            case _:
                pass

    def _note_item(self, item: Mapping[str, Any]) -> None:
        action = item.get("action")
        if item.get("type") != "web_search_call" or not isinstance(action, dict):
            return
        action = cast(dict[str, Any], action)
        if action.get("type") in ("open_page", "find_in_page"):
            self._page(_text(action, "url"))
            return
        for query in _texts(action.get("queries")) or _texts([action.get("query")]):
            self._search(query)

    def _search(self, query: str) -> None:
        if query.strip():
            self._put(("search", query), Row("search", _line(query)))

    def _page(self, url: str) -> None:
        if url.strip():
            self._put(("page", url), Row("page", _line(url), web_address(url)))

    def _source(self, source: Mapping[str, Any]) -> None:
        url = _text(source, "url")
        if url.strip():
            self._put(
                ("source", url),
                Row("source", _line(_text(source, "title") or url), web_address(url)),
            )

    def _think(self, text: str) -> None:
        """In rows of a paragraph or so: the page is told the last one anew, not all of them."""
        said = "".join(one for one in text if one.isprintable() or one == "\n")
        said = said[: LONGEST_THOUGHTS - self._thought]
        self._thought += len(said)
        if not said:
            return
        last = self._places.get(("thought", self._thoughts))
        before = self.rows[last].text if last is not None else ""
        if len(before) > LONGEST_PART:
            self._thoughts += 1
            before = ""
        self._put(("thought", self._thoughts), Row("thought", before + said))

    def _put(self, key: Any, row: Row) -> None:
        if (place := self._places.get(key)) is not None:
            self.rows[place] = row
        elif len(self.rows) < MOST_ROWS or (row.kind == "note" and len(self.rows) < MOST_OF_ALL):
            self._places[key] = len(self.rows)
            self.rows.append(row)
        else:
            self._leave_out()

    def _leave_out(self) -> None:
        self._left_out += 1
        self.rows[MOST_ROWS - 1] = Row("note", f"{self._left_out + 1:,} more are not listed here")


def _citations(response: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for item in events.objects(response.get("output")):
        for part in events.objects(item.get("content")):
            yield from map(events.flat_annotation, events.objects(part.get("annotations")))


def _texts(value: Any) -> list[str]:
    listed = cast(list[Any], value) if isinstance(value, list) else []
    return [one for one in listed if isinstance(one, str)]


def _text(mapping: Mapping[str, Any], name: str) -> str:
    value = mapping.get(name)
    return value if isinstance(value, str) else ""


def _line(text: str) -> str:
    text = printable(text[: 4 * LONGEST_LINE])
    return text if len(text) <= LONGEST_LINE else text[: LONGEST_LINE - 1] + "…"
