"""A typed function is a tool: its types are the schema, its docstring the words."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from kit.sandbox.schema import check_strict
from kit.tools import Tool, tool_of

Wire = dict[str, Any]


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    x: float
    y: float = Field(0.0, description="upwards")


class Tree(BaseModel):
    name: str
    children: list[Tree] = []


@dataclasses.dataclass
class Span:
    start: datetime.date
    days: int = 1


class Word(TypedDict):
    text: str
    count: int


def weather(city: str, unit: Literal["C", "F"] = "C") -> str:
    """The current weather of a city.

    Measured at its airport.

    Args:
        city: its name, in English
        unit: of the
            temperature
    """
    return f"{city}: 21 °{unit}"


def everything(
    count: int,
    share: float,
    sure: bool,
    colour: Colour,
    point: Point,
    tree: Tree,
    span: Span,
    words: list[Word],
    day: datetime.date,
    price: Decimal,
    either: int | list[str] | None,
    tags: set[str] | None = None,
    near: Point | None = None,
    *,
    limit: Annotated[int, Field(ge=1, le=9)] = 5,
    language: Annotated[str, Field(pattern="^[a-z]+$")] | None = "ko",
) -> None:
    """Takes one of each."""


def properties(function: Callable[..., Any]) -> Wire:
    return tool_of(function).parameters["properties"]


# -- the definition ----------------------------------------------------------------------------


def test_the_definition_is_flat_and_strict() -> None:
    assert tool_of(weather).definition == {
        "type": "function",
        "name": "weather",
        "description": "The current weather of a city.\n\nMeasured at its airport.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "its name, in English"},
                "unit": {
                    "anyOf": [
                        {
                            "type": "string",
                            "enum": ["C", "F"],
                            "description": 'of the temperature (null: "C")',
                        },
                        {"type": "null"},
                    ]
                },
            },
            "required": ["city", "unit"],
            "additionalProperties": False,
        },
        "strict": True,
    }


def test_a_changed_definition_does_not_change_the_tool() -> None:
    made = tool_of(weather)
    made.definition["parameters"]["properties"].clear()
    assert made.definition == tool_of(weather).definition


def test_a_tool_is_frozen_and_shows_itself() -> None:
    made = tool_of(weather)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.name = "other"  # type: ignore[misc]
    assert repr(made).startswith("Tool(name='weather', description='The current weather")


def test_everything_a_type_can_say_stays_in_the_strict_subset() -> None:
    made = tool_of(everything)
    assert check_strict(made.parameters) is None
    assert made.parameters["required"] == list(made.parameters["properties"])


def nothing() -> None:
    """Takes nothing."""


def test_a_function_without_parameters_has_an_empty_closed_object() -> None:
    assert tool_of(nothing).parameters == {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    }


async def later(city: str) -> str:
    """Asks a service."""
    return city


def test_an_async_function_says_so() -> None:
    assert tool_of(later).is_async
    assert not tool_of(weather).is_async


# -- words -------------------------------------------------------------------------------------


def numpy_style(x: int, y: int, unit: str) -> None:
    """Measure a distance.

    Parameters
    ----------
    x, y : int
        where it ends
    unit : str
        of the result
    """


def sphinx_style(x: int, y: int, unit: str) -> None:
    """Measure a distance.

    :param x: where it ends
    :param int y: where it ends
    :param unit: of the result
    :returns: a number
    """


def google_style(x: int, y: int, unit: str) -> None:
    """Measure a distance.

    Args:
        x (int): where it ends
        y: where it ends
        unit: of the result
        gone: is no parameter any more

    Returns:
        A number.
    """


@pytest.mark.parametrize("function", [numpy_style, sphinx_style, google_style])
def test_the_usual_styles_of_docstrings_are_read(function: Callable[..., Any]) -> None:
    described = {name: one["description"] for name, one in properties(function).items()}
    assert tool_of(function).description == "Measure a distance."
    assert described == {"x": "where it ends", "y": "where it ends", "unit": "of the result"}


def annotated(
    plain: Annotated[str, "from the type"],
    field: Annotated[str, Field(description="from the field")],
    optional: Annotated[str | None, "may be missing"] = None,
    point: Annotated[Point, "where"] = Point(x=0),  # noqa: B008
    neither: str = "",
) -> None:
    """Something.

    Args:
        plain: from the docstring
        field: from the docstring
        neither: from the docstring
    """


def test_words_beside_a_type_win_over_the_docstring() -> None:
    schema = properties(annotated)
    assert schema["plain"]["description"] == "from the type"
    assert schema["field"]["description"] == "from the field"
    assert schema["optional"]["description"] == "may be missing"
    assert schema["point"]["description"] == "where"
    assert schema["neither"]["description"] == 'from the docstring (null: "")'


def with_defaults(
    year: int = 2024,
    share: Annotated[float, "of all"] = 0.5,
    sure: bool = False,
    colour: Colour = Colour.RED,
    years: list[int] = [2023, 2024],  # noqa: B006
    pattern: Annotated[str, Field(pattern="^[a-z]+$")] = "ko",
) -> None:
    """Something.

    Args:
        year: which year
    """


def test_a_model_is_told_which_default_a_null_means() -> None:
    """A strict schema requires every argument, so that null is all a model can leave out."""
    described = {name: one["description"] for name, one in properties(with_defaults).items()}
    assert described == {
        "year": "which year (null: 2024)",
        "share": "of all (null: 0.5)",
        "sure": "null: false",
        "colour": 'null: "red"',
        "years": "null: [2023, 2024]",
        "pattern": 'null: "ko" (pattern: ^[a-z]+$)',
    }


def with_untold_defaults(
    nothing: str | None = None,
    null_is_none: int | None = 5,
    long: str = "a" * 100,
    key: str = "sk-abcdefghijklmnop123456",
    day: datetime.date = datetime.date(2024, 1, 1),
    point: Point = Point(x=0),  # noqa: B008
    endless: list[int] = [1] * 100,
    huge: int = 10**5000,
) -> None:
    """Something."""


def test_a_default_that_is_long_or_secret_or_no_json_or_not_what_null_means_is_not_told() -> None:
    assert "null: " not in str(tool_of(with_untold_defaults).definition)


def wrapped(text: str) -> None:
    """Measure a distance that is so long that its sentence
    does not fit a line.

    More of it.
    """


def test_a_long_first_sentence_stays_one() -> None:
    assert tool_of(wrapped).description == (
        "Measure a distance that is so long that its sentence\ndoes not fit a line.\n\nMore of it."
    )


def odd(text: str) -> None:
    """:param: :: [
    Args
    :param text
    """


def test_a_docstring_of_no_style_is_taken_as_it_stands() -> None:
    assert "Args" in tool_of(odd).description


def test_the_import_is_light() -> None:
    """pydantic is loaded when a function is decorated."""
    code = (
        "import sys, kit.tools\n"
        "print(kit.tools.registered(), {'pydantic', 'docstring_parser'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["()", "set()"]


def test_a_tool_is_its_own_tool() -> None:
    made = tool_of(weather)
    assert isinstance(made, Tool)
    assert tool_of(made) is made
