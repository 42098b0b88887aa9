"""Cards: what ran beside the text, as plain static output.

Rule: everything on a card is escaped as text. There is no script and nothing to fetch, so a saved
notebook shows the same as a live one, in a light theme and in a dark one.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from kit.gateway.events import Wire

if TYPE_CHECKING:
    from kit.gateway.answer import ToolCall

__all__ = [
    "Card",
    "bundle_of_card",
    "call_card",
    "lasted",
    "literal",
    "printable",
    "together",
    "told_arguments",
]

LONGEST_ABOUT = 300
LONGEST_OUTPUT = 160

_UNSEEN = re.compile(  # what moves a cursor, turns text around, or is half a character
    r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_MARKUP = re.compile(r"[\\`*_{}\[\]()#+\-.!|<>~$&:=@]")
_BOX = (
    "border:1px solid var(--jp-border-color2,#bdbdbd);border-left:4px solid {colour};"
    "border-radius:4px;padding:6px 12px;margin:4px 0"
)
_QUIET = "opacity:.75"
_COLOURS = {
    **{"completed": "#2e7d32", "failed": "#c62828", "cancelled": "#757575", "waiting": "#757575"},
}
_AT_WORK = "#1565c0"
_KINDS = ("text/plain", "text/markdown", "text/html")

Bundle = dict[str, str]


@dataclass(frozen=True, slots=True)
class Card:
    """A title, what it is about, and lines below; `status` as a run has it gives the colour."""

    title: str
    about: str = ""
    lines: tuple[str, ...] = ()
    status: str = "running"


def call_card(call: ToolCall) -> Card:
    """A function call, as far as it has come."""
    said = _first_line(call.output) if call.run is None else ""
    seconds = call.seconds or 0.0
    facts = [
        f"{call.error.replace('_', ' ')}: {_told(call.output)}" if call.error else said,
        call.note,
        lasted(seconds) if seconds >= 1 and not call.note else "",
    ]
    line = " · ".join(fact for fact in facts if fact)
    again = f"kit.run({call.run.id!r}) finds it again." if call.run is not None else ""
    lines = tuple(one for one in (line, again) if one)
    return Card(call.name, told_arguments(call.arguments), lines, _status(call))


def _status(call: ToolCall) -> str:
    if call.error is not None:
        return "failed"
    if call.seconds is not None:
        return "completed"
    return "running" if call.started else "waiting"


def bundle_of_card(card: Card) -> Bundle:
    """The three forms a front end chooses from."""
    about = _clipped(card.about, LONGEST_ABOUT)
    title = printable(card.title) or "(no name)"
    lines = [line for one in card.lines if (line := printable(one))]
    head = f"{title}: {about}" if about else title
    quoted = [f"**{literal(title)}** {literal(about)}", *map(literal, lines)]
    return {
        "text/plain": "\n".join([head, *(f"  {line}" for line in lines)]),
        "text/markdown": "> " + "  \n> ".join(quoted),
        "text/html": _html(card.status, title, about, lines),
    }


def together(bundles: Sequence[Bundle]) -> Bundle:
    """Several outputs as one, below each other."""
    return {
        kind: "\n\n".join(one[kind] for one in bundles if kind in one)
        for kind in _KINDS
        if any(kind in one for one in bundles)
    }


def lasted(seconds: float) -> str:
    """`12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    whole = max(int(seconds), 0)
    for unit, size, below, smaller in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60)):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {below}" if rest else "")
    if whole >= 60:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole} s"


def _html(status: str, title: str, about: str, lines: Sequence[str]) -> str:
    style = _BOX.format(colour=_COLOURS.get(status, _AT_WORK))
    rows = "".join(f'<div style="{_QUIET}">{html.escape(line)}</div>' for line in lines)
    head = f"<strong>{html.escape(title)}</strong> {html.escape(about)}"
    # The class: JupyterLab looks for formulas in HTML as well.
    return f'<div class="mathjax_ignore" style="{style}"><div>{head}</div>{rows}</div>'


def told_arguments(raw: str) -> str:
    """`city: Seoul, unit: C`; what is no object as it is."""
    try:
        given: Any = json.loads(raw) if len(raw) < 100_000 else raw
        return _pairs(cast(Wire, given)) if isinstance(given, dict) else raw
    except (ValueError, RecursionError):
        return raw


def _pairs(given: Wire) -> str:
    said = {name: one for name, one in given.items() if one is not None}
    if len(said) == 1:
        return "".join(map(_word, said.values()))
    return ", ".join(f"{name}: {_word(one)}" for name, one in said.items())


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _told(output: str) -> str:
    """The message of an error output."""
    try:
        return str(json.loads(output)["error"]["message"])[: 2 * LONGEST_OUTPUT]
    except (ValueError, KeyError, TypeError, RecursionError):
        return _first_line(output)


def _first_line(text: str) -> str:
    return _clipped(text[: 4 * LONGEST_OUTPUT], LONGEST_OUTPUT)


def _clipped(text: str, longest: int) -> str:
    text = printable(text[: 4 * longest])
    return text if len(text) <= longest else text[: longest - 1] + "…"


def printable(text: str) -> str:
    """On one line: a second one would stand outside of the card."""
    return " ".join(_UNSEEN.sub("", text).split())


def literal(text: str) -> str:
    """`text` as Markdown that shows exactly it and links nowhere; as entities, for `\\(` would be
    mathematics."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", text)
