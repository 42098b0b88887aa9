"""The strict subset of JSON Schema: what may be asked for, and whether a document can exist at all.

Every object closes (`additionalProperties: false`) and requires all its properties; an optional one
is null. Nothing here evaluates a pattern, and a schema whose smallest document would be endless or
huge is refused before anybody tries to write it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from kit.sandbox.bounds import fitted_number

Schema = Mapping[str, Any]

TYPES = frozenset(("string", "number", "integer", "boolean", "object", "array", "null"))
REFUSED = (
    "allOf oneOf not if then else dependentRequired dependentSchemas patternProperties prefixItems "
    "contains minContains maxContains propertyNames unevaluatedProperties unevaluatedItems "
    "additionalItems dependencies minProperties maxProperties uniqueItems pattern $dynamicRef"
)
"""Keywords outside the subset. (OpenAI takes `pattern`; here it would have to be evaluated.)"""
REFUSED_WORDS = frozenset(REFUSED.split())
MOST_NODES = 5000
DEEPEST = 10
LARGEST_DOCUMENT = 20_000
COMBINERS = ("$ref", "anyOf", "enum", "const", "type")


class Complaint(ValueError):
    """Where a schema leaves the subset, and how."""


def is_mapping(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def check_strict(schema: object) -> str | None:
    """The complaint about a schema, `#/properties/a: ...`, or None when it is in the subset."""
    try:
        if not is_mapping(schema):
            raise Complaint("#: the schema must be an object")
        _check_root(schema)
        Checker(schema).check(schema, "#", 0)
        for name, definition in definitions(schema).items():
            Checker(schema).check(definition, f"#/$defs/{name}", 0)
        if Sizes(schema).of(schema) > LARGEST_DOCUMENT:
            raise Complaint("#: no document of reasonable size can satisfy this schema")
    except Complaint as complaint:
        return str(complaint)
    except RecursionError:
        return "#: the schema is nested too deeply"
    return None


def definitions(schema: Schema) -> dict[str, Schema]:
    """The definitions under `$defs` and `definitions`, by name."""
    found: dict[str, Schema] = {}
    for key in ("definitions", "$defs"):
        entries = schema.get(key, {})
        if not is_mapping(entries) or not all(is_mapping(one) for one in entries.values()):
            raise Complaint(f"#/{key}: must be an object of schemas")
        found.update({str(name): one for name, one in entries.items()})
    return found


def resolve(root: Schema, reference: str) -> Schema:
    """The schema a local `$ref` names. Raises `Complaint` for any other."""
    if reference == "#":
        return root
    for prefix in ("#/$defs/", "#/definitions/"):
        if reference.startswith(prefix):
            target = definitions(root).get(reference.removeprefix(prefix))
            if target is not None:
                return target
    raise Complaint(f"#: $ref {reference[:80]!r} does not name a definition of this schema")


def _check_root(schema: Schema) -> None:
    if "anyOf" in schema:
        raise Complaint("#: the root must be an object and not an anyOf")
    if schema.get("type") != "object":
        raise Complaint(f"#: the root must have type 'object', not {schema.get('type')!r}")


class Checker:
    """Walks one schema; counts its nodes."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._nodes = 0

    def check(self, schema: object, path: str, depth: int) -> None:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise Complaint(f"{path}: the schema has more than {MOST_NODES} parts")
        if depth > DEEPEST:
            raise Complaint(f"{path}: nested more than {DEEPEST} levels deep")
        if not is_mapping(schema):
            raise Complaint(f"{path}: must be a schema object")
        refused = sorted(REFUSED_WORDS.intersection(map(str, schema)))
        if refused:
            raise Complaint(f"{path}: {refused[0]!r} is not permitted")
        if not any(key in schema for key in COMBINERS):
            raise Complaint(f"{path}: must have a 'type', 'enum', 'const', 'anyOf' or '$ref'")
        self._check_parts(schema, path, depth)

    def _check_parts(self, schema: Schema, path: str, depth: int) -> None:
        if "$ref" in schema:
            if not isinstance(schema["$ref"], str):
                raise Complaint(f"{path}: $ref must be a string")
            resolve(self._root, schema["$ref"])
        if "anyOf" in schema:
            self._check_options(schema["anyOf"], path, depth)
        if "enum" in schema and (not is_list(schema["enum"]) or not schema["enum"]):
            raise Complaint(f"{path}: enum must be a list with at least one value")
        types = types_of(schema)
        if unknown := [one for one in types if one not in TYPES]:
            raise Complaint(f"{path}: {unknown[0]!r} is not a type")
        self._check_numbers(schema, path)
        if "object" in types:
            self._check_object(schema, path, depth)
        if "array" in types:
            if "items" not in schema:
                raise Complaint(f"{path}: an array must say what its 'items' are")
            self.check(schema["items"], f"{path}/items", depth + 1)

    def _check_options(self, options: object, path: str, depth: int) -> None:
        if not is_list(options) or not options:
            raise Complaint(f"{path}: anyOf must be a list with at least one schema")
        for number, option in enumerate(options):
            self.check(option, f"{path}/anyOf/{number}", depth)

    def _check_object(self, schema: Schema, path: str, depth: int) -> None:
        properties = schema.get("properties", {})
        if not is_mapping(properties):
            raise Complaint(f"{path}: 'properties' must be an object")
        if schema.get("additionalProperties") is not False:
            raise Complaint(f"{path}: 'additionalProperties' must be present and false")
        required = schema.get("required", [])
        if not is_list(required):
            raise Complaint(f"{path}: 'required' must be a list")
        missing = [str(name) for name in properties if name not in required]
        if missing:
            raise Complaint(f"{path}: 'required' must name every property; missing {missing[0]!r}")
        extra = [str(name) for name in required if name not in properties]
        if extra:
            raise Complaint(f"{path}: 'required' names {extra[0]!r}, which is not a property")
        for name, one in properties.items():
            self.check(one, f"{path}/properties/{name}", depth + 1)

    def _check_numbers(self, schema: Schema, path: str) -> None:
        """Bounds are numbers that leave room for a value."""
        for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"):
            value = schema.get(key, 0)
            if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
                raise Complaint(f"{path}: {key} must be a number")
        for key in ("minItems", "maxItems", "minLength", "maxLength"):
            value = schema.get(key, 0)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise Complaint(f"{path}: {key} must be a whole number")
        for low, high in (("minItems", "maxItems"), ("minLength", "maxLength")):
            if schema.get(low, 0) > schema.get(high, math.inf):
                raise Complaint(f"{path}: {low} is larger than {high}")
        if "multipleOf" in schema and schema["multipleOf"] <= 0:
            raise Complaint(f"{path}: multipleOf must be larger than 0")
        if {"number", "integer"} & set(types_of(schema)) and not _has_room(schema):
            raise Complaint(f"{path}: no number satisfies these bounds")


def _finite(value: float) -> bool:
    return isinstance(value, int) or math.isfinite(value)


def _has_room(schema: Schema) -> bool:
    whole = "number" not in types_of(schema)
    return fitted_number(0, schema, whole=whole) is not None


def types_of(schema: Schema) -> Sequence[str]:
    kind = schema.get("type")
    return [kind] if isinstance(kind, str) else kind if is_list(kind) else []


class Sizes:
    """How many values the smallest document of a schema has; infinite when there is none."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._known: dict[str, float] = {"#": math.inf}
        parts = definitions(root)
        for name in parts:
            self._known[f"#/$defs/{name}"] = self._known[f"#/definitions/{name}"] = math.inf
        for _ in range(len(parts) + 2):  # each round settles at least one definition
            before = dict(self._known)
            for name, definition in parts.items():
                size = self.of(definition)
                self._known[f"#/$defs/{name}"] = self._known[f"#/definitions/{name}"] = size
            self._known["#"] = self.of(root)
            if before == self._known:
                break

    def of(self, schema: Schema) -> float:
        if "$ref" in schema:
            return self._known.get(str(schema["$ref"]), math.inf)
        if "const" in schema or "enum" in schema:
            return 1
        if "anyOf" in schema:
            return min(self.of(option) for option in schema["anyOf"])
        return min((self._of_type(kind, schema) for kind in types_of(schema)), default=1)

    def _of_type(self, kind: str, schema: Schema) -> float:
        if kind == "object":
            return 1 + sum(self.of(one) for one in schema.get("properties", {}).values())
        if kind == "array":
            least = int(schema.get("minItems", 0))
            return 1 + least * self.of(schema["items"]) if least else 1
        if kind == "string":
            return 1 + int(schema.get("minLength", 0)) / 100
        return 1
