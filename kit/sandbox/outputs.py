"""What functions returned, made readable: nothing is added to it, nothing is concluded from it.

A report stays the report it is, JSON becomes lists and tables, anything else is shown as text.
Links in an output become citations.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kit.sandbox.dialogue import Conversation
from kit.sandbox.phrases import phrase
from kit.sandbox.schema import is_list, is_mapping
from kit.sandbox.steps import Citation, Say, Turn

LONGEST = 60_000
MOST_ROWS = 50
MOST_COLUMNS = 8
LONG_TEXT = 200
DEEPEST = 4
ADDRESS = r"https?://(?:[^\s()<>\"]|\([^\s()<>\"]{0,200}\)){1,2000}"
LINK = re.compile(
    r"(?P<picture>!\[[^\]\n]{0,300}\]\([^)\n]{0,2000}\))|"
    r"\[(?P<label>(?:[^\[\]\n]|\[[^\[\]\n]{0,100}\]){1,300})\]"
    rf"\((?P<address>{ADDRESS})(?:\s+(?:\"[^\"\n]{{0,300}}\"|'[^'\n]{{0,300}}'))?\)|"
    rf"(?P<bare>{ADDRESS})"
)
"""A picture, which is no source; a link with its label; an address as it is."""


def say_outputs(talk: Conversation) -> Say:
    """The outputs of the functions since the prompt, one section each when there are several."""
    parts = [_part(turn, named=len(talk.outputs) > 1) for turn in talk.outputs]
    body = _bounded("\n\n".join(parts))
    notice = phrase("from_tools", talk.language)
    return Say(f"{body}\n\n{notice}", links_in(body))


def _bounded(text: str) -> str:
    """A text as far as it is shown: by whole lines, so that no link is cut, and marked as cut."""
    if len(text) <= LONGEST:
        return text
    head = text[:LONGEST]
    return (head.rpartition("\n")[0] or head) + "\n\n…"


def links_in(text: str) -> tuple[Citation, ...]:
    """A citation for every link of a text, over the link as it is written."""
    return tuple(_cited(text, match) for match in LINK.finditer(text) if match["picture"] is None)


def _cited(text: str, match: re.Match[str]) -> Citation:
    start, end = match.span()
    if (bare := match["bare"]) is not None:
        address = bare.rstrip(".,;:!?*_'`|\\")
        return Citation(start, start + len(address), address, address)
    if text[max(0, start - 1) : start] == "(" and text[end : end + 1] == ")":
        start, end = start - 1, end + 1
    return Citation(start, end, match["address"], match["label"].strip("[] ") or match["label"])


def _part(turn: Turn, *, named: bool) -> str:
    shown = readable(turn.text)
    if not named:
        return shown
    label = f"**{turn.tool_name or 'function'}**"
    return f"{label}\n\n{shown}" if "\n" in shown else f"{label}: {shown}"


def readable(output: str) -> str:
    """An output as Markdown."""
    try:
        value: Any = json.loads(output)
    except (ValueError, RecursionError):
        return output.strip() or "(empty)"
    if is_mapping(value) and (report := _report(value)):
        return report
    return _shown(value)


def _report(fields: Mapping[str, Any]) -> str | None:
    """The long text that an object is really about, such as a report with its bookkeeping."""
    longest = max(_texts(fields, 0), key=len, default="")
    return longest.strip() if len(longest) > LONG_TEXT else None


def _texts(fields: Mapping[str, Any], depth: int) -> Iterator[str]:
    """The texts of an object and of the objects in it; rows of a list stay a table."""
    for value in fields.values():
        if isinstance(value, str):
            yield value
        elif is_mapping(value) and depth < DEEPEST:
            yield from _texts(value, depth + 1)


def _shown(value: Any) -> str:
    if is_mapping(value):
        lines = [f"- **{_label(key)}**: {_short(one)}" for key, one in value.items()]
        return "\n".join(lines) or "{}"
    if is_list(value) and value and all(is_mapping(one) for one in value):
        return _table(value)
    if is_list(value):
        return "\n".join(f"- {_short(one)}" for one in value[:MOST_ROWS]) or "[]"
    return _short(value)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A list of objects as a table, bounded in rows and columns."""
    columns = list(dict.fromkeys(key for row in rows[:MOST_ROWS] for key in row))[:MOST_COLUMNS]
    lines = [" | ".join(_label(column) for column in columns), " | ".join("---" for _ in columns)]
    lines.extend(
        " | ".join(_short(row.get(column, "")).replace("|", "\\|") for column in columns)
        for row in rows[:MOST_ROWS]
    )
    more = f"\n\n… {len(rows) - MOST_ROWS} more" if len(rows) > MOST_ROWS else ""
    return "\n".join(f"| {line} |" for line in lines) + more


def _short(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, dict | list):
        return f"`{json.dumps(value, ensure_ascii=False)[:300]}`"
    return str(value)


def _label(key: object) -> str:
    return str(key).replace("_", " ")
