"""`--image NAME`: what a variable holds, and what is said when that is no picture."""

import base64

import pytest

from kit.errors import InputError
from kit.notebook.arguments import parse
from kit.notebook.asking import question_of
from kit.notebook.session import Session

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
EMAIL = "Invoice INV-2024-17\n" + "for Ada, at 1 Secret Street. " * 20


def asked(value):
    return question_of(parse("responses", "--image email"), "What?", {"email": value}, Session())


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (
            EMAIL,
            "the text in it is neither an address nor a file: 'Invoice INV-2024-17 for Ada, at…'",
        ),
        ("nobody.png", "the text in it is neither an address nor a file: 'nobody.png'"),
        ("", "the text in it is neither an address nor a file: ''"),
        ("nul\0byte", "the text in it is neither an address nor a file: 'nul\\x00byte'"),
        ({"a": 1}, "A dict is not an image."),
        (b"GIF", "The image is not a PNG"),
        (None, "A NoneType is not an image."),
    ],
    ids=["text", "no such file", "empty", "NUL", "dict", "bytes", "None"],
)
def test_a_variable_that_is_no_picture_is_named_with_its_option(value, says):
    with pytest.raises(InputError) as caught:
        asked(value)
    said = str(caught.value)
    assert said.startswith(f"--image email: {says}")
    assert "Secret Street" not in said
    assert "\n" not in said
    assert len(said) < 200


def test_a_file_that_is_no_picture_is_named_with_its_option(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("notes")
    command = parse("responses", f"--image {path}")
    with pytest.raises(InputError, match=r"^--image .*notes\.txt: The image is not a PNG"):
        question_of(command, "What?", {}, Session())


@pytest.mark.parametrize("kind", ["bytes", "path", "text of a path", "address"])
def test_a_variable_that_is_a_picture_goes_along(kind, tmp_path):
    path = tmp_path / "pixel.png"
    path.write_bytes(PIXEL)
    address = "https://pictures.example/pixel.png"
    values = {"bytes": PIXEL, "path": path, "text of a path": str(path), "address": address}
    (item,) = asked(values[kind]).turn
    sent = item["content"][0]
    assert sent["type"] == "input_image"
    inline = f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"
    assert sent["image_url"] == (address if kind == "address" else inline)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("pictures", "pictures is a folder. Name the files in it"),
        ("survey", "survey is a variable: write {{survey}} in the prompt."),
        ("where", "where is a variable, and a path is written out here."),
        ("nobody.csv", "there is no such file; the folder is "),
    ],
)
def test_what_is_no_file_is_said_to_be_what_it_is(path, says, fresh_home):
    (fresh_home / "pictures").mkdir()
    variables = {"survey": {"a": 1}, "where": "nobody.csv", "pictures": []}
    with pytest.raises(InputError) as caught:
        question_of(parse("responses", f"--file {path}"), "What?", variables, Session())
    assert str(caught.value).startswith(f"--file {path}: {says}")
