"""What a docstring tells a model: of the function, and of each argument.

Rule: Google's, NumPy's and Sphinx's styles are read, whichever fits best. A docstring that none of
them can read is taken as it stands: it was written for people.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

from docstring_parser import ParseError, parse

__all__ = ["read_docstring"]


def read_docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """The description of `function`, empty without one, and those of its arguments by name."""
    text = inspect.getdoc(function) or ""
    try:
        found = parse(text)
    except ParseError:
        return text.strip(), {}
    about = {
        name: " ".join(one.description.split())
        for one in found.params
        if one.description
        for name in re.split(r"\s*,\s*", one.arg_name)  # NumPy's `x, y : int` describes both
    }
    return (found.description or "").strip(), about
