"""`python -m kit`, as a shell sees it: stdout, stderr, exit status."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass

import pytest

from kit.__main__ import main
from kit.sandbox.app import open_sandbox
from kit.serving import serve_in_thread

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
        (["--timeout", "20", "Reply with exactly: OK"], "ignored", "OK\n"),
    ],
)
def test_the_answer_alone_goes_to_stdout(run, arguments, stdin, out):
    assert run(*arguments, stdin=stdin.encode()) == Done(0, out, "")


def test_background_prints_the_raw_json(run):
    done = run("--api", "responses", "--background", "Reply with exactly: OK")
    raw = json.loads(done.out)
    assert raw["id"].startswith("resp_")
    assert raw["status"] in ("queued", "in_progress", "completed")


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
        (["two", "prompts"], "prompts"),
        (["  "], "there is no prompt"),
        ([], "there is no prompt"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(run, arguments, says):
    done = run(*arguments)
    assert (done.status, done.out) == (2, "")
    (line,) = done.error.splitlines()
    assert line.startswith("Error: ")
    assert says in line


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


def fails_in_one_line(run, says, **environment):
    environment["LITELLM_API_KEY"] = "sk-secret123"
    done = run("--api", "responses", "--stream", "--timeout", "5", "hi", **environment)
    assert done.status == 1
    (line,) = done.error.splitlines()
    assert line.startswith("Error: ")
    assert says in line
    assert "sk-secret123" not in line


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
    assert process.wait(30) == 141


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
        out, error = process.communicate(timeout=10)
    assert (out, error, process.returncode) == (b"", b"", 130)
