"""What is wrong with the arguments of a run, in words of ours: pydantic's are for programmers.

Rule: no value that was given is repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

__all__ = ["sentence_of"]

QUESTION = "research_question"
_KINDS = {
    "string": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "True or False",
    "list": "a list",
    "dict": "an object",
    "finite": "a number that is not infinite",
}
"""By the first word of what pydantic calls an error; the rest of it says how it came to it."""


def sentence_of(error: ValidationError, names: Mapping[str, str] | None = None) -> str:
    """The first thing that is wrong, as one sentence. names: fields as their caller knows them."""
    first = error.errors(include_input=False, include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    bounds: Mapping[str, Any] = first.get("ctx") or {}
    if path[:1] == [QUESTION] and first["type"] in ("missing", "string_too_short", "blank"):
        return "The question is empty."
    field = ".".join([(names or {}).get(path[0], path[0]), *path[1:]]) if path else ""
    if field and (wanted := _wanted(first["type"], bounds)):
        return f"{field} has to be {wanted}."
    return f"{field}: {first['msg']}" if field else str(first["msg"])


def _wanted(kind: str, bounds: Mapping[str, Any]) -> str | None:
    """What would do; None for what is said in words of ours already."""
    match kind:
        case "greater_than":
            return f"above {bounds['gt']:g}"
        case "greater_than_equal":
            return f"{bounds['ge']:g} or more"
        case "less_than_equal":
            return f"{bounds['le']:,.10g} at most"
        case "string_too_short":
            return "a text that is not empty"
        case "string_too_long":
            return f"{bounds['max_length']:,} characters at most"
        case "literal_error":
            return str(bounds["expected"])
        case _:
            return _KINDS.get(kind.partition("_")[0]) if "_" in kind else None
