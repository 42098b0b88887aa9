"""Hostile Markdown in, tokens that can be shown out.

Rule: whatever is not plainly harmless becomes text. Raw HTML is text from the start; a link keeps
its words and loses an address we do not know to be safe; a picture becomes a link to itself,
because showing it would fetch it and tell its server who is reading.

Work is bounded before it starts: the parser is quadratic in places, so a text with more markup
than a person could have written is not parsed at all (`read` returns None: show it plainly).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from kit.clean_math import add_math

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

__all__ = ["parser", "read", "safe_address", "tidy", "web_address"]

LONGEST_TEXT = 200_000  # characters
MOST_LINES = 6_000
MOST_CELLS = 8_000
MOST_MARKUP = 20_000  # characters that may start something
MOST_BRACKETS = 4_000  # these are the quadratic ones
DEEPEST = 60  # quotes and lists in each other

_MARKUP = re.compile(r"[*_`<&\\$|~\[!]")
_BROKEN = re.compile("[\ud800-\udfff]")
_LINE_ENDS = re.compile("\r\n?|[\x85\u2028\u2029]")
# Control characters, and those that reverse the direction of what follows.
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SMUGGLED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

_BARE_ADDRESS = re.compile(r"(?<![a-z0-9])https?://[^\s<>\"'`|\\^{}\[\]]+", re.IGNORECASE)
_BREAK = re.compile(r"(?i)<br\s{0,2}/?>")
# A host and maybe a port. No user name: `https://your.bank@elsewhere` leads elsewhere.
_AUTHORITY = re.compile(
    r"([a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])(:\d*)?", re.IGNORECASE
)
_MAIL = re.compile(
    r"mailto:[a-z0-9._%+-]+@[a-z0-9-]+(\.[a-z0-9-]+)*(\?[\w.%+=&;-]*)?", re.IGNORECASE
)
_ON_THIS_PAGE = re.compile(r"#[\w.%-]*", re.ASCII)
# Legal in an address, and inert in Markdown, in HTML and for every finder of formulas.
_INERT = "%/?#:;=&+,.!~-"
LONGEST_ADDRESS = 8_192


def tidy(text: str) -> str:
    """`text` with plain line ends, and without characters that hide or turn what one sees."""
    text = _BROKEN.sub("\ufffd", text)
    return _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text))


def read(text: str) -> list[Token] | None:
    """The tokens of a tidied text, all harmless; None when it is too much to be read."""
    if _is_too_much(text):
        return None
    try:
        tokens = parser().parse(text)
    except RecursionError:
        return None
    if any(token.level >= DEEPEST - 1 for token in tokens):
        return None  # the parser drops what lies deeper, and nothing may get lost
    for token in tokens:
        if token.children is not None:
            token.children = list(_harmless(token.children))
        token.content = _SMUGGLED.sub("\ufffd", token.content)
    return tokens


def _is_too_much(text: str) -> bool:
    if (
        len(text) > LONGEST_TEXT
        or text.count("\n") > MOST_LINES
        or text.count("[") > MOST_BRACKETS
        or sum(1 for _ in _MARKUP.finditer(text)) > MOST_MARKUP
    ):
        return True
    bars = [bars for line in text.split("\n") if (bars := line.count("|"))]
    return len(bars) * max(bars, default=0) > MOST_CELLS  # short rows are filled up


def safe_address(address: str) -> str | None:
    """The address when a link may lead there, with every character inert; else None."""
    if len(address) > LONGEST_ADDRESS:
        return None
    if _ON_THIS_PAGE.fullmatch(address) or _MAIL.fullmatch(address):
        return address
    try:
        parts = urlsplit(address)
        _ = parts.port  # raises when it is none
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not _AUTHORITY.fullmatch(parts.netloc):
        return None
    query = f"?{parts.query}" if parts.query else ""
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    rest = quote(parts.path + query + fragment, safe=_INERT)
    return f"{parts.scheme}://{parts.netloc.lower()}{rest}"


def web_address(address: str) -> str:
    """The address when it is one of the web that a link may lead to; else ""."""
    safe = safe_address(address) or ""
    return safe if safe.startswith(("https://", "http://")) else ""


def _harmless(tokens: list[Token]) -> Iterator[Token]:
    """Links with known addresses only, pictures as links, bare addresses as links."""
    from markdown_it.token import Token

    open_links: list[bool] = []  # for each link we are in: whether it was kept
    for token in tokens:
        token.content = _SMUGGLED.sub("\ufffd", token.content)
        if token.type == "link_open":
            address = safe_address(str(token.attrs.get("href", "")))
            token.attrs = {"href": address} if address else {}
            open_links.append(address is not None)
            if address:
                yield token
        elif token.type == "link_close":
            if open_links.pop():
                yield token
        elif token.type == "image":
            words = _SMUGGLED.sub("\ufffd", _words(token)).strip()
            address = safe_address(str(token.attrs.get("src", "")))
            if address and not address.startswith("#") and not any(open_links):
                yield from _link(address, words or "image")
            else:
                yield Token("text", "", 0, content=words)
        elif token.type == "text" and not any(open_links):
            yield from _with_links(token.content)
        else:
            yield token


def _words(image: Token) -> str:
    return "".join(
        _words(child) if child.type == "image" else (child.content or " " * (child.tag == "br"))
        for child in image.children or ()
    )


def _link(address: str, words: str) -> Iterator[Token]:
    from markdown_it.token import Token

    yield Token("link_open", "a", 1, attrs={"href": address})
    yield Token("text", "", 0, content=words)
    yield Token("link_close", "a", -1)


def _with_links(text: str) -> Iterator[Token]:
    """The text, cut where an address stands in it without any markup."""
    from markdown_it.token import Token

    done = 0
    for match in _BARE_ADDRESS.finditer(text):
        written = _without_punctuation(match.group())
        address = safe_address(written)
        if address is None:
            continue
        if match.start() > done:
            yield Token("text", "", 0, content=text[done : match.start()])
        yield from _link(address, written)
        done = match.start() + len(written)
    if done < len(text):
        yield Token("text", "", 0, content=text[done:])


def _without_punctuation(address: str) -> str:
    """What stands behind an address in a sentence is not of it; closing its own brackets is."""
    surplus = address.count(")") - address.count("(")
    end = len(address)
    while end and (address[end - 1] in ".,;:!?*_~" or (address[end - 1] == ")" and surplus > 0)):
        end -= 1
        surplus -= address[end] == ")"
    return address[:end]


@lru_cache(maxsize=1)
def parser() -> MarkdownIt:
    """The one parser; parsing changes nothing in it."""
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False, "maxNesting": DEEPEST})
    reader.enable(["table", "strikethrough"])
    # Addresses are judged in `_harmless`; refusing them here would show their source instead.
    reader.validateLink = lambda url: True  # type: ignore[method-assign]
    reader.inline.ruler.before("autolink", "break", _line_break)
    add_math(reader)
    return reader


def _line_break(state: StateInline, silent: bool) -> bool:
    """`<br>` is the one tag that models write into tables, and a line break does no harm."""
    match = _BREAK.match(state.src, state.pos, state.posMax)
    if match is None:
        return False
    if not silent:
        state.push("hardbreak", "br", 0)
    state.pos = match.end()
    return True
