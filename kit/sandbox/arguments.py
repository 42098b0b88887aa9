"""A function's arguments, read from a prompt by its JSON schema.

What a parameter is comes from its type, its name and its description; what it gets must stand in
the prompt. An optional parameter that the prompt does not mention is left out (null where the
schema demands it), a required one is reported as missing, unless the caller insists on a value.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from kit.sandbox import spans as spot
from kit.sandbox.lexicon import meanings, meanings_of
from kit.sandbox.parameters import (
    NUMBER_BOUNDS,
    kind_of_parameter,
    looseness,
    parts_of,
    properties_of,
    required_of,
)
from kit.sandbox.reading import Reader
from kit.sandbox.spans import Text
from kit.sandbox.steps import FunctionTool

Schema = Mapping[str, Any]
DEEPEST = 6
ABSENT: Any = object()
JOINED = (
    r"(?i:\s*,?\s*(?:\band\b|\bor\b|[,&/]|와|과|이?랑|하고|및|그리고)\s*(?:(?:in|for|at|the)\s+)*)"
)
"""What stands between two values of the same kind."""


YEAR = re.compile(r"(?<!\d)(1\d{3}|20\d{2})(?!\d|[.,]\d)")
"""A number that a parameter called `year` can only mean."""


@dataclass(frozen=True, slots=True)
class Filled:
    """Arguments for one call, the required ones that are missing, and the further values of one."""

    arguments: dict[str, object]
    missing: tuple[str, ...] = ()
    spread: str | None = None
    others: tuple[str, ...] = field(default=())

    def each(self) -> list[dict[str, object]]:
        """One set of arguments for each value: "Paris and Rome" is two calls."""
        rest = [{**self.arguments, self.spread: value} for value in self.others if self.spread]
        return [self.arguments, *rest]


def fill_arguments(
    tool: FunctionTool, prompt: str, own: frozenset[str], *, insist: bool = False
) -> Filled:
    """Arguments for `tool` from `prompt`; `own` are meanings that belong to the tool itself."""
    filler = Filler(prompt, own, tool.parameters, insist)
    arguments = filler.record(tool.parameters, 0)
    spread, others = filler.further(tool.parameters, arguments)
    return Filled(arguments, tuple(filler.missing), spread, others)


class Filler:
    """Walks a schema with one prompt; every value of the prompt is given away once."""

    def __init__(self, prompt: str, own: frozenset[str], root: Schema, insist: bool) -> None:
        self.text = Text(prompt, own)
        self.missing: list[str] = []
        self._root = root
        self._insist = insist
        self._prompt = prompt
        self._reader = Reader(self.text, prompt)
        self._names = set(properties_of(root))

    def record(self, schema: Schema, depth: int) -> dict[str, object]:
        """An object's properties, those with tighter types first, so that text gets the rest."""
        properties = properties_of(schema)
        required = set(required_of(schema))
        values: dict[str, object] = {}
        for name in sorted(properties, key=lambda one: looseness(one, properties[one])):
            value = self.value(name, properties[name], name in required, depth)
            if value is not ABSENT:
                values[name] = value
        return {name: values[name] for name in properties if name in values}

    def value(self, name: str, schema: Schema, required: bool, depth: int) -> object:
        schema, nullable = self._plain(schema)
        needed = required and not nullable
        found = self._found(name, schema, needed, depth) if depth < DEEPEST else ABSENT
        if found is not ABSENT:
            return found
        if "default" in schema and not required:
            return ABSENT
        if not needed:
            return None if required else ABSENT
        if "default" in schema:
            return schema["default"]
        if not self._insist:
            self.missing.append(name)
            return ABSENT
        return self._invented(name, schema)

    def further(
        self, schema: Schema, arguments: dict[str, object]
    ) -> tuple[str | None, tuple[str, ...]]:
        """Values beside the one taken, for a function of one place, name or symbol."""
        required = [name for name in required_of(schema) if name in properties_of(schema)]
        texts = [name for name in required if isinstance(arguments.get(name), str)]
        if len(texts) != 1 or len([one for one in required if arguments.get(one) is not None]) != 1:
            return None, ()
        name = texts[0]
        kind = kind_of_parameter(name, schema["properties"][name])
        if kind not in ("place", "name", "symbol", "other"):
            return None, ()
        first = str(arguments[name])
        alike: list[str] = []
        for span in self.text.spans():
            last = alike[-1] if alike else first
            joined = re.search(f"{re.escape(last)}{JOINED}{re.escape(span)}", self._prompt)
            if joined and _same_shape(span, first) and len(alike) < 7:
                alike.append(span)
        return name, tuple(alike)

    def _plain(self, schema: Schema) -> tuple[Schema, bool]:
        """The schema behind `$ref`, `anyOf` and a list of types, and whether null is allowed."""
        nullable = False
        for _ in range(DEEPEST):
            if "$ref" in schema:
                schema = self._target(str(schema["$ref"]))
            elif options := _options(schema):
                real = [one for one in options if one.get("type") != "null"]
                nullable |= len(real) < len(options)
                rest = {
                    key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")
                }
                schema = {**rest, **(real[0] if real else {"type": "null"})}
            else:
                break
        kind = schema.get("type")
        if isinstance(kind, list):
            real = [str(one) for one in cast(list[Any], kind) if one != "null"]
            return {**schema, "type": real[0] if real else "null"}, "null" in kind
        return schema, nullable

    def _target(self, reference: str) -> Schema:
        target: Any = self._root
        for part in reference.removeprefix("#").strip("/").split("/"):
            if part and isinstance(target, Mapping):
                target = cast(Schema, target).get(part, {})
        return cast(Schema, target) if isinstance(target, Mapping) else {}

    def _found(self, name: str, schema: Schema, needed: bool, depth: int) -> object:
        if "const" in schema:
            return schema["const"]
        if members := schema.get("enum"):
            return self._member(name, list(members), needed, schema)
        match schema.get("type"):
            case "boolean":
                return self._switch(name)
            case "integer" | "number" as kind:
                return self._number(name, schema, needed, whole=kind == "integer")
            case "array":
                return self._list(name, schema, needed, depth)
            case "object":
                values = self.record(schema, depth + 1)
                return values if values or needed else ABSENT
            case "null":
                return None
            case _:
                found = self._reader.read(name, schema, needed)
                return ABSENT if found is None else found

    def _member(self, name: str, members: list[Any], needed: bool, schema: Schema) -> object:
        """The choice the prompt names; the first one, where one is needed and none is named."""
        asked = meanings_of(self._prompt)
        lowered = self._prompt.lower()
        for member in sorted(members, key=lambda one: -len(str(one))):
            word = str(member).lower().replace("_", " ")
            if re.search(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])", lowered) and len(word) > 1:
                self.text.mark(str(member))
                return member
        if (named := _meant(members, asked)) is not None:
            return named
        if needed and "default" not in schema:
            return next((member for member in members if member is not None), None)
        return ABSENT

    def _switch(self, name: str) -> object:
        words = "|".join(
            re.escape(part)
            for part in parts_of(name)
            if len(part) > 2 and part not in ("include", "use", "with", "enable")
        )
        if not words:
            return ABSENT
        if re.search(
            rf"(?i)\b(?:no|not|without|don't|exclude)\s+(?:\w+\s+)?(?:{words})", self._prompt
        ):
            return False
        named = {meaning for part in parts_of(name) for meaning in meanings(part)} & meanings_of(
            self._prompt
        )
        return True if named and re.search(rf"(?i)(?:{words})", self._prompt) else ABSENT

    def _number(self, name: str, schema: Schema, needed: bool, *, whole: bool) -> object:
        words = "|".join(re.escape(part) for part in parts_of(name) if len(part) > 1)
        found = self.text.number(words) if words else None
        if found is None and (bound := NUMBER_BOUNDS.get(next(iter(parts_of(name)), ""))):
            limit = self.text.take(bound)
            found = spot.as_number(limit) if limit else None
        if found is None and "year" in parts_of(name):
            year = self.text.take(YEAR)
            found = spot.as_number(year) if year else None
        if found is None and re.search(r"(?i)limit|count|max|top|results|\bn\b|\bk\b|num", name):
            top = self.text.take(
                re.compile(
                    r"(?i)\b(?:top|first|only)\s+(\d+)|(\d+)\s*(?:results?|items?|개|건|times|번)"
                )
            )
            found = spot.as_number(top) if top else None
        if found is None and needed:
            found = self.text.number()
        if found is None:
            return ABSENT
        low, high = schema.get("minimum"), schema.get("maximum")
        found = max(found, low) if low is not None else found
        found = min(found, high) if high is not None else found
        return int(found) if whole or (isinstance(found, float) and found.is_integer()) else found

    def _list(self, name: str, schema: Schema, needed: bool, depth: int) -> object:
        item, _ = self._plain(schema.get("items", {"type": "string"}))
        if members := item.get("enum"):
            lowered = self._prompt.lower()
            named = [one for one in members if str(one).lower() in lowered]
            return named or ABSENT
        if item.get("type") in ("integer", "number"):
            numbers = self.text.numbers()
            return numbers or ABSENT
        if item.get("type") == "object":
            values = self.record(item, depth + 1)
            return [values] if values else ABSENT
        typed = kind_of_parameter(name, item) in ("email", "url", "phone")
        if not needed and not typed and not (meanings_of(name) & meanings_of(self._prompt)):
            return ABSENT
        return self._strings(name, item) or ABSENT

    def _strings(self, name: str, item: Schema) -> list[str]:
        found: list[str] = []
        while len(found) < 20:
            value = self._reader.read(name, item, True)
            if value is None or value in found:
                break
            found.append(value)
        return found

    def _invented(self, name: str, schema: Schema) -> object:
        """A value because there must be one: the prompt for a text, the smallest for the rest."""
        match schema.get("type"):
            case "integer" | "number":
                return schema.get("minimum", 0)
            case "boolean":
                return False
            case "array":
                return []
            case "object":
                return {}
            case _:
                return self._reader.topic() or self._prompt.strip()


def _meant(members: list[Any], asked: frozenset[str]) -> object:
    """The one choice that shares most with the prompt's meanings; None where several do."""
    shared: dict[str, int] = {}
    for member in members:
        meant = meanings_of(str(member))
        concepts = {one for one in meant if one.startswith("#")}
        if isinstance(member, str) and concepts & asked and len(concepts) < 3:
            shared[member] = len(meant & asked)
    most = [member for member, count in shared.items() if count == max(shared.values())]
    return most[0] if len(most) == 1 else None


def _options(schema: Schema) -> list[Schema]:
    options = schema.get("anyOf") or schema.get("oneOf")
    if not isinstance(options, list):
        return []
    return [cast(Schema, one) for one in cast(list[Any], options) if isinstance(one, Mapping)]


def _same_shape(span: str, first: str) -> bool:
    """Whether a further value looks like the first: capitals with capitals, Hangul with Hangul."""
    if span == first or not re.search(r"\w", span):
        return False
    return (span[0].isupper(), span[0] >= "가") == (first[0].isupper(), first[0] >= "가")
