"""Research that a kernel began and a later one finishes, in real processes that are killed."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from kit.settings_relay import load_relay
from relay_lite.engine import Terms
from tests.sandbox.passing import let_time_pass
from tests.waiting import until

pytestmark = pytest.mark.waits

PACE = "1"  # a run of the sandbox takes half a minute, unless a test lets the time pass
QUESTION = "How do I stop a cell?"

SERVE = """
import json, sys
from kit import local
from kit.settings import load

settings = load()
began = local.relay_of(settings, local.sandbox_endpoint(settings))
print(json.dumps({"url": began.url, "key": began.key.reveal()}), flush=True)
sys.stdin.readline()
"""

LOAD = """
import sys, threading
from IPython.core.interactiveshell import InteractiveShell

InteractiveShell.instance().run_line_magic("load_ext", "kit")
looking = [one for one in threading.enumerate() if one.name == "kit-unfinished"]
print("{}", flush=True)
sys.stdin.readline()
looking[0].join(60)
print("relay_lite.app" in sys.modules, "relay_lite" in sys.modules)
"""


class Process:
    """A Python that runs `code` until its input ends; its first line is JSON."""

    def __init__(self, code: str, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=home,
        )
        assert self.process.stdout is not None
        self.said: dict[str, Any] = json.loads(self.process.stdout.readline())
        self.http = httpx.Client(
            base_url=self.said.get("url", "http://127.0.0.1"),
            headers={"Authorization": f"Bearer {self.said.get('key')}"},
            trust_env=False,
            timeout=60,
        )

    def post(self) -> dict[str, Any]:
        arguments = {"research_question": QUESTION, "background": True}
        body = {"tool_name": "deep_research", "arguments": arguments}
        answer = self.http.post("/api/v1/tool-invocations", json=body)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def get(self, run: dict[str, Any], more: str = "") -> httpx.Response:
        headers = {"X-Invocation-Token": run["invocation_token"]}
        path = f"/api/v1/tool-invocations/{run['invocation_id']}{more}"
        return self.http.get(path, headers=headers)

    def end(self) -> str:
        """As a kernel ends that is shut down; what it printed since its first line."""
        rest, _ = self.process.communicate("\n", timeout=300)
        return rest

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.http.close()


class Home:
    """The user's home, and the processes that run there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.processes: list[Process] = []

    def start(self, code: str = SERVE) -> Process:
        process = Process(code, self.path)
        self.processes.append(process)
        return process


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setenv("KIT_SANDBOX_PACE", PACE)
    home = Home(tmp_path)
    yield home
    for process in home.processes:
        process.kill()


def whole_log(process: Process, run: dict[str, Any]) -> list[dict[str, Any]]:
    """The data of all events, in an order without a gap."""
    frames = [frame.splitlines() for frame in process.get(run, "/events").text.split("\n\n")]
    frames = [frame for frame in frames if frame and frame[0].startswith("id: ")]
    assert [int(frame[0][4:]) for frame in frames] == [*range(1, len(frames) + 1)]
    return [json.loads(frame[2].removeprefix("data: ")) for frame in frames]


def numbers(process: Process, run: dict[str, Any], after: int) -> Iterator[int]:
    """The numbers of the events behind `after`, as they come."""
    path = f"/api/v1/tool-invocations/{run['invocation_id']}/events?starting_after={after}"
    headers = {"X-Invocation-Token": run["invocation_token"]}
    with process.http.stream("GET", path, headers=headers) as answer:
        for line in answer.iter_lines():
            if line.startswith("id: "):
                yield int(line[4:])


def in_the_store(statement: str) -> list[Any]:
    store = load_relay().store
    assert isinstance(store, Path)
    with contextlib.closing(sqlite3.connect(store)) as db:
        return db.execute(statement).fetchall()


def unfinished() -> int:
    (row,) = in_the_store("SELECT count(*) FROM run WHERE finished IS NULL")
    return row[0]


def test_the_next_kernel_takes_over(home: Home) -> None:
    """kill -9, and another process goes on with the same run of the gateway, ten seconds later."""
    assert Terms().lease + Terms().sweep < 10
    first = home.start()
    run = first.post()
    assert run["upstream_response_id"]
    assert next(numbers(first, run, 1))
    first.kill()
    assert unfinished() == 1
    let_time_pass(Path.home())
    second = home.start()
    after = second.get(run, "/wait").json()
    assert (after["status"], after["error_message"]) == ("completed", None)
    assert after["upstream_response_id"] == run["upstream_response_id"]
    log = whole_log(second, run)
    assert [event["type"] for event in log].count("completed") == 1
    assert "".join(event["data"].get("text", "") for event in log) == after["output_text"]


def test_loading_the_extension_is_enough_for_a_run_to_go_on(home: Home) -> None:
    first = home.start()
    first.post()
    first.kill()
    assert unfinished() == 1
    let_time_pass(Path.home())
    second = home.start(LOAD)
    until(lambda: unfinished() == 0)
    assert second.end().split()[-2:] == ["True", "True"]


def test_loading_the_extension_starts_no_relay_where_there_is_no_work(home: Home) -> None:
    nothing_there = home.start(LOAD)
    assert nothing_there.end().split() == ["False", "False"]
    home.start().end()  # makes the store, and leaves nothing in it
    nothing_to_do = home.start(LOAD)
    assert nothing_to_do.end().split() == ["False", "False"]


def test_a_kernel_that_ends_gives_its_runs_back_and_does_not_linger(home: Home) -> None:
    """No lease has to run out: the next kernel goes on at once."""
    first = home.start()
    run = first.post()
    first.end()
    assert in_the_store("SELECT worker, finished FROM run") == [(None, None)]
    let_time_pass(Path.home())
    assert home.start().get(run, "/wait").json()["status"] == "completed"
