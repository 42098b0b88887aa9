r"""Formulas: what stands between `$`, `$$`, `\(` or `\[`, as one token of its own.

Rule: a formula reaches MathJax untouched, or it is no formula. In a notebook the finder of
formulas runs before the Markdown renderer and knows nothing of it; what it finds may end up inside
an attribute. So a formula holds nothing that closes one, its braces are in balance, and commands
that leave the page (links, styles, new commands) make it plain text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline

__all__ = ["add_math"]

LONGEST_FORMULA = 5_000  # characters
MOST_LINES = 100

_CLOSERS = {"$": "$", "$$": "$$", "\\(": "\\)", "\\[": "\\]"}
_UNRULY = re.compile(
    r"[`\"$]|@@|\\\\[()\[\]]"
    r"|\\(?:href|url|style|class|cssId|data|html\w*|require|includegraphics|unicode|mmlToken"
    r"|[egx]?def|let|futurelet|(?:re)?newcommand|providecommand|Declare\w*|(?:re)?newenvironment"
    r"|label|tag|ref|eqref|toggle|action|texttip|mathtip|bbox|color|definecolor)(?![a-zA-Z])"
)
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)


def add_math(parser: MarkdownIt) -> None:
    """Teach `parser` the tokens `math_inline` and `math_block`; `.markup` is `$` or `$$`."""
    parser.inline.ruler.before("escape", "math", _in_a_line)
    interrupts = ["paragraph", "reference", "blockquote", "list"]
    parser.block.ruler.before("fence", "math", _on_its_own, {"alt": interrupts})


def _in_a_line(state: StateInline, silent: bool) -> bool:
    source, start = state.src, state.pos
    opener = source[start : start + 2]
    if opener not in _CLOSERS:
        opener = source[start : start + 1]
    if opener not in _CLOSERS:
        return False
    begin = start + len(opener)
    end = source.find(_CLOSERS[opener], begin, min(state.posMax, begin + LONGEST_FORMULA))
    if end < 0 or (opener == "$" and not _reads_as_formula(source, begin, end)):
        return False
    formula = _formula(source[begin:end])
    if formula is None:
        return False
    if not silent:
        token = state.push("math_inline", "", 0)
        token.content = formula
        token.markup = "$$" if opener in ("$$", "\\[") else "$"
    state.pos = end + len(opener)
    return True


def _reads_as_formula(source: str, begin: int, end: int) -> bool:
    """Prices are no formulas: no blank inside the dollars, no digit after the second."""
    inside_is_tight = begin < end and not source[begin].isspace() and not source[end - 1].isspace()
    return inside_is_tight and not source[end + 1 : end + 2].isdigit() and source[end - 1] != "\\"


def _on_its_own(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """`$$` or `\\[` at the start of a line, up to the line that ends with its partner."""
    if state.is_code_block(start):
        return False
    first = _line(state, start)
    opener = first[:2]
    if opener not in ("$$", "\\["):
        return False
    closer = _CLOSERS[opener]
    lines: list[str] = []
    for number in range(start, min(end, start + MOST_LINES)):
        if number > start and (state.isEmpty(number) or state.sCount[number] < state.blkIndent):
            return False
        line = _line(state, number).rstrip()
        lines.append(line[2:] if number == start else line)
        if lines[-1].endswith(closer):
            break
    else:
        return False
    formula = _formula("\n".join(lines)[: -len(closer)])
    if formula is None or closer in formula:
        return False
    if not silent:
        token = state.push("math_block", "", 0)
        token.content = formula
        token.markup = "$$"
        token.map = [start, start + len(lines)]
    state.line = start + len(lines)
    return True


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]


def _formula(written: str) -> str | None:
    """The formula in one line and inert as Markdown and as HTML; None when it is not one.

    TeX does not see the blanks put into `<b`, `](` and `&#`; every other reader does.
    """
    formula = " ".join(written.split())
    formula = re.sub(r"<(?=[^\s])", "< ", formula).replace("](", "] (").replace("][", "] [")
    formula = formula.replace("&#", "& #")
    if not formula or len(formula) > LONGEST_FORMULA or _UNRULY.search(formula):
        return None
    if formula.endswith("\\") and not formula.endswith("\\\\"):
        return None
    depth = 0
    for brace in _BRACES.findall(formula):
        depth += (brace == "{") - (brace == "}")
        if depth < 0:
            return None
    return formula if depth == 0 else None
