"""Model text made safe to show: as HTML, and as Markdown.

Rule: everything a model, a gateway or a web page wrote is hostile until it went through here. In
a notebook a `<script>` in a Markdown output runs, pictures are fetched, and both can carry away
what the page shows. Both forms come from the same harmless tokens (clean_reading.py), so they show
the same. Text that cannot be read in bounded time is shown plainly, whole, as a block of code.

Cleaning is pure, and cleaning twice changes nothing.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kit.clean_reading import parser, read, safe_address, tidy
from kit.clean_writing import alignment, in_a_fence, language, write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token
    from nh3 import Cleaner

__all__ = ["clean_growing", "clean_html", "clean_markdown"]

TAGS = {
    *("h1", "h2", "h3", "h4", "h5", "h6", "p", "blockquote", "hr", "br", "pre", "code", "span"),
    *("em", "strong", "s", "a", "ol", "ul", "li", "table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {
    "a": {"href"},
    "code": {"class"},
    "ol": {"start"},
    "span": {"class"},
    "td": {"align"},
    "th": {"align"},
}
NO_MATH = "mathjax_ignore"  # MathJax looks for no formulas in what has this class
_VALUES = {
    "class": re.compile(rf"language-[A-Za-z0-9_+#.-]{{1,40}}|{NO_MATH}"),
    "start": re.compile(r"\d{1,9}"),
    "align": re.compile(r"left|right|center"),
}
MOST_ROUNDS = 3
_UNDECIDED = re.compile(r"\s*(\d{1,9}[.)]?|[^\w\s]*)\s*")
"""A line that begins no block yet: it may be the `3` of `3.`, or the `#` of `#word`."""
_STARTS_MATH = re.compile(r"\$|\\(?=[(\[]|begin|ref|eqref)")


def clean_html(markdown: str) -> str:
    """`markdown` as HTML that a notebook can show: text, tables, code, formulas and links."""
    text = tidy(markdown)
    tokens = read(text)
    if tokens is None:
        return f"<pre>{html.escape(text, quote=False)}</pre>\n"
    return _cleaner().clean(_renderer().render(tokens, parser().options, {}))


def clean_growing(text: str) -> tuple[int, str, str] | None:
    """A tidied text that grows: how many lines of it are complete blocks, their HTML, and the HTML
    of the last block, which later letters may change. None where it is too much to be read."""
    tokens = read(text)
    if tokens is None:
        return None
    starts = [
        (place, token.map[0]) for place, token in enumerate(tokens) if token.map and _opens(token)
    ]
    if starts and starts[-1][1] == text.count("\n") and _UNDECIDED.fullmatch(_last_line(text)):
        starts.pop()  # it may turn out to go on with the block before
    place, lines = starts[-1] if len(starts) > 1 else (0, 0)
    complete, last = (
        _cleaner().clean(_renderer().render(part, parser().options, {})) if part else ""
        for part in (tokens[:place], tokens[place:])
    )
    return lines, complete, last


def _last_line(text: str) -> str:
    return text[text.rfind("\n") + 1 :]


def _opens(token: Token) -> bool:
    return token.level == 0 and token.nesting >= 0


def clean_markdown(markdown: str) -> str:
    """`markdown` without raw HTML, unsafe links or pictures, and with the same content.

    What comes out is read back before it is believed: it says to a reader what was meant.
    """
    from markdown_it.tree import SyntaxTreeNode

    text = written = tidy(markdown)
    for _ in range(MOST_ROUNDS):
        tokens = read(written)
        if tokens is None:
            break
        last, written = written, write(SyntaxTreeNode(tokens))
        if written == last:
            return written
    return _plain(text)


def _plain(text: str) -> str:
    """The text in a fence; one that came from here stays as it is."""
    inside = "\n".join(text.split("\n")[1:-2])
    as_before = _fenced(inside)
    return as_before if text == as_before else _fenced(text)


def _fenced(text: str) -> str:
    return "\n".join(in_a_fence(text)) + "\n"


@lru_cache(maxsize=1)
def _cleaner() -> Cleaner:
    """The second wall: even a fault of the parser gets no further than this list."""
    from nh3 import Cleaner

    return Cleaner(
        tags=TAGS,
        attributes=ATTRIBUTES,
        attribute_filter=_attribute,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer",
    )


def _attribute(tag: str, name: str, value: str) -> str | None:
    if name == "href":
        return safe_address(value)
    if name == "rel":  # the cleaner's own, put in before it asks
        return value
    return value if _VALUES[name].fullmatch(value) else None


@lru_cache(maxsize=1)
def _renderer() -> RendererHTML:
    from markdown_it.renderer import RendererHTML

    renderer = RendererHTML()
    writers: dict[str, Callable[[Token], str]] = {
        "text": _text,
        "fence": _code_block,
        "code_block": _code_block,
        "math_inline": _formula,
        "math_block": _formula_block,
        "th_open": _cell,
        "td_open": _cell,
    }
    # Any, because markdown-it's own rules are methods and it declares nothing wider.
    rules: dict[str, Any] = {kind: _rule(write_token) for kind, write_token in writers.items()}
    renderer.rules.update(rules)
    return renderer


def _rule(write_token: Callable[[Token], str]) -> Callable[..., str]:
    """`write_token` as the renderer calls it: with all tokens, the place of one, and options."""

    def rule(tokens: Sequence[Token], index: int, *_options: object) -> str:
        return write_token(tokens[index])

    return rule


def _text(token: Token) -> str:
    """Escaped, and a dollar in a price is no formula."""
    safe = html.escape(token.content, quote=False)
    return _STARTS_MATH.sub(rf'<span class="{NO_MATH}">\g<0></span>', safe)


def _formula(token: Token) -> str:
    return html.escape(f"{token.markup}{token.content}{token.markup}", quote=False)


def _formula_block(token: Token) -> str:
    return f"<p>{_formula(token)}</p>\n"


def _code_block(token: Token) -> str:
    name = language(token.info) if token.type == "fence" else ""
    opening = f'<code class="language-{name}">' if name else "<code>"
    return f"<pre>{opening}{html.escape(token.content, quote=False)}</code></pre>\n"


def _cell(token: Token) -> str:
    side = alignment(token.attrs)
    return f'<{token.tag} align="{side}">' if side else f"<{token.tag}>"
