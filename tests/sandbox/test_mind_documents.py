"""Schemas of the strict subset get a document that satisfies them; others get a complaint."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from kit.sandbox.library import Library
from kit.sandbox.mind import answer
from kit.sandbox.schema import check_strict
from kit.sandbox.steps import Ask, Say, Turn

LIBRARY = Library.open()
S: dict[str, Any] = {"type": "string"}
INT: dict[str, Any] = {"type": "integer"}


def record(**properties: Any) -> dict[str, Any]:
    closed = {"required": list(properties), "additionalProperties": False}
    return {"type": "object", "properties": properties, **closed}


def document(prompt: str, schema: dict[str, Any]) -> Any:
    assert check_strict(schema) is None
    last = answer(Ask((Turn("user", prompt),), schema=schema), LIBRARY)[-1]
    assert isinstance(last, Say)
    value = json.loads(last.text)
    jsonschema.validate(value, schema)
    return value


def test_fields_are_filled_by_their_names():
    found = document("짜장면의 역사", record(title=S, year=INT, summary=S, source=S))
    assert found["title"] == "짜장면의 역사" and 1880 < found["year"] < 2013
    assert found["source"].endswith("/corpus/ko-jajangmyeon") and "국수" in found["summary"]


def test_what_the_prompt_gives_is_read_out_of_it():
    person = record(name=S, age=INT, city=S)
    found = document("Extract: Alice Smith is 30 years old and lives in Boston.", person)
    assert found["name"] == "Alice Smith" and found["age"] == 30


def test_a_list_of_objects_has_one_for_each_page():
    dish = record(name=S, summary=S, url=S)
    found = document("List Korean dishes", record(dishes={"type": "array", "items": dish}))
    names = [one["name"] for one in found["dishes"]]
    assert len(names) >= 2 and len(set(names)) == len(names)


def test_a_choice_is_the_one_the_text_names():
    mood = record(mood={"type": "string", "enum": ["sad", "happy"]})
    assert document("Classify: I am so happy today", mood)["mood"] == "happy"


def test_a_person_s_years_are_read():
    found = document("이순신", record(born=INT, died=INT))
    assert found == {"born": 1545, "died": 1598}


NODE = record(value=S, next={"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]})
TREE = record(name=S, children={"type": "array", "items": {"$ref": "#"}})
SHAPES = [
    record(),
    {**record(head={"$ref": "#/$defs/node"}), "$defs": {"node": NODE}},
    TREE,
    record(a={"type": ["string", "null"]}, b={"type": "boolean"}, c={"type": "null"}),
    record(n={"type": "number", "minimum": 0.5, "exclusiveMaximum": 0.75}),
    record(n={"type": "integer", "exclusiveMinimum": 10, "multipleOf": 7}),
    record(n={"type": "number", "maximum": -3}),
    record(s={"type": "string", "minLength": 30, "maxLength": 31}),
    record(l={"type": "array", "items": INT, "minItems": 4, "maxItems": 4}),
    record(l={"type": "array", "items": {"type": "string", "enum": ["a"]}, "minItems": 2}),
    record(c={"const": "x"}, d={"const": None}, e={"enum": [1, "b", None]}),
    record(d={"type": "string", "format": "date"}, u={"type": "string", "format": "uuid"}),
    record(x={"anyOf": [record(kind={"const": "a"}), record(kind={"const": "b"})]}),
    record(deep=record(deep=record(deep=record(title=S)))),
]


@pytest.mark.parametrize("schema", SHAPES)
@pytest.mark.parametrize("prompt", ["coffee", "asdfgh", "커피의 역사", ""])
def test_the_document_always_satisfies_the_schema(prompt: str, schema: dict[str, Any]):
    document(prompt, schema)


LEAVES = some.sampled_from(
    [S, INT, {"type": "number", "minimum": 1}, {"type": "boolean"}, {"enum": ["a", 2, None]}]
)
SCHEMAS = some.recursive(
    LEAVES,
    lambda inner: some.one_of(
        some.dictionaries(
            some.sampled_from(["title", "year", "items", "n"]), inner, max_size=4
        ).map(lambda properties: record(**properties)),
        inner.map(lambda one: {"type": "array", "items": one}),
        some.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options}),
    ),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(SCHEMAS)
def test_any_schema_of_the_subset_is_satisfied(schema: dict[str, Any]):
    document("history of coffee", record(root=schema))


ENDLESS = record(next={"$ref": "#/$defs/n"})
COMPLAINTS = [
    ([], "must be an object"),
    ({"type": "array", "items": S}, "the root must have type 'object'"),
    ({"anyOf": [record()], "type": "object"}, "anyOf"),
    ({"type": "object", "properties": {"a": S}, "required": ["a"]}, "additionalProperties"),
    ({**record(a=S), "required": []}, "missing 'a'"),
    ({**record(a=S), "required": ["a", "b"]}, "names 'b'"),
    (record(a={}), "#/properties/a: must have a 'type'"),
    (record(a={"type": "text"}), "#/properties/a: 'text' is not a type"),
    (record(a={"type": "array"}), "#/properties/a: an array must say"),
    (record(a={"allOf": [S]}), "#/properties/a: 'allOf' is not permitted"),
    (record(a=record(b={"not": S})), "#/properties/a/properties/b: 'not' is not permitted"),
    (record(a={"type": "integer", "minimum": 3, "maximum": 2}), "no number satisfies"),
    (record(a={"type": "array", "items": S, "minItems": 3, "maxItems": 1}), "minItems is larger"),
    (record(a={"enum": []}), "enum must be a list"),
    (record(a={"$ref": "https://a.example/x"}), "does not name a definition"),
    (
        {**record(a={"$ref": "#/$defs/n"}), "$defs": {"n": ENDLESS}},
        "no document of reasonable size",
    ),
    (record(a={"type": "array", "items": S, "minItems": 10**9}), "no document of reasonable size"),
    ({**record(a={"$ref": "#/$defs/r"}), "$defs": {"r": {"$ref": "#/$defs/r"}}}, "no document"),
]


@pytest.mark.parametrize(("schema", "complaint"), COMPLAINTS)
def test_a_schema_outside_the_subset_is_refused_with_its_place(schema: Any, complaint: str):
    assert complaint in str(check_strict(schema))


def test_definitions_that_double_at_every_step_are_refused():
    """Thirty small definitions can ask for a document of a billion parts."""
    steps = {
        f"d{n}": record(a={"$ref": f"#/$defs/d{n + 1}"}, b={"$ref": f"#/$defs/d{n + 1}"})
        for n in range(30)
    }
    bomb = {**record(a={"$ref": "#/$defs/d0"}), "$defs": {**steps, "d30": S}}
    assert "no document of reasonable size" in str(check_strict(bomb))


def test_a_schema_nested_without_end_is_refused():
    schema: dict[str, Any] = S
    for _ in range(3000):
        schema = {"type": "array", "items": schema}
    assert check_strict(record(a=schema))


def test_a_json_object_without_a_schema_is_an_outline():
    last = answer(Ask((Turn("user", "coffee"),), json_object=True), LIBRARY)[-1]
    assert isinstance(last, Say)
    outline = json.loads(last.text)
    assert outline["title"] == "Coffee" and outline["sections"] and outline["sources"]
