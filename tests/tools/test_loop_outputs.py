"""What a function returned, as text that a model reads: always a string, always bounded."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import threading
from typing import Any

import numpy
import pandas
import pytest
from pydantic import BaseModel

from kit.tools.outputs import (
    LONGEST_OUTPUT,
    error_output,
    exception_output,
    left_out,
    output_of,
    result_output,
)
from tests.tools.conftest import Open
from tests.tools.loops import APIS, FACES, call, error_in, play, text

pytestmark = pytest.mark.once


class Place(BaseModel):
    city: str
    since: datetime.date


@dataclasses.dataclass
class Point:
    x: int
    inner: Any = None


class Colour(enum.Enum):
    RED = "red"


class Picture(BaseModel):
    data: bytes


@dataclasses.dataclass
class Guarded:
    lock: Any = dataclasses.field(repr=False)
    name: str = "till"


class Plain:
    def __str__(self) -> str:
        return "plainly"


class Mute:
    def __str__(self) -> str:
        raise ValueError("I cannot say it")

    __repr__ = __str__


CIRCLE: list[Any] = [1]
CIRCLE.append(CIRCLE)
KNOT: dict[str, Any] = {}
KNOT["self"] = KNOT
DAY = datetime.date(2026, 11, 25)

TABLE = [
    ("as it is", "as it is"),
    ("", ""),
    ("한글 🌟\nline two", "한글 🌟\nline two"),
    (None, "done"),
    (True, "true"),
    (7, "7"),
    (1.5, "1.5"),
    (float("nan"), "NaN"),
    ({"city": "서울", "n": [1, None, True]}, '{"city": "서울", "n": [1, null, true]}'),
    ([], "[]"),
    ((1, 2), "[1, 2]"),
    ({3}, "[3]"),
    (frozenset({3}), "[3]"),
    ({"when": DAY}, '{"when": "2026-11-25"}'),
    (DAY, "2026-11-25"),
    (decimal.Decimal("1.10"), "1.10"),
    (pathlib.PurePosixPath("/a/b"), "/a/b"),
    (Plain(), "plainly"),
    ([Plain()], '["plainly"]'),
    (Place(city="Seoul", since=DAY), '{"city": "Seoul", "since": "2026-11-25"}'),
    ([Place(city="Seoul", since=DAY)], '[{"city": "Seoul", "since": "2026-11-25"}]'),
    (Point(1, Point(2)), '{"x": 1, "inner": {"x": 2, "inner": null}}'),
    (Point(1, DAY), '{"x": 1, "inner": "2026-11-25"}'),
    (Colour.RED, "Colour.RED"),
    ({(1, 2): 3}, "{(1, 2): 3}"),
    (CIRCLE, "[1, [...]]"),
    (KNOT, "{'self': {...}}"),
    (b"plain text", "plain text"),
    ("서울".encode(), "서울"),
    (bytearray(b"plain"), "plain"),
    (b"\x89PNG\r\n\x1a\n\x00", "9 bytes that are no text"),
    ({"raw": b"\xff\xfe"}, '{"raw": "2 bytes that are no text"}'),
    (numpy.int64(5), "5"),
    ({"n": numpy.int64(5), "x": numpy.float64(1.5)}, '{"n": 5, "x": 1.5}'),
    (numpy.array([[1, 2], [3, 4]]), "[[1, 2], [3, 4]]"),
    ("half \ud800 a character", "half \ufffd a character"),
    (["\udcff"], '["\ufffd"]'),
]


@pytest.mark.parametrize(("value", "told"), TABLE, ids=lambda value: type(value).__name__)
def test_any_value_is_text(value: Any, told: str) -> None:
    assert output_of(value) == told


# -- tables ------------------------------------------------------------------------------------


def test_a_frame_is_its_rows() -> None:
    frame = pandas.DataFrame({"city": ["Seoul", "Busan"], "n": [1, 2]})
    assert output_of(frame) == "2 rows\n,city,n\n0,Seoul,1\n1,Busan,2\n"
    assert output_of(frame["n"]) == "2 rows\n,n\n0,1\n1,2\n"


def test_a_long_frame_is_its_first_rows_and_says_so() -> None:
    told = output_of(pandas.DataFrame({"n": range(1234)}))
    assert told.startswith("1,234 rows, the first 50 of them\n,n\n0,0\n")
    assert told.count("\n") == 52


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (pandas.DataFrame({"n": range(1234)}), "the first 50 of 1,234 rows"),
        (pandas.Series(range(51)), "the first 50 of 51 rows"),
        (
            pandas.DataFrame({"n": ["x" * 9_000] * 60}),
            "the first 50 of 60 rows, the first 100,000 of 450,223 characters",
        ),
        (["x" * LONGEST_OUTPUT], "the first 100,000 of 100,004 characters"),
        (pandas.DataFrame({"n": range(50)}), None),
        ("x" * LONGEST_OUTPUT, None),
        ({"n": 1}, None),
        (None, None),
    ],
    ids=["frame", "series", "wide frame", "list", "whole frame", "text", "dict", "nothing"],
)
def test_what_is_left_out_can_be_said_to_a_person(value: Any, said: str | None) -> None:
    assert left_out(value) == said


def test_a_frame_with_nothing_in_it_is_one_too() -> None:
    assert output_of(pandas.DataFrame({"n": []})).startswith("0 rows")


def test_a_wide_frame_is_cut_like_anything_else() -> None:
    told = output_of(pandas.DataFrame({f"column {n}": ["x" * 100] * 50 for n in range(500)}))
    assert len(told) == LONGEST_OUTPUT


# -- bounds ------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["x" * 3_000_000, ["x"] * 1_000_000, "한" * 200_000])
def test_what_is_long_is_cut_and_says_so(value: Any) -> None:
    told = output_of(value)
    whole = len(value) if isinstance(value, str) else len(json.dumps(value))
    assert len(told) == LONGEST_OUTPUT
    assert told.endswith(f"\n[cut: 100,000 of {whole:,} characters]")


def test_what_is_as_long_as_it_may_be_is_whole() -> None:
    assert output_of("x" * LONGEST_OUTPUT) == "x" * LONGEST_OUTPUT


# -- what cannot be written ---------------------------------------------------------------------


def too_deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (
            lambda: Picture(data=b"\xff\xd8"),
            "[done; its result, a Picture, cannot be written as JSON and prints as:]\n"
            "data=b'\\xff\\xd8'",
        ),
        (
            lambda: Guarded(threading.Lock()),
            "[done; its result, a Guarded, cannot be written as JSON and prints as:]\n"
            "Guarded(name='till')",
        ),
        (Mute, "[done; its result, a Mute, cannot be written as JSON, and does not print]"),
        (
            lambda: [Mute()],
            "[done; its result, a list, cannot be written as JSON, and does not print]",
        ),
        (too_deep, "[done; its result, a list, cannot be written as JSON, and does not print]"),
    ],
    ids=["model of bytes", "dataclass with a lock", "mute", "in a list", "too deep"],
)
@pytest.mark.parametrize("face", FACES)
def test_a_call_whose_result_cannot_be_written_was_carried_out(
    opened: Open, face: str, make: Any, told: str
) -> None:
    """Told of an error, the model would do it again: order twice, send twice."""

    def order() -> Any:
        """Order."""
        return make()

    async def order_later() -> Any:
        """Order."""
        return make()

    made = [call("order"), call("order_later", call_id="b")]
    played = play(opened, made, [text("x")], face=face, tools=[order, order_later])
    assert played.told == [told] * 2
    assert [one.error for one in played.calls] == [None, None]


def test_what_prints_at_length_is_cut_too() -> None:
    told = result_output(Picture(data=b"\xff" * LONGEST_OUTPUT))
    assert told.startswith("[done; its result, a Picture, cannot be written as JSON")
    assert len(told) == LONGEST_OUTPUT


@pytest.mark.parametrize("api", APIS)
def test_half_a_character_does_not_reach_the_gateway(opened: Open, api: str) -> None:
    """Names of files may hold one; many gateways refuse a body that does."""

    def names() -> list[str]:
        """Names."""
        return ["a\udcff.txt"]

    played = play(opened, [call("names")], [text("x")], api=api, tools=[names])
    assert played.told == ['["a\ufffd.txt"]']


# -- errors ------------------------------------------------------------------------------------


def test_an_error_is_one_object_with_a_kind_and_a_sentence() -> None:
    assert error_output("limit", "No\n more.") == (
        '{"error": {"type": "limit", "message": "No more."}}'
    )
    assert exception_output(ValueError("서울")) == (
        '{"error": {"type": "ValueError", "message": "서울"}}'
    )


def test_an_error_has_no_half_characters_and_a_bounded_name() -> None:
    kind = type("N" * 200, (Exception,), {})
    found = error_in(exception_output(kind("\ud800 x")))
    assert found == ("N" * 60, "\ufffd x")
