"""A document for a schema, filled from what was found.

A field's name says what it wants: `title` the page's title, `year` a year that stands in the text
near the field's other words, `sections` the passages. What nothing is found for gets null where
that is allowed, else the plainest value of its type. The document always satisfies the schema.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kit.sandbox.bounds import fitted_number
from kit.sandbox.facts import Fact, number_for, text_for
from kit.sandbox.given import read_record
from kit.sandbox.items import facts_for_objects, facts_for_values
from kit.sandbox.judging import member, truth_for
from kit.sandbox.schema import Schema, Sizes, resolve, types_of

MOST_ITEMS = 8
DEEPEST = 6
NULL: Any = None


class Filler:
    """Writes one document; deterministic, and bounded by the schema's own smallest size."""

    def __init__(
        self, root: Schema, prompt: str, given: Mapping[str, object], wanted: int = MOST_ITEMS
    ) -> None:
        """`given` was read out of the caller's text; `wanted` is how long lists should be."""
        self._root = root
        self._given = given
        self._prompt = prompt
        self._wanted = wanted
        self._sizes = Sizes(root)

    def document(self, fact: Fact) -> object:
        return self._value("", self._root, fact, 0, 0)

    def _value(self, name: str, schema: Schema, fact: Fact, depth: int, place: int) -> object:
        if "$ref" in schema:
            return self._value(name, resolve(self._root, schema["$ref"]), fact, depth, place)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            own = "" if fact.material or fact.alone else f"{self._prompt}\n{fact.title}\n"
            return member(schema["enum"], f"{own}{fact.text}", fact)
        if "anyOf" in schema:
            return self._value(name, self._option(schema["anyOf"], depth), fact, depth, place)
        types = types_of(schema)
        kind = next((one for one in types if one != "null"), "null")
        if "null" in types and depth >= DEEPEST:
            return None
        found = self._typed(kind, name, schema, fact, depth, place)
        if found is None and "null" not in types:
            return self._plainest(kind, name, schema, fact)
        return found

    def _object(self, schema: Schema, fact: Fact, depth: int) -> dict[str, object]:
        """The fields, those first that the caller's own text gives."""
        given: Mapping[str, object] = self._given if depth == 0 else {}
        if fact.alone and fact.material:
            given, _ = read_record(schema, fact.text)
        found: dict[str, object] = {}
        for place, (name, one) in enumerate(schema.get("properties", {}).items()):
            taken = _taken(given.get(name), one)
            found[name] = self._value(name, one, fact, depth + 1, place) if taken is None else taken
        return found

    def _option(self, options: Sequence[Schema], depth: int) -> Schema:
        """The first option that is not null; when deep already, the smallest."""
        if depth >= DEEPEST // 2:
            return min(options, key=self._sizes.of)
        real = [one for one in options if one.get("type") != "null"]
        finite = [one for one in real if math.isfinite(self._sizes.of(one))]
        return (finite or list(options))[0]

    def _typed(
        self, kind: str, name: str, schema: Schema, fact: Fact, depth: int, place: int
    ) -> object:
        match kind:
            case "object":
                return self._object(schema, fact, depth)
            case "array":
                return self._items(name, schema, fact, depth)
            case "string":
                return _fitted_text(text_for(name, schema, fact, self._prompt), schema)
            case "integer" | "number":
                number = number_for(name, schema, fact)
                whole = kind == "integer"
                return None if number is None else fitted_number(number, schema, whole=whole)
            case "boolean":
                return truth_for(name, fact)
            case _:
                return None

    def _items(self, name: str, schema: Schema, fact: Fact, depth: int) -> list[object]:
        """An item for every fact that can fill one; more only where the schema demands them."""
        least = int(schema.get("minItems", 0))
        most = max(least, int(schema.get("maxItems", max(self._wanted, least))))
        most = min(most, max(self._wanted, least)) if depth < DEEPEST else least
        item = schema["items"]
        while "$ref" in item:
            item = resolve(self._root, item["$ref"])
        if "object" in types_of(item):
            facts = facts_for_objects(item, fact, most, self._prompt)
        else:
            facts = facts_for_values(name, item, fact, most)
        if "maxItems" in schema:
            facts = facts[: int(schema["maxItems"])]
        elif depth >= DEEPEST:
            facts = facts[:least]
        spare = [replace(one, parts=()) for one in (*fact.parts, fact)]
        facts = [*facts, *(spare[n % len(spare)] for n in range(least - len(facts)))]
        return [self._value(name, item, one, depth + 1, n) for n, one in enumerate(facts)]

    def _plainest(self, kind: str, name: str, schema: Schema, fact: Fact) -> object:
        if kind in ("integer", "number"):
            return fitted_number(0, schema, whole=kind == "integer")
        if kind == "boolean":
            return False
        if kind == "string":
            return _fitted_text("", schema)
        return None


def _taken(value: object, schema: Schema) -> object:
    """A value that was read out of the caller's own text, where its field can hold it."""
    kind = next((one for one in types_of(schema) if one != "null"), "null")
    if "enum" in schema or "const" in schema:
        return None
    if kind in ("integer", "number") and isinstance(value, int | float):
        return fitted_number(value, schema, whole=kind == "integer")
    if kind == "string" and isinstance(value, str) and "format" not in schema:
        return _fitted_text(value, schema)
    return None


def _fitted_text(text: str | None, schema: Schema) -> str | None:
    if text is None:
        return None
    least, most = int(schema.get("minLength", 0)), int(schema.get("maxLength", 4000))
    text = text[:most]
    return text + "." * (least - len(text))
