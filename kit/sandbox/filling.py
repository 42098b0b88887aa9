"""A document for a schema, filled from what was found.

A field's name says what it wants: `title` the page's title, `year` a year that stands in the text
near the field's other words, `sections` the passages. What nothing is found for gets null where
that is allowed, else the plainest value of its type. The document always satisfies the schema.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kit.sandbox.bounds import fitted_number
from kit.sandbox.facts import SOURCES, Fact, member, number_for, text_for, truth_for
from kit.sandbox.schema import Schema, Sizes, resolve, types_of
from kit.sandbox.spans import NUMBER

MOST_ITEMS = 5
DEEPEST = 6
NULL: Any = None


class Filler:
    """Writes one document; deterministic, and bounded by the schema's own smallest size."""

    def __init__(self, root: Schema, prompt: str, given: Mapping[str, object]) -> None:
        self._root = root
        self._given = given
        self._prompt = prompt
        self._sizes = Sizes(root)

    def document(self, fact: Fact) -> object:
        return self._value("", self._root, fact, 0, 0)

    def _value(self, name: str, schema: Schema, fact: Fact, depth: int, place: int) -> object:
        if "$ref" in schema:
            return self._value(name, resolve(self._root, schema["$ref"]), fact, depth, place)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return member(schema["enum"], f"{self._prompt}\n{fact.title}\n{fact.text}")
        if "anyOf" in schema:
            return self._value(name, self._option(schema["anyOf"], depth), fact, depth, place)
        types = types_of(schema)
        kind = next((one for one in types if one != "null"), "null")
        if depth == 1 and (taken := self._taken(kind, name, schema)) is not None:
            return taken
        if "null" in types and depth >= DEEPEST:
            return None
        found = self._typed(kind, name, schema, fact, depth, place)
        if found is None and "null" not in types:
            return self._plainest(kind, name, schema, fact)
        return found

    def _taken(self, kind: str, name: str, schema: Schema) -> object:
        """What was read out of the caller's own text for a field of the root."""
        value = self._given.get(name)
        if kind in ("integer", "number") and isinstance(value, int | float):
            return fitted_number(value, schema, whole=kind == "integer")
        if kind == "string" and isinstance(value, str) and "format" not in schema:
            return _fitted_text(value, schema)
        return None

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
                return {
                    key: self._value(key, one, fact, depth + 1, place)
                    for place, (key, one) in enumerate(schema.get("properties", {}).items())
                }
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
        """An item for every fact below this one, or for every sentence where items are plain."""
        least = int(schema.get("minItems", 0))
        most = max(least, min(int(schema.get("maxItems", MOST_ITEMS)), max(MOST_ITEMS, least)))
        most = most if depth < DEEPEST else least
        item = schema["items"]
        while "$ref" in item:
            item = resolve(self._root, item["$ref"])
        facts = _facts_for(name, item, fact, max(most, 1))
        chosen = [facts[number % len(facts)] for number in range(min(most, max(len(facts), least)))]
        return [self._value(name, item, one, depth + 1, n) for n, one in enumerate(chosen)]

    def _plainest(self, kind: str, name: str, schema: Schema, fact: Fact) -> object:
        if kind in ("integer", "number"):
            return fitted_number(0, schema, whole=kind == "integer")
        if kind == "boolean":
            return False
        if kind == "string":
            return _fitted_text("", schema)
        return None


def _facts_for(name: str, item: Schema, fact: Fact, most: int) -> list[Fact]:
    """What the items of a list are about: the pages, their sections, or single sentences."""
    wide = "object" in types_of(item) or re.search(SOURCES, name)
    if wide and fact.parts:
        return list(fact.parts[:most])
    if types_of(item)[:1] in (["integer"], ["number"]):
        return [replace(fact, text=number, parts=()) for number in NUMBER.findall(fact.text)][
            :most
        ] or [fact]
    if (
        re.search(
            r"(?i)keyword|tag|topic|names?$|titles?$|items?$|list|foods|cities|dishes|키워드|이름|목록",
            name,
        )
        and fact.parts
    ):
        return [
            replace(one, text=one.title, summary=one.title, parts=()) for one in fact.parts[:most]
        ]
    pieces = [one for one in fact.sentences if len(one) > 1][:most]
    return [replace(fact, text=one, summary=one, heading=one, parts=()) for one in pieces] or [fact]


def _fitted_text(text: str | None, schema: Schema) -> str | None:
    if text is None:
        return None
    least, most = int(schema.get("minLength", 0)), int(schema.get("maxLength", 4000))
    text = text[:most]
    return text + "." * (least - len(text))
