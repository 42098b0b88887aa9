"""What a run brought, as an Answer and as files.

Rule: the relay's text is the truth; citations keep their places only where the gateway's own
object has that very text. What has not ended is as far as it has come.
"""

from __future__ import annotations

import dataclasses
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kit.clean import clean_html
from kit.errors import InputError
from kit.gateway.answer import Answer, Citation, answer_of
from kit.relay.glance import Glance
from kit.relay.view import RunEvent, View

__all__ = ["markdown_of", "report_of", "save_report", "text_of"]

FORMATS = (".md", ".html", ".json")


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
    seconds = view.finished - view.created if view.finished and view.created else None
    return dataclasses.replace(
        told,
        text=text,
        id=view.upstream_id or told.id,
        status={"pending": "queued", "running": "in_progress"}.get(view.status, view.status),
        citations=citations,
        cost=glance.cost or told.cost,  # that it was free need not be said
        seconds=seconds,
    )


def _without_places(text: str, events: Sequence[RunEvent]) -> tuple[Citation, ...]:
    """The sources that the run named, at the end of the text."""
    named = [event.data for event in events if event.type == "source"]
    end = len(text)
    return tuple(
        Citation(str(one.get("url") or ""), str(one.get("title") or ""), end, end, number)
        for number, one in enumerate(named, 1)
    )


def markdown_of(question: str, answer: Answer, run: str) -> str:
    """The report with its sources and where it comes from, as Markdown to keep."""
    fence = "`" * 3
    is_json = answer.text.lstrip()[:1] in ("{", "[")
    body = f"{fence}json\n{answer.text.strip()}\n{fence}" if is_json else answer.text.strip()
    named = {one.number: one for one in answer.citations if one.url}
    last = answer.text[max(answer.text.rfind("\n#"), 0) :]
    listed = all(one.url in last for one in named.values())  # the report ends in a list of its own
    sources = [f"{number}. [{_title(one)}]({_target(one.url)})" for number, one in named.items()]
    sources = [] if listed else sources
    origin = " · ".join(
        part
        for part in (
            f"Question: {' '.join(question.split())[:500]}",
            f"Run: {run}",
            f"Model: {answer.model}" if answer.model else "",
            f"Cost: ${answer.cost:.4f}" if answer.cost else "",
        )
        if part
    )
    parts = [body, "## Sources\n\n" + "\n".join(sources) if sources else "", f"---\n\n*{origin}*"]
    return "\n\n".join(part for part in parts if part) + "\n"


def _title(citation: Citation) -> str:
    words = " ".join((citation.title or citation.url).split())
    return "".join("\\" + one if one in "[]\\`*_<>" else one for one in words)[:300]


def _target(url: str) -> str:
    return "".join(f"%{ord(one):02X}" if one in ' ()<>"\\' else one for one in url)


def save_report(path: str | Path, markdown: str, facts: dict[str, Any]) -> Path:
    """Write the report: `.md`, `.html` (cleaned, on its own) or `.json` (`facts`).

    Raises InputError for another ending, or where the file cannot be written.
    """
    file = Path(path).expanduser()
    match file.suffix.lower():
        case ".md":
            content = markdown
        case ".html":
            title = html.escape(str(facts.get("question") or "Report")[:200])
            head = f'<!doctype html>\n<meta charset="utf-8">\n<title>{title}</title>\n'
            style = "<style>body{max-width:46em;margin:2em auto;font:16px/1.5 sans-serif}</style>"
            content = f"{head}{style}\n{clean_html(markdown)}\n"
        case ".json":
            content = json.dumps(facts, ensure_ascii=False, indent=2) + "\n"
        case _:
            raise InputError(f"A report is saved as {', '.join(FORMATS)}, not {file.suffix!r}.")
    try:
        file.write_text(content, "utf-8")
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}.") from None
    return file
