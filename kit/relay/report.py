"""What a run brought, as an Answer and as files.

Rule: the relay's text is the truth; citations keep their places only where the gateway's own
object has that very text. What has not ended is as far as it has come.
"""

from __future__ import annotations

import dataclasses
import html
import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kit.clean import clean_html, clean_markdown
from kit.clean_reading import web_address
from kit.clean_terminal import unsteered
from kit.clean_writing import in_a_fence
from kit.errors import InputError
from kit.gateway.answer import Answer, Citation, answer_of
from kit.gateway.card import printable
from kit.gateway.json_text import read_json
from kit.relay.glance import Glance, money
from kit.relay.view import RunEvent, View

__all__ = [
    "markdown_of",
    "one_line",
    "report_of",
    "save_report",
    "source_link",
    "text_of",
]

FORMATS = (".md", ".html", ".json")
LONGEST_QUESTION = 500
LONGEST_NAME = 100
LONGEST_TITLE = 300
LONGEST_START = 30
"""Letters, of up to four bytes; systems take names of 255 bytes, encrypted folders of 143."""
STATUSES = {"pending": "queued", "running": "in_progress"}
"""What an answer calls a run's status, where the two differ."""


def text_of(view: View | None, events: Sequence[RunEvent]) -> str:
    """The report, or what has come of it."""
    if view is not None and view.text is not None:
        return view.text
    return "".join(event.text for event in events)


def report_of(view: View, events: Sequence[RunEvent], glance: Glance) -> Answer:
    """The report as an Answer: text, citations, tokens and cost."""
    text = text_of(view, events)
    told = answer_of(view.response or {})
    citations = told.citations if told.text == text else _without_places(text, events)
    ran = view.finished - view.created if view.finished and view.created else None
    return dataclasses.replace(
        told,
        text=text,
        id=view.upstream_id or told.id,
        status=STATUSES.get(view.status, view.status),
        citations=citations,
        cost=glance.cost or told.cost,  # that it was free need not be said
        seconds=None if ran is None else max(ran, 0.0),
        parsed=outline if isinstance(outline := _json_in(text), dict) else None,
    )


def _without_places(text: str, events: Sequence[RunEvent]) -> tuple[Citation, ...]:
    """The sources that the run named, at the end of the text."""
    named = [event.data for event in events if event.type == "source"]
    pages = [(one.get("url"), one.get("title")) for one in named]
    named = [(url, title) for url, title in pages if isinstance(url, str)]
    end = len(text)
    return tuple(
        Citation(url, title if isinstance(title, str) else "", end, end, number)
        for number, (url, title) in enumerate(named, 1)
    )


def markdown_of(question: str, answer: Answer, run: str) -> str:
    """The report with its sources and where it comes from, as Markdown to keep: cleaned, since
    somebody will open it where HTML in it runs and pictures are fetched."""
    text, status = answer.text.strip(), answer.status.replace("_", " ")
    is_json = isinstance(_json_in(text), dict | list)
    plain = "\n".join(in_a_fence(unsteered(text), "json")) if is_json else ""
    body = plain or clean_markdown(text).strip()
    origin = (
        f"Question: {one_line(question, LONGEST_QUESTION)}" if question else "",
        "" if status == "completed" else f"Status: {one_line(status, LONGEST_NAME)}",
        f"Run: {run}",
        f"Model: {one_line(answer.model, LONGEST_NAME)}" if answer.model else "",
        f"Cost: {money(answer.cost)}" if answer.cost else "",
    )
    told = " · ".join(part for part in origin if part)
    parts = [body, _sources(answer), f"---\n\n*{told}*"]
    return "\n\n".join(part for part in parts if part) + "\n"


def _sources(answer: Answer) -> str:
    """A list of what is cited, unless the report ends in one of its own."""
    named = {one.number: one for one in answer.citations if one.url}
    place = answer.text.rfind("\n#")
    last = answer.text[place:] if place >= 0 else ""
    if not named or all(one.url in last for one in named.values()):
        return ""
    lines = [f"{number}. {source_link(one.title, one.url)}" for number, one in named.items()]
    return "\n".join(["## Sources", "", *lines])


def source_link(title: str, url: str) -> str:
    """A link, where its address is one of the web; the words alone where it is not."""
    words, address = one_line(title or url, LONGEST_TITLE), web_address(url)
    return f"[{words}]({_target(address)})" if address else words


def _json_in(text: str) -> Any:
    """The object or list that the text is; None for text of any other kind."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return read_json(text)
    except (ValueError, RecursionError):
        return None


def one_line(text: str, longest: int) -> str:
    """One line of text as Markdown that shows it: titles are the web's, names a gateway's."""
    words = printable(text)[:longest]
    return "".join("\\" + one if one in "[]\\`*_<>" else one for one in words)


def _target(url: str) -> str:
    """An address as the target of a link in Markdown."""
    return "".join(f"%{ord(one):02X}" if one in ' ()<>"\\' else one for one in url)


def save_report(path: str | Path, markdown: str, facts: dict[str, Any]) -> Path:
    """Write the report: `.md`, `.html` (cleaned, on its own) or `.json` (`facts`).

    Raises InputError for another ending, or where the file cannot be written; one that was there
    stays then.
    """
    try:
        file = Path(path).expanduser()
        _put(file, _content(file, markdown, facts).encode())
    except (OSError, RuntimeError, ValueError) as error:  # no such user; NUL, half a pair
        why = error.strerror if isinstance(error, OSError) else "its name or its text is no text"
        raise InputError(f"{str(path)!r} cannot be written: {why}.") from None
    return file


def _content(file: Path, markdown: str, facts: dict[str, Any]) -> str:
    match file.suffix.lower():
        case ".md":
            return markdown
        case ".html":
            title = html.escape(printable(str(facts.get("question") or "Report"))[:200])
            head = f'<!doctype html>\n<meta charset="utf-8">\n<title>{title}</title>\n'
            style = "<style>body{max-width:46em;margin:2em auto;font:16px/1.5 sans-serif}</style>"
            return f"{head}{style}\n{clean_html(markdown)}\n"
        case ".json":
            return json.dumps(facts, ensure_ascii=False, indent=2) + "\n"
        case _:
            raise InputError(f"A report is saved as {', '.join(FORMATS)}, not {file.suffix!r}.")


def _put(file: Path, content: bytes) -> None:
    """Whole or not at all, with the rights that new files of the user have."""
    start = file.name[:LONGEST_START]
    unfinished = file.with_name(f".{start}.{secrets.token_hex(4)}")
    try:
        unfinished.write_bytes(content)
        os.replace(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)
