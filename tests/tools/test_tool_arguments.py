"""What a model calls a tool with is checked, and what is wrong is told to it in a sentence."""

from __future__ import annotations

import datetime
import enum
import json
from typing import Annotated, Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, field_validator

from kit import errors
from kit.tools import Tool, tool_of
from tests.growth import assert_linear

pytestmark = pytest.mark.once


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    x: float
    y: float = 0.0


class Even(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def even(cls, n: int) -> int:
        if n == 3:
            raise ZeroDivisionError
        if n % 2:
            raise ValueError("odd" * 1000)
        return n


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Left(BaseModel):
    x: Left | Right | None = None


class Right(BaseModel):
    x: Left | Right | None = None


def draw(
    city: str,
    unit: Literal["C", "F"] = "C",
    colour: Colour = Colour.RED,
    note: str | None = "none",
    day: datetime.date | None = None,
    points: list[Point] = [],  # noqa: B006
    either: int | list[int] = 1,
    even: Even | None = None,
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None,
    code: Annotated[str, Field(min_length=2)] = "ab",
    share: float = 0.5,
) -> None:
    """Draws."""


def nothing() -> None:
    """Takes nothing."""


def descend(tree: Left) -> None:
    """Goes down."""


DRAW = tool_of(draw)
DEFAULTS = {
    "unit": "C",
    "colour": Colour.RED,
    "note": "none",
    "day": None,
    "points": [],
    "either": 1,
    "even": None,
    "pet": None,
    "code": "ab",
    "share": 0.5,
}


def called(raw: str, made: Tool = DRAW) -> Any:
    return made.arguments(raw)


def refused(raw: str, made: Tool = DRAW) -> str:
    with pytest.raises(errors.InputError) as caught:
        made.arguments(raw)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


# -- what is right -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "came"),
    [
        ("{}", {}),
        ('{"unit": "F", "colour": "blue"}', {"unit": "F", "colour": Colour.BLUE}),
        ('{"day": "2024-02-29"}', {"day": datetime.date(2024, 2, 29)}),
        ('{"points": [{"x": 1}, {"x": 2, "y": 3}]}', {"points": [Point(x=1), Point(x=2, y=3)]}),
        ('{"either": [1, 2]}', {"either": [1, 2]}),
        ('{"pet": {"kind": "dog"}}', {"pet": Dog(kind="dog")}),
        ('{"note": "\\ud83d"}', {"note": "\ufffd"}),
    ],
)
def test_the_arguments_are_what_the_function_takes(raw: str, came: dict[str, Any]) -> None:
    assert called(raw[0] + '"city": "Seoul"' + ", " * (raw != "{}") + raw[1:]) == {
        "city": "Seoul",
        **DEFAULTS,
        **came,
    }


def test_null_means_the_default_unless_null_is_a_value() -> None:
    """Strictness asks a model for every argument: null is how it leaves one out."""
    nulls = json.dumps({"city": "Seoul", **dict.fromkeys(DEFAULTS)})
    assert called(nulls) == {"city": "Seoul", **DEFAULTS, "note": None}
    assert called('{"city": "a", "points": [{"x": 1, "y": null}]}')["points"] == [Point(x=1)]


@pytest.mark.parametrize("raw", ["", "  \n", "{}", '"{}"', '""'])
def test_a_call_without_arguments_is_one(raw: str) -> None:
    assert called(raw, tool_of(nothing)) == {}


def test_an_object_written_as_text_is_read_once_more() -> None:
    once = json.dumps({"city": "Seoul"})
    assert called(json.dumps(once))["city"] == "Seoul"
    assert "no JSON object" in refused(json.dumps(json.dumps(once)))


# -- what is wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ("", "`city` is missing. Required: city."),
        ('{"city": null}', "`city` should be a valid string; it was null."),
        ('{"city": 5}', "`city` should be a valid string; it was 5."),
        ('{"unit": "K"}', "`unit` should be 'C' or 'F'; it was \"K\"."),
        ('{"colour": "green"}', "`colour` should be 'red' or 'blue'; it was \"green\"."),
        ('{"day": "yesterday"}', "`day` should be a valid date or datetime"),
        ('{"points": 1}', "`points` should be a valid list; it was 1."),
        ('{"points": [{"x": 1}, {"y": 2}]}', "`points[1].x` is missing."),
        ('{"points": [{"x": "far"}]}', '`points[0].x` should be a valid number; it was "far".'),
        ('{"either": "x"}', '`either` should be a valid integer or a valid list; it was "x".'),
        ('{"either": [1, "x"]}', "`either` should be a valid integer; it was ["),
        ('{"even": {"n": 1}}', "`even.n`: odd"),
        ('{"even": {"n": 3}}', "could not be checked (ZeroDivisionError)"),
        ('{"pet": {"kind": "cow"}}', "`pet`: Input tag 'cow'"),
        ('{"code": "a"}', "`code`: String should have at least 2 characters; it was"),
        ('{"town": "Seoul"}', "There is no argument `town`. The arguments are: city, unit,"),
        ('{"town": null}', "There is no argument `town`."),
        ('{"argument_0": "Seoul"}', "There is no argument `argument_0`."),
        ('{"share": NaN}', "NaN and Infinity are no JSON numbers"),
        ('{"share": 1e999}', "NaN and Infinity are no JSON numbers"),
        ('{"share": "nan"}', "`share` should be a finite number"),
        ('{"city": -Infinity}', "NaN and Infinity are no JSON numbers"),
    ],
)
def test_the_model_is_told_which_argument_is_wrong_and_what_is_expected(
    raw: str, says: str
) -> None:
    if '"city"' not in raw and raw:
        raw = raw[0] + '"city": "Seoul", ' + raw[1:]
    assert says in refused(raw)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ("[1]", "no JSON object: [1]."),
        ("null", "no JSON object: null."),
        ('"Seoul"', "not valid JSON (Expecting value at character 0)"),
        ('{"city": "Seoul"', "not valid JSON (Expecting ',' delimiter at character 16)"),
        ("city=Seoul", "not valid JSON"),
        ('{"city": ' + "9" * 5000 + "}", "too many digits"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 101 + "1" + "}" * 101, "nested too deeply"),
        ('{"city": "' + "x" * 1_000_000 + '"}', "more than 1,000,000 characters"),
    ],
)
def test_what_is_no_object_is_told(raw: str, says: str) -> None:
    assert says in refused(raw)


def test_a_tool_without_arguments_says_so() -> None:
    assert refused('{"a": 1}', tool_of(nothing)) == "There is no argument `a`. Send {}."


LONG = "long" * 5000


@pytest.mark.parametrize(
    "found",
    [
        LONG,
        [LONG],
        {"city": [LONG]},
        {"city": "a", LONG: 1},
        {"city": "a", "even": {"n": LONG}},
        {"city": "a", "even": {"n": 1}},
        {"city": "a", "pet": {"kind": LONG}},
        {"city": "a", "pet": {LONG: LONG}},
        {"city": "a", "unit": LONG},
        {"city": "a", "points": [LONG] * 100},
        {"city": "a", "points": [{LONG: 1}]},
    ],
)
def test_a_sentence_is_short_and_does_not_repeat_what_came(found: Any) -> None:
    sentence = refused(json.dumps(found))
    assert len(sentence) <= 500
    assert "long" * 26 not in sentence
    assert sentence.isprintable()


def test_a_sentence_holds_no_key_and_one_line() -> None:
    sentence = refused('{"city": ["sk-abcdefghijklmnop\\n\\u202e"]}')
    assert "abcdef" not in sentence
    assert sentence.isprintable()


@pytest.mark.parametrize("depth", [24, 90])  # where each level doubles the work, 90 never end
@pytest.mark.parametrize("innermost", [None, 5])
def test_a_union_that_holds_itself_ends_soon(depth: int, innermost: Any) -> None:
    raw = '{"x":' * depth + json.dumps(innermost) + "}" * depth
    assert "nested too deeply" in refused(f'{{"tree": {raw}}}', tool_of(descend))


def test_a_list_that_is_wrong_everywhere_ends_soon() -> None:
    def refuse(size: int) -> None:
        raw = json.dumps({"city": "a", "points": ["x"] * size})
        assert "`points[0]` should be a valid dictionary" in refused(raw)

    assert_linear(refuse, 47_500, 190_000)


# -- anything ----------------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["x", "y", "n", "kind", "0"]) | st.text(), inner, max_size=3
        )
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from(["city", *DEFAULTS]) | st.text(), VALUES, max_size=5)


@given(st.text() | OBJECTS.map(json.dumps) | VALUES.map(json.dumps))
@example('{"city": "\\ud800", "note": "\\udfff"}')
@example("\ud800")
def test_any_text_is_arguments_or_a_sentence(raw: str) -> None:
    try:
        came = called(raw)
    except errors.InputError as error:
        assert 0 < len(str(error)) <= 500
        assert str(error).isprintable()
    else:
        assert came.keys() == {"city", *DEFAULTS}


@given(
    st.fixed_dictionaries(
        {"city": st.text()},
        optional={
            "unit": st.sampled_from("CF"),
            "note": st.none() | st.text(),
            "either": st.integers() | st.lists(st.integers()),
            "share": st.floats(allow_nan=False, allow_infinity=False),
        },
    )
)
def test_what_fits_arrives_as_it_was_sent(sent: dict[str, Any]) -> None:
    assert called(json.dumps(sent)) == {**DEFAULTS, **sent}
