"""What a newcomer types, in the checkout these tests lie in."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port
from tests.waiting import pauses

ROOT = Path(__file__).parents[2]
TOKEN = "only-for-this-test"

pytestmark = pytest.mark.first_run


def ask(port: int, path: str, body: object = None) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


@contextmanager
def make_lab(log: Path) -> Iterator[int]:
    """`make lab` on a free port, in a session of its own that is ended with it."""
    port = free_port()
    command = ["make", "lab", f"ARGS=--no-browser --port {port}"]
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"JUPYTER_TOKEN": TOKEN},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until_it_answers(process, port, log)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(300)


def wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for pause in pauses():
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            ask(port, "api")
            return
        time.sleep(pause)
    pytest.fail(f"make lab does not answer:\n{log.read_text()}")


def test_make_lab_opens_the_first_notebook_quietly(tmp_path: Path) -> None:
    """The page, the notebook and a kernel are there, and the log has nothing to say."""
    log = tmp_path / "log"
    with make_lab(log) as port:
        assert "jupyter-config-data" in ask(port, "lab/tree/notebooks/00-start.ipynb")
        notebook = json.loads(ask(port, "api/contents/notebooks/00-start.ipynb"))
        assert notebook["content"]["metadata"]["kernelspec"]["name"] == "python3"
        kernel = json.loads(ask(port, "api/kernels", {"name": "python3"}))
        assert kernel["name"] == "python3"
        news = json.loads(ask(port, "lab/api/settings/@jupyterlab/apputils-extension:notification"))
        assert news["schema"]["properties"]["fetchNews"]["default"] == "false"
        assert not {"Traceback", "Installing"} & set(log.read_text().split())


def test_the_readme_opens_with_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    first_block = readme.split("```")[1]
    assert [line.split("#")[0].strip() for line in first_block.splitlines()[1:]][:2] == [
        "make lab",
        "make test",
    ]
