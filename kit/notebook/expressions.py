"""Whether what stands in braces was meant as Python, and what is said of it when it was.

Rule: it is never run, and sent as it is, because prompts hold templates for other programs too.
Those have no note: theirs are names that the notebook does not have, filters and tests.
"""

from __future__ import annotations

import ast
import builtins
import warnings
from collections.abc import Container, Sequence

__all__ = ["is_meant", "note_of"]

_SHOWN = 60
"""Characters of an expression that a note repeats."""


def is_meant(text: str, names: Container[str]) -> bool:
    """Whether `text` is Python that begins with one of `names`, or calls a builtin function."""
    tree = _parsed(text)
    if tree is None or any(_is_of_templates(node) for node in ast.walk(tree)):
        return False
    first, called = _first(tree.body)
    if first is None:
        return False
    return first in names or (called and hasattr(builtins, first))


def note_of(found: Sequence[str]) -> str | None:
    """What is said of the expressions in one prompt; the first of them is the example."""
    if not found:
        return None
    text = found[0].strip()
    shown = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    more = len(set(found)) - 1
    sent = f"and {more} more were sent as they are" if more else "was sent as it is"
    return (
        f"{{{{{shown}}}}} {sent}: only names of variables are filled in. "
        f"Give it a name first: value = {shown}, then {{{{value}}}}."
    )


def _parsed(text: str) -> ast.Expression | None:
    try:
        with warnings.catch_warnings():  # of what is not ours, such as '\d'
            warnings.simplefilter("ignore")
            return ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _is_of_templates(node: ast.AST) -> bool:
    """`name | upper` and `name is defined`: Python by accident."""
    return isinstance(node, ast.BitOr | ast.Is | ast.IsNot)


def _first(node: ast.expr) -> tuple[str | None, bool]:
    """The name an expression begins with, and whether that is called."""
    called = False
    while True:
        match node:
            case ast.Name(id=name):
                return name, called
            case ast.Call(func=inner):
                called = True
            case ast.Attribute(value=inner) | ast.Subscript(value=inner) | ast.IfExp(body=inner):
                called = False
            case ast.BinOp(left=inner) | ast.Compare(left=inner):
                called = False
            case ast.BoolOp(values=[inner, *_]):
                called = False
            case _:
                return None, False
        node = inner
