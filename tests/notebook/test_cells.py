"""Cells in a real kernel, against the sandbox, as a person writes them."""

import json

import nbformat
import pytest
from nbclient import NotebookClient

PATH = "%%responses\nReply with exactly: OK"


@pytest.mark.parametrize("magic", ["%%chat", "%%responses", "%%chat --no-stream"])
def test_an_answer_is_one_display_with_text_and_usage(kernel, magic):
    cell = kernel.run(f"{magic}\nReply with exactly: OK")
    assert cell.error is None
    (shown,) = cell.displays
    assert shown["text/plain"].startswith("OK\n\nsandbox · ")
    assert {"text/plain", "text/markdown", "text/html"} == set(shown)
    assert kernel.value("_.text") == "OK"


def test_the_answer_is_in_underscore_out_last_and_the_named_variable(kernel):
    """As a cell's value would be, without showing it twice."""
    cell = kernel.run("%%chat -o result\nReply with exactly: seven")
    assert len(cell.outputs) == 1
    number = cell.reply["execution_count"]
    kernel.run(f"seen = [_, Out[{number}], _{number}, kit.last, result]")
    assert kernel.value("[one.text for one in seen]") == ["seven"] * 5
    assert kernel.value("all(one is result for one in seen)")


@pytest.mark.parametrize(
    ("line", "shows"),
    [
        ("%%chat x <<", False),
        ("%%chat x = <<", True),
        ("%%chat x << -m sandbox", False),
        ("%%responses -q -o x", False),
        ("%%responses -o x", True),
    ],
)
def test_assigning_shows_only_where_it_says_so(kernel, line, shows):
    kernel.run("x = None")
    cell = kernel.run(f"{line}\nReply with exactly: mine")
    assert cell.error is None
    assert bool(cell.outputs) == shows
    assert kernel.value("x.text") == "mine"


def test_a_variable_goes_into_the_prompt_and_braces_stay(kernel):
    kernel.run("word = '안녕'")
    kernel.run('%%chat\nReply with exactly: {{word}} {"a": {1}} \\{{word}}')
    assert kernel.value("_.text") == '안녕 {"a": {1}} {{word}}'


def test_nothing_on_the_line_is_evaluated(kernel):
    """IPython would put the value of `{secret}` there, and a key into the request."""
    kernel.run("secret = 'sk-123456789'")
    cell = kernel.run("%%chat -s {secret} -m {secret}\nhi")
    assert cell.error is not None
    assert "sk-123456789" not in json.dumps(cell.outputs)


@pytest.mark.parametrize(
    "prompt",
    [
        "안녕하세요 👩‍👩‍👧‍👦 \t탭",
        "line one\r\nline two\r\n",
        "quotes ''' \"\"\" and \\n backslash \\",
        "sep\u2028arated\x0b lines",
        "말" * 300_000,
    ],
)
def test_any_pasted_text_arrives(kernel, prompt):
    cell = kernel.run(f"%%chat -q\n{prompt}")
    assert cell.error is None
    assert kernel.value("bool(kit.last.text)")


@pytest.mark.parametrize(
    ("cell", "name", "says"),
    [
        ("%%chat\n\n  \n", "InputError", "The prompt is empty: write it below %%chat."),
        ("%%chat", "InputError", "The prompt is empty"),
        ("%%chat --modle x\nhi", "InputError", "did you mean --model?"),
        ("%%chat\n{{nobody}}", "InputError", "there is no variable nobody"),
        ("%%chat -c\nhi", "InputError", "There is no conversation to continue yet"),
        ("%%chat --schema nobody\nhi", "InputError", "there is no variable nobody"),
        ("%%chat --schema kit\nhi", "InputError", "it holds a module"),
        ("%%chat -o kit\nhi", "InputError", "kit is the name of a module"),
        ("%%responses kit <<\nhi", "InputError", "kit is the name of a module"),
        ("%%research -o kit\nWhat?", "InputError", "kit is the name of a module"),
        ("%%chat --image nobody.png\nhi", "InputError", "no variable and no file"),
        ("%%chat --file nobody.pdf\nhi", "InputError", "there is no such file"),
        ("%chat hello", "InputError", "write %%chat (two signs)"),
        ("%%chat -m nobody\nhi", "ModelUnknown", "nobody"),
        ("%%chat -m sandbox:429 --timeout 2\nhi", "RateLimited", ""),
        ("%%chat --timeout 0.000001\nhi", "TimedOut", "Give a longer timeout (--timeout)."),
        ("%%responses --timeout 0.000001\nhi", "TimedOut", "--background with responses"),
        ("%kit nonsense", "InputError", "there are: status, models, use"),
    ],
)
def test_what_does_not_work_fails_the_cell_with_a_few_lines(kernel, cell, name, says):
    kernel.run("kit.notebook.session.current.conversation = None")
    error = kernel.run(cell).error
    assert error is not None
    assert error["ename"] == name
    assert len(error["traceback"]) <= 3
    assert says in "\n".join(error["traceback"])
    assert "Traceback" not in "\n".join(error["traceback"])


def test_a_failed_cell_stops_run_all(kernel):
    assert kernel.run("%%chat -m nobody\nhi").reply["status"] == "error"


def test_help_is_printed(kernel):
    cell = kernel.run("%%responses --help")
    assert cell.error is None
    assert "--web-search" in cell.printed


def test_a_web_search_ends_with_numbered_sources(kernel):
    cell = kernel.run("%%responses --web-search\n짜장면의 역사를 웹 검색으로 정리해줘")
    assert cell.error is None
    (shown,) = cell.displays
    assert "[1]" in shown["text/plain"]
    assert "search" in shown["text/plain"].splitlines()[-1]
    assert kernel.value("len(_.citations)") >= 1


def test_background_returns_at_once_and_says_how_to_fetch_it(kernel):
    cell = kernel.run("%%responses --background -o later\nReply with exactly: done")
    assert cell.error is None
    identity = kernel.value("later.id")
    assert f"kit.Client().retrieve('{identity}')" in cell.printed
    assert cell.printed.count("\n") == 1


def test_a_schema_gives_the_object(kernel):
    kernel.run(
        "import pydantic\nclass City(pydantic.BaseModel):\n    name: str\n    population: int"
    )
    cell = kernel.run("%%responses --schema City -o city\nTell me about Seoul")
    assert cell.error is None
    assert kernel.value("type(city.parsed).__name__") == "City"


def test_json_is_shown_indented(kernel):
    cell = kernel.run('%%chat -f json\nReply with exactly: {"a":1}')
    assert cell.displays[0]["text/plain"].startswith('{\n  "a": 1\n}')


def test_what_is_not_json_fails_but_is_kept_and_shown(kernel):
    cell = kernel.run("%%chat -f json -o kept\nReply with exactly: no JSON")
    assert cell.error is not None
    assert cell.error["ename"] == "ProtocolError"
    assert cell.displays[0]["text/plain"].startswith("no JSON")
    assert kernel.value("kept.text") == "no JSON"


def test_text_is_shown_as_text_alone(kernel):
    cell = kernel.run("%%chat -f text\nReply with exactly: **bold**")
    assert set(cell.displays[0]) == {"text/plain"}
    assert cell.displays[0]["text/plain"].startswith("**bold**")


def test_code_goes_into_the_next_cell_and_is_not_run(kernel):
    cell = kernel.run("%%chat -f code\nReply with exactly: ran = 1")
    assert cell.next_inputs == ["ran = 1"]
    assert kernel.value("'ran' in globals()") is False


def test_a_conversation_goes_on_across_both_magics(kernel):
    kernel.run("%%chat\nReply with exactly: first")
    kernel.run("%%responses -c\nReply with exactly: second")
    cell = kernel.run("%%chat -c -q\nReply with exactly: third")
    assert cell.error is None
    items = "kit.notebook.session.current.conversation.items"
    assert kernel.value(f"len({items})") == 6
    assert kernel.value(f"[one['role'] for one in {items}]") == ["user", "assistant"] * 3


def test_a_failed_cell_leaves_the_conversation_as_it_was(kernel):
    kernel.run("%%chat -q\nReply with exactly: first")
    before = kernel.value("len(kit.notebook.session.current.conversation.items)")
    assert kernel.run("%%chat -c -m nobody\nhi").error is not None
    assert kernel.value("len(kit.notebook.session.current.conversation.items)") == before
    assert kernel.run("%%chat -c -q\nReply with exactly: fine").error is None


def test_after_a_cell_that_failed_at_once_there_is_nothing_to_continue(kernel):
    """Or `-c` would quietly go on with a conversation further up the page."""
    kernel.run("%%chat -q\nReply with exactly: old")
    assert kernel.run("%%chat -m nobody\nhi").error is not None
    error = kernel.run("%%chat -c\nand then?").error
    assert error is not None
    assert "There is no conversation to continue" in error["evalue"]


@pytest.mark.parametrize("option", ["-f code", "-q -f code"])
def test_prose_is_not_put_into_the_next_cell_as_code(kernel, option):
    cell = kernel.run(f"%%chat {option} -o prose\nReply with exactly: no code in here")
    assert cell.error is not None
    assert "no code" in cell.error["evalue"]
    assert cell.next_inputs == []
    assert kernel.value("prose.text") == "no code in here"


def test_a_stream_that_is_cut_fails_and_keeps_what_arrived(kernel):
    cell = kernel.run("%%responses -m sandbox:cut -o part\nhi")
    assert cell.error is not None
    assert cell.error["ename"] == "StreamInterrupted"
    assert len(cell.displays) == 1
    assert "not finished: broken off" in cell.displays[0]["text/plain"]
    assert kernel.value("part.text == kit.last.text != ''")


def test_a_console_still_waits_for_the_prompt_below_the_first_line(kernel):
    transformer = "get_ipython().input_transformer_manager"
    assert kernel.value(f"{transformer}.check_complete('%%chat -m x')[0]") == "incomplete"


def test_tab_completes_in_the_kernel(kernel):
    assert kernel.complete("%%chat --mod") == ["--model"]
    assert kernel.complete("%%responses -f co") == ["code"]


def test_a_captured_cell_holds_the_answer_once(kernel):
    cell = kernel.run(
        "from IPython.utils.capture import capture_output\n"
        "with capture_output() as captured:\n"
        "    get_ipython().run_cell_magic('chat', '', 'Reply with exactly: once')"
    )
    assert cell.error is None
    assert kernel.value("len(captured.outputs)") == 1


def test_reloading_and_unloading_leave_no_traces(kernel):
    hooks = (
        "[len(get_ipython().input_transformers_cleanup), "
        "len(get_ipython().Completer.custom_matchers)]"
    )
    loaded = kernel.value(hooks)
    kernel.run("%reload_ext kit")
    assert kernel.value(hooks) == loaded
    kernel.run("%unload_ext kit")
    assert kernel.value(hooks) == [loaded[0] - 1, loaded[1] - 1]
    assert kernel.run("%%chat\nhi").reply["status"] == "error"
    assert kernel.run("%load_ext kit\n%kit help").error is None


def test_a_saved_notebook_holds_one_output_per_cell(tmp_path):
    """Written by nbclient, as CI and `jupyter nbconvert --execute` do."""
    cells = ["%load_ext kit", PATH, "%%chat -o x\nReply with exactly: hi", "x.text"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in cells])
    NotebookClient(notebook, resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [cell.outputs for cell in notebook.cells]
    assert [len(one) for one in outputs] == [0, 1, 1, 1]
    assert outputs[1][0].data["text/plain"].startswith("OK")
