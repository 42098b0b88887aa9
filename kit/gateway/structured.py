"""Structured output on its way back: text in, an object that satisfies its schema out.

Rule: a gateway may have dropped the schema without a word, so the answer is checked whatever it
promised. Null counts as "not given" where only strictness asked for the property.
"""

from __future__ import annotations

import json
from typing import Any, cast

from kit.errors import ProtocolError
from kit.gateway.events import Wire
from kit.gateway.schemas import Schema, definition, strict_schema

__all__ = ["parse"]


def parse(text: str, schema: Schema) -> Any:
    """The object in `text`: an instance of the model, or plain data that satisfies the schema.

    Raises ProtocolError when the text is no JSON or breaks the schema.
    """
    found = _found(text)
    try:
        return _checked(found, schema) if isinstance(schema, dict) else _instance(found, schema)
    except ProtocolError:
        raise
    except Exception as error:  # pydantic's own, and whatever a validator of the person's raises
        raise ProtocolError(_complaint(error)) from None


def _found(text: str) -> Any:
    text = text.strip()
    if text.startswith("```") and text.endswith("```"):  # small models put it into a block of code
        text = text[3:-3].partition("\n")[2]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ProtocolError(
            "The model answered in prose although a schema was given: this gateway or model may "
            "not support structured output. The text is in the error's .answer."
        ) from None


def _checked(found: Any, schema: Wire) -> Any:
    import jsonschema

    validator = cast(Any, jsonschema.Draft202012Validator(strict_schema(schema, sent=False)))
    complaint = next(validator.iter_errors(found), None)
    if complaint is not None:
        place = "/".join(str(step) for step in complaint.absolute_path) or "the root"
        raise ProtocolError(
            f"The answer does not satisfy the schema at {place}: {complaint.message[:200]}. "
            "The text is in the error's .answer."
        )
    return found


def _instance(found: Any, model: Any) -> Any:
    plain: Wire = model.model_json_schema()
    try:
        return model.model_validate(_without_added_nulls(found, plain, plain))
    except ValueError as error:
        try:  # a null may have been meant: two options of a union can disagree about it
            return model.model_validate(found)
        except ValueError:
            raise error from None


def _without_added_nulls(found: Any, node: Any, root: Wire) -> Any:
    """`found` without the nulls that stand only because strict mode requires every property."""
    if not isinstance(node, dict):
        return found
    node = definition(cast(Wire, node), root)
    for option in cast(list[Any], node.get("anyOf") or node.get("oneOf") or []):
        if _may_be(found, option, root):
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


def _may_be(found: Any, option: Any, root: Wire) -> bool:
    """Whether `found` fits an option of a union: by its constants, e.g. `kind: "cat"`."""
    if not isinstance(found, dict) or not isinstance(option, dict):
        return True
    properties = definition(cast(Wire, option), root).get("properties")
    return not isinstance(properties, dict) or all(
        one.get("const", found.get(name)) == found.get(name)  # pyright: ignore
        for name, one in cast(Wire, properties).items()
        if isinstance(one, dict)
    )


def _complaint(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    detail = " ".join(lines[1:3]) or next(iter(lines), type(error).__name__)
    return (
        f"The answer does not satisfy the schema: {detail[:200]}. "
        "The text is in the error's .answer."
    )
