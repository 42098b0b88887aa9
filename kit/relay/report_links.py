"""The web addresses that a report shows, and when two of them are the same page.

Rule: every address a reader may follow counts: links and pictures by their target, bare addresses,
definitions that no text uses, and what stands in code, which is a claim like any other. A link's
words are words, also where they spell an address. In a report that is JSON, all values count. What
is too much to be read as Markdown is searched as plain text, so nothing gets lost.

Where a bare address ends is a guess, and this one: at a space, a quotation mark, a bracket that it
did not open, a square one that names no field of its query (`…/x[1]`), or Korean or Chinese
punctuation; before commas and stops at its end; and before a Korean particle right behind a Latin
letter, digit or bracket (`…/x에서`). Behind `/`, `=`, `-` and the like, Hangul is the address's
own (`/wiki/짜장면`), except for a particle behind the host, or one that is no name behind a later
`/`. A particle behind Hangul cannot be told from it, and stays: who knows the pages has
`without_particle`.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from kit.clean_reading import LONGEST_TEXT, MOST_BRACKETS, MOST_CELLS, MOST_LINES, MOST_MARKUP, tidy

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

__all__ = [
    "LONGEST_ADDRESS",
    "Link",
    "links_in",
    "links_in_text",
    "page_key",
    "without_particle",
]

MOST_LINKS = 10_000
LONGEST_REPORT = 4_000_000  # characters that are looked at
LONGEST_ADDRESS = 8_192  # what is longer is a page of its own, and not taken apart
LONGEST_LABEL = 300
DEEPEST = 24  # the parser drops what lies deeper, and takes long for it


@dataclass(frozen=True, slots=True)
class Link:
    """One address at one place of a report.

    `label` is what the report calls it: a link's words, in JSON the title before it; "" where it
    stands bare. `line` counts from 1, the line where the link begins. `bare`: where it ends is a
    guess, since nothing marks it.
    """

    url: str
    label: str
    line: int
    bare: bool = field(default=False, compare=False)


def links_in(report: str) -> tuple[Link, ...]:
    """Every http(s) address of the report, once for each place, from top to bottom."""
    text = tidy(report[:LONGEST_REPORT])
    try:
        is_json = isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        is_json = False
    found = _links_of_json(text) if is_json else _links_of_markdown(text)
    return tuple(sorted(islice(found, MOST_LINKS), key=lambda link: link.line))


_START = re.compile(r"(?i)https?://(?=[\w\[%])")
# Quotation marks, brackets and punctuation that no address is written with, and what is invisible.
_STOPS = r"\s<>\"`|“”‘’«»「」『』《》〈〉【】（）。、，！？；：…—\u200b-\u200f\u2060\ufeff"
_INSIDE = rf"(?![,;]https?://|\*\*|&(?:[lg]t|quot|nbsp);)[^{_STOPS}\\']|'(?=\w)"
_BODY = re.compile(rf"(?i)(?:{_INSIDE})+")
# Markdown has characters behind a backslash; `\_` is what a careful writer writes.
_BODY_OF_MARKDOWN = re.compile(rf"(?i)(?:{_INSIDE}|\\(?:_|[^\w{_STOPS}\\]))+")
_ENDS = ".,;:!?'*_~·([{"
_OPENS = {")": "(", "]": "[", "}": "{"}
# No last part of a host mixes Latin with anything else: there, prose has begun.
_HOST = re.compile(
    r"(?i)(https?://(?:[^/?#]*[.:@])?[a-z0-9-]*[a-z0-9])[^\x00-\x7f][^/?#.:@]*\.*(?:[/?#]|$)"
)
_PARTICLE = (
    "(?:(?:에서|에게|께서|에|으로[서써]?|로[서써]?|와|과|부터|까지|이라|라)(?:부터|까지)?"
    "(?:는|은|도|만|의|를|을|고)?|은|는|이|가|을|를|의|도|만|나|이나|랑|이랑|며|이며|고|이고"
    "|처럼|보다|마다|조차|밖에|뿐|등|이다|입니다|임|참조|참고)$"
)
LONGEST_PARTICLE = 6
_NO_NAME = "에서|에는|에게|으로|까지|부터|입니다"  # unlike 가, 에도 and 로고, which are pages
_PARTICLE_BEHIND = re.compile(
    rf"(?i)(^https?://[^/?#]+/|(?<=[a-z0-9)\]*])|(?<=/)(?={_NO_NAME})){_PARTICLE}"
)


def links_in_text(text: str, line: int = 1) -> Iterator[Link]:
    """Every address of a text that is neither Markdown nor JSON, and begins on this line."""
    place = 0
    while match := _START.search(text, place):
        line += text.count("\n", place, match.start())
        address = _address_at(_BODY.match(text, match.start()))
        if address:
            yield Link(address, "", line, bare=True)
        place = match.start() + (len(address) or len(match[0]))


def _address_at(match: re.Match[str] | None) -> str:
    """The address in a match of a body, without the prose behind it; "" when it is none."""
    address = match.group() if match else ""
    if len(address) > LONGEST_ADDRESS:
        return address
    address = _before_closing(_before_mark(address))
    if host := _HOST.match(address):
        address = host[1]
    while (shorter := _PARTICLE_BEHIND.sub(r"\1", address.rstrip(_ENDS))) != address:
        address = shorter
    return address if _START.match(address) else ""


def without_particle(address: str) -> Iterator[str]:
    """What a bare address may be, where Hangul at its end is a particle; the longest first."""
    for length in range(1, LONGEST_PARTICLE + 1):
        shorter = address[:-length]
        if "가" <= shorter[-1:] <= "힣" and re.fullmatch(_PARTICLE, address[-length:]):
            yield shorter


# What stands in square brackets behind an address is the number of a source, or a link's words.
_MARK = re.compile(r"(?<!\\)\[(?![\w.%-]*\](?:\[[\w.%-]*\])*=)")
_TO_HOST = re.compile(r"(?i)https?://(?:[^/?#\[]*@)?(?:\[[^\]]*\])?[^/?#\[]*")


def _before_mark(address: str) -> str:
    """What is before the first square bracket behind the host that names no field (`?a[]=1`)."""
    host = _TO_HOST.match(address)
    mark = _MARK.search(address, host.end()) if host else None
    return address[: mark.start()] if mark else address


def _before_closing(address: str) -> str:
    """What is before the first bracket that closes what the address did not open."""
    opened: list[str] = []
    for bracket in re.finditer(r"[()\[\]{}]", address):
        if bracket[0] not in _OPENS:
            opened.append(bracket[0])
        elif not opened or opened.pop() != _OPENS[bracket[0]]:
            return address[: bracket.start()]
    return address


def _label(words: str) -> str:
    words = " ".join(words[: 2 * LONGEST_LABEL].split())
    return words if len(words) <= LONGEST_LABEL else words[: LONGEST_LABEL - 1] + "…"


_PIECE = re.compile(r'(?s)"((?:[^"\\]|\\.)*)"(\s*:)?|[{}]')


def _links_of_json(text: str) -> Iterator[Link]:
    """The addresses in the values of a valid JSON text; a title counts until its object ends."""
    key, title, line, done = "", "", 1, 0
    for piece in _PIECE.finditer(text):
        if piece[1] is None:
            key = title = ""
        elif piece[2]:
            key = piece[1]
        else:
            value = tidy(str(json.loads(f'"{piece[1]}"', strict=False)))
            line, done = line + text.count("\n", done, piece.start()), piece.start()
            yield from (replace(link, label=title, line=line) for link in links_in_text(value))
            title = _label(value) if key in ("title", "name", "heading") else title


_MARKUP = re.compile(r"[*_`<&\\|~\[!]")


def _links_of_markdown(text: str) -> Iterator[Link]:
    seen: dict[str, Any] = {}
    tokens = None if _is_too_much(text) else _parser().parse(text, seen)
    if tokens is None or any(token.level >= DEEPEST - 1 for token in tokens):
        return links_in_text(text)
    return _links_of_tokens(tokens, seen)


def _is_too_much(text: str) -> bool:
    """The bounds within which a report is shown as Markdown: the parser is quadratic in places."""
    bars = [bars for line in text.split("\n") if (bars := line.count("|"))]
    return (
        len(text) > LONGEST_TEXT
        or text.count("\n") > MOST_LINES
        or text.count("[") > MOST_BRACKETS
        or sum(1 for _ in _MARKUP.finditer(text)) > MOST_MARKUP
        or len(bars) * max(bars, default=0) > MOST_CELLS  # short rows are filled up
    )


def _links_of_tokens(tokens: list[Token], seen: dict[str, Any]) -> Iterator[Link]:
    used: set[str] = set()
    for token in tokens:
        line = token.map[0] + 1 if token.map else 1
        if token.type == "inline":
            for link in _links_of_words(token.children or [], line):
                used.add(link.url)
                yield link
        elif token.type in ("fence", "code_block"):
            yield from links_in_text(token.content, line + (token.type == "fence"))
    # `[1]: https://…` is shown by no renderer, and read by everyone who reads the text.
    named = [{"label": name, **one} for name, one in seen.get("references", {}).items()]
    for one in (*named, *seen.get("duplicate_refs", ())):
        if one["href"] not in used and _START.match(one["href"]):
            yield Link(one["href"], _label(one["title"] or one["label"]), one["map"][0] + 1)


def _links_of_words(tokens: list[Token], line: int) -> Iterator[Link]:
    """The links of one paragraph, heading or cell."""
    inside: list[tuple[str, int, list[str]]] = []  # the links that are open: target, line, words
    for token in tokens:
        line += token.type in ("softbreak", "hardbreak")
        if token.type == "link_open":
            inside.append((str(token.attrs.get("href", "")), line, []))
        elif token.type == "link_close":
            url, first, words = inside.pop()
            if _START.match(url):
                yield Link(url, "" if token.info == "auto" else _label("".join(words)), first)
        elif token.type == "image" and _START.match(url := str(token.attrs.get("src", ""))):
            yield Link(url, _label(token.content), line)
        elif token.type in ("address", "text", "code_inline") and not inside:
            yield from links_in_text(token.content, line)
        if inside:
            inside[-1][2].append(token.content or " " * token.type.endswith("break"))


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    """The one parser; parsing changes nothing in it. Addresses come out as they are written."""
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False, "maxNesting": DEEPEST}).enable("table")
    reader.validateLink = lambda url: True  # type: ignore[method-assign]
    reader.normalizeLink = lambda url: url  # type: ignore[method-assign]
    # Before emphasis is looked for: `/__init__.py` is no strong "init".
    reader.inline.ruler.after("text", "address", _bare_address)
    return reader


def _bare_address(state: StateInline, silent: bool) -> bool:
    """Take an address in text whole. Its scheme has been read when its colon is."""
    from markdown_it.common.utils import unescapeAll

    start = state.src.rfind("http", max(state.pos - 5, 0), state.pos)
    found = start >= 0 and state.src.startswith("://", state.pos)
    written = _address_at(_BODY_OF_MARKDOWN.match(state.src, start, state.posMax)) if found else ""
    if not written:
        return False
    if not silent:
        state.pending = state.pending[: start - state.pos]
        state.push("address", "", 0).content = _address_at(_BODY.match(unescapeAll(written)))
    state.pos = start + len(written)
    return True


_TRACKING = re.compile(
    r"utm_.*|(?:g|fb|d|y|tw|tt)clid|gclsrc|msclkid|[gw]braid|mc_[ce]id|igshid|srsltid|li_fat_id"
    r"|mkt_tok|_g[al]|_hs(?:enc|mi)|napm|n_(?:media|query|rank|ad|ad_group|keyword|keyword_id)"
)
_ESCAPES = re.compile(r"(?i)(?:%[0-9a-f]{2})+")
_SAME_ESCAPED = re.compile(r"[A-Za-z0-9._~!$'()*,:@-]|[^\x00-\x7f]")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def page_key(url: str) -> str:
    """One spelling for all addresses that are obviously the same page.

    Made equal: http and https, letter case of the host, its `www.` and final dot, Korean names and
    their punycode, default ports, ways to escape, composed and decomposed Hangul, the order of the
    query, what only tracks, a final slash, the fragment. `www.` is safe: who has a host has that
    too. Kept apart, so that nothing is called opened that was not: other subdomains (`m.`), user
    names, letter case and dots in the path, fragments that name a page (`#/about`). An address
    that cannot be read is equal to itself alone.
    """
    if len(url) > LONGEST_ADDRESS:
        return url
    address = tidy(url).strip()
    try:
        parts = urlsplit(address)
        host, port = _host(parts.hostname or ""), parts.port
    except ValueError:
        return address
    if parts.scheme not in _DEFAULT_PORTS or not re.fullmatch(r"[\w.:\[\]-]+", host):
        return address
    user, at, _ = parts.netloc.rpartition("@")
    where = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    fragment = f"#{_spelled(parts.fragment)}" if parts.fragment[:1] in ("/", "!") else ""
    path = _spelled(parts.path).rstrip("/") + _query(parts.query)
    return f"https://{user}{at}{host}{where}{path}{fragment}"


def _host(host: str) -> str:
    if ":" in host or len(host) > 253:  # no name, and one that names nothing
        return f"[{host}]"
    host = unicodedata.normalize("NFKC", host).lower().replace("\u3002", ".").rstrip(".")
    labels = [
        label if label.isascii() else f"xn--{label.encode('punycode').decode()}"
        for label in host.split(".")
    ]
    return ".".join(labels[1:] if labels[0] == "www" and len(labels) > 2 else labels)


def _query(query: str) -> str:
    fields = [one.partition("=") for one in _spelled(query).replace("%20", "+").split("&") if one]
    kept = [field for field in fields if not _TRACKING.fullmatch(field[0].lower())]
    kept.sort(key=lambda field: field[0])  # of fields with one name the order may matter
    return "?" + "&".join("".join(field) for field in kept) if kept else ""


def _spelled(text: str) -> str:
    """`text` escaped in the one way; escapes that change the meaning (`%2F`) stay as they are."""
    text = _ESCAPES.sub(_unescaped, re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", text))
    return quote(unicodedata.normalize("NFC", text), "/?!$&'()*,:;=@+%", errors="surrogateescape")


def _unescaped(escapes: re.Match[str]) -> str:
    text = bytes.fromhex(escapes[0].replace("%", "")).decode(errors="surrogateescape")
    return "".join(one if _SAME_ESCAPED.fullmatch(one) else f"%{ord(one):02X}" for one in text)
