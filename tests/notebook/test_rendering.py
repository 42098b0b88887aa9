"""What of an answer reaches the page or the terminal."""

import pytest

from kit.errors import ProtocolError
from kit.gateway.answer import answer_of
from kit.notebook.render import (
    bundle_of,
    code_of,
    ending_of,
    json_of,
    live_bundle,
    pause_for,
    plain,
    with_fence_closed,
)


def answer(text: str):
    message = {"role": "assistant", "content": text}
    return answer_of({"choices": [{"message": message, "finish_reason": "stop"}], "model": "m"})


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ("plain", "plain"),
        ("```python\nx = 1", "```python\nx = 1\n```"),
        ("```python\nx = 1\n", "```python\nx = 1\n```"),
        ("```\na\n```\nb", "```\na\n```\nb"),
        ("````\n```\nx", "````\n```\nx\n````"),
        ("~~~\n```\nx", "~~~\n```\nx\n~~~"),
        ("``` not `a` fence", "``` not `a` fence"),
    ],
)
def test_half_a_code_block_is_closed_while_it_arrives(text, closed):
    assert with_fence_closed(text) == closed


def test_text_is_cleaned_while_it_arrives():
    shown = live_bundle("<script>alert(1)</script> [x](javascript:alert(1))", "searching: <b>")
    assert "<script" not in shown["text/markdown"]
    assert "javascript:" not in shown["text/markdown"]
    assert "<b>" not in shown["text/markdown"]


@pytest.mark.parametrize("format", ["markdown", "text", "json", "code"])
def test_no_form_of_the_end_carries_raw_html_or_control_characters(format):
    hostile = '"<script>alert(1)</script> \\u001b[31m <img src=x onerror=alert(1)>"'
    hostile = hostile if format == "json" else hostile + "\x1b]52;c;eA==\x07"
    bundle = bundle_of(answer(hostile), format)
    assert "<script" not in bundle.get("text/html", "")
    assert "<img" not in bundle.get("text/html", "")
    # As JSON it stands in a code block, which no front end reads as HTML.
    assert format == "json" or "<script" not in bundle.get("text/markdown", "")
    assert "\x1b" not in bundle["text/plain"]


def test_plain_text_cannot_steer_a_terminal():
    assert plain("a\x1b[2Jb\x9b31m\r\u202ec\td\n") == "a[2Jb31mc\td\n"


@pytest.mark.parametrize(
    ("length", "least"), [(0, 0.1), (10_000, 0.1), (100_000, 1.0), (1_000_000, 10.0)]
)
def test_a_longer_text_is_updated_less_often(length, least):
    assert pause_for(length, 0.0) == pytest.approx(least)


def test_a_slow_page_is_updated_less_often():
    assert pause_for(100, 0.2) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Here:\n```python\nprint('hi')\n\nx = 1\n```\nDone.", "print('hi')\n\nx = 1"),
        ("print('hi')", "print('hi')"),
        ("```\na\n```\n```\nb\n```", "a"),
        ("```python\ncut off", "cut off"),
        ("~~~sql\nselect 1\n~~~", "select 1"),
        ("```\n```", ""),
        ("````md\n```py\nx\n```\n````", "```py\nx\n```"),
    ],
)
def test_the_first_code_block_is_the_code(text, code):
    assert code_of(text) == code


@pytest.mark.parametrize("text", ["A notebook is a document.", "", "> quoted\n\n*sandbox*"])
def test_prose_holds_no_code(text):
    """Bare text counts as code only where Python can read it."""
    assert code_of(text) is None


@pytest.mark.parametrize(
    ("text", "pretty"),
    [
        ('{"a":1}', '{\n  "a": 1\n}'),
        ('Sure:\n```json\n{"한": 2}\n```', '{\n  "한": 2\n}'),
        ("[]", "[]"),
    ],
)
def test_json_is_indented(text, pretty):
    assert json_of(answer(text)) == pretty


@pytest.mark.parametrize("text", ["no JSON here", '{"a":', "", "[" * 100_000])
def test_what_is_not_json_says_so_and_keeps_the_answer(text):
    with pytest.raises(ProtocolError, match=r"kit\.last\.text") as caught:
        json_of(answer(text))
    assert caught.value.answer.text == text


def test_notes_stand_below_every_form():
    bundle = bundle_of(answer("hello"), "markdown", ["{{my_frame}}: the first 50 rows were sent."])
    assert bundle["text/plain"].endswith("{{my_frame}}: the first 50 rows were sent.")
    assert "first 50 rows" in bundle["text/markdown"]
    assert "first 50 rows" in bundle["text/html"]


def test_the_ending_leaves_the_text_out():
    assert ending_of(answer("hello"), ["a note"]) == "m\na note"


def test_numbers_of_sources_are_text_and_not_mathematics():
    """`\\[1\\]` is a formula to a notebook."""
    note = {"type": "url_citation", "start_index": 0, "end_index": 5, "url": "https://a.example",
            "title": "A (new) title [draft]"}  # fmt: skip
    part = {"type": "output_text", "text": "A fact.", "annotations": [note]}
    raw = {"status": "completed", "output": [{"type": "message", "content": [part]}]}
    bundle = bundle_of(answer_of(raw), "markdown")
    assert "A fac [1]t." in bundle["text/html"]
    assert ">A (new) title [draft]<" in bundle["text/html"]
    for kind in ("text/markdown", "text/html"):
        assert "$$" not in bundle[kind] and "\\[" not in bundle[kind] and "\\(" not in bundle[kind]


def test_the_status_line_shows_exactly_what_it_says():
    shown = live_bundle("text", "searching: f(x) [draft] *now* $5")["text/markdown"]
    assert "\\(" not in shown and "\\[" not in shown
