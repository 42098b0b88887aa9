"""The edge of a cell: stops at any moment, and errors that nobody foresaw."""

import json

import pytest

from kit.errors import Interrupted
from kit.gateway.answer import answer_of
from kit.notebook.arguments import parse
from kit.notebook.asking import Question, ask
from kit.notebook.screens import NoScreen
from kit.notebook.session import Session

pytestmark = pytest.mark.once

ANSWER = answer_of({"choices": [{"message": {"role": "assistant", "content": "all of it"}}]})

STOPS = {
    "the prompt": (
        "class Stop:\n    def __str__(self): raise KeyboardInterrupt\nstop = Stop()",
        "%%chat\n{{stop}}",
    ),
    "the start": (
        "def stopped(): raise KeyboardInterrupt\nkit.connect.client = stopped",
        "%%chat\nhi",
    ),
    "a list of models": (
        "def stopped(): raise KeyboardInterrupt\nkit.connect.client = stopped",
        "%kit models",
    ),
}


@pytest.mark.parametrize("moment", STOPS)
def test_a_stop_at_any_moment_is_one_line(kernel, moment):
    prepared, cell = STOPS[moment]
    kernel.run("import kit.connect\nreal = kit.connect.client")
    kernel.run(prepared)
    error = kernel.run(cell).error
    kernel.run("kit.connect.client = real")
    assert error is not None
    assert error["ename"] == "Interrupted"
    assert "before anything had arrived" in error["evalue"]
    assert len(error["traceback"]) == 1


class StoppedWhenShown(NoScreen):
    """■ is pressed while the answer is drawn, and once more while what is left is drawn."""

    def __init__(self) -> None:
        super().__init__(None, "markdown")

    def finish(self, answer, notes):
        raise KeyboardInterrupt

    def close(self, partial, notes):
        raise KeyboardInterrupt


class Whole:
    def chat(self, prompt, **options):
        return ANSWER


class StoppedHalfway:
    def chat(self, prompt, **options):
        stop = Interrupted("stopped")
        stop.answer = ANSWER
        raise stop


@pytest.mark.parametrize(
    ("client", "says"),
    [(Whole, "the whole answer is in kit.last and part"), (StoppedHalfway, "What had arrived")],
)
def test_a_stop_while_an_answer_is_drawn_keeps_it(client, says):
    question = Question(parse("chat", "--no-stream -o part"), "hi", (), {})
    session, variables = Session(), {}
    with pytest.raises(Interrupted, match=says) as caught:
        ask(client, question, StoppedWhenShown(), variables, session)
    assert caught.value.__context__ is None
    assert caught.value.answer is session.last is variables["part"]
    assert session.last.text == "all of it"


@pytest.mark.parametrize("cell", ["%%chat\nhi", "%kit models"])
def test_a_bug_says_where_it_is_and_shows_no_variables(kernel, cell):
    kernel.run(
        "import kit.connect\nreal = kit.connect.client\n"
        "def broken():\n    key = 'sk-' + 'secret12'\n    raise ZeroDivisionError(key)\n"
        "kit.connect.client = broken\n%xmode Verbose"
    )
    error = kernel.run(cell).error
    kernel.run("%xmode Context\nkit.connect.client = real")
    assert error is not None
    assert "a bug in the toolkit (ZeroDivisionError, kit/notebook/" in error["evalue"]
    assert len(error["traceback"]) == 1
    assert "secret12" not in json.dumps(error)


def test_a_working_folder_that_is_gone_is_said(kernel):
    """What needs no folder may go on; a file named on the line cannot be looked for."""
    kernel.run(
        "import os, kit.connect\nhome = os.getcwd()\nos.mkdir('gone')\nos.chdir('gone')\n"
        "os.rmdir('../gone')\nkit.connect.forget_client()"
    )
    error = kernel.run("%%chat --file notes.txt\nhi").error
    assert kernel.run("os.chdir(home)").error is None
    assert error is not None
    assert "The working folder is gone" in error["evalue"]


@pytest.mark.parametrize(
    "identity", ['x"); import os; ("', "x\n\x1b[2Jy\u202e", "a" * 5_000, "'\"\\"]
)
def test_an_id_to_paste_stays_one_literal(kernel, identity):
    code = (
        "import types\nfrom kit.notebook.magics import _how_to_fetch\n"
        f"line = _how_to_fetch(types.SimpleNamespace(id={identity!r}, status='queued'))"
    )
    assert kernel.run(code).error is None
    line = kernel.value("line")
    assert line.isprintable()
    assert len(line) < 1_000
    call = line.partition("fetch it with ")[2]
    body = kernel.value(
        f"[type(n).__name__ for n in __import__('ast').parse({call!r}).body[0].value.args]"
    )
    assert body == ["Constant"]


def test_no_control_characters_are_printed(kernel):
    printed = kernel.run("%kit model \x1b]0;owned\x07name\n%kit").printed
    assert "name" in printed
    assert "\x1b" not in printed
    kernel.run("%kit use sandbox")
