"""What a research run really did, and what its report claims: link by link.

Rule: only what the run did is evidence. A page is opened when the run opened it or searched in it;
it is searched when a search, or another tool, was shown its address. A citation is the gateway's
word and no more: without a search that listed the page it proves nothing. And what is absent proves
something only where all was reported: where a gateway names no sources of its searches, where items
were dropped, or where a tool ran whose findings we cannot see, a link is `unknown`, not invented.

Everything here comes from outside: any type may stand anywhere, and any number of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from kit.clean_reading import tidy
from kit.gateway.answer import answer_of
from kit.gateway.events import Wire, objects
from kit.relay.report_links import (
    LONGEST_ADDRESS,
    Link,
    links_in,
    links_in_text,
    page_key,
    without_particle,
)

__all__ = [
    "CheckedLink",
    "Cited",
    "Evidence",
    "Source",
    "Verdict",
    "checked",
    "evidence_of",
    "sources_of",
]

Verdict = Literal["opened", "searched", "never seen", "unknown"]

MOST_ITEMS = 20_000
MOST_CHARACTERS = 1_500_000  # of addresses; of what tools found, eight times as many
LONGEST_TITLE = 500

BRING_NO_PAGES = (
    *("message", "reasoning", "web_search_call", "code_interpreter_call", "compaction"),
    *("mcp_list_tools", "mcp_approval_request", "image_generation_call"),
)
"""Items that find no page, or tell which. Any other tool may have found what nobody tells."""

_JSON_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|/)")


@dataclass(frozen=True, slots=True)
class Cited:
    """A source that the gateway cited. `number` is `Citation.number` of the answer."""

    number: int
    url: str
    title: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a run did: each page once, by the address it was first called.

    `searched` are pages that were only found. `reports_sources`: whether `opened` and `searched`
    are all that the run can have seen, so that a link outside them was never seen.
    """

    opened: tuple[str, ...] = ()
    searched: tuple[str, ...] = ()
    citations: tuple[Cited, ...] = ()
    reports_sources: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """A page of the run. `number` where it was cited; `title` is its address where it has none."""

    number: int | None
    title: str
    url: str
    opened: bool
    cited: bool


@dataclass(frozen=True, slots=True)
class CheckedLink:
    """A link of the report, or a citation that the text does not show (`line` is 0)."""

    url: str
    label: str
    line: int
    verdict: Verdict
    number: int | None


def evidence_of(response: Wire | None, events: Iterable[Any] = ()) -> Evidence:
    """Read the final response object, and the events of the run where it says less."""
    response = response if isinstance(response, dict) else {}
    items = objects(response.get("output"))
    seen = _Seen(hides=bool(response.get("truncated_by_relay")) or len(items) > MOST_ITEMS)
    for item in items[:MOST_ITEMS]:
        seen.item(item)
    # Of the items alone: what else stands in a response is nothing to its sources.
    for one in answer_of({"output": items[:MOST_ITEMS]}).citations:
        seen.cite(one.number, one.url, one.title)
    _hear(seen, events)
    return Evidence(
        opened=tuple(seen.opened.values()),
        searched=tuple(url for key, url in seen.found.items() if key not in seen.opened),
        citations=tuple(seen.cited.values()),
        reports_sources=seen.lists_sources and not seen.hides,
    )


def sources_of(evidence: Evidence) -> tuple[Source, ...]:
    """A row for each page: the cited ones with their numbers, then what was opened, then the rest.

    Of two citations of one page the first gives the number.
    """
    opened = {page_key(url) for url in evidence.opened}
    rows: dict[str, Source] = {}
    for cited in sorted(evidence.citations, key=lambda one: one.number):
        key = page_key(cited.url)
        source = Source(cited.number, cited.title or cited.url, cited.url, key in opened, True)
        rows.setdefault(key, source)
    for url in (*evidence.opened, *evidence.searched):
        key = page_key(url)
        rows.setdefault(key, Source(None, url, url, key in opened, False))
    return tuple(rows.values())


def checked(report: str, evidence: Evidence) -> tuple[CheckedLink, ...]:
    """The verdict on each link of the report, then on each citation that is no link in it."""
    opened = {page_key(url) for url in evidence.opened}
    searched = {page_key(url) for url in evidence.searched}
    absent: Verdict = "never seen" if evidence.reports_sources else "unknown"
    cited: dict[str, Cited] = {}
    for citation in evidence.citations:
        cited.setdefault(page_key(citation.url), citation)

    def check(key: str, url: str, label: str, line: int) -> CheckedLink:
        found: Verdict = "searched" if key in searched else absent
        number = cited[key].number if key in cited else None
        return CheckedLink(url, label, line, "opened" if key in opened else found, number)

    links = [_as_seen(link, opened | searched) for link in links_in(report)]
    shown = {key for key, _ in links}
    return (
        *(check(key, link.url, link.label, link.line) for key, link in links),
        *(check(key, one.url, one.title, 0) for key, one in cited.items() if key not in shown),
    )


def _as_seen(link: Link, seen: set[str]) -> tuple[str, Link]:
    """The link with the key of its page: without the Korean particle behind it, where the run saw
    that page and not the longer one."""
    key = page_key(link.url)
    if link.bare and key not in seen:
        for address in without_particle(link.url):
            if (shorter := page_key(address)) in seen:
                return shorter, replace(link, url=address)
    return key, link


def _hear(seen: _Seen, events: Iterable[Any]) -> None:
    """Take in the events that name a page; those that name a source where the response does not."""
    silent = not seen.cited
    for event in events:
        event = cast(Wire, event) if isinstance(event, dict) else {}
        told = event.get("data")
        told = cast(Wire, told) if isinstance(told, dict) else {}
        if event.get("type") == "page":
            seen.open(told.get("url"), unless_failed=True)
        elif event.get("type") == "source" and silent:
            number = told.get("number")
            if type(number) is not int or not 0 < number <= MOST_ITEMS:
                number = len(seen.cited) + 1
            seen.cite(number, told.get("url"), told.get("title"))


@dataclass(slots=True)
class _Seen:
    """What has been read of a run so far, pages by their key.

    `left` bounds the work, in characters; what is not read for it is as good as hidden.
    """

    hides: bool = False
    lists_sources: bool = False
    left: int = MOST_CHARACTERS
    opened: dict[str, str] = field(default_factory=dict[str, str])
    failed: set[str] = field(default_factory=set[str])
    found: dict[str, str] = field(default_factory=dict[str, str])
    cited: dict[str, Cited] = field(default_factory=dict[str, Cited])

    def item(self, item: Wire) -> None:
        match item.get("type"):
            case "web_search_call":
                self._search(item)
            case "mcp_call" | "file_search_call":
                texts = [item.get("output"), *(one.get("text") for one in _results(item))]
                told = [text for text in texts if isinstance(text, str) and text]
                self.hides |= not told and not item.get("error")
                for text in told:
                    if self._take(len(text) // 8):
                        plain = _JSON_ESCAPE.sub(_character, text)
                        self._find(link.url for link in links_in_text(plain))
            case kind:
                self.hides |= kind not in BRING_NO_PAGES

    def open(self, url: Any, *, unless_failed: bool = False) -> None:
        address = self._address(url)
        key = page_key(address)
        if address and not (unless_failed and key in self.failed):
            self.opened.setdefault(key, address)

    def cite(self, number: int, url: Any, title: Any) -> None:
        if isinstance(url, str) and url not in self.cited and (address := self._address(url)):
            words = title[:LONGEST_TITLE] if isinstance(title, str) else ""
            self.cited[url] = Cited(number, address, words or address)

    def _search(self, item: Wire) -> None:
        action = item.get("action")
        action = cast(Wire, action) if isinstance(action, dict) else {}
        if action.get("type") not in ("open_page", "find_in_page"):
            listed = [*objects(action.get("sources")), *_results(item)]
            self.lists_sources |= self._find(one.get("url") for one in listed)
            names_none = not isinstance(action.get("sources"), list) and not listed
            self.hides |= names_none and item.get("status") != "failed"
        elif item.get("status") in (None, "completed"):
            self.open(action.get("url"))
        elif address := self._address(action.get("url")):
            self.failed.add(page_key(address))

    def _find(self, urls: Iterable[Any]) -> bool:
        """Keep the pages that were found; whether there was any."""
        any_found = False
        for url in urls:
            if address := self._address(url):
                self.found.setdefault(page_key(address), address)
                any_found = True
        return any_found

    def _address(self, url: Any) -> str:
        """A web address as it came; "" for anything else."""
        if not isinstance(url, str) or len(url) > LONGEST_ADDRESS or not self._take(len(url)):
            return ""
        url = tidy(url).strip()
        return url if url.lower().startswith(("http://", "https://")) else ""

    def _take(self, length: int) -> bool:
        """Whether there is room to read this too."""
        if length > self.left:
            self.left, self.hides = 0, True
            return False
        self.left -= length
        return True


def _results(item: Wire) -> list[Wire]:
    """What a search found, where the gateway includes it."""
    return objects(item.get("results"))


def _character(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else "/"
