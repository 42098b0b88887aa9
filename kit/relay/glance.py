"""What a person sees of a run at a glance: what it does, what it has done, what it has cost (pure).

Rule: one event after the other makes one glance out of the one before; the same events give the
same glance, whoever reads them and whenever.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from kit.gateway.card import lasted
from kit.gateway.refusal import shown
from kit.relay.report_links import page_key
from kit.relay.view import RunEvent, number_of

__all__ = ["Glance", "glance_line", "money", "seen"]

LONGEST_WORDS = 80
_EMPHASIS = re.compile(r"\*\*|__|`|^#+ ", re.MULTILINE)
"""Of Markdown, in which models think; a line of a card is plain text."""
STALE_SECONDS = 30.0
MOST_PAGES = 2_000


@dataclass(frozen=True, slots=True)
class Glance:
    """`doing` is "" once it has ended. Times are seconds since 1970; `heard`: of the last event.

    pages: those that were opened, each as a number of its own. read, written: tokens, by estimate
    where `estimate` says so.
    """

    status: str = "pending"
    doing: str = "waiting to begin"
    searches: int = 0
    pages: frozenset[int] = frozenset()
    sources: int = 0
    letters: int = 0
    model: str = ""
    read: int = 0
    written: int = 0
    cost: float | None = None
    estimate: bool = False
    heard: float | None = None
    warnings: tuple[str, ...] = ()
    problem: str | None = None
    upstream_id: str | None = None


def seen(glance: Glance, event: RunEvent, now: float) -> Glance:
    """The glance with one event more."""
    glance = replace(glance, status=event.status or glance.status, heard=now)
    data = event.data
    match event.type:
        case "status":
            doing = "handed to the gateway" if data.get("upstream_response_id") else glance.doing
            upstream = _text(data, "upstream_response_id") or glance.upstream_id
            return replace(glance, doing=doing, upstream_id=upstream)
        case "search":
            doing = f"searching: {_short(_first(data.get('queries')))}"
            return replace(glance, searches=glance.searches + 1, doing=doing)
        case "page":
            url = _text(data, "url")
            return replace(
                glance, pages=_with_page(glance.pages, url), doing=f"reading {_short(url)}"
            )
        case "reasoning":
            return replace(glance, doing=f"thinking: {_short(_text(data, 'summary'))}")
        case "source":
            return replace(glance, sources=glance.sources + 1)
        case "output_text":
            letters = glance.letters + len(event.text)
            return replace(glance, letters=letters, doing="writing the report")
        case "usage":
            return replace(
                glance,
                read=_count(data.get("input_tokens")),
                written=_count(data.get("output_tokens")),
                cost=number_of(data.get("cost_usd")),
                estimate=data.get("estimate") is True,
            )
        case "request":
            body = data.get("body")
            model = _text(cast(Mapping[str, Any], body), "model") if isinstance(body, dict) else ""
            return replace(glance, model=_short(model) or glance.model)
        case "warning":
            said = shown(_text(data, "message"))
            return replace(glance, warnings=(*glance.warnings, said)[-5:])
        case "error" | "cancelled":
            said = shown(_text(data, "message"))
            return replace(glance, doing="", problem=said or event.type)
        case "completed":
            return replace(glance, doing="")
        case _:
            return glance


def _with_page(pages: frozenset[int], url: str) -> frozenset[int]:
    """A page that is looked into again is the same one; more than `MOST_PAGES` are not counted."""
    page = hash(page_key(url))
    return pages if page in pages or len(pages) >= MOST_PAGES else pages | {page}


def glance_line(glance: Glance, seconds: float | None, now: float) -> str:
    """`running · searching: kimchi · 4 searches, 2 pages · 12 s · about $0.02`."""
    counts = ", ".join(
        f"{count:,} {name if count == 1 else several}"
        for count, name, several in (
            (glance.searches, "search", "searches"),
            (len(glance.pages), "page", "pages"),
            (glance.sources, "source", "sources"),
        )
        if count
    )
    silent = now - glance.heard if glance.doing and glance.heard else 0.0
    parts = [
        glance.status,
        glance.doing,
        counts,
        f"{glance.letters:,} characters" if glance.letters and glance.doing else "",
        lasted(seconds) if seconds is not None else "",
        money(glance.cost, glance.estimate),
        f"last heard of {lasted(silent)} ago" if silent > STALE_SECONDS else "",
    ]
    return " · ".join(part for part in parts if part)


def money(cost: float | None, estimate: bool = False) -> str:
    """`$0.0123`, `about $0.01`, "" where it is not known or nothing. Little is not nothing."""
    if not cost:
        return ""
    if estimate:
        return f"about ${cost:.2f}" if cost >= 0.01 else "less than $0.01"
    return "$" + (f"{cost:.4f}" if cost >= 0.001 else f"{cost:.8f}".rstrip("0"))


def _short(words: str) -> str:
    words = " ".join(_EMPHASIS.sub("", words).split())
    return words if len(words) <= LONGEST_WORDS else words[: LONGEST_WORDS - 1] + "…"


def _count(value: Any) -> int:
    number = number_of(value)
    return int(number) if number is not None and 0 <= number < 1e12 else 0


def _first(queries: Any) -> str:
    words = cast(list[Any], queries)[:1] if isinstance(queries, list) else []
    return "".join(map(str, words))


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""
