"""How an answer shows itself: text, numbered sources, one line of what it took.

Rule: build Markdown, then clean it; there is no second way to the page. Titles and addresses
of sources come from the web and are escaped as text before they become Markdown.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from kit.clean import clean_html, clean_markdown

if TYPE_CHECKING:
    from kit.gateway.answer import Answer

__all__ = ["markdown_of", "mimebundle", "plain_of", "usage_line"]

_LONGEST_TITLE = 120


def mimebundle(answer: Answer) -> dict[str, str]:
    """The three forms a front end chooses from, all cleaned."""
    markdown = markdown_of(answer)
    return {
        "text/plain": plain_of(answer),
        "text/markdown": clean_markdown(markdown),
        "text/html": clean_html(markdown),
    }


def markdown_of(answer: Answer) -> str:
    """Body, sources and usage as one Markdown text, not yet cleaned."""
    sources = [
        f"{number}. {_link(url, title)}" for number, (url, title) in _sources(answer).items()
    ]
    parts = [_body(answer), _remark(answer)]
    if sources:
        parts.append("**Sources**\n\n" + "\n".join(sources))
    if line := usage_line(answer):
        parts.append(f"*{_escaped(line)}*")
    return "\n\n".join(part for part in parts if part)


def plain_of(answer: Answer) -> str:
    """The same for a terminal."""
    sources = [
        f"[{number}] {title} {url}".rstrip() for number, (url, title) in _sources(answer).items()
    ]
    parts = [answer.text or answer.refusal, _remark(answer), "\n".join(sources)]
    return "\n\n".join(part for part in [*parts, usage_line(answer)] if part)


def usage_line(answer: Answer) -> str:
    """`model · 1.2 s · 12 in, 34 out · $0.0012 · 2 searches`; parts not known are left out."""
    parts = [answer.model or ""]
    if answer.seconds is not None:
        parts.append(f"{answer.seconds:.1f} s")
    if answer.usage is not None:
        parts.append(f"{answer.usage.input_tokens:,} in, {answer.usage.output_tokens:,} out")
    if answer.cost is not None:
        parts.append(f"${answer.cost:.4f}")
    if count := len(answer.searches):
        parts.append(f"{count} search" + ("es" if count > 1 else ""))
    return " · ".join(part for part in parts if part)


def _body(answer: Answer) -> str:
    if answer.parsed is not None:
        try:
            pretty = json.dumps(json.loads(answer.text), ensure_ascii=False, indent=2)
        except ValueError:
            return answer.text
        longest = max((len(run) for run in re.findall(r"`+", pretty)), default=0)
        fence = "`" * max(3, longest + 1)
        return f"{fence}json\n{pretty}\n{fence}"
    return _with_numbers(answer) or answer.refusal


def _with_numbers(answer: Answer) -> str:
    """The text with `[n]` behind what each source is given for; not within code."""
    text = answer.text
    code = [
        match.span() for match in re.finditer(r"(`{3,}|~{3,}).*?(?:\1|\Z)|`[^`\n]*`", text, re.S)
    ]
    marks: dict[int, list[int]] = {}
    for citation in answer.citations:
        inside = any(start < citation.end < end for start, end in code)
        if citation.end > citation.start and not inside:
            numbers = marks.setdefault(citation.end, [])
            if citation.number not in numbers:
                numbers.append(citation.number)
    for place in sorted(marks, reverse=True):
        mark = "".join(_escaped(f"[{number}]") for number in marks[place])
        text = f"{text[:place]} {mark}{text[place:]}"
    return text


def _remark(answer: Answer) -> str:
    """One line where the answer is not whole, or not what it looks like."""
    if answer.status == "incomplete":
        reason = (answer.incomplete or "no reason given").replace("_", " ")
        return f"(not finished: {reason})"
    if answer.status in ("queued", "in_progress", "failed", "cancelled"):
        return f"({answer.status.replace('_', ' ')})"
    if answer.refusal and not answer.text:
        return "(the model refused)"
    return ""


def _sources(answer: Answer) -> dict[int, tuple[str, str]]:
    return {one.number: (one.url, one.title[:_LONGEST_TITLE]) for one in answer.citations}


def _link(url: str, title: str) -> str:
    target = re.sub(r"[\s<>()\\\[\]`\"]", lambda found: f"%{ord(found[0]):02X}", url)
    return f"[{_escaped(title or url)}](<{target}>)" if url else _escaped(title)


def _escaped(text: str) -> str:
    """`text` as Markdown that shows exactly it.

    As entities: with backslashes, `\\[1\\]` and `\\(x\\)` would be mathematics.
    """
    return re.sub(
        r"[\\`*_{}\[\]()#+\-.!|<>~$&:]",
        lambda found: f"&#{ord(found[0])};",
        " ".join(text.split()),
    )
