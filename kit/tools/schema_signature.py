"""A function's signature as a pydantic model, from which its schema and its check are made.

Rule: every parameter is one that a model can fill: it has a name, a type with a place in strict
JSON schemas, and a default that fits. Each is tried alone first, so that an error names it and
says what to write.

The model's fields have names of ours, and the function's names are their aliases: a field named
`schema`, `_id` or `model_x` would be pydantic's own, private or protected.
"""

from __future__ import annotations

import enum
import inspect
import json
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.errors import (
    PydanticInvalidForJsonSchema,
    PydanticSchemaGenerationError,
    PydanticUserError,
)
from pydantic.fields import FieldInfo

from kit.errors import InputError, redact
from kit.gateway.schemas import strict_schema
from kit.tools.schema_arguments import Argument, Inputs

__all__ = ["inputs_of"]

_NONE = inspect.Parameter.empty
_SAYS = {"type", "$ref", "anyOf", "enum", "const"}
"""One of these, and a node of a schema says what may stand there."""

_LONGEST_DEFAULT = 40
"""Characters of a default that a model is told; a longer one is no help to it."""

_USE = "Use text, numbers, dates, Literal, an Enum, a list of them or a pydantic model."


@dataclass(frozen=True, slots=True)
class _Parameter:
    """One parameter, its type resolved; `place` says whose it is, for errors."""

    name: str
    place: str
    type: Any
    about: str | None
    default: Any

    def refused(self, why: str) -> InputError:
        return InputError(redact(f"{self.place} {why}"))


def inputs_of(function: Callable[..., Any], tool: str, about: Mapping[str, str]) -> Inputs:
    """What `function` takes as `tool`; `about` describes arguments whose types do not.

    Raises InputError for what cannot be said to a model.
    """
    parameters: list[_Parameter] = []
    arguments: list[Argument] = []
    for number, given in enumerate(inspect.signature(function).parameters.values()):
        _check_kind(given, tool, first=number == 0)
        parameter = _resolved(given, function, tool, about)
        _check_type(parameter)
        _check_default(parameter)
        nullable = _fits(parameter, None)
        parameters.append(parameter if nullable else _with_default_told(parameter))
        arguments.append(Argument(given.name, _field(number), given.default, nullable))
    return Inputs(_model(parameters, allow_inf_nan=False), tuple(arguments))


def _field(number: int) -> str:
    return f"argument_{number}"


def _model(parameters: list[_Parameter], **config: Any) -> type[BaseModel]:
    """Defaults stay with the function: pydantic would copy them, or not know how to write them."""
    fields: dict[str, Any] = {}
    for number, one in enumerate(parameters):
        said: dict[str, Any] = {"alias": one.name, "validation_alias": one.name}
        if one.default is not _NONE:
            said["default"] = None
        if one.about is not None:
            said["description"] = one.about
        fields[_field(number)] = (one.type, Field(**said))
    options = cast(ConfigDict, {"extra": "forbid", **config})
    return create_model("Arguments", __config__=options, **fields)


# -- one parameter -----------------------------------------------------------------------------


def _check_kind(given: inspect.Parameter, tool: str, *, first: bool) -> None:
    name, untyped = given.name, given.annotation is _NONE
    if given.kind in (given.VAR_POSITIONAL, given.VAR_KEYWORD):
        stars = "*" if given.kind is given.VAR_POSITIONAL else "**"
        raise InputError(
            f"{tool}: {stars}{name} has no schema. Name each argument, or take one list: "
            f"{name}: list[str]."
        )
    if first and untyped and name in ("self", "cls"):
        raise InputError(
            f"{tool} is a method without its object (`{name}`). Leave the decorator away and pass "
            f"the bound method: kit.tools.tool_of(thing.{tool})."
        )
    if given.kind is given.POSITIONAL_ONLY:
        raise InputError(
            f"{tool}: `{name}` is positional-only, and a model gives arguments by name. "
            "Take the / out of the signature."
        )
    if untyped:
        likely = type(given.default).__name__
        example = likely if likely in ("bool", "int", "float") else "str"
        raise InputError(f"{tool}: `{name}` has no type. Write {name}: {example}.")


def _resolved(
    given: inspect.Parameter, function: Callable[..., Any], tool: str, about: Mapping[str, str]
) -> _Parameter:
    """One type at a time: the result's own may be known to a type checker alone."""
    inner: Any = inspect.unwrap(getattr(function, "__func__", function))
    holder = SimpleNamespace(__annotations__={"it": given.annotation})
    try:
        hint = typing.get_type_hints(holder, inner.__globals__, include_extras=True)["it"]
    except Exception as error:  # whatever evaluating text can raise
        raise InputError(
            redact(
                f"{tool}: the type of `{given.name}` cannot be found ({str(error)[:100]}). "
                "Define or import it at the top level, before the function."
            )
        ) from None
    place = f"{tool}: `{given.name}`"
    told = _described(hint) or about.get(given.name)
    return _Parameter(given.name, place, hint, told, given.default)


def _described(hint: Any) -> str | None:
    """The words in `Annotated[str, "words"]` or `Annotated[str, Field(description="words")]`."""
    if typing.get_origin(hint) is not Annotated:
        return None
    beside = typing.get_args(hint)[1:]
    words = (one.description if isinstance(one, FieldInfo) else one for one in reversed(beside))
    return next((one for one in words if isinstance(one, str) and one), None)


def _check_type(parameter: _Parameter) -> None:
    """Raises InputError for a type that strict JSON schemas cannot say."""
    written = inspect.formatannotation(parameter.type)[:60]
    try:
        model = _model([parameter])
        schema = strict_schema(model, sent=True)
    except InputError as error:
        raise parameter.refused(
            f"has a type that strict schemas cannot say, {written}. {error}"
        ) from None
    except Exception as error:  # pydantic's several, or a type's own
        raise parameter.refused(
            f"has a type without a JSON schema, {written}. {_advice(error)}"
        ) from None
    if any(_says_nothing(node) for node in _nodes(schema)):
        raise parameter.refused(
            f"may hold anything by its type, {written}. Say what: list[str] instead of list, "
            "str | int instead of Any."
        )
    if _is_lazy(model.__pydantic_core_schema__):
        raise parameter.refused(
            f"would be checked only while it is read, {written}. Write a list: list[str]."
        )


def _advice(error: Exception) -> str:
    """pydantic's own advice where it helps, as for a TypedDict of the wrong module."""
    no_schema = isinstance(error, PydanticSchemaGenerationError | PydanticInvalidForJsonSchema)
    if no_schema or not isinstance(error, PydanticUserError):
        return _USE
    if error.code == "class-not-fully-defined":
        return "It names a class that does not exist yet: define that one before."
    return error.message.partition("\n")[0][:200]


def _nodes(schema: dict[str, Any]) -> Iterator[Any]:
    """Every node in which a schema says what a value may be."""
    waiting: list[Any] = [schema]
    while waiting:
        node = waiting.pop()
        yield node
        for key in ("properties", "$defs"):
            waiting += node.get(key, {}).values()
        waiting += node.get("anyOf", [])
        if node.get("type") == "array" or "array" in (node.get("type") or ()):
            waiting.append(node.get("items") or {})


def _says_nothing(node: dict[str, Any]) -> bool:
    return not _SAYS & node.keys()


def _is_lazy(core: Any) -> bool:
    """Whether pydantic gives an iterator that complains later, in the middle of the function."""
    if isinstance(core, dict):
        core = cast(dict[str, Any], core)
        return core.get("type") == "generator" or any(map(_is_lazy, core.values()))
    return isinstance(core, list | tuple) and any(map(_is_lazy, cast(list[Any], core)))


def _check_default(parameter: _Parameter) -> None:
    default = parameter.default
    if isinstance(default, FieldInfo):
        written = f"{parameter.name}: Annotated[…, Field(…)]"
        raise parameter.refused(f"has Field(…) as its default. Put it into the type: {written}.")
    if default is not _NONE and not _fits(parameter, default):
        written = inspect.formatannotation(parameter.type)[:60]
        hint = f"Write {written} | None." if default is None else "Change one of them."
        raise parameter.refused(f"has a default that does not fit its type, {written}. {hint}")


def _with_default_told(parameter: _Parameter) -> _Parameter:
    """Its words with what a null means: strict schemas require every argument, so that a model
    gives null to leave one out. (Where the type itself takes None, a null is that.)"""
    default = _as_json(parameter.default)
    if default is None:
        return parameter
    about = f"{parameter.about} (null: {default})" if parameter.about else f"null: {default}"
    return replace(parameter, about=about)


def _as_json(default: Any) -> str | None:
    """A default as the model would write it; None where it cannot, or should not be told."""
    if isinstance(default, enum.Enum):
        default = default.value
    try:
        text = json.dumps(default, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):  # no JSON, and no default also
        return None
    short = len(text) <= _LONGEST_DEFAULT
    return text if short and redact(text) == text else None


def _fits(parameter: _Parameter, value: Any) -> bool:
    """Whether `value` is of the type as it stands, and not only after a conversion."""
    try:
        given = {parameter.name: value}
        checked = getattr(_model([parameter]).model_validate(given), _field(0))
        return bool(checked == value or checked != checked)  # the second: NaN
    except Exception:  # a person's own check may raise anything
        return False
