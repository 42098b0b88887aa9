"""`python -m kit.sandbox` in a terminal, and what starting the sandbox in a kernel costs."""

import os
import re
import signal
import subprocess
import sys

import httpx
import pytest

from tests.growth import unit

pytestmark = pytest.mark.once

COMMAND = [sys.executable, "-m", "kit.sandbox"]


@pytest.fixture
def home(tmp_path):
    """The environment of a user with an empty home and nothing configured."""
    keep = {
        name: value for name, value in os.environ.items() if not name.startswith(("KIT_", "LITE"))
    }
    return {**keep, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}


@pytest.fixture
def start(tmp_path, home):
    """Starts the command; kills what is left."""
    started = []

    def run(*options: str) -> tuple[subprocess.Popen, str]:
        server = subprocess.Popen(
            [*COMMAND, "--port", "0", "--store", str(tmp_path / "s.sqlite3"), *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=home, cwd=tmp_path,
        )  # fmt: skip
        started.append(server)
        line = server.stdout.readline()
        return server, re.search(r"http://[\d.:]+/v1", line).group()

    yield run
    for server in started:
        server.kill()
        server.communicate()


def test_it_says_where_it_is_answers_and_ends_with_ctrl_c(start):
    server, address = start("--pace", "0")
    body = {"model": "sandbox", "input": "Reply with exactly: OK"}
    answer = httpx.post(f"{address}/responses", json=body, trust_env=False, timeout=30).json()
    assert answer["output"][-1]["content"][0]["text"] == "OK"
    server.send_signal(signal.SIGINT)
    output, errors = server.communicate(timeout=300)
    assert (server.returncode, output, errors) == (0, "", "")


def test_it_searches_a_folder_of_the_users(start, tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "owl.md").write_text("# Owl\n\nThe zephyrine owl nests in bakeries.\n")
    _, address = start("--corpus", str(folder))
    body = {"model": "sandbox", "input": "Where does the zephyrine owl nest?"}
    body["tools"] = [{"type": "web_search"}]
    answer = httpx.post(f"{address}/responses", json=body, trust_env=False, timeout=30).json()
    assert "bakeries" in answer["output"][-1]["content"][0]["text"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "0.0.0.0"], "loopback only"),
        (["--host", "::"], "loopback only"),
        (["--port", "99999999"], "99999999"),
    ],
)
def test_what_cannot_be_is_one_line(home, tmp_path, options, said):
    done = subprocess.run(
        [*COMMAND, *options], capture_output=True, text=True, env=home, cwd=tmp_path, timeout=30
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_busy_port_is_one_line(start, home, tmp_path):
    _, address = start()
    port = re.search(r":(\d+)/", address).group(1)
    done = subprocess.run(
        [*COMMAND, "--port", port], capture_output=True, text=True, env=home, cwd=tmp_path
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"Port {port}" in done.stderr


def test_a_file_that_cannot_be_used_is_said_and_not_fatal(start, tmp_path):
    broken = tmp_path / "broken.sqlite3"
    broken.write_text("no database " * 100)
    server, address = start("--store", str(broken))
    body = {"model": "sandbox:refusal", "input": "x"}
    assert httpx.post(f"{address}/responses", json=body, trust_env=False).status_code == 200
    server.send_signal(signal.SIGINT)
    assert "responses are kept in memory" in server.communicate(timeout=300)[1]


def test_it_lists_what_can_go_wrong(home):
    done = subprocess.run([*COMMAND, "--faults"], capture_output=True, text=True, env=home)
    assert "sandbox:429-once" in done.stdout
    assert done.returncode == 0


def test_it_loads_no_heavy_package():
    program = (
        "import sys, kit.sandbox.app;"
        "print([m for m in ('fastapi', 'pydantic', 'pandas', 'uvicorn', 'IPython', 'openai')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_it_starts_with_little_work_once_imported(tmp_path):
    program = f"""
import time, uvicorn
from pathlib import Path
from kit.sandbox.app import open_sandbox
from kit.serving import serve_in_thread
took = []
for _ in range(3):
    begun = time.process_time()
    served = serve_in_thread(open_sandbox(store=Path({str(tmp_path / "s.sqlite3")!r})))
    took.append(time.process_time() - begun)
    served.stop()
print(min(took))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert float(done.stdout) < 5 * unit(), done.stderr
