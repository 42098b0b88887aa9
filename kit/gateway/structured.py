"""Structured output on its way back: text in, an object that satisfies its schema out.

Rule: a gateway may have dropped the schema without a word, so the answer is checked whatever it
promised. Null counts as "not given" where only strictness asked for the property.
"""

from __future__ import annotations

from typing import Any, cast

from kit.errors import ProtocolError
from kit.gateway.events import Wire, objects
from kit.gateway.json_text import read_json
from kit.gateway.refusal import shown
from kit.gateway.schemas import Schema, definition, strict_schema

__all__ = ["parse"]

MAX_WORK = 1_000_000
"""Further options of unions that a validator may try for one answer: about a second."""


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
        return read_json(text)
    except (ValueError, RecursionError):
        raise ProtocolError(
            "The model answered in prose although a schema was given: this gateway or model may "
            "not support structured output. The text is in the error's .answer."
        ) from None


def _checked(found: Any, schema: Wire) -> Any:
    import jsonschema

    strict = strict_schema(schema, sent=False)
    _Walk(strict).without_added_nulls(found, [strict])
    validator = cast(Any, jsonschema.Draft202012Validator(strict))
    complaint = next(validator.iter_errors(found), None)
    if complaint is not None:
        place = "/".join(str(step) for step in complaint.absolute_path) or "the root"
        raise ProtocolError(
            f"The answer does not satisfy the schema at {place}: {shown(complaint.message)[:200]}. "
            "The text is in the error's .answer."
        )
    return found


def _instance(found: Any, model: Any) -> Any:
    plain: Wire = model.model_json_schema()
    given = _Walk(plain).without_added_nulls(found, [plain])
    try:
        return model.model_validate(given)
    except ValueError as error:
        try:  # a null may have been meant: two options of a union can disagree about it
            return model.model_validate(found)
        except ValueError:
            raise error from None


class _Walk:
    """One way down an answer and its schema, `root`, side by side.

    All schemas that may speak of a value go down together: taking them one after the other would
    double the work at every level of a union that holds itself. A validator does just that, so
    its work is counted on the way. Raises ProtocolError when it would be too much.
    """

    def __init__(self, root: Wire) -> None:
        self._root = root
        self._work = 0

    def without_added_nulls(self, found: Any, nodes: list[Any], ways: int = 1) -> Any:
        """`found` without the nulls that stand only because strict mode requires every property."""
        if not isinstance(found, dict | list):
            return found
        options, choices = self._options(found, nodes)
        ways *= choices
        self._work += ways - 1
        if self._work > MAX_WORK:
            raise ProtocolError(
                "The answer is nested too deeply to be checked: the schema has unions that hold "
                "themselves. The text is in the error's .answer."
            )
        if isinstance(found, list):
            inner = [option.get("items") for option in options]
            return [self.without_added_nulls(one, inner, ways) for one in cast(list[Any], found)]
        kept: Wire = {}
        for key, value in cast(Wire, found).items():
            about = [option for option in options if key in _properties(option)]
            if value is not None or all(key in (one.get("required") or []) for one in about):
                inner = [_properties(option)[key] for option in about]
                kept[key] = self.without_added_nulls(value, inner, ways)
        return kept

    def _options(self, found: Any, nodes: list[Any]) -> tuple[list[Wire], int]:
        """The schemas that may speak of `found`, and how many a validator would try."""
        options: dict[int, Wire] = {}
        kind = "properties" if isinstance(found, dict) else "items"
        choices = 1
        waiting = nodes[::-1]
        while waiting:
            node: Any = waiting.pop()
            if not isinstance(node, dict):
                continue
            node = definition(cast(Wire, node), self._root)
            if id(node) not in options:
                options[id(node)] = node
                union = _union(node)
                if "discriminator" not in node:
                    tried = sum(kind in definition(one, self._root) for one in union)
                    choices = max(choices, tried)
                waiting += [one for one in union if _may_be(found, one, self._root)]
        return list(options.values()), choices


def _union(node: Wire) -> list[Wire]:
    return objects(node.get("anyOf") or node.get("oneOf"))


def _properties(node: Wire) -> Wire:
    properties: Any = node.get("properties")
    return cast(Wire, properties) if isinstance(properties, dict) else {}


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
        f"The answer does not satisfy the schema: {shown(detail)[:200]}. "
        "The text is in the error's .answer."
    )
