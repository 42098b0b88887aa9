"""An answer as the forms a front end chooses from; all of it cleaned.

Model text is hostile until cleaned: as Markdown it could run scripts in a trusted notebook, and
as plain text it could steer a terminal with escape sequences.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from typing import Any

from kit.errors import ProtocolError

__all__ = [
    "bundle_of",
    "code_of",
    "ending_of",
    "json_of",
    "live_bundle",
    "pause_for",
    "plain",
    "with_fence_closed",
]

# C0 and C1 controls but tab and line feed, and the marks that reorder text on a line.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")

Bundle = dict[str, str]


def plain(text: str) -> str:
    """`text` without control characters: safe to write to a terminal."""
    return _CONTROLS.sub("", text)


def bundle_of(answer: Any, format: str, notes: Sequence[str] = ()) -> Bundle:
    """The one static output of a cell. Raises ProtocolError for `json` when there is none."""
    if format == "json":
        return _with_notes(_json_bundle(answer), notes)
    bundle = dict(answer._repr_mimebundle_())
    bundle["text/plain"] = plain(bundle["text/plain"])
    if format == "text":
        bundle = {"text/plain": bundle["text/plain"]}
    return _with_notes(bundle, notes)


def ending_of(answer: Any, notes: Sequence[str] = ()) -> str:
    """What follows the text in a terminal: remarks, sources, usage, notes."""
    from kit.gateway.show import plain_of

    ending = plain(plain_of(answer)).removeprefix(plain(answer.text or answer.refusal))
    return "\n".join([ending.strip("\n"), *notes]).strip("\n")


def live_bundle(text: str, status: str, cards: Sequence[Any] = ()) -> Bundle:
    """What is shown while the text grows: cards of what was called, the text so far, and what the
    model does. As HTML where there are cards, else as Markdown alone."""
    from kit.clean import clean_html, clean_markdown

    plain_text = plain(text)
    if status:
        plain_text = f"{plain_text}\n\n{plain(status)}".strip("\n")
        text = f"{with_fence_closed(text)}\n\n*{_literal(status)}*"
    markdown = with_fence_closed(text)
    bundle = {"text/plain": plain_text, "text/markdown": clean_markdown(markdown)}
    if not cards:
        return bundle
    from kit.gateway.card import bundle_of_card, together

    bundle["text/html"] = clean_html(markdown)
    return together([*(bundle_of_card(card) for card in cards), bundle])


def _literal(text: str) -> str:
    """`text` as Markdown that shows exactly it; entities, as `\\(` would be mathematics."""
    return re.sub(r"[\\`*_{}\[\]()#+!|<>~$&]", lambda found: f"&#{ord(found[0])};", text)


def with_fence_closed(text: str) -> str:
    """`text` with its last code fence closed, so that half of a code block looks like one."""
    fence = None
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if match is None:
            continue
        mark, rest = match.groups()
        if fence is None:
            if "`" not in rest or mark[0] == "~":
                fence = mark
        elif mark[0] == fence[0] and len(mark) >= len(fence) and not rest.strip():
            fence = None
    if fence is None:
        return text
    return f"{text}{'' if text.endswith(chr(10)) else chr(10)}{fence}"


def pause_for(length: int, cost: float) -> float:
    """Seconds between two updates of a text of `length` that took `cost` seconds to prepare.

    Ten a second at first. A page lays the whole text out at every update, so long texts get
    fewer: 100,000 characters one a second.
    """
    return max(0.1, 0.1 * length / 10_000, 2 * cost)


def json_of(answer: Any) -> str:
    """The answer's JSON, indented; also from within a code block. Raises ProtocolError."""
    blocks = [answer.text, *(_blocks(answer.text)[:1])]
    for block in blocks:
        try:
            return json.dumps(json.loads(block), ensure_ascii=False, indent=2)
        except (ValueError, RecursionError):
            continue
    error = ProtocolError(
        "The answer is not JSON; it is kept in kit.last.text. "
        "Ask for JSON in the prompt, or give its form with --schema."
    )
    error.answer = answer
    raise error


def code_of(text: str) -> str | None:
    """The first code block of the text; without one the text, if it is Python; else None."""
    blocks = _blocks(text)
    if blocks:
        return blocks[0]
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return text.strip("\n") or None


def _blocks(text: str) -> list[str]:
    """The contents of the fenced code blocks, in order; an unclosed one ends with the text."""
    found: list[str] = []
    fence, lines = "", [""][:0]
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if not fence:
            if match and ("`" not in match[2] or match[1][0] == "~"):
                fence, lines = match[1], []
        elif match and match[1].startswith(fence) and not match[2].strip():
            found.append("\n".join(lines))
            fence = ""
        else:
            lines.append(line)
    return [*found, "\n".join(lines)] if fence else found


def _json_bundle(answer: Any) -> Bundle:
    from kit.clean import clean_html, clean_markdown
    from kit.gateway.show import usage_line

    pretty = json_of(answer)
    usage = plain(usage_line(answer))
    longest = max((len(run) for run in re.findall(r"`+", pretty)), default=0)
    fence = "`" * max(3, longest + 1)
    markdown = f"{fence}json\n{pretty}\n{fence}"
    return {
        "text/plain": f"{plain(pretty)}\n\n{usage}".rstrip("\n"),
        "text/markdown": clean_markdown(markdown),
        "text/html": clean_html(markdown),
    }


def _with_notes(bundle: Bundle, notes: Sequence[str]) -> Bundle:
    """The bundle with our own notes below it."""
    if not notes:
        return bundle
    from html import escape

    lines = {
        "text/plain": "\n".join(notes),
        "text/markdown": "  \n".join(_literal(note) for note in notes),
        "text/html": "".join(f"<p><em>{escape(note)}</em></p>" for note in notes),
    }
    return {kind: f"{value}\n\n{lines[kind]}" for kind, value in bundle.items()}
