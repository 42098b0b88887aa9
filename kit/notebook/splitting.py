"""The magic line cut into words, and the assignment in front of it.

A shell's rules would break what people write here: a backslash is a Windows path, an apostrophe
inside a word is an apostrophe, and quotes pasted from a document are curly. So a quote quotes only
where a word begins (or after the `=` of `--name="..."`), and a backslash escapes only a quote of
the kind it stands in.
"""

from __future__ import annotations

import builtins
import keyword
import re
from dataclasses import dataclass

from kit.errors import InputError

__all__ = [
    "Assignment",
    "Word",
    "split_assignment",
    "split_words",
    "variable_name",
    "writable_name",
]

_CLOSING = {'"': '"', "'": "'", "“": "”", "‘": "’"}
_ASSIGNMENT = re.compile(r"\s*(?P<name>[^\s=<-][^\s=<]*)?\s*(?P<shows>=?)\s*<<(?:\s+|$)")

# In, Out, `_`, `_12`, `_i3`, `_oh` and what begins with `__`: cells and magics work with them.
_IPYTHONS_OWN = re.compile(r"In|Out|get_ipython|exit|quit|_(\d.*|i+\d*|[dio]h|_.*)?")


@dataclass(frozen=True, slots=True)
class Word:
    """One word of the line; a quoted one is never an option."""

    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Assignment:
    """`name <<` assigns and stays silent, `name = <<` assigns and shows."""

    name: str
    silent: bool


def split_assignment(line: str) -> tuple[Assignment | None, str]:
    """The assignment in front of the line, and the rest. Raises InputError for a bad name."""
    match = _ASSIGNMENT.match(line)
    if match is None:
        return None, line
    name = match["name"]
    if not name:
        raise InputError("`<<` needs a name in front of it, like `answer <<`.")
    return Assignment(writable_name(name, "<<"), not match["shows"]), line[match.end() :]


def variable_name(name: str, where: str) -> str:
    """`name`, if a variable can be called so; `where` names the option in the error."""
    if not name.isidentifier() or keyword.iskeyword(name):
        raise InputError(f"{where}: {name!r} cannot be the name of a variable.")
    return name


def writable_name(name: str, where: str) -> str:
    """`name`, if an answer can be put there without breaking the notebook. Raises InputError."""
    if _IPYTHONS_OWN.fullmatch(variable_name(name, where)):
        raise InputError(f"{where}: {name} belongs to the notebook itself; choose another name.")
    if hasattr(builtins, name):
        raise InputError(f"{where}: {name} belongs to Python itself; choose another name.")
    return name


def split_words(line: str) -> list[Word]:
    """The words of the line. Raises InputError for a quote that is never closed."""
    words: list[Word] = []
    at = 0
    while True:
        while at < len(line) and line[at].isspace():
            at += 1
        if at == len(line):
            return words
        word, at = _next_word(line, at)
        words.append(word)


def _next_word(line: str, at: int) -> tuple[Word, int]:
    if line[at] in _CLOSING:
        text, at = _quoted(line, at)
        return Word(text, quoted=True), at
    start = at
    while at < len(line) and not line[at].isspace():
        at += 1
        if (
            line[at - 1] == "="
            and line[start:at].startswith("--")
            and line[at : at + 1] in _CLOSING
        ):
            value, after = _quoted(line, at)
            return Word(line[start:at] + value), after
    return Word(line[start:at]), at


def _quoted(line: str, at: int) -> tuple[str, int]:
    closing = _CLOSING[line[at]]
    text: list[str] = []
    end = at + 1
    while end < len(line) and line[end] != closing:
        if line[end] == "\\" and line[end + 1 : end + 2] == closing:
            end += 1
        text.append(line[end])
        end += 1
    if end == len(line):
        raise InputError(f"A quote is never closed: {_shortened(line[at:])}")
    return "".join(text), end + 1


def _shortened(text: str, limit: int = 40) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
