"""What a model calls a function with: JSON text in, checked keyword arguments out.

Rule: the text is as hostile as any. It is bounded before it is read and checked before a function
sees it, and what is wrong comes back as one short sentence for the model, so that it can try
again: which argument, what was wrong, what is expected.
"""

from __future__ import annotations

import inspect
import json
import math
from dataclasses import dataclass
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from kit.errors import InputError, ProtocolError, redact
from kit.gateway.json_text import read_json
from kit.gateway.structured import parse

__all__ = ["Argument", "Inputs", "read_arguments"]

LONGEST = 1_000_000
"""Characters of a call's arguments."""

DEEPEST = 100
"""Lists and objects inside each other."""

_SHOULD_BE = "Input should be "
_LONGEST = 500
_LONGEST_VALUE = 80
_LONGEST_PLACE = 60
_LONGEST_MESSAGE = 100
_LONGEST_CHOICE = 300
_LOOKED_AT = 20
"""Complaints of one check: a long list can be wrong in every place."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One parameter: `field` of the model holds it; `default` is `Parameter.empty` for none."""

    name: str
    field: str
    default: Any
    nullable: bool


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a function takes. The names in `model` are ours; its aliases are the function's."""

    model: type[BaseModel]
    arguments: tuple[Argument, ...]


def read_arguments(raw: str, inputs: Inputs) -> dict[str, Any]:
    """The keyword arguments in `raw`. Raises InputError with one sentence for the model."""
    found = _object(raw)
    checked = _checked(found, inputs)
    return {one.name: _value(one, found, checked) for one in inputs.arguments}


def _value(one: Argument, found: dict[str, Any], checked: BaseModel) -> Any:
    if one.field in checked.model_fields_set or one.default is inspect.Parameter.empty:
        return getattr(checked, one.field)
    if one.nullable and one.name in found:  # a null that `parse` took for "not given"
        return None
    return one.default


# -- text -> an object -------------------------------------------------------------------------


def _object(raw: str) -> dict[str, Any]:
    if len(raw) > LONGEST:
        raise InputError(f"The arguments have more than {LONGEST:,} characters: send less.")
    found = _json(raw)
    if isinstance(found, str):  # some models write the object as JSON, and that once more
        found = _json(found)
    if not isinstance(found, dict):
        raise InputError(_sentence(f"The arguments are no JSON object: {_shown(found)}."))
    _check_plain(found)
    return cast(dict[str, Any], found)


def _json(text: str) -> Any:
    if not text.strip():  # how many models call a function without arguments
        return {}
    try:
        return read_json(text)
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        wrong = f"{error.msg.removesuffix(' at')} at character {error.pos}"
    except ValueError:
        wrong = "a number has too many digits"
    raise InputError(f"The arguments are not valid JSON ({wrong}): send one JSON object.")


def _check_plain(found: Any) -> None:
    """Raises InputError for what JSON cannot say (NaN), and for what is nested too deeply."""
    waiting: list[tuple[Any, int]] = [(found, 1)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError("NaN and Infinity are no JSON numbers: send a finite one.")
        if isinstance(value, dict | list):
            if depth > DEEPEST:
                raise _too_deep()
            inner: Any = value.values() if isinstance(value, dict) else value  # pyright: ignore
            waiting += [(one, depth + 1) for one in inner]


def _too_deep() -> InputError:
    return InputError("The arguments are nested too deeply: send something flatter.")


# -- an object -> checked values ---------------------------------------------------------------


def _checked(found: dict[str, Any], inputs: Inputs) -> BaseModel:
    """`parse` knows which nulls only strictness asked for, and bounds the work of unions."""
    try:
        return parse(json.dumps(found), inputs.model)
    except ProtocolError as error:
        cause = error.__context__  # its own sentence is for a person
    if isinstance(cause, ValidationError):
        raise InputError(_complaint(cause, found, inputs))
    if cause is None or isinstance(cause, RecursionError):
        raise _too_deep()
    raise InputError(f"The arguments could not be checked ({type(cause).__name__}): send others.")


def _complaint(error: ValidationError, found: dict[str, Any], inputs: Inputs) -> str:
    complaints = error.errors(include_url=False, include_context=False, include_input=False)
    kind, steps = complaints[0]["type"], complaints[0]["loc"]
    place, value = _place(steps, found)
    if kind == "missing":
        return _sentence(f"{_path([*place, steps[-1]])} is missing.{_needed(place, inputs)}")
    if kind == "extra_forbidden":
        return _sentence(f"There is no argument {_path(place)}.{_known(place, inputs)}")
    wishes = [  # the options of a union complain one after the other, of the same value
        _wish(one["type"], one["msg"])
        for one in complaints[:_LOOKED_AT]
        if _place(one["loc"], found)[0] == place and one["type"] != "missing"
    ]
    verb = " should be " if complaints[0]["msg"].startswith(_SHOULD_BE) else ": "
    wish = " or ".join([*dict.fromkeys(wishes)][:3])
    return _sentence(f"{_path(place)}{verb}{wish}; it was {_shown(value)}.")


def _place(steps: tuple[str | int, ...], found: Any) -> tuple[list[str | int], Any]:
    """Where in `found` a complaint points, and what is there. Not every step is on the way: the
    names of a union's options are not."""
    place: list[str | int] = []
    for step in steps:
        if _holds(found, step):
            place.append(step)
            found = found[step]
    return place, found


def _holds(found: Any, step: str | int) -> bool:
    if isinstance(found, list):
        return isinstance(step, int) and step < len(cast(list[Any], found))
    return isinstance(found, dict) and step in found


def _path(place: list[str | int]) -> str:
    text = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in place)
    return f"`{_cut(text.removeprefix('.'), _LONGEST_PLACE)}`"


def _needed(place: list[str | int], inputs: Inputs) -> str:
    if place:
        return ""
    empty = inspect.Parameter.empty
    needed = [one.name for one in inputs.arguments if one.default is empty]
    return f" Required: {', '.join(needed)}."


def _known(place: list[str | int], inputs: Inputs) -> str:
    if len(place) > 1:
        return " Leave it out."
    names = ", ".join(one.name for one in inputs.arguments)
    return f" The arguments are: {names}." if names else " Send {}."


def _wish(kind: str, message: str) -> str:
    """What pydantic, or a person's own check, asks for. Only a list of choices may be long: what
    else is may be the value once more."""
    longest = _LONGEST_CHOICE if kind in ("literal_error", "enum") else _LONGEST_MESSAGE
    for prefix in (_SHOULD_BE, "Value error, ", "Assertion failed, "):
        message = message.removeprefix(prefix)
    return _cut(message.partition(", unable to parse")[0], longest)


def _shown(value: Any) -> str:
    return _cut(json.dumps(value, ensure_ascii=False), _LONGEST_VALUE)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _sentence(text: str) -> str:
    """On one line, without a key, and not longer than a model needs to try again."""
    plain = "".join(letter if letter.isprintable() else " " for letter in redact(text))
    return _cut(plain, _LONGEST)
