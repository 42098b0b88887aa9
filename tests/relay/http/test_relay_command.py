"""`python -m relay_lite`, as a process."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from relay_lite.__main__ import main
from tests.relay.http.relays import PATH, Relay, events_in, run_in
from tests.waiting import until

pytestmark = pytest.mark.once


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "relay_lite", "--port", "0", "--store"]
    with subprocess.Popen(
        [*command, str(tmp_path / "runs.db")],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def test_it_says_where_it_is_and_stops_quietly(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None and process.stderr is not None
    line = process.stdout.readline()
    assert "sandbox" in line
    (url,) = re.findall(r"http://127\.0\.0\.1:\d+", line)
    with httpx.Client(base_url=url, timeout=20, trust_env=False) as http:
        arguments = {"research_question": "짜장면의 역사", "stream": True}
        body = {"tool_name": "deep_research", "arguments": arguments}
        run = run_in(http.post(PATH, json=body))
        with http.stream("GET", f"{run.path}/events", headers=run.headers) as answer:
            assert [event["type"] for event in events_in(answer)][-1] == "completed"
    process.send_signal(signal.SIGTERM)
    process.wait(300)
    assert process.stdout.read() == ""
    assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--host", "0.0.0.0"], "RELAY_API_KEY"),
        (["--host", "192.0.2.1"], "RELAY_API_KEY"),
        (["worker"], "RELAY_STORE=postgresql://"),
        (["--store", "mysql://somebody:secret@host/db"], "RELAY_STORE"),
        (["--store", "postgresql://somebody:secret@127.0.0.1:1/db"], "RELAY_SECRET"),
        (["--port", "99999"], "RELAY_PORT"),
    ],
)
def test_what_cannot_be_done_is_one_error(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    written = capsys.readouterr()
    assert written.err.startswith("Error: ")
    assert says in written.err
    assert "secret@" not in written.err
    assert written.out == ""


def test_a_purge_takes_what_was_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Relay(tmp_path) as relay:
        runs = [relay.start() for _ in range(3)]
        for run in runs[:2]:
            relay.worker.finish(run.id)
        relay.get(runs[0])
        until(lambda: relay.worker.is_fetched(runs[0]))
        purge = ["purge", "--store", str(relay.file), "--older-than", "0"]
        assert main(purge) == 0
        assert capsys.readouterr().out == "1 run deleted.\n"
        assert main([*purge, "--unread"]) == 0
        assert [relay.get(run).status_code for run in runs] == [404, 404, 200]


def test_a_purge_makes_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "runs.sqlite3"
    assert main(["purge", "--store", str(file)]) == 1
    assert str(file) in capsys.readouterr().err
    assert not file.exists()


def test_a_purge_of_a_nonsense_age_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["purge", "--older-than", "-1"])
    assert "days" in capsys.readouterr().err
