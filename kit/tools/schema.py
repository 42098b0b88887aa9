"""A typed function as a tool of a model: the decorator, the value, and the names in use.

Rule: what a function says of itself is all that is needed: its types make the schema, its
docstring the words. What a model could not be told is refused when the function is decorated, in
front of the person who can change it, and not when the model calls it.
"""

from __future__ import annotations

import copy
import difflib
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload
from weakref import WeakKeyDictionary

from kit.errors import InputError, redact

if TYPE_CHECKING:
    from kit.tools.schema_arguments import Inputs

__all__ = ["Tool", "forget", "registered", "tool", "tool_of"]

Function = TypeVar("Function", bound=Callable[..., Any])

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_BUILT_IN = "deep_research"
_LISTED = 20
"""Names that an error lists at most."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may call; made by `tool` and `tool_of`.

    `parameters` is the strict JSON schema as it is sent.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    function: Callable[..., Any]
    strict: bool
    inputs: Inputs = field(repr=False, compare=False)
    """What `arguments` checks with: the types as they were when the tool was made."""

    @property
    def definition(self) -> dict[str, Any]:
        """The tool in the flat wire form, free to be changed."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": copy.deepcopy(self.parameters),
            "strict": self.strict,
        }

    @property
    def is_async(self) -> bool:
        """Whether `function` is `async def`; another may still return something to await."""
        return inspect.iscoroutinefunction(self.function)

    def arguments(self, raw: str) -> dict[str, Any]:
        """The keyword arguments for `function` in a model's JSON text; defaults are filled in.

        Raises InputError with one sentence for the model.
        """
        from kit.tools.schema_arguments import read_arguments

        return read_arguments(raw, self.inputs)


_registered: dict[str, Tool] = {}
_options: WeakKeyDictionary[Any, tuple[str | None, str | None]] = WeakKeyDictionary()
"""What was said at the decoration of a function, for one that is no longer registered: a list of
tools outlives the cell that is run again."""


@overload
def tool(
    function: Function, /, *, name: str | None = None, description: str | None = None
) -> Function: ...
@overload
def tool(
    *, name: str | None = None, description: str | None = None
) -> Callable[[Function], Function]: ...
def tool(
    function: Any = None, /, *, name: str | None = None, description: str | None = None
) -> Any:
    """Make a typed function a tool of a model; the function itself stays as it is.

        @kit.tool
        def weather(city: str, unit: Literal["C", "F"] = "C") -> str:
            \"\"\"The current weather of a city.

            Args:
                city: its name, in English
            \"\"\"

    `name` and `description` replace the function's own. A second one of a name replaces the first.
    Raises InputError for a function that a model cannot be told about.
    """
    if function is None:
        return partial(tool, name=name, description=description)
    if isinstance(function, str):
        raise InputError(f'A name is given by its keyword: @kit.tool(name="{_short(function)}").')
    # A static method is its function as soon as its class is made.
    plain = cast(Any, function).__func__ if isinstance(function, staticmethod) else function
    made = _made(plain, name, description)
    _registered[made.name] = made
    _options[plain] = (name, description)
    return cast(Any, function)


def tool_of(thing: Tool | Callable[..., Any] | str) -> Tool:
    """The tool that `thing` is or names: a Tool, a typed function, or a registered name.

    A function that is not decorated becomes a tool, and is not registered. Raises InputError.
    """
    if isinstance(thing, Tool):
        return thing
    if isinstance(thing, str):
        return _named(thing)
    _check_function(thing)
    for one in _registered.values():
        if one.function == thing:  # each look at a bound method makes another, equal one
            return one
    return _made(thing, *_options.get(thing, (None, None)))


def registered() -> tuple[Tool, ...]:
    """The tools of this process, in the order in which their names came."""
    return tuple(_registered.values())


def forget(name: str) -> None:
    """Take a tool away. Raises InputError when none is registered under `name`."""
    del _registered[_named(name).name]


def _named(name: str) -> Tool:
    if name in _registered:
        return _registered[name]
    if not _registered:
        raise InputError(
            f"There is no tool `{_short(name)}`: none is registered. "
            "Put @kit.tool above a typed function."
        )
    near = difflib.get_close_matches(name[:64], _registered, n=1)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    names = ", ".join([*_registered][:_LISTED])
    more = f" and {len(_registered) - _LISTED} more" if len(_registered) > _LISTED else ""
    raise InputError(
        redact(f"There is no tool `{_short(name)}`.{hint} Registered are: {names}{more}.")
    )


def _made(function: Callable[..., Any], name: str | None, description: str | None) -> Tool:
    from kit.gateway.schemas import strict_schema
    from kit.tools.schema_docstring import read_docstring
    from kit.tools.schema_signature import inputs_of

    _check_function(function)
    called = getattr(function, "__name__", "") if name is None else str(name)
    _check_name(called)
    words, about = read_docstring(function)
    words = (description or "").strip() or words
    if not words:
        raise InputError(
            redact(
                f"{called} has no description. Write a docstring that tells the model when to "
                'call it, or @kit.tool(description="…").'
            )
        )
    inputs = inputs_of(function, called, about)
    schema = strict_schema(inputs.model, sent=True)
    return Tool(called, words, schema, function, True, inputs)


def _check_function(thing: Any) -> None:
    """Raises InputError unless `thing` is a function, a bound method, or wraps one."""
    called = _short(getattr(thing, "__name__", "") or type(thing).__name__)
    if isinstance(thing, type):
        raise InputError(f"{called} is a class. A tool is a function, or a method of an object.")
    inner = _inner(thing)
    if not (inspect.isfunction(inner) or inspect.ismethod(inner)):
        raise InputError(
            f"A tool is a typed function, a kit.tools.Tool or a registered name, not {called}."
        )
    if not callable(thing):
        raise InputError(f"{called}: a class method is a tool only when bound: tool_of(Its.name).")
    if inner.__name__ == "<lambda>":
        raise InputError("A lambda has no name, types or docstring. Write it as a def.")
    if inspect.isgeneratorfunction(thing) or inspect.isasyncgenfunction(thing):
        raise InputError(f"{called} yields, and a model takes one result. Return a list instead.")


def _inner(thing: Any) -> Any:
    """What `thing` wraps in the end, as functools.wraps and lru_cache note it."""
    try:
        return thing if inspect.ismethod(thing) else inspect.unwrap(thing)
    except ValueError:  # it says so of everything, itself included
        return None


def _check_name(name: str) -> None:
    if name == _BUILT_IN:
        raise InputError(
            f"{_BUILT_IN} is the name of the built-in tool. Give another: @kit.tool(name="
            '"my_research").'
        )
    if not _NAME.fullmatch(name):
        raise InputError(
            f"`{_short(name)}` cannot be a tool's name: 1 to 64 of a-z, A-Z, 0-9, _ and -. "
            'Give one: @kit.tool(name="…").'
        )


def _short(name: str) -> str:
    """A name on one line of an error; it may be any text."""
    plain = "".join(letter if letter.isprintable() else " " for letter in str(name)[:64])
    return redact(plain)
