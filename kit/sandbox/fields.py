"""Reading the fields of a request body: the right type, or a 400 that names the field.

A field that is null is a field that is absent. Paths are written as a user would look for them:
`input[2].content[0].type`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from kit.sandbox.problems import Refused

T = TypeVar("T")

KINDS: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object and where in the request it stands."""

    values: Mapping[str, Any]
    place: str = ""

    def path(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name

    def text(self, name: str) -> str | None:
        return self._typed(name, str)

    def required_text(self, name: str) -> str:
        found = self.text(name)
        if not found:
            raise missing(self.path(name))
        return found

    def flag(self, name: str, default: bool) -> bool:
        found = self._typed(name, bool)
        return default if found is None else found

    def whole(self, name: str, low: int, high: int | None = None) -> int | None:
        """An integer between `low` and `high`, both included."""
        found = self._typed(name, int)
        if found is not None and (found < low or (high is not None and found > high)):
            limits = f"at least {low}" if high is None else f"between {low} and {high}"
            raise invalid(self.path(name), f"expected {limits}, got {found}")
        return found

    def number(self, name: str, low: float, high: float) -> float | None:
        found = self.values.get(name)
        if isinstance(found, bool) or not isinstance(found, int | float | None):
            raise wrong_type(self.path(name), float, found)
        if found is not None and not low <= found <= high:
            raise invalid(self.path(name), f"expected between {low:g} and {high:g}, got {found}")
        return found

    def choice(self, name: str, options: Collection[str]) -> str | None:
        found = self.text(name)
        if found is not None and found not in options:
            raise invalid(self.path(name), f"'{found[:80]}' is none of {listed(options)}")
        return found

    def within(self, name: str) -> Fields | None:
        """The object under `name`, or None."""
        found = cast(dict[str, Any] | None, self._typed(name, dict))
        return None if found is None else Fields(found, self.path(name))

    def rows(self, name: str) -> list[Fields]:
        """The list of objects under `name`; absent is empty."""
        found = cast(list[Any], self._typed(name, list) or [])
        return [as_fields(row, f"{self.path(name)}[{place}]") for place, row in enumerate(found)]

    def texts(self, name: str) -> tuple[str, ...]:
        found = cast(list[Any], self._typed(name, list) or [])
        for place, row in enumerate(found):
            if not isinstance(row, str):
                raise wrong_type(f"{self.path(name)}[{place}]", str, row)
        return tuple(found)

    def _typed(self, name: str, kind: type[T]) -> T | None:
        found = self.values.get(name)
        if found is None:
            return None
        if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
            raise wrong_type(self.path(name), kind, found)
        return found


def parse_body(body: bytes) -> Fields:
    """The JSON object that a request carries."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "The body of the request is not valid JSON.") from None
    if not isinstance(found, dict):
        raise Refused(400, "The body of the request must be a JSON object.")
    return Fields(cast(dict[str, Any], found))


def as_fields(value: object, place: str) -> Fields:
    if not isinstance(value, dict):
        raise wrong_type(place, dict, value)
    return Fields(cast(dict[str, Any], value), place)


def missing(place: str) -> Refused:
    return Refused(
        400,
        f"Missing required parameter: '{place}'.",
        param=place,
        code="missing_required_parameter",
    )


def invalid(place: str, why: str) -> Refused:
    return Refused(400, f"Invalid value for '{place}': {why}.", param=place, code="invalid_value")


def wrong_type(place: str, expected: type, found: object) -> Refused:
    got = KINDS.get(type(found), "something else")
    message = f"Invalid type for '{place}': expected {KINDS[expected]}, but got {got}."
    return Refused(400, message, param=place, code="invalid_type")


def listed(options: Collection[str]) -> str:
    return ", ".join(f"'{option}'" for option in options)
