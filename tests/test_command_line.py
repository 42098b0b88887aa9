"""`python -m kit`, as a shell sees it: stdout, stderr, exit status."""

import io
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import pytest

from kit.__main__ import main
from kit.clean_terminal import in_a_shell
from kit.sandbox.app import open_sandbox
from kit.serving import serve_in_thread

pytestmark = pytest.mark.once

REPOSITORY = Path(__file__).parent.parent
KIT = [sys.executable, "-m", "kit"]


@dataclass
class Done:
    status: int
    out: str
    error: str


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command line in this process; a new process for each would take a second each."""

    def run(*arguments: str, stdin: bytes = b"", **environment: str) -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        status = main(arguments)
        return Done(status, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def gateway():
    """The sandbox as a gateway with an address, so that its faults can be chosen by model."""
    served = serve_in_thread(open_sandbox(pace=0))
    yield served.url
    served.stop()


def test_it_answers_with_nothing_set():
    command = [*KIT, "--api", "responses", "Reply with exactly: OK"]
    done = subprocess.run(command, capture_output=True)
    assert (done.stdout, done.stderr, done.returncode) == (b"OK\n", b"", 0)


@pytest.mark.parametrize(
    ("arguments", "stdin", "out"),
    [
        (["Reply with exactly: OK"], "", "OK\n"),
        (["--stream", "Reply with exactly: OK"], "", "OK\n"),
        (["--api", "responses", "--stream", "Reply with exactly: 안녕"], "", "안녕\n"),
        ([], "Reply with exactly: 안녕 👋\n", "안녕 👋\n"),
        ([], "\ufeffReply with exactly: OK", "OK\n"),
        (["--timeout", "20", "Reply with exactly: OK"], " \n", "OK\n"),
        (["Reply with exactly: OK"], "\ufeffand 이것\n", "OK\n\nand 이것\n"),
        (["  "], "Reply with exactly: OK", "OK\n"),
        (["-"], "Reply with exactly: OK", "OK\n"),
    ],
)
def test_the_answer_alone_goes_to_stdout(run, arguments, stdin, out):
    assert run(*arguments, stdin=stdin.encode()) == Done(0, out, "")


def test_background_prints_the_raw_json(run):
    done = run("--api", "responses", "--background", "Reply with exactly: OK")
    raw = json.loads(done.out)
    assert raw["id"].startswith("resp_")
    assert raw["status"] in ("queued", "in_progress", "completed")


def test_the_models_are_listed_one_a_line(run, gateway):
    done = run("--models", LITELLM_BASE_URL=gateway)
    assert (done.status, done.error) == (0, "")
    assert "sandbox" in done.out.splitlines()


def test_a_model_that_is_not_there_is_said_with_what_lists_them(run, gateway):
    done = run("--model", "nobody", "hi", LITELLM_BASE_URL=gateway)
    assert "python -m kit --models lists what it does" in done.error


def test_a_key_without_an_address_is_said_beside_the_answer(run):
    done = run("Reply with exactly: OK", LITELLM_API_KEY="sk-secret12345")
    assert (done.status, done.out) == (0, "OK\n")
    (line,) = done.error.splitlines()
    assert "set LITELLM_BASE_URL to the gateway's address" in line


def test_a_web_search_is_asked_for(run):
    done = run("--api", "responses", "--web-search", "짜장면의 역사를 정리해줘")
    assert done.status == 0
    assert "짜장면" in done.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--background", "hi"], "--background needs --api responses"),
        (["--web-search", "hi"], "--web-search needs --api responses"),
        (["--api", "responses", "--background", "--stream", "hi"], "exclude each other"),
        (["--api", "soap", "hi"], "invalid choice"),
        (["--bogus", "hi"], "--bogus"),
        (["--back", "--api", "responses", "hi"], "--back"),
        (["--timeout", "soon", "hi"], "above 0"),
        (["--timeout", "0", "hi"], "above 0"),
        (["--timeout", "nan", "hi"], "above 0"),
        (["--modl", "x", "hi"], "there is no --modl; did you mean --model? python -m kit -h"),
        (["--modl=x", "hi"], "there is no --modl; did you mean --model? python -m kit -h"),
        (["--nonsense", "hi"], "there is no --nonsense; python -m kit -h lists"),
        (["two", "prompts"], 'put the prompt into quotes, "two prompts"; python -m kit -h'),
        (["a", "b", "c", "--stream"], 'put the prompt into quotes, "a b c"; python -m kit -h'),
        (["--all", "hi"], "--all and --forget need --doctor"),
        (["--models", "hi"], "--models takes no prompt"),
        (["--run", "inv_1", "hi"], "--run takes no prompt"),
        (["--runs", "--models"], "--models and --runs exclude each other"),
        (["--runs", "--target", "relay"], "--runs and --target exclude each other"),
        (["--models", "--model", "m"], "--models and --model exclude each other"),
        (["--run"], "expected one argument"),
        (["--forget", "hi"], "--all and --forget need --doctor"),
        (["  "], "there is no prompt"),
        ([], "there is no prompt"),
        (["-"], "there is no prompt"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(run, arguments, says):
    done = run(*arguments)
    assert (done.status, done.out) == (2, "")
    (line,) = done.error.splitlines()
    assert line.startswith("Error: ")
    assert says in line


@pytest.mark.parametrize("arguments", [[], ["-"], ["Summarise this"]])
@pytest.mark.parametrize("encoding", ["euc-kr", "utf-16"])
def test_piped_text_in_another_encoding_is_refused_and_not_guessed(run, arguments, encoding):
    done = run(*arguments, stdin="안녕하세요".encode(encoding))
    assert (done.status, done.out) == (2, "")
    (line,) = done.error.splitlines()
    assert "no UTF-8" in line
    assert "iconv" in line


def asked(stdin, *arguments):
    """A process of its own that is asked for an exact reply, with `stdin` as it comes."""
    command = [*KIT, *arguments, "Reply with exactly: OK"]
    done = subprocess.run(command, stdin=stdin, capture_output=True, text=True)
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_file_follows_the_prompt(tmp_path):
    file = tmp_path / "report.md"
    file.write_text("and more\n")
    with file.open() as stdin:
        assert asked(stdin) == Done(0, "OK\n\nand more\n", "")


@pytest.mark.parametrize(("text", "out"), [(b"and more", "OK\n\nand more\n"), (b"", "OK\n")])
def test_what_a_pipe_holds_follows_the_prompt(text, out):
    reading, writing = os.pipe()
    os.write(writing, text)
    os.close(writing)
    with open(reading) as stdin:
        assert asked(stdin) == Done(0, out, "")


def test_a_pipe_that_nobody_writes_to_keeps_no_script_waiting():
    """As a service manager, or a program that starts another, may leave it open."""
    reading, writing = os.pipe()
    with open(reading) as stdin, open(writing, "w"):
        done = asked(stdin)
    assert (done.status, done.out) == (0, "OK\n")
    (line,) = done.error.splitlines()
    assert "Nothing was piped in" in line


def test_a_terminal_and_a_closed_stdin_stay_out_of_it():
    ours, theirs = pty.openpty()
    with open(ours, "wb", buffering=0) as keys, open(theirs) as stdin:
        keys.write(b"typed ahead\n")
        assert asked(stdin) == Done(0, "OK\n", "")
    command = f"{sys.executable} -m kit 'Reply with exactly: OK' <&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True)
    assert (done.stdout, done.stderr, done.returncode) == (b"OK\n", b"", 0)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://127.0.0.1:9", "127.0.0.1:9"),
        ("http://gateway.invalid", "gateway.invalid"),
        ("https://gateway.invalid", "gateway.invalid"),
        ("not an address", "LITELLM_BASE_URL"),
    ],
)
def test_a_gateway_that_cannot_be_reached_is_one_line_and_status_1(run, address, says):
    fails_in_one_line(run, says, LITELLM_BASE_URL=address, LITELLM_MODEL="any")


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("nobody", "nobody"),
        ("sandbox:cut", "broke off"),
        ("sandbox:429-quota", "quota"),
        ("sandbox:html-502", "502"),
        ("sandbox:failed", ""),
    ],
)
def test_a_failure_is_one_line_and_status_1(run, gateway, model, says):
    fails_in_one_line(run, says, LITELLM_BASE_URL=gateway, LITELLM_MODEL=model)


@pytest.mark.parametrize(
    "words",
    [
        ["--api", "chat"],
        ["--api", "responses"],
        ["--api", "responses", "--stream"],
        ["--api", "responses", "--background"],
        ["--auto-tool-call"],
    ],
)
def test_the_model_of_one_question_can_be_named(run, gateway, words):
    key = {"LITELLM_BASE_URL": gateway, "LITELLM_CHAT_MODEL": "c", "LITELLM_MODEL": "sandbox"}
    done = run(*words, "--model", "nobody", "hi", LITELLM_API_KEY="sk-secret123", **key)
    assert done.status == 1
    assert "nobody" in done.error


def fails_in_one_line(run, says, **environment):
    environment["LITELLM_API_KEY"] = "sk-secret123"
    done = run("--api", "responses", "--stream", "--timeout", "60", "hi", **environment)
    assert done.status == 1
    (line,) = done.error.splitlines()
    assert line.startswith("Error: ")
    assert says in line
    assert "sk-secret123" not in line


def test_a_working_folder_that_is_gone_is_one_line(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    code = f"import os, sys; sys.path[0] = {str(REPOSITORY)!r}; os.rmdir({str(gone)!r});"
    code += "from kit.__main__ import main; sys.exit(main(['Reply with exactly: OK']))"
    done = subprocess.run([sys.executable, "-c", code], cwd=gone, capture_output=True, text=True)
    one_line_or_the_answer(done)


def one_line_or_the_answer(done):
    if done.returncode == 0:
        assert (done.stdout, done.stderr) == ("OK\n", "")
        return
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")


@pytest.mark.parametrize("stream", [[], ["--stream"]])
def test_a_full_disk_is_one_line(stream):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*KIT, *stream, "Reply with exactly: OK"], stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert line == "Error: the answer could not be written: No space left on device"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_outputs_are_no_crash(closed):
    command = f"{sys.executable} -m kit 'Reply with exactly: OK' {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True)
    assert done.stderr == b""
    assert done.stdout in (b"", b"OK\n")
    assert done.returncode == 0


def test_a_proxy_that_is_none_is_one_line(run):
    fails_in_one_line(
        run,
        "",
        LITELLM_BASE_URL="https://gateway.invalid",
        LITELLM_MODEL="any",
        HTTPS_PROXY="http://user:sk-secret123@h:99999999",
    )


def test_what_is_written_in_a_notebook_is_said_to_be_so(run, gateway):
    """The same words advise people in notebooks; a shell knows no magics."""
    key = {"LITELLM_BASE_URL": gateway, "LITELLM_API_KEY": "sk-wrong"}
    done = run("hi", **key)
    assert "or run %kit login (in a notebook)." in done.error
    done = run("--doctor", "--model", "nobody", **key)
    assert "or run %kit login (in a notebook) with another key." in done.out


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Run %kit login.", "Run %kit login (in a notebook)."),
        ("%kit models lists them: %kit model NAME.",
         "python -m kit --models lists them: --model NAME."),
        ("No run is called so; kit.runs() lists them.",
         "No run is called so; python -m kit --runs lists them."),
        ("or run %kit login https://your-gateway.",
         "or run %kit login https://your-gateway (in a notebook)."),
        ("%kit doctor --all --model a looks.", "python -m kit --doctor --all --model a looks."),
        ("%kit doctor, or %kit trust.", "python -m kit --doctor, or %kit trust (in a notebook)."),
        ("%kit use sandbox needs none.", "%kit use sandbox (in a notebook) needs none."),
        ("100%kitten %kit", "100%kitten %kit"),
    ],
)  # fmt: skip
def test_advice_for_a_cell_is_advice_for_a_shell(said, shown):
    assert in_a_shell(said) == shown


def test_what_nobody_foresaw_is_one_line_that_says_where(run, monkeypatch):
    def broken(*arguments, **options):
        raise ZeroDivisionError("sk-secret123")

    monkeypatch.setattr("kit.connect.Client", broken)
    done = run("hi")
    assert (done.status, done.out) == (1, "")
    assert re.fullmatch(
        r"Error: This is a bug in the toolkit \(ZeroDivisionError, kit/__main__\.py:\d+\); .*\n",
        done.error,
    )


def test_a_package_that_is_missing_is_named_with_what_to_do(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", None)
    for name in [name for name in sys.modules if name.startswith(("kit.gateway", "kit.connect"))]:
        monkeypatch.delitem(sys.modules, name)
    done = run("hi")
    assert (done.status, done.out) == (1, "")
    assert done.error == (
        f"Error: This Python ({sys.executable}) has no package 'httpx', which the toolkit needs. "
        "Install the toolkit into it (docs/install.md), or choose the Python that has it.\n"
    )


def test_the_raw_json_is_json_whatever_the_gateway_sent(run, monkeypatch):
    raw = {"id": "resp_1", "numbers": [float("nan"), float("inf"), 1.5, True], "text": "\x9b\x1b"}

    class Odd:
        def __init__(self, **options):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            pass

        def submit(self, prompt):
            return types.SimpleNamespace(raw=raw)

    monkeypatch.setattr("kit.connect.Client", Odd)
    command = ["--api", "responses", "--background", "hi"]
    printed = json.loads(run(*command).out, parse_constant=pytest.fail)
    assert printed == raw | {"numbers": [None, None, 1.5, True]}
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run(*command).out.rstrip("\n").isprintable()


def test_a_terminal_is_not_steered(run, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for stream in ([], ["--stream"]):
        done = run(*stream, "Reply with exactly: a\x1b]0;owned\x07\x9b2J\u202eb")
        assert done.out == "a]0;owned2Jb\n"
    assert "\x1b" not in run("--bogus\x1b[2J", "hi").error


def test_a_terminal_that_knows_no_korean_gets_stand_ins():
    done = subprocess.run(
        [*KIT, "Reply with exactly: 안녕 OK"],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
        capture_output=True,
    )
    assert (done.stdout, done.stderr, done.returncode) == (b"?? OK\n", b"", 0)


def test_the_version_and_the_help_are_printed(run):
    assert run("--version").out.startswith("responses-kit ")
    done = run("--help")
    assert done.status == 0
    assert "--web-search" in done.out


def test_a_reader_that_leaves_is_no_error():
    process = subprocess.Popen(
        [*KIT, "Reply with exactly: OK"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(300) == 141


def test_stopping_is_quiet():
    """Pressing Ctrl-C while the gateway is silent; IPython was not loaded meanwhile."""
    silent = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{silent.getsockname()[1]}"
    code = (
        "import sys; from kit.__main__ import main; status = main(['hi']);"
        "sys.exit(0 if 'IPython' in sys.modules else status)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "LITELLM_BASE_URL": address, "LITELLM_MODEL": "any"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with silent, silent.accept()[0] as connection:
        assert connection.recv(4) == b"POST"
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=300)
    assert (out, error, process.returncode) == (b"", b"", 130)


def test_stopping_the_doctor_says_what_becomes_of_what_it_began():
    silent = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{silent.getsockname()[1]}"
    process = subprocess.Popen(
        [sys.executable, "-m", "kit", "--doctor"],
        env={**os.environ, "LITELLM_BASE_URL": address, "LITELLM_MODEL": "any"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with silent, silent.accept()[0] as connection:
        assert connection.recv(3) == b"GET"
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=300)
    assert (out, process.returncode) == ("", 130)
    assert said.splitlines()[-1].startswith("Stopped. What was begun at the gateway is cancelled")
