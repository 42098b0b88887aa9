"""How an answer shows itself: text, numbered sources, one line of what it took.

Rule: build Markdown, then clean it; there is no second way to the page. Titles and addresses
of sources come from the web and are escaped as text before they become Markdown.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from kit.clean import clean_html, clean_markdown
from kit.gateway.card import bundle_of_card, call_card, together
from kit.gateway.events import Wire
from kit.gateway.json_text import read_json
from kit.gateway.marks import with_marks

if TYPE_CHECKING:
    from kit.gateway.answer import Answer

__all__ = ["markdown_of", "mimebundle", "plain_of", "usage_line"]

_LONGEST_TITLE = 120
_LONGEST_NAME = 60
_MOST_SOURCES = 500
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def mimebundle(answer: Answer) -> dict[str, str]:
    """The three forms a front end chooses from, all cleaned; what was called stands first."""
    markdown = markdown_of(answer)
    text = {
        "text/plain": plain_of(answer),
        "text/markdown": clean_markdown(markdown),
        "text/html": clean_html(markdown),
    }
    return together([*(bundle_of_card(call_card(call)) for call in answer.tool_calls), text])


def markdown_of(answer: Answer) -> str:
    """Body, sources and usage as one Markdown text, not yet cleaned."""
    sources = [f"{number}. {_link(url, title)}" for number, url, title in _sources(answer)]
    parts = [_body(answer), _escaped(_remark(answer))]
    if sources:
        parts += ["**Sources**\n\n" + "\n".join(sources), _more(answer)]
    if line := usage_line(answer):
        parts.append(f"*{_escaped(line)}*")
    return "\n\n".join(part for part in parts if part)


def plain_of(answer: Answer) -> str:
    """The same for a terminal."""
    sources = [
        f"[{number}] {title} {url if url != title else ''}".rstrip()
        for number, url, title in _sources(answer)
    ]
    body = _printable(answer.text or answer.refusal)
    parts = [body, _remark(answer), "\n".join(sources), _more(answer), usage_line(answer)]
    return "\n\n".join(part for part in parts if part)


def usage_line(answer: Answer) -> str:
    """`model · 1.2 s · 12 in, 34 out · $0.0012 · 2 searches`; parts not known are left out."""
    parts = [_short(answer.model or "", _LONGEST_NAME)]
    if answer.seconds is not None:
        parts.append(f"{answer.seconds:.1f} s")
    if answer.usage is not None:
        parts.append(f"{answer.usage.input_tokens:,} in, {answer.usage.output_tokens:,} out")
    if answer.cost is not None:
        small = 0 < answer.cost < 0.001
        parts.append("$" + (f"{answer.cost:.8f}".rstrip("0") if small else f"{answer.cost:.4f}"))
    opened = [page for item in answer.searches if (page := _opened(item)) is not None]
    if count := len(answer.searches) - len(opened):
        parts.append(f"{count:,} search" + ("es" if count > 1 else ""))
    if pages := len({page or number for number, page in enumerate(opened)}):
        parts.append(f"{pages:,} page" + ("s" if pages > 1 else ""))
    return " · ".join(part for part in parts if part)


def _opened(item: Wire) -> str | None:
    """The page that was looked into, "" where it is not named; None for a search."""
    action = item.get("action")
    action = cast(Wire, action) if isinstance(action, dict) else {}
    if action.get("type") not in ("open_page", "find_in_page"):
        return None
    url = action.get("url")
    return url.partition("#")[0] if isinstance(url, str) else ""


def _body(answer: Answer) -> str:
    if answer.parsed is not None:
        try:
            pretty = json.dumps(read_json(answer.text), ensure_ascii=False, indent=2)
        except ValueError:
            return answer.text
        longest = max((len(run) for run in re.findall(r"`+", pretty)), default=0)
        fence = "`" * max(3, longest + 1)
        return f"{fence}json\n{pretty}\n{fence}"
    return _with_numbers(answer) or answer.refusal


def _with_numbers(answer: Answer) -> str:
    """The text with `[n]` behind what each source is given for."""
    numbers: dict[int, dict[int, None]] = {}
    for citation in answer.citations:
        if citation.end > citation.start:
            numbers.setdefault(citation.end, {})[citation.number] = None
    marks = {
        place: "".join(_escaped(f"[{number}]") for number in found)
        for place, found in numbers.items()
    }
    return with_marks(answer.text, marks)


def _remark(answer: Answer) -> str:
    """One line where the answer is not whole, or not what it looks like."""
    if answer.status == "incomplete":
        reason = _short((answer.incomplete or "no reason given").replace("_", " "), 200)
        return f"(not finished: {reason})"
    if answer.status == "failed" and answer.error:
        return f"(failed: {answer.error})"
    if answer.status in ("queued", "in_progress", "failed", "cancelled"):
        return f"({answer.status.replace('_', ' ')})"
    if answer.refusal and not answer.text:
        return "(the model refused)"
    return ""


def _sources(answer: Answer) -> list[tuple[int, str, str]]:
    """Number, address and title of each source that has either."""
    found = {one.number: (one.url, one.title) for one in answer.citations if one.title}
    return [
        (number, _printable(url), _short(title, _LONGEST_TITLE))
        for number, (url, title) in list(found.items())[:_MOST_SOURCES]
    ]


def _more(answer: Answer) -> str:
    """What stands below a list of sources that was cut."""
    count = len({one.number for one in answer.citations if one.title}) - _MOST_SOURCES
    return f"… and {count:,} more" if count > 0 else ""


def _link(url: str, title: str) -> str:
    if not url.lower().startswith(("https://", "http://")):
        return _escaped(title)
    target = re.sub(r"[\s<>()\\\[\]`\"]", lambda found: quote(found[0]), url)
    return f"[{_escaped(title)}](<{target.replace('&', '&amp;')}>)"


def _short(text: str, length: int) -> str:
    text = " ".join(_printable(text[: 2 * length]).split())
    return text if len(text) <= length else text[: length - 1] + "…"


def _printable(text: str) -> str:
    """`text` without what moves a terminal's cursor, hides or reverses."""
    return _CONTROL.sub("", text)


def _escaped(text: str) -> str:
    """`text` as Markdown that shows exactly it.

    As entities: with backslashes, `\\[1\\]` and `\\(x\\)` would be mathematics.
    """
    return re.sub(
        r"[\\`*_{}\[\]()#+\-.!|<>~$&:]",
        lambda found: f"&#{ord(found[0])};",
        " ".join(text.split()),
    )
