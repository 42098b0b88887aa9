"""`python -m kit`, as a shell sees it: stdout, stderr, exit status."""

import json
import os
import signal
import subprocess
import sys

import pytest

from kit.sandbox.app import open_sandbox
from kit.serving import serve_in_thread

KIT = [sys.executable, "-m", "kit"]


def run(*arguments, stdin="", **environment):
    return subprocess.run(
        [*KIT, *arguments],
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        env={**os.environ, **environment},
        timeout=60,
    )


@pytest.mark.parametrize(
    ("arguments", "stdin", "out"),
    [
        (["--api", "responses", "Reply with exactly: OK"], "", "OK\n"),
        (["Reply with exactly: OK"], "", "OK\n"),
        (["--stream", "Reply with exactly: OK"], "", "OK\n"),
        (["--api", "responses", "--stream", "Reply with exactly: 안녕"], "", "안녕\n"),
        ([], "Reply with exactly: 안녕 👋\n", "안녕 👋\n"),
        (["--timeout", "20"], b"\xef\xbb\xbfReply with exactly: OK", "OK\n"),
    ],
)
def test_the_answer_alone_goes_to_stdout(arguments, stdin, out):
    done = run(*arguments, stdin=stdin)
    assert (done.stdout.decode(), done.stderr, done.returncode) == (out, b"", 0)


def test_background_prints_the_raw_json():
    done = run("--api", "responses", "--background", "Reply with exactly: OK")
    raw = json.loads(done.stdout)
    assert raw["id"].startswith("resp_")
    assert raw["status"] in ("queued", "in_progress", "completed")


def test_a_web_search_is_asked_for():
    done = run("--api", "responses", "--web-search", "짜장면의 역사를 정리해줘")
    assert done.returncode == 0
    assert "짜장면" in done.stdout.decode()


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
        (["  "], "there is no prompt"),
        ([], "there is no prompt"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(arguments, says):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("Error: ")
    assert says in line


@pytest.fixture(scope="module")
def gateway():
    """The sandbox as a gateway with an address, so that its faults can be chosen by model."""
    served = serve_in_thread(open_sandbox(pace=0))
    yield served.url
    served.stop()


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"LITELLM_BASE_URL": "http://127.0.0.1:9"}, "127.0.0.1:9"),
        ({"LITELLM_BASE_URL": "http://gateway.invalid"}, "gateway.invalid"),
        ({"LITELLM_BASE_URL": "https://gateway.invalid"}, "gateway.invalid"),
        ({"LITELLM_BASE_URL": "not an address"}, ""),
    ],
)
def test_a_gateway_that_cannot_be_reached_is_one_line_and_status_1(environment, says):
    fails_in_one_line(says, **environment)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("nobody", "nobody"),
        ("sandbox:cut", "broke off"),
        ("sandbox:429-quota", ""),
        ("sandbox:html-502", "502"),
        ("sandbox:failed", ""),
    ],
)
def test_a_failure_is_one_line_and_status_1(gateway, model, says):
    fails_in_one_line(says, LITELLM_BASE_URL=gateway, LITELLM_MODEL=model)


def fails_in_one_line(says, **environment):
    key = {"LITELLM_API_KEY": "sk-secret123"}
    done = run("--api", "responses", "--stream", "--timeout", "5", "hi", **environment, **key)
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("Error: ")
    assert says in line
    assert "sk-secret123" not in line


def test_a_terminal_that_knows_no_korean_gets_stand_ins():
    done = run("Reply with exactly: 안녕 OK", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert done.returncode == 0
    assert done.stdout == b"?? OK\n"


def test_the_version_and_the_help_are_printed():
    assert run("--version").stdout.decode().startswith("responses-kit ")
    help_text = run("--help")
    assert help_text.returncode == 0
    assert b"--web-search" in help_text.stdout


def test_it_does_not_import_ipython():
    code = (
        "import sys; from kit.__main__ import main; main(['Reply with exactly: OK']);"
        "assert 'IPython' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_reader_that_leaves_is_no_error():
    process = subprocess.Popen(
        [*KIT, "Reply with exactly: OK"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) == 141


def test_stopping_is_quiet(gateway):
    """Pressing Ctrl-C while the gateway is silent."""
    process = subprocess.Popen(
        [*KIT, "--api", "responses", "hi"],
        env={**os.environ, "LITELLM_BASE_URL": gateway, "LITELLM_MODEL": "sandbox:slow"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        process.communicate(timeout=2)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=10)
    assert (out, error, process.returncode) == (b"", b"", 130)
