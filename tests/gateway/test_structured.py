"""Structured output: the schema that goes out is strict, the object that comes back is checked."""

from __future__ import annotations

import enum
import json
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, RootModel, field_validator

from kit import errors
from kit.gateway.schemas import format_of
from kit.gateway.structured import parse
from kit.sandbox.schema import check_strict
from tests.gateway.gateways import gateway, json_reply, stream_reply

Wire = dict[str, Any]


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    """A place."""

    x: float
    y: float = Field(0.0, description="upwards")


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str | None


class Everything(BaseModel):
    title: str = Field(description="a property that is called like a keyword")
    default: int = 3
    count: int | None = None
    colour: Colour = Colour.RED
    point: Point | None = None
    points: list[Point] = []
    matrix: list[list[int]] = []
    choice: Literal["a", "b"] = "a"
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    either: int | str = 1
    code: str = Field("AB", pattern="^[A-Z]+$", min_length=2, description="letters")
    tags: set[str] = set()
    near: Annotated[Point, Field(description="close by")] = Point(x=0)


class Tree(BaseModel):
    name: str
    children: list[Tree] = []
    parent: Tree | None = None


class Numbers(RootModel[list[int]]):
    pass


class Free(BaseModel):
    values: dict[str, int]


class Pair(BaseModel):
    pair: tuple[int, str]


def schema_of(schema: Any) -> Wire:
    return format_of(schema)["schema"]


def objects_in(node: Any) -> list[Wire]:
    if isinstance(node, dict):
        return [node, *(one for value in node.values() for one in objects_in(value))]
    if isinstance(node, list):
        return [one for value in node for one in objects_in(value)]
    return []


# -- out ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [Point, Everything, Tree, Cat, Dog])
def test_every_object_is_closed_and_requires_all_it_has(model: type[BaseModel]) -> None:
    schema = schema_of(model)
    assert check_strict(schema) is None
    closed = [one for one in objects_in(schema) if one.get("type") == "object"]
    assert closed
    for one in closed:
        assert one["additionalProperties"] is False
        assert one["required"] == list(one["properties"])
    for one in objects_in(schema):
        assert "$ref" not in one or set(one) == {"$ref"}
        assert not {"oneOf", "allOf", "discriminator", "pattern", "uniqueItems"} & (
            set(one) - {"description"}
        )


def test_the_format_is_named_and_strict() -> None:
    made = format_of(Point)
    assert (made["type"], made["name"], made["strict"]) == ("json_schema", "Point", True)
    name = format_of({"title": "Größe, m²" * 20, "type": "object", "properties": {}})["name"]
    assert len(name) == 64
    assert name.isascii()


def test_what_was_optional_may_be_null() -> None:
    properties = schema_of(Everything)["properties"]
    null = {"type": "null"}
    assert properties["default"]["type"] == ["integer", "null"]
    assert properties["title"]["type"] == "string"
    for name in ("count", "colour", "point", "choice", "pet", "either"):
        assert properties[name]["anyOf"].count(null) == 1
    assert properties["points"]["type"] == ["array", "null"]


def test_what_only_narrows_is_told_in_words() -> None:
    """Gateways refuse some of these words; the model still reads them, and we check them."""
    code = schema_of(Everything)["properties"]["code"]
    assert code["description"] == "letters (pattern: ^[A-Z]+$, minLength: 2)"
    assert "pattern" not in code


def test_a_plain_schema_is_made_strict_too() -> None:
    plain = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "enum": ["x"]},
            "b": {"type": ["object", "null"], "properties": {"c": {"type": "integer"}}},
            "d": {"const": 1},
            "e": {"type": "array", "items": {"type": "object", "properties": {}}},
        },
        "required": ["a", "b"],
    }
    before = repr(plain)
    made = schema_of(plain)
    assert check_strict(made) is None
    assert made["required"] == ["a", "b", "d", "e"]
    assert made["properties"]["b"]["type"] == ["object", "null"]
    assert made["properties"]["b"]["additionalProperties"] is False
    assert repr(plain) == before


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"type": "array", "items": {}}, "root"),
        ({}, "root"),
        (Numbers, "root"),
        ("not a schema", "not a str"),
        (int, "not a type"),
        ([Point], "not a list"),
        (Free, "free keys"),
        (Pair, "`prefixItems`"),
        ({"type": "object", "properties": {"a": {"allOf": [{}, {}]}}}, "`allOf` (at /a)"),
        ({"type": "object", "properties": {"a": {"not": {}}}}, "`not`"),
        ({"type": "object", "if": {}, "then": {}}, "`if` (at the root)"),
        ({"type": "object", "patternProperties": {}}, "`patternProperties`"),
        ({"type": "object", "properties": {}, "additionalProperties": True}, "free keys"),
        (
            {"type": "object", "properties": {"a": {"items": {"anyOf": [{"not": {}}]}}}},
            "`not` (at /a/items/anyOf)",
        ),
    ],
)
def test_what_the_strict_subset_cannot_say_is_named(schema: Any, says: str) -> None:
    with pytest.raises(errors.InputError) as caught:
        format_of(schema)
    assert says in str(caught.value)


def test_a_schema_nested_too_deeply_is_refused() -> None:
    deep: Wire = {"type": "string"}
    for _ in range(3000):
        deep = {"type": "array", "items": deep}
    with pytest.raises(errors.InputError, match="too deeply"):
        format_of({"type": "object", "properties": {"a": deep}})


# -- back --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "schema", "came"),
    [
        ('{"x": 1, "y": 2}', Point, Point(x=1, y=2)),
        ('{"x": 1, "y": null}', Point, Point(x=1, y=0)),
        ('{"kind": "dog", "name": null}', Dog, Dog(kind="dog", name=None)),
        (
            '{"name": "a", "parent": null, "children": [{"name": "b", "children": null}]}',
            Tree,
            Tree(name="a", children=[Tree(name="b")]),
        ),
        (
            '{"title": "t", "default": null, "points": [{"x": 1, "y": null}], "colour": null,'
            ' "pet": {"kind": "cat", "lives": null}, "near": null, "tags": ["a"]}',
            Everything,
            Everything(title="t", points=[Point(x=1)], pet=Cat(kind="cat"), tags={"a"}),
        ),
        (
            '{"title": "t", "pet": {"kind": "dog", "name": null}}',
            Everything,
            Everything(title="t", pet=Dog(kind="dog", name=None)),
        ),
        ('{"a": 1}', {"type": "object", "properties": {"a": {"type": "integer"}}}, {"a": 1}),
        (
            '{"a": null}',
            {"type": "object", "properties": {"a": {"type": "integer"}}},
            {"a": None},
        ),
        ('\n```json\n{"x": 1}\n```\n', Point, Point(x=1)),
        ('```\n{"x": 1}```', Point, Point(x=1)),
    ],
)
def test_the_object_is_an_instance_with_its_defaults(text: str, schema: Any, came: Any) -> None:
    """Null stands where strictness requires a property: there the default holds."""
    assert parse(text, schema) == came


LIST = {
    "type": "object",
    "properties": {"a": {"type": "array", "items": {"type": "string", "pattern": "^x"}}},
    "required": ["a"],
}


@pytest.mark.parametrize(
    ("text", "schema", "says"),
    [
        ("Here you are: 1", Point, "in prose"),
        ("", Point, "in prose"),
        ('{"x": 1', Point, "in prose"),
        ("[" * 100_000, Point, "in prose"),
        ("[1]", Point, "does not satisfy"),
        ('{"x": "far"}', Point, "x"),
        ("{}", Point, "x"),
        ('{"a": ["y"]}', LIST, "a/0"),
        ('{"a": ["x"], "b": 1}', LIST, "'b' was unexpected"),
        ("{}", LIST, "'a' is a required property"),
        ("null", LIST, "the root"),
    ],
)
def test_what_breaks_the_schema_is_an_error(text: str, schema: Any, says: str) -> None:
    with pytest.raises(errors.ProtocolError) as caught:
        parse(text, schema)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_validator_of_the_persons_own_may_refuse() -> None:
    class Even(BaseModel):
        n: int

        @field_validator("n")
        @classmethod
        def even(cls, n: int) -> int:
            if n % 2:
                raise ValueError("odd")
            return n

    with pytest.raises(errors.ProtocolError, match="odd"):
        parse('{"n": 1}', Even)


# -- through the client ------------------------------------------------------------------------


def response(*parts: Wire, **fields: Any) -> Wire:
    item = {"type": "message", "role": "assistant", "content": [*parts]}
    usage = {"input_tokens": 1, "output_tokens": 1}
    return {"id": "r", "object": "response", "status": "completed", "output": [item]} | {
        "usage": usage,
        **fields,
    }


def text(content: str) -> Wire:
    return {"type": "output_text", "text": content}


pytest_anyio = pytest.mark.anyio


@pytest_anyio
async def test_an_answer_carries_the_object() -> None:
    body = response(text('{"x": 1, "y": null}'))
    done = {"type": "response.completed", "response": body}
    async with gateway(json_reply(body), stream_reply(done)) as there, there.client() as client:
        answer = await client.respond("hi", schema=Point)
        assert answer.parsed == Point(x=1)
        async with client.stream("hi", schema=Point) as stream:
            async for _ in stream:
                pass
        assert stream.answer.parsed == Point(x=1)


CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}


@pytest_anyio
@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (response(text("Sure, here it is")), errors.ProtocolError, "in prose"),
        (response(text('{"x": "far"}')), errors.ProtocolError, "does not satisfy"),
        (
            response({"type": "refusal", "refusal": "I can't."}),
            errors.ResponseFailed,
            "The model refused: I can't.",
        ),
        (
            response(text('{"x": 1'), status="incomplete")
            | {"incomplete_details": {"reason": "max_output_tokens"}},
            errors.ProtocolError,
            "raise max_tokens",
        ),
        (
            response(status="incomplete") | {"incomplete_details": {"reason": "max_output_tokens"}},
            errors.ProtocolError,
            "raise max_tokens",
        ),
        (
            response(text('{"x": 1'), status="incomplete")
            | {"incomplete_details": {"reason": "content_filter"}},
            errors.ProtocolError,
            "content filter",
        ),
        (response(), errors.ProtocolError, "no text"),
    ],
)
async def test_what_is_no_object_is_an_error_that_holds_the_answer(
    body: Wire, kind: type[errors.KitError], says: str
) -> None:
    async with gateway(json_reply(body)) as there, there.client() as client:
        with pytest.raises(kind) as caught:
            await client.respond("hi", schema=Point)
    assert says in str(caught.value)
    assert caught.value.answer.raw == body


@pytest_anyio
async def test_a_call_of_a_function_comes_before_the_object() -> None:
    body = response() | {"output": [CALL]}
    async with gateway(json_reply(body)) as there, there.client() as client:
        answer = await client.respond("hi", schema=Point)
    assert answer.parsed is None
    assert len(answer.function_calls) == 1


# -- unions that hold themselves ---------------------------------------------------------------


class Left(BaseModel):
    x: Left | Right | None = None


class Right(BaseModel):
    x: Left | Right | None = None


def nested(depth: int, innermost: Any = None) -> Any:
    found = innermost
    for _ in range(depth):
        found = {"x": found}
    return found


def test_a_union_that_holds_itself_is_read() -> None:
    found = parse(json.dumps(nested(8)), Left)
    assert found.model_dump(exclude_unset=True) == nested(7, {})


@pytest.mark.parametrize("depth", [24, 60, 400, 5000])
@pytest.mark.parametrize("innermost", [None, 5])
@pytest.mark.parametrize("schema", [Left, Left.model_json_schema()], ids=["model", "plain"])
def test_a_deep_answer_to_a_union_that_holds_itself_ends_soon(
    schema: Any, innermost: Any, depth: int
) -> None:
    text = '{"x":' * depth + json.dumps(innermost) + "}" * depth
    with pytest.raises(errors.ProtocolError):
        parse(text, schema)
