r"""Harmless tokens in, Markdown out that every renderer reads the same way.

Rule: what matters is written so that no reader can take it for anything else. In text `<`, `&`,
`$`, `@`, brackets and backslashes are entities, and bare addresses are broken or are links; fences
and code spans are longer than any run of backticks in them; a blank line stands after every block
of code. Renderers disagree in the corners (JupyterLab looks for formulas before it knows about
code), and each disagreement is a way in; so the corners are not used.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from markdown_it.tree import SyntaxTreeNode

__all__ = ["alignment", "in_a_fence", "language", "write"]

_ENTITIES = {
    **{character: f"&#{ord(character)};" for character in "\\`$|@[]"},
    **{"<": "&lt;", ">": "&gt;", "&": "&amp;"},
    **{character: f"\\{character}" for character in "*#~"},
}
_SPECIAL = re.compile(r"[\\`$|@<>&*\[\]#~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|!$")
_LOOKS_LIKE_ADDRESS = re.compile(r":(?=//)|(?<=www)\.", re.IGNORECASE)
_STARTS_A_BLOCK = re.compile(r"^(?:([-+=])|(\d{1,9})([.)])(?=\s|$))")

LARGEST_NUMBER = 999_999_999  # more digits start no list

_TAG = re.compile(r"<[A-Za-z/!?]")
_MARKUP_IN_CODE = re.compile(r"[`*_~\[\]|\\@]")
_MATH_IN_CODE = re.compile(r"\\(?:begin|end)|\\\\[()\[\]]")
_LANGUAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+#.-]{0,39}")
_ALIGNMENTS = {"left": ":---", "right": "---:", "center": ":---:"}


def write(root: SyntaxTreeNode) -> str:
    """The whole document, ending in a line break unless it is empty."""
    text = "\n".join(_blocks(root.children, quoted=False))
    return text + "\n" if text else ""


def in_a_fence(text: str, info: str = "") -> list[str]:
    """Lines that show `text` as it is, whatever is in it."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    lines = text.removesuffix("\n").split("\n") if text else []
    return [fence + info, *lines, fence]


def language(info: str) -> str:
    """The language a fence names, or nothing when it is none."""
    name = info.split(maxsplit=1)[0] if info.strip() else ""
    return name if _LANGUAGE.fullmatch(name) else ""


def _blocks(nodes: list[SyntaxTreeNode], *, quoted: bool, tight: bool = False) -> list[str]:
    lines: list[str] = []
    marker = ""
    for node in nodes:
        if _is_list(node):
            # Two lists in a row need two markers, or they would become one.
            marker = _next_marker(node, marker)
            block = _list(node, marker, quoted=quoted)
        else:
            block = _block(node, quoted=quoted)
            marker = "" if block else marker
        if block and lines and not tight:
            lines.append("")
        lines += block
    return lines


def _block(node: SyntaxTreeNode, *, quoted: bool) -> list[str]:
    if node.type == "paragraph":
        return _paragraph(_inline(node))
    if node.type == "heading":
        words = " ".join(_inline(node, in_one_line=True).split("\n")).strip()
        return [f"{'#' * int(node.tag[1])} {words}".rstrip()]
    if node.type in ("fence", "code_block"):
        return _code_block(node, quoted=quoted)
    if node.type == "blockquote":
        inner = _blocks(node.children, quoted=True)
        return [f"> {line}" if line else ">" for line in inner or [""]]
    if node.type == "table":
        return _table(node)
    if node.type == "math_block":
        return [f"$${node.content}$$"]
    return ["___"]  # hr, in the one form that no list marker can be mistaken for


def _paragraph(text: str) -> list[str]:
    text = text.strip()
    while text.endswith("\\"):  # a line break with nothing after it
        text = text[:-1].rstrip()
    lines = [line.strip(" \t") for line in text.split("\n")]
    return [_STARTS_A_BLOCK.sub(_escaped_start, line) for line in lines if line]


def _escaped_start(match: re.Match[str]) -> str:
    sign, number, dot = match.groups()
    return f"\\{sign}" if sign else f"{number}\\{dot}"


def _code_block(node: SyntaxTreeNode, *, quoted: bool) -> list[str]:
    """A fence; in a quote, where no line is blank for JupyterLab, maybe a span for each line."""
    if quoted and ("$" in node.content or _MATH_IN_CODE.search(node.content)):
        spans = [_code_line(line) for line in node.content.split("\n") if line.strip()]
        return [f"{span}\\" for span in spans[:-1]] + spans[-1:]
    return in_a_fence(node.content, language(node.info) if node.type == "fence" else "")


def _code_line(line: str) -> str:
    bare = line.lstrip(" \t")
    return "\u00a0" * len(line[: -len(bare)].expandtabs(4)) + _code(bare.rstrip())


def _list(node: SyntaxTreeNode, marker: str, *, quoted: bool) -> list[str]:
    loose = _is_loose(node)
    number = int(node.attrs.get("start", 1)) if node.type == "ordered_list" else 0
    lines: list[str] = []
    for item in node.children:
        bullet = f"{number}{marker}" if node.type == "ordered_list" else marker
        number = min(number + 1, LARGEST_NUMBER)
        inner = _blocks(item.children, quoted=quoted, tight=not loose) or [""]
        indent = " " * (len(bullet) + 1)
        if lines and loose:
            lines.append("")
        lines.append(f"{bullet} {inner[0]}".rstrip())
        lines += [indent + line if line else "" for line in inner[1:]]
    return lines


def _is_list(node: SyntaxTreeNode) -> bool:
    return node.type in ("bullet_list", "ordered_list")


def _next_marker(node: SyntaxTreeNode, last: str) -> str:
    first, second = (".", ")") if node.type == "ordered_list" else ("-", "*")
    return second if last == first else first


def _is_loose(node: SyntaxTreeNode) -> bool:
    """Whether blank lines stand in the list: where they did, and where they have to."""
    items = node.children
    several = len(items) > 1 or any(len(item.children) > 1 for item in items)
    for item in items:
        for place, child in enumerate(item.children):
            if child.type == "paragraph":
                if several and not child.hidden:
                    return True
            elif not _is_list(child) or _is_loose(child) or (place and not _may_follow_text(child)):
                return True
    return False


def _may_follow_text(node: SyntaxTreeNode) -> bool:
    """A list right below a line of text starts with 1 and with words, or it is more text."""
    first = node.children[0] if node.children else None
    return bool(first and first.children) and int(node.attrs.get("start", 1)) == 1


def _table(node: SyntaxTreeNode) -> list[str]:
    rows = [row for part in node.children for row in part.children]
    signs = [_ALIGNMENTS.get(alignment(cell.attrs), "---") for cell in rows[0].children]
    lines = [_row(row) for row in rows]
    return [lines[0], f"| {' | '.join(signs)} |", *lines[1:]]


def _row(row: SyntaxTreeNode) -> str:
    cells = [_inline(cell, in_one_line=True, in_table=True).strip() for cell in row.children]
    return f"| {' | '.join(cells)} |"


def alignment(attributes: Mapping[str, object]) -> str:
    """`left`, `right`, `center` or nothing, from the attributes of a cell."""
    return str(attributes.get("style", "")).removeprefix("text-align:")


def _inline(node: SyntaxTreeNode, *, in_one_line: bool = False, in_table: bool = False) -> str:
    written = "".join(_span(child, in_table) for part in node.children for child in part.children)
    return written.replace("\\\n", " ").replace("\n", " ") if in_one_line else written


def _span(node: SyntaxTreeNode, in_table: bool) -> str:
    if node.type == "text":
        return _text(node.content)
    if node.type == "code_inline":
        return _code(node.content, in_table)
    if node.type == "math_inline":
        formula = node.content.replace("|", "\\vert ") if in_table else node.content
        return f"{node.markup}{formula}{node.markup}"
    if node.type in ("softbreak", "hardbreak"):
        return "\n" if node.type == "softbreak" else "\\\n"
    inner = "".join(_span(child, in_table) for child in node.children)
    if not inner.strip():
        return inner
    if node.type == "link":
        return f"[{inner}]({str(node.attrs['href']).replace('&', '&amp;')})"
    sign = {"em": "*", "strong": "**", "s": "~~"}.get(node.type, "")
    return f"{sign}{inner}{sign}"


def _text(text: str) -> str:
    """Text that stays text: no renderer finds a tag, a formula, an address or emphasis in it."""
    broken = _LOOKS_LIKE_ADDRESS.sub(lambda match: f"\0{ord(match.group())};", text)
    escaped = _SPECIAL.sub(lambda match: _ENTITIES.get(match.group(), f"\\{match.group()}"), broken)
    return escaped.replace("\0", "&#")


def _code(code: str, in_table: bool = False) -> str:
    """A code span, or plain text where a renderer could see the span end too early."""
    if (
        _MATH_IN_CODE.search(code)
        or (_TAG.search(code) and _MARKUP_IN_CODE.search(code))
        or (in_table and "|" in code)
    ):
        return _text(code)
    runs = set(map(len, re.findall("`+", code)))
    ticks = "`" * next(length for length in range(1, len(runs) + 2) if length not in runs)
    edges = code[:1] + code[-1:]
    pad = " " if "`" in edges or (edges == "  " and code.strip(" ")) else ""
    return f"{ticks}{pad}{code}{pad}{ticks}"
