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


ORDERS = pandas.DataFrame(
    {
        "region": ["E", "E", "W"],
        "quarter": [1, 2, 1],
        "amount": [10.5, 20.0, None],
        "sent": [pandas.Timestamp("2024-05-01"), pandas.NaT, pandas.NaT],
        "by": ["Kim", None, "Lee"],
    }
)


@pytest.mark.parametrize(
    ("value", "head", "body"),
    [
        pytest.param(
            ORDERS.groupby("region")["amount"].agg(["min", "max"]),
            "DataFrame of 2 rows and 2 columns\ncolumns: min: float64, max: float64",
            "region,min,max\nE,10.5,20.0\nW,,",
            id="groups",
        ),
        pytest.param(
            ORDERS.set_index(["region", "quarter"])[["amount"]],
            "DataFrame of 3 rows and 1 column\ncolumns: amount: float64",
            "region,quarter,amount\nE,1,10.5\nE,2,20.0\nW,1,",
            id="two levels",
        ),
        pytest.param(
            ORDERS.groupby("region").agg({"quarter": ["min", "max"]}),
            "DataFrame of 2 rows and 2 columns",
            ",quarter,quarter\n,min,max\nregion,,\nE,1,2\nW,1,1",
            id="two levels of columns",
        ),
        pytest.param(
            ORDERS.groupby("region")["quarter"].sum(),
            "Series of 2 rows\ncolumns: quarter: int64",
            "region,quarter\nE,3\nW,1",
            id="series",
        ),
        pytest.param(
            pandas.Series([1]),
            "Series of 1 row\ncolumns: value: int64",
            "value\n1",
            id="series without a name",
        ),
        pytest.param(
            pandas.DataFrame({"n": [7]}).rename_axis("id"),
            "DataFrame of 1 row and 1 column",
            "id,n\n0,7",
            id="numbers with a name",
        ),
        pytest.param(
            ORDERS[["amount", "sent", "by"]],
            "DataFrame of 3 rows and 3 columns",
            "amount,sent,by\n10.5,2024-05-01,Kim\n20.0,,\n,,Lee",
            id="missing",
        ),
    ],
)
def test_a_frame_keeps_its_labels_and_what_is_missing_is_empty(value, head, body):
    filled = fill("{{value}}", {"value": value})
    assert filled.text.startswith(head)
    assert filled.text.endswith(f"\n\n{body}")
    assert filled.notes == ()


@pytest.mark.parametrize(
    "frame",
    [
        pandas.DataFrame({"n": [1]}, index=["i" * 9_000]),
        pandas.DataFrame({"n": [1]}, index=pandas.Index([1], name="i" * 9_000)),
        pandas.DataFrame({"c" * 300: [1]}),
        pandas.DataFrame({"text": ["t" * 300, None], "sent": [pandas.NaT, pandas.NaT]}),
    ],
    ids=["label", "name of the labels", "column", "cell"],
)
def test_what_is_long_in_a_frame_is_shortened_and_nothing_is_lost(frame):
    filled = fill("{{frame}}", {"frame": frame})
    assert filled.notes == ("{{frame}} was sent in part: long cells shortened.",)
    assert "…" in filled.text
    assert "NaN" not in filled.text
    assert "NaT" not in filled.text
    assert "None" not in filled.text


def test_rows_with_line_breaks_are_counted_as_rows():
    frame = pandas.DataFrame({("a", "b"): ["one\ntwo" * 20] * 200})
    filled = fill("{{frame}}", {"frame": frame})
    assert filled.notes[0].startswith("{{frame}} was sent in part: the first ")
    sent = int(filled.notes[0].partition("the first ")[2].split()[0])
    assert filled.text.count("one") == sent * 20


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


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (subprocess, "module"),
        (deep, "function"),
        (len, "function"),
        ([].append, "function"),
        (Bad, "class"),
    ],
    ids=["module", "function", "builtin", "method", "class"],
)
def test_what_says_nothing_to_a_model_is_refused(value, kind):
    with pytest.raises(InputError) as caught:
        fill("{{pd}}", {"pd": value})
    assert str(caught.value) == (
        f"{{{{pd}}}}: pd is a {kind}, which says nothing to a model: name a value."
    )


def test_pandas_is_not_imported():
    """Who does not use pandas does not wait for it."""
    code = (
        "import sys; from kit.notebook.interpolate import fill; fill('{{a}}', {'a': {1: 2}});"
        "assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
