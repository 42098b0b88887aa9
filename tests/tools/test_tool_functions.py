"""A tool's function may come from a cell, a class or a wrapper, and names things as it likes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from kit.tools import tool_of


class Point(BaseModel):
    x: float


def cell(source: str) -> dict[str, Any]:
    """What a notebook's cell defines."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, "<cell>", "exec", dont_inherit=True), names)
    return names


IN_A_CELL = '''
from typing import Literal
import enum

class Unit(enum.Enum):
    C = "c"

def weather(city: str, unit: Unit = Unit.C, kind: "Literal['a']" = "a") -> "Nowhere":
    """The weather."""
'''


@pytest.mark.parametrize("before", ["", "from __future__ import annotations"])
def test_a_function_of_a_cell_is_a_tool(before: str) -> None:
    """The type of the result is nobody's concern: a type checker alone may know it."""
    names = cell(before + IN_A_CELL)
    made = tool_of(names["weather"])
    assert made.arguments('{"city": "Seoul", "unit": "c"}') == {
        "city": "Seoul",
        "unit": names["Unit"].C,
        "kind": "a",
    }


def test_a_nested_function_is_a_tool() -> None:
    def inner(point: Point) -> None:
        """Goes there."""

    assert tool_of(inner).arguments('{"point": {"x": 1}}') == {"point": Point(x=1)}


class Shelf:
    def __init__(self, books: list[str]) -> None:
        self.books = books

    def find(self, word: str) -> list[str]:
        """The books with a word in their title."""
        return [book for book in self.books if word in book]

    @staticmethod
    def rules(language: str) -> str:
        """The rules of the library."""
        return language

    @classmethod
    def empty(cls, kind: str) -> str:
        """Makes one."""
        return kind


@pytest.mark.parametrize("function", [Shelf(["a b"]).find, Shelf.rules, Shelf.empty])
def test_a_method_is_a_tool_without_its_object(function: Callable[..., Any]) -> None:
    made = tool_of(function)
    [name] = made.parameters["required"]
    assert made.function(**made.arguments(f'{{"{name}": "b"}}')) in (["a b"], "b")


@functools.lru_cache
def cached(word: str) -> str:
    """Looks a word up."""
    return word


def test_a_wrapped_function_has_the_types_of_what_it_wraps() -> None:
    assert tool_of(cached).name == "cached"
    assert tool_of(cached).arguments('{"word": "a"}') == {"word": "a"}


AWKWARD = ("schema", "copy", "json", "dict", "validate", "_id", "__x__", "model_name", "fields")
AWKWARD += ("model_config", "argument_1", "argument_0", "도시", "title", "default", "properties")


def test_a_parameter_may_be_called_what_it_likes() -> None:
    """pydantic keeps some of these names for itself."""
    typed = ", ".join(f"{name}: str" for name in AWKWARD)
    function = cell(f'def f({typed}):\n    "Takes odd names."')["f"]
    made = tool_of(function)
    given = {name: f"value of {name}" for name in AWKWARD}
    assert list(made.parameters["properties"]) == [*AWKWARD]
    assert made.arguments(str(given).replace("'", '"')) == given


def aliased(
    city: Annotated[str, Field(alias="town", validation_alias="place", default="Seoul")],
) -> None:
    """Has names of pydantic's."""


def test_the_names_are_the_functions_own() -> None:
    assert tool_of(aliased).arguments('{"city": "Busan"}') == {"city": "Busan"}
