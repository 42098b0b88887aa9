"""What the caller offers and asks for, beside the conversation: tools, a choice, a schema.

Chat nests (`function.parameters`, `json_schema.schema`), Responses is flat; both end up as the same
few values here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kit.sandbox.fields import Fields, as_fields, invalid, listed
from kit.sandbox.problems import Refused
from kit.sandbox.schema import check_strict
from kit.sandbox.steps import FunctionTool

SEARCH_TOOLS = (
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
)
OTHER_TOOLS = (
    "apply_patch",
    "code_interpreter",
    "computer",
    "computer_use_preview",
    "custom",
    "file_search",
    "image_generation",
    "local_shell",
    "mcp",
    "namespace",
    "shell",
    "tool_search",
)
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Tools:
    """The offered tools: functions to call, and whether the web may be searched."""

    functions: tuple[FunctionTool, ...] = ()
    web_search: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape the text must have: `format` is the flat echo of what was asked."""

    format: Mapping[str, Any]
    schema: Mapping[str, Any] | None = None
    json_object: bool = False


PLAIN = Shape({"type": "text"})


def read_tools(rows: list[Fields], *, nested: bool) -> Tools:
    """The tools of a request; an unknown type is a 400 with `param: "tools"`."""
    functions: list[FunctionTool] = []
    search = False
    for row in rows:
        kind = row.required_text("type")
        if kind == "function":
            function = (
                (row.within("function") or as_fields(None, row.path("function"))) if nested else row
            )
            functions.append(_function(function))
        elif not nested and kind in SEARCH_TOOLS:
            search = True
        elif nested or kind not in OTHER_TOOLS:
            known = ("function",) if nested else ("function", *SEARCH_TOOLS, *OTHER_TOOLS)
            message = (
                f"Invalid value for '{row.path('type')}': '{kind[:80]}' is none of {listed(known)}."
            )
            raise Refused(400, message, param="tools", code="invalid_value")
    return Tools(tuple(functions), search)


def _function(row: Fields) -> FunctionTool:
    name = row.required_text("name")
    if not NAME.fullmatch(name):
        raise invalid(row.path("name"), "letters, digits, _ and - only, at most 64 of them")
    parameters = row.within("parameters")
    schema: Mapping[str, Any] = parameters.values if parameters else {"type": "object"}
    if row.flag("strict", False):
        _refuse_unless_strict(schema, row.path("parameters"), name)
    return FunctionTool(name, row.text("description") or "", schema)


def read_choice(request: Fields, tools: Tools) -> tuple[str, Tools]:
    """`tool_choice` as the mind reads it, and the tools that remain allowed."""
    chosen = request.values.get("tool_choice")
    if isinstance(chosen, str):
        request.choice("tool_choice", ("auto", "none", "required"))
        return chosen, tools
    if chosen is None:
        return "auto", tools
    choice = as_fields(chosen, "tool_choice")
    kind = choice.required_text("type")
    if kind == "allowed_tools":
        return _allowed(choice.within("allowed_tools") or choice, tools)
    if kind != "function":
        return "auto", tools
    name = (choice.within("function") or choice).required_text("name")
    if name not in {function.name for function in tools.functions}:
        raise invalid("tool_choice", f"the function '{name[:80]}' is not among the tools")
    return name, tools


def _allowed(choice: Fields, tools: Tools) -> tuple[str, Tools]:
    rows = choice.rows("tools")
    names = {(row.within("function") or row).text("name") for row in rows}
    kinds = {row.text("type") for row in rows}
    functions = tuple(function for function in tools.functions if function.name in names)
    search = tools.web_search and not kinds.isdisjoint(SEARCH_TOOLS)
    return choice.choice("mode", ("auto", "required")) or "auto", Tools(functions, search)


def read_shape(row: Fields | None, *, nested: bool) -> Shape:
    """The shape asked for by `text.format` (flat) or `response_format` (nested)."""
    if row is None:
        return PLAIN
    kind = row.choice("type", ("text", "json_object", "json_schema"))
    if kind == "json_object":
        return Shape({"type": kind}, json_object=True)
    if kind != "json_schema":
        return PLAIN
    inner = (
        (row.within("json_schema") or as_fields(None, row.path("json_schema"))) if nested else row
    )
    name = inner.required_text("name")
    if not NAME.fullmatch(name):
        raise invalid(inner.path("name"), "letters, digits, _ and - only, at most 64 of them")
    schema = inner.within("schema") or as_fields(None, inner.path("schema"))
    _refuse_unless_strict(schema.values, inner.path("schema"), name)
    echo = {
        "type": kind,
        "name": name,
        "description": inner.text("description"),
        "schema": dict(schema.values),
        "strict": inner.flag("strict", True),
    }
    return Shape(echo, schema=schema.values)


def _refuse_unless_strict(schema: Mapping[str, Any], place: str, name: str) -> None:
    complaint = check_strict(schema)
    if complaint:
        message = f"Invalid schema for '{name}' in '{place}': {complaint}"
        raise Refused(400, message, param=place, code="invalid_json_schema")
