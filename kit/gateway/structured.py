"""Structured output: a schema out, an object back.

Rule: the gateway gets a schema of the strict subset (every property required, none besides),
so that the answer cannot leave it; what was optional may be null. What comes back is checked
all the same, because a gateway may have dropped the schema without a word.
https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
"""

from __future__ import annotations

import json
import re
from typing import Any, cast

from kit.errors import InputError, ProtocolError
from kit.gateway.events import Wire

__all__ = ["Schema", "format_of", "parse"]

Schema = type[Any] | Wire
"""A pydantic model class, or a JSON schema whose root is an object."""

_REFUSED = ("allOf", "not", "if", "then", "else", "patternProperties", "dependentSchemas", "oneOf")
_MAX_DEPTH = 100


def format_of(schema: Schema) -> Wire:
    """`text.format` for `schema`. Raises InputError for one the strict subset cannot say."""
    if isinstance(schema, dict):
        name, plain = str(schema.get("title") or "answer"), schema
    elif callable(getattr(schema, "model_json_schema", None)):
        name, plain = schema.__name__, cast(Any, schema).model_json_schema()
    else:
        raise InputError(
            f"A schema is a pydantic model class or a JSON schema, not a {type(schema).__name__}."
        )
    if plain.get("type") != "object":
        raise InputError(
            'The root of a schema must be {"type": "object", …}; put a list inside one.'
        )
    safe_name = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64]
    return {
        "type": "json_schema",
        "name": safe_name,
        "strict": True,
        "schema": _strict(plain, "", 0),
    }


def parse(text: str, schema: Schema) -> Any:
    """The object in `text`: an instance of the model, or plain data that satisfies the schema.

    Raises ProtocolError when the text is no JSON or breaks the schema.
    """
    try:
        found = json.loads(text)
    except ValueError:
        raise ProtocolError(
            "The model answered in prose although a schema was given: this gateway or model may "
            "not support structured output. The text is in the error's .answer."
        ) from None
    try:
        if isinstance(schema, dict):
            return _checked(found, schema)
        model = cast(Any, schema)
        plain: Wire = model.model_json_schema()
        return model.model_validate(_without_added_nulls(found, plain, plain))
    except ProtocolError:
        raise
    except Exception as error:
        raise ProtocolError(_complaint(error)) from None


def _checked(found: Any, schema: Wire) -> Any:
    import jsonschema

    validator = cast(Any, jsonschema.Draft202012Validator(format_of(schema)["schema"]))
    complaint = next(validator.iter_errors(found), None)
    if complaint is not None:
        place = "/".join(str(step) for step in complaint.absolute_path) or "the root"
        raise ProtocolError(
            f"The answer does not satisfy the schema at {place}: {complaint.message[:200]}. "
            "The text is in the error's .answer."
        )
    return found


def _without_added_nulls(found: Any, node: Any, root: Wire) -> Any:
    """`found` without the nulls that stand only because strict mode requires every property."""
    if isinstance(node, dict) and "$ref" in node:
        name = str(cast(Wire, node)["$ref"]).rpartition("/")[2]
        shared = cast(Wire, root.get("$defs") or root.get("definitions") or {})
        node = shared.get(name)
    if not isinstance(node, dict):
        return found
    node = cast(Wire, node)
    for option in cast(list[Any], node.get("anyOf") or []):
        found = _without_added_nulls(found, option, root)
    if isinstance(found, list):
        items = cast(list[Any], found)
        return [_without_added_nulls(one, node.get("items"), root) for one in items]
    if not isinstance(found, dict):
        return found
    pairs = cast(Wire, found)
    if "properties" not in node:
        return pairs
    required = cast(list[str], node.get("required") or [])
    properties = cast(Wire, node["properties"])
    return {
        key: _without_added_nulls(value, properties.get(key), root)
        for key, value in pairs.items()
        if value is not None or key in required or key not in properties
    }


def _complaint(error: Exception) -> str:
    first = next(iter(str(error).splitlines()[:3]), "")
    detail = " ".join(line.strip() for line in str(error).splitlines()[1:3])
    return (
        f"The answer does not satisfy the schema: {(detail or first)[:200]}. "
        "The text is in the error's .answer."
    )


def _strict(node: Any, place: str, depth: int) -> Any:
    """`node` in the strict subset; optional properties become required and nullable."""
    if depth > _MAX_DEPTH:
        raise InputError("The schema is nested too deeply.")
    if isinstance(node, list):
        return [_strict(one, place, depth + 1) for one in cast(list[Any], node)]
    if not isinstance(node, dict):
        return node
    node = cast(Wire, node)
    for key in _REFUSED:
        if key in node:
            raise InputError(
                f"Structured output knows no `{key}` (at {place or 'the root'}); leave it out."
            )
    strict = {
        key: _strict(value, f"{place}/{key}", depth + 1) if key in _NESTED else value
        for key, value in node.items()
        if key not in ("default", "title", "properties", "$defs", "definitions")
    }
    for key in ("properties", "$defs", "definitions"):
        if isinstance(node.get(key), dict):
            strict[key] = {
                name: _strict(one, f"{place}/{name}", depth + 1)
                for name, one in cast(Wire, node[key]).items()
            }
    if node.get("type") == "object" or "properties" in node:
        _close(strict, node, place)
    return strict


_NESTED = ("items", "anyOf", "prefixItems")


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
    strict["type"] = "object"
    strict["required"] = list(properties)
    strict["additionalProperties"] = False


def _nullable(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    node = cast(Wire, node)
    kind = node.get("type")
    if isinstance(kind, list) and "null" in kind:
        return node
    if isinstance(kind, str) and "enum" not in node and "const" not in node:
        return {**node, "type": [kind, "null"]} if kind != "null" else node
    options = cast(list[Any], node.get("anyOf") or [node])
    if {"type": "null"} in options:
        return node
    rest = {key: value for key, value in node.items() if key != "anyOf"} if "anyOf" in node else {}
    return {**rest, "anyOf": [*options, {"type": "null"}]}
