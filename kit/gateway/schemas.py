"""A schema for structured output, in the strict subset that gateways take.

Rule: every object is closed and requires all its properties; what was optional may be null. What
only narrows a value (a pattern, a length) goes into its description: not every gateway takes it,
the model reads it, and the answer is checked against it. What the subset cannot say is refused
and named.
https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
"""

from __future__ import annotations

import json
import re
from typing import Any, cast

from kit.errors import InputError
from kit.gateway.events import Wire

__all__ = ["Schema", "definition", "format_of", "strict_schema"]

Schema = type[Any] | Wire
"""A pydantic model class, or a JSON schema whose root is an object."""

_REFUSED = (
    *("allOf", "not", "if", "then", "else", "patternProperties", "dependentSchemas"),
    *("dependentRequired", "dependencies", "prefixItems", "unevaluatedProperties"),
    *("unevaluatedItems", "additionalItems", "$dynamicRef"),
)
_NARROWING = (
    *("pattern", "minLength", "maxLength", "uniqueItems", "contains", "minContains"),
    *("maxContains", "propertyNames", "minProperties", "maxProperties"),
)
_DROPPED = ("default", "title", "discriminator", "examples", "properties", "$defs", "definitions")
_NESTED = ("items", "anyOf")
_MAX_DEPTH = 100


def format_of(schema: Schema) -> Wire:
    """`text.format` for `schema`. Raises InputError for one the strict subset cannot say."""
    named = schema.get("title") if isinstance(schema, dict) else getattr(schema, "__name__", "")
    return {
        "type": "json_schema",
        "name": re.sub(r"[^A-Za-z0-9_-]", "_", str(named or "answer"))[:64],
        "strict": True,
        "schema": strict_schema(schema, sent=True),
    }


def strict_schema(schema: Schema, *, sent: bool) -> Wire:
    """`schema` in the strict subset; not `sent`, it keeps what narrows, to check an answer."""
    plain = _plain(schema)
    root = definition(plain, plain)
    if root.get("type") != "object":
        raise InputError(
            'The root of a schema must be {"type": "object", …}; put a list inside one.'
        )
    shared = {key: plain[key] for key in ("$defs", "definitions") if key in plain}
    return _Strict(sent).node({**root, **shared}, "", 0)


def definition(node: Wire, root: Wire) -> Wire:
    """What `node` refers to, or `node` itself."""
    if not isinstance(node.get("$ref"), str):
        return node
    shared = cast(Wire, root.get("$defs") or root.get("definitions") or {})
    found = shared.get(node["$ref"].rpartition("/")[2])
    return cast(Wire, found) if isinstance(found, dict) else {}


def _plain(schema: Any) -> Wire:
    if isinstance(schema, dict):
        return cast(Wire, schema)
    if callable(getattr(schema, "model_json_schema", None)):
        return schema.model_json_schema()
    raise InputError(
        f"A schema is a pydantic model class or a JSON schema, not a {type(schema).__name__}."
    )


class _Strict:
    """One translation. `sent`: for a gateway, and not to check an answer."""

    def __init__(self, sent: bool) -> None:
        self._sent = sent

    def node(self, node: Any, place: str, depth: int) -> Any:
        """`node` in the strict subset; optional properties become required and nullable."""
        if depth > _MAX_DEPTH:
            raise InputError("The schema is nested too deeply.")
        if isinstance(node, list):
            return [self.node(one, place, depth + 1) for one in cast(list[Any], node)]
        if not isinstance(node, dict):
            return node
        node = _one_of_as_any_of(cast(Wire, node))
        _refuse(node, place)
        strict = {
            key: self.node(value, f"{place}/{key}", depth + 1) if key in _NESTED else value
            for key, value in node.items()
            if key not in _DROPPED and not (self._sent and key in _NARROWING)
        }
        for key in ("properties", "$defs", "definitions"):
            if isinstance(node.get(key), dict):
                strict[key] = {
                    name: self.node(one, f"{place}/{name}", depth + 1)
                    for name, one in cast(Wire, node[key]).items()
                }
        if self._sent and (words := _in_words(node)):
            strict["description"] = words
        if "properties" in node or "object" in _types(node):
            _close(strict, node, place)
        return _alone(strict)


def _one_of_as_any_of(node: Wire) -> Wire:
    """`oneOf` says that the options exclude each other; `anyOf` need not know."""
    if isinstance(node.get("oneOf"), list) and "anyOf" not in node:
        return {**{key: node[key] for key in node if key != "oneOf"}, "anyOf": node["oneOf"]}
    return node


def _refuse(node: Wire, place: str) -> None:
    for key in (*_REFUSED, "oneOf"):
        if key in node:
            raise InputError(
                f"Structured output knows no `{key}` (at {place or 'the root'}); leave it out."
            )


def _in_words(node: Wire) -> str:
    narrowing = [f"{key}: {_word(node[key])}" for key in _NARROWING if key in node]
    words = str(node.get("description") or "")
    return f"{words} ({', '.join(narrowing)})".strip() if narrowing else words


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _alone(strict: Wire) -> Wire:
    """A reference suffers nothing beside it; what stood there goes around it."""
    if "$ref" not in strict or len(strict) == 1:
        return strict
    rest = {key: value for key, value in strict.items() if key != "$ref"}
    return {**rest, "anyOf": [{"$ref": strict["$ref"]}]}


def _types(node: Wire) -> list[Any]:
    kind = node.get("type")
    return cast(list[Any], kind) if isinstance(kind, list) else [kind]


def _close(strict: Wire, node: Wire, place: str) -> None:
    if node.get("additionalProperties") not in (None, False):
        raise InputError(
            f"Structured output knows no free keys (at {place or 'the root'}): "
            "use a list of objects with `key` and `value` instead of a dict."
        )
    required = cast(list[str], node.get("required") or [])
    properties = cast(Wire, strict.setdefault("properties", {}))
    for name, one in properties.items():
        if name not in required:
            properties[name] = _nullable(one)
    strict.setdefault("type", "object")
    strict["required"] = list(properties)
    strict["additionalProperties"] = False


def _nullable(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    node = cast(Wire, node)
    kind = node.get("type")
    if isinstance(kind, list) and "enum" not in node:
        types = cast(list[Any], kind)
        return node if "null" in types else {**node, "type": [*types, "null"]}
    if isinstance(kind, str) and "enum" not in node and "const" not in node:
        return {**node, "type": [kind, "null"]} if kind != "null" else node
    options = cast(list[Any], node.get("anyOf") or [node])
    if {"type": "null"} in options:
        return node
    rest = {key: value for key, value in node.items() if key != "anyOf"} if "anyOf" in node else {}
    return {**rest, "anyOf": [*options, {"type": "null"}]}
