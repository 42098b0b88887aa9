"""`{{name}}` in a prompt, and everything that must stay as it is."""

import subprocess
import sys

import pandas
import pytest

from kit.errors import InputError
from kit.gateway.answer import answer_of
from kit.notebook.interpolate import FRAME_LIMIT, TEXT_LIMIT, fill

ANSWER = answer_of(
    {"choices": [{"message": {"role": "assistant", "content": "forty-two"}}], "model": "m"}
)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("Hello {{name}}!", "Hello Ada!"),
        ("{{ name }} and {{name}}", "Ada and Ada"),
        ("{{이름}}", "세종"),
        ("{{number}}", "7"),
        ("{{record}}", '{\n  "a": [\n    1,\n    "한"\n  ]\n}'),
        ("{{answer}}", "forty-two"),
        ("{{nothing}}", "None"),
        ("{{holes}}", "{{name}}"),
    ],
)
def test_a_variable_goes_in(template, expected):
    variables = {
        "name": "Ada",
        "이름": "세종",
        "number": 7,
        "record": {"a": [1, "한"]},
        "answer": ANSWER,
        "nothing": None,
        "holes": "{{name}}",
    }
    assert fill(template, variables).text == expected


@pytest.mark.parametrize(
    "text",
    [
        "{name}",
        "{}",
        "{{}}",
        "{{name.upper()}}",
        "{{a.b}}",
        "{{1+1}}",
        "{{ name | upper }}",
        "{{name",
        "name}}",
        '{"a": {"b": {"c": 1}}}',
        "f'{x!r:>{width}}'",
        "{% if name %}",
        "$name %s \\{name\\}",
        "{{name[0]}}",
        "{{{}}}",
    ],
)
def test_everything_else_stays(text):
    assert fill(text, {"name": "Ada", "a": 1, "x": 2}).text == text


@pytest.mark.parametrize(
    ("inside", "suggested"),
    [
        ("orders.describe()", "value = orders.describe()"),
        (" orders[0] ", "value = orders[0]"),
        ('orders["v"]', 'value = orders["v"]'),
        ("orders + 1", "value = orders + 1"),
        ("len(orders)", "value = len(orders)"),
        ("orders if orders else 0", "value = orders if orders else 0"),
    ],
)
def test_an_expression_stays_and_a_note_says_so(inside, suggested):
    filled = fill(f"Look: {{{{{inside}}}}}", {"orders": [1]})
    assert filled.text == f"Look: {{{{{inside}}}}}"
    (note,) = filled.notes
    assert note == (
        f"{{{{{inside.strip()}}}}} was sent as it is: only names of variables are filled in. "
        f"Give it a name first: {suggested}, then {{{{value}}}}."
    )


@pytest.mark.parametrize(
    "text",
    [
        "{{ user.name }}",
        "{{ orders | length }}",
        "{{ orders.first | upper }}",
        "{{ orders.items | join(', ') }}",
        "{{ loop.index }}",
        "{{ len | x }}",
        "{{ orders is defined }}",
        "{{ orders\n.x }}",
        "{{#orders}}",
        "{{1 + 1}}",
        "{{print.x}}",
        "{{orders.}}",
        r"\{{orders.x}}",
        "{{orders.x",
        "{{orders['\\d'] bad}}",
    ],
)
def test_a_template_of_something_else_has_no_note(text):
    assert fill(text, {"orders": [1]}).notes == ()


def test_many_expressions_have_one_note():
    text = " ".join(f"{{{{orders[{n}]}}}}" for n in (0, 1, 1, 2, 3))
    (note,) = fill(text, {"orders": [1]}).notes
    assert note.startswith("{{orders[0]}} and 3 more were sent as they are: ")


def test_a_long_expression_is_named_by_its_beginning():
    (note,) = fill(f"{{{{orders[{'1 + ' * 50}1]}}}}", {"orders": [1]}).notes
    assert len(note) < 300
    assert "…" in note


def test_what_a_value_holds_is_no_expression():
    assert fill("{{orders}}", {"orders": "{{orders.x}}"}).notes == ()


def test_an_unlucky_expression_warns_of_nothing():
    (note,) = fill(r"{{orders['\d']}}", {"orders": [1]}).notes
    assert "was sent as it is" in note


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (r"\{{name}}", "{{name}}"),
        (r"\{{name}} {{name}}", "{{name}} Ada"),
        (r"\{{ anything at all", "{{ anything at all"),
        ('{"a":{"b":"{{name}}"}}', '{"a":{"b":"Ada"}}'),
    ],
)
def test_a_backslash_keeps_the_braces(template, expected):
    assert fill(template, {"name": "Ada"}).text == expected


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("customer", "did you mean {{customers}}?"),
        ("zzz", "there is no variable zzz. Write"),
        ("print", "there is no variable print"),
    ],
)
def test_an_unknown_variable_is_one_line(name, says):
    with pytest.raises(InputError, match="there is no variable") as caught:
        fill(f"{{{{{name}}}}}", {"customers": 1, "_hidden": 2})
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_small_frame_goes_in_whole():
    frame = pandas.DataFrame({"city": ["Seoul", "부산"], "people": [9_400_000, 3_300_000]})
    filled = fill("{{frame}}", {"frame": frame})
    assert "2 rows and 2 columns" in filled.text
    assert "people: int64" in filled.text
    assert "city,people\nSeoul,9400000\n부산,3300000" in filled.text
    assert filled.notes == ()


def test_an_index_that_says_something_goes_in():
    frame = pandas.DataFrame({"n": [1, 2]}, index=["a", "b"])
    assert ",n\na,1\nb,2" in fill("{{frame}}", {"frame": frame}).text


@pytest.mark.parametrize(
    "frame",
    [
        pandas.DataFrame({"n": range(1_000_000)}),
        pandas.DataFrame({f"column {i}": [i] for i in range(5_000)}),
        pandas.DataFrame({"x" * 10_000: ["y" * 100_000] * 3}),
        pandas.DataFrame({"text": ['line\nline, "quoted"' * 50] * 400}),
        pandas.Series(range(100_000), name="numbers"),
        pandas.DataFrame([[1, 2]] * 9_000, columns=["same", "same"]),
        pandas.DataFrame({("a", "b"): range(9_000)}),
    ],
)
def test_a_large_frame_is_bounded_and_says_so(frame):
    filled = fill("{{frame}}", {"frame": frame})
    assert len(filled.text) <= FRAME_LIMIT
    assert filled.text.endswith(")")
    assert "was sent in part: " in filled.notes[0]


def test_an_empty_frame_goes_in():
    assert "0 rows and 0 columns" in fill("{{f}}", {"f": pandas.DataFrame()}).text


def test_a_long_text_is_cut_and_says_so():
    filled = fill("{{text}}", {"text": "가" * (TEXT_LIMIT + 1)})
    assert filled.text == "가" * TEXT_LIMIT
    assert filled.notes == ("{{text}} has 200,001 characters; the first 200,000 were sent.",)


def test_a_structure_inside_itself_goes_in_as_its_text():
    loop: list[object] = []
    loop.append(loop)
    assert fill("{{loop}}", {"loop": loop}).text == "[[...]]"


class Bad:
    def __str__(self):
        raise ZeroDivisionError("sk-secret12")

    __repr__ = __str__


def deep(levels: int) -> list[object]:
    outer: list[object] = []
    for _ in range(levels):
        outer = [outer]
    return outer


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (Bad(), "ZeroDivisionError"),
        ([Bad()], "ZeroDivisionError"),
        ({"key": Bad()}, "ZeroDivisionError"),
        (pandas.DataFrame({"column": [Bad()]}), "ZeroDivisionError"),
        (pandas.Series([Bad()]), "ZeroDivisionError"),
        (deep(100_000), "RecursionError"),
    ],
    ids=["object", "list", "dict", "frame", "series", "deep list"],
)
def test_a_value_that_will_not_become_text_is_named(value, says):
    with pytest.raises(InputError) as caught:
        fill("{{bad}}", {"bad": value})
    assert str(caught.value).startswith("{{bad}}: the value of bad could not be written as text")
    assert says in str(caught.value)
    assert "sk-secret12" not in str(caught.value)
    assert caught.value.__context__ is None


def test_pandas_is_not_imported():
    """Who does not use pandas does not wait for it."""
    code = (
        "import sys; from kit.notebook.interpolate import fill; fill('{{a}}', {'a': {1: 2}});"
        "assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
