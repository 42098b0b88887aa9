"""What a model could not be told is refused where the function is decorated."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Literal, TypeVar

import pandas
import pytest
from pydantic import BaseModel, Field

from kit import errors
from kit.tools import registered, tool, tool_of

T = TypeVar("T")


class Pair(BaseModel):
    key: str
    value: int


class Open(BaseModel):
    values: dict[str, int]


class Vague(BaseModel):
    values: list[Any]


class Unfinished(BaseModel):
    next: Missing  # type: ignore[name-defined]  # noqa: F821


class Rows(BaseModel):
    rows: Iterable[int]


def taking(annotation: Any, *default: Any) -> Callable[..., Any]:
    """A function `f` with one parameter `x` of this type."""

    def f(x: Any) -> None:
        """Does something."""

    f.__annotations__["x"] = annotation
    f.__defaults__ = default or None
    return f


# -- types -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        (Any, "may hold anything"),
        (object, "may hold anything"),
        (list, "may hold anything"),
        (list[Any], "may hold anything"),
        (int | Any, "may hold anything"),
        (type[int], "may hold anything"),
        (T, "may hold anything"),
        (Vague, "may hold anything"),
        (dict, "free keys"),
        (dict[str, int], "use a list of objects with `key` and `value`"),
        (Open, "free keys"),
        (tuple[int, str], "strict schemas cannot say, tuple[int, str]"),
        (Callable[[int], str], "without a JSON schema"),
        (pandas.DataFrame, "without a JSON schema, pandas"),
        (5, "without a JSON schema, 5"),
        (Iterator[int], "without a JSON schema"),
        (Iterable[int], "Write a list"),
        (Rows, "Write a list"),
        (Unfinished, "names a class that does not exist yet"),
        ("Nowhere", "cannot be found (name 'Nowhere' is not defined)"),
        ("list[", "cannot be found"),
        ("1 | 'a'", "cannot be found"),
    ],
)
def test_a_type_without_a_strict_schema_is_refused(annotation: Any, says: str) -> None:
    with pytest.raises(errors.InputError) as caught:
        tool_of(taking(annotation))
    message = str(caught.value)
    assert message.startswith("f: ")
    assert "`x`" in message
    assert says in message
    assert len(message) < 400
    assert message.count("\n") < 3


@pytest.mark.parametrize(
    ("annotation", "default", "says"),
    [
        (str, None, "Write str | None"),
        (int, "5", "does not fit its type, int"),
        (Literal["C", "F"], "K", "does not fit"),
        (Annotated[int, Field(ge=1)], 0, "does not fit"),
        (list[str], (), "does not fit"),
        (Pair, {"key": "a", "value": 1}, "does not fit"),
        (str, Field("a", description="of a city"), "x: Annotated[…, Field(…)]"),
    ],
)
def test_a_default_fits_its_type(annotation: Any, default: Any, says: str) -> None:
    with pytest.raises(errors.InputError) as caught:
        tool_of(taking(annotation, default))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("annotation", "default"),
    [(float, 1), (float, float("inf")), (float, float("nan")), (int, True), (str | None, None)],
)
def test_a_default_fits_as_python_sees_it(annotation: Any, default: Any) -> None:
    assert repr(tool_of(taking(annotation, default)).arguments("{}")) == repr({"x": default})


# -- signatures --------------------------------------------------------------------------------


def untyped(city, days=3):  # type: ignore[no-untyped-def]
    """Does something."""


def half_typed(city: str, days=3):  # type: ignore[no-untyped-def]
    """Does something."""


def many(*cities: str) -> None:
    """Does something."""


def free(**options: str) -> None:
    """Does something."""


def by_position(city: str, /) -> None:
    """Does something."""


def silent(city: str) -> None:
    pass


def only_arguments(city: str) -> None:
    """:param city: where"""


def deep_research(question: str) -> None:
    """Does something."""


def 날씨(city: str) -> None:
    """Does something."""


def yielding(city: str) -> Iterator[str]:
    """Does something."""
    yield city


async def yielding_later(city: str) -> Any:
    """Does something."""
    yield city


class Shelf:
    """Holds books."""

    def find(self, word: str) -> None:
        """Does something."""

    __call__ = find


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (untyped, "untyped: `city` has no type. Write city: str."),
        (half_typed, "half_typed: `days` has no type. Write days: int."),
        (many, "many: *cities has no schema. Name each argument, or take one list"),
        (free, "free: **options has no schema"),
        (by_position, "by_position: `city` is positional-only"),
        (silent, "silent has no description. Write a docstring"),
        (only_arguments, "only_arguments has no description"),
        (deep_research, "deep_research is the name of the built-in tool"),
        (날씨, "`날씨` cannot be a tool's name"),
        (yielding, "yielding yields, and a model takes one result. Return a list"),
        (yielding_later, "Return a list"),
        (Shelf, "Shelf is a class"),
        (Shelf.find, "find is a method without its object (`self`)"),
        (Shelf(), "not Shelf"),
        (lambda: None, "A lambda has no name"),
        (functools.partial(silent, "Seoul"), "not partial"),
        (len, "not len"),
        (3, "not int"),
        (None, "not NoneType"),
        ({"type": "function", "name": "f"}, "not dict"),
    ],
)
def test_a_function_that_a_model_cannot_call_is_refused(function: Any, says: str) -> None:
    with pytest.raises(errors.InputError) as caught:
        tool_of(function)
    assert says in str(caught.value)
    assert str(caught.value).count("\n") < 3


def test_a_method_is_not_decorated_in_its_class() -> None:
    with pytest.raises(errors.InputError, match=r"kit\.tools\.tool_of\(thing\.find\)"):

        class _Shelf:
            @tool
            def find(self, word: str) -> None:
                """Does something."""

    with pytest.raises(errors.InputError, match="only when bound"):

        class _Other:
            @tool
            @classmethod
            def find(cls, word: str) -> None:
                """Does something."""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "cannot be a tool's name"),
        ("the weather", "cannot be a tool's name"),
        ("weather\n", "cannot be a tool's name"),
        ("w" * 65, "cannot be a tool's name"),
        ("sk-abcdefghijklmnop abc", "`*** abc` cannot be a tool's name"),
        ("deep_research", "the built-in tool"),
    ],
)
def test_a_name_is_one_that_the_wire_takes(name: str, says: str) -> None:
    with pytest.raises(errors.InputError) as caught:
        tool(name=name, description="Does something.")(silent)
    assert says in str(caught.value)


def test_what_is_refused_is_not_registered() -> None:
    before = registered()
    with pytest.raises(errors.InputError):
        tool(untyped)
    assert registered() == before


def test_an_error_holds_no_key() -> None:
    with pytest.raises(errors.InputError) as caught:
        tool_of(taking(Literal["sk-abcdefghijklmnop"], "other"))
    assert "abcdef" not in str(caught.value)
    with pytest.raises(errors.InputError) as caught:
        tool_of("sk-abcdefghijklmnop")
    assert "abcdef" not in str(caught.value)


def test_a_name_without_its_keyword_is_refused() -> None:
    with pytest.raises(errors.InputError, match=r'@kit\.tool\(name="weather"\)'):
        tool("weather")  # type: ignore[call-overload]
