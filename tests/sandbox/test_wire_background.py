"""Background runs: queued, followed, resumed, cancelled, and carried on by another process."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time

import httpx
import pytest

from tests.sandbox.passing import let_time_pass
from tests.waiting import pauses

pytestmark = pytest.mark.once

TERMINAL = {"completed", "failed", "incomplete", "cancelled"}


@pytest.fixture
def client(serve):
    """`client(pace=…)`: an HTTP client of a new sandbox with that pace."""

    def make(**options) -> httpx.Client:
        return httpx.Client(base_url=f"{serve(**options).url}/v1", trust_env=False, timeout=60)

    return make


def submit(http, **body):
    body = {"model": "sandbox-research", "input": "kimchi", "background": True, **body}
    return http.post("/responses", json=body).json()


def events(answer) -> list[dict]:
    lines = answer.text.split("\n")
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


def follow(http, response_id) -> list[dict]:
    """Every different state until the end."""
    seen = []
    for pause in pauses():
        state = http.get(f"/responses/{response_id}").json()
        if not seen or (state["status"], state["output"]) != (
            seen[-1]["status"],
            seen[-1]["output"],
        ):
            seen.append(state)
        if state["status"] in TERMINAL:
            return seen
        time.sleep(pause)
    raise AssertionError(seen)


def test_it_is_queued_first_even_without_any_pace(http):
    created = submit(http)
    assert (created["status"], created["output"], created["usage"]) == ("queued", [], None)
    done = http.get(f"/responses/{created['id']}").json()
    assert done["status"] == "completed"
    assert done["completed_at"] >= done["created_at"] == created["created_at"]


def test_it_goes_from_queued_over_in_progress_to_completed_and_grows(client):
    with client(pace=0.1) as http:
        created = submit(http)
        states = [created, *follow(http, created["id"])]
    statuses = [state["status"] for state in states]
    assert sorted(set(statuses), key=statuses.index) == ["queued", "in_progress", "completed"]
    lengths = [len(state["output"]) for state in states]
    assert lengths == sorted(lengths)
    assert lengths[-1] == 5


def test_a_research_run_takes_its_time_and_a_chat_does_not(client):
    """At the pace of a real gateway: half a minute of research, a second of talk."""
    with client(pace=1.0) as http:
        research = submit(http)
        states = http.get(f"/responses/{research['id']}").json()
        assert states["status"] == "queued"
        begun = time.monotonic()
        http.post("/responses", json={"model": "sandbox", "input": "x " * 100, "stream": True})
        assert time.monotonic() - begun > 0.2


def test_a_dropped_stream_is_resumed_where_it_broke(http, read_stream):
    created = http.post(
        "/responses",
        json={"model": "r-research", "input": "x", "background": True, "stream": True},
    )
    whole = read_stream(created.text)
    address = f"/responses/{whole[0]['response']['id']}"
    for after in (-1, 0, 7, len(whole) - 1, 10_000):
        rest = http.get(address, params={"stream": "true", "starting_after": after})
        assert events(rest) == whole[after + 1 :]
        assert rest.text.endswith("data: [DONE]\n\n")
    assert events(http.get(address, params={"stream": "true"})) == whole


def test_a_live_stream_can_be_left_and_taken_up_while_it_runs(client):
    with client(pace=0.02) as http:
        body = {"model": "r-research", "input": "x", "background": True, "stream": True}
        with http.stream("POST", "/responses", json=body) as answer:
            lines = (line for line in answer.iter_lines() if line.startswith("data: "))
            first = [json.loads(next(lines)[6:]) for _ in range(4)]
        address = f"/responses/{first[0]['response']['id']}"
        rest = http.get(address, params={"stream": "true", "starting_after": 3})
    numbers = [event["sequence_number"] for event in [*first, *events(rest)]]
    assert numbers == list(range(len(numbers)))
    assert events(rest)[-1]["type"] == "response.completed"


@pytest.mark.parametrize(
    ("body", "query", "status", "param"),
    [
        ({"background": False, "stream": True}, {"stream": "true"}, 404, "stream"),
        ({"background": False}, {"stream": "true"}, 404, "stream"),
        ({}, {"stream": "true"}, 400, "stream"),
        ({"stream": True}, {"stream": "true", "starting_after": "x"}, 400, "starting_after"),
        ({}, {"include": "reasoning.encrypted_content"}, 400, "include"),
    ],
)
def test_what_cannot_be_streamed_again_says_so(http, body, query, status, param):
    body = {"model": "sandbox-research", "input": "x", "background": True, **body}
    answer = http.post("/responses", json=body)
    created = events(answer)[0]["response"] if body.get("stream") else answer.json()
    refused = http.get(f"/responses/{created['id']}", params=query)
    assert (refused.status_code, refused.json()["error"]["param"]) == (status, param)


def test_a_cancelled_run_stays_cancelled_with_what_there_was(client):
    with client(pace=0.5) as http:
        run = submit(http)["id"]
        while not http.get(f"/responses/{run}").json()["output"]:
            time.sleep(0.01)
        cancelled = http.post(f"/responses/{run}/cancel").json()
        assert cancelled["status"] == "cancelled"
        assert cancelled["output"]
        assert http.post(f"/responses/{run}/cancel").json() == cancelled
        time.sleep(0.3)
        assert http.get(f"/responses/{run}").json() == cancelled


def test_cancelling_ends_a_stream_that_somebody_reads(client):
    with client(pace=100.0) as http:
        body = {"model": "r-research", "input": "x", "background": True, "stream": True}
        with http.stream("POST", "/responses", json=body) as answer:
            lines = answer.iter_lines()
            run = json.loads(next(x for x in lines if x.startswith("data: "))[6:])["response"]
            http.post(f"/responses/{run['id']}/cancel")
            rest = list(lines)
        assert "data: [DONE]" in rest
        resumed = http.get(f"/responses/{run['id']}", params={"stream": "true"})
        assert events(resumed)[-1]["type"] != "response.completed"


def test_cancelling_what_is_over_changes_nothing(http):
    done = http.get(f"/responses/{submit(http)['id']}").json()
    assert http.post(f"/responses/{done['id']}/cancel").json() == done


def test_only_background_runs_can_be_cancelled(http):
    created = submit(http, background=False)
    assert http.post(f"/responses/{created['id']}/cancel").status_code == 400
    assert http.post("/responses/resp_nope/cancel").status_code == 404


def test_an_unfinished_run_cannot_be_continued(client):
    with client(pace=1.0) as http:
        run = submit(http)["id"]
        body = {"model": "sandbox", "input": "and?", "previous_response_id": run}
        refused = http.post("/responses", json=body)
        assert refused.status_code == 400
        assert "not finished" in refused.json()["error"]["message"]


def test_an_unstored_run_is_there_for_ten_minutes(serve):
    now = [1_000.0]
    served = serve(clock=lambda: now[0])
    with httpx.Client(base_url=f"{served.url}/v1", trust_env=False) as http:
        run = submit(http, store=False)["id"]
        assert http.get(f"/responses/{run}").json()["status"] == "completed"
        now[0] += 599
        assert http.get(f"/responses/{run}").status_code == 200
        now[0] += 2
        assert http.get(f"/responses/{run}").status_code == 404


SERVER = """
import sys
from contextlib import nullcontext
from pathlib import Path
from kit.sandbox.app import create_app
from kit.sandbox.steps import Say, Search, Think
from kit.sandbox.store import Store
from kit.serving import serve

def answer(ask, library):
    return Think("Plan."), Search(("kimchi",), ()), Think("Write."), Say("Kimchi. " * 40)

print("imported", flush=True)
input()
app = create_app(answer=answer, library=nullcontext, store=Store(Path(sys.argv[1])), pace=2)
serve(app, "127.0.0.1", 0, announce=lambda url: print(url, flush=True))
"""


@pytest.fixture
def process(tmp_path):
    """Starts servers in processes of their own, over one file: two, and kills them afterwards.

    Both have imported before the first starts, and a run takes longer than a start.
    """
    program = [sys.executable, "-c", SERVER, str(tmp_path / "sandbox.sqlite3")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    servers = [subprocess.Popen(program, text=True, **pipes) for _ in range(2)]
    ready = [server for server in servers if server.stdout.readline()]

    def start() -> tuple[subprocess.Popen, str]:
        server = ready.pop()
        server.stdin.write("go\n")
        server.stdin.flush()
        return server, server.stdout.readline().strip()

    yield start
    for server in servers:
        server.kill()
        server.wait()
        server.stdin.close()
        server.stdout.close()


def test_a_run_outlives_the_process_that_took_it(process, tmp_path):
    """Killed in the middle; another process on the same file serves the rest, event for event."""
    first, address = process()
    body = {"model": "x-research", "input": "kimchi", "background": True, "stream": True}
    to = f"{address}/v1/responses"
    with httpx.stream("POST", to, json=body, trust_env=False, timeout=60) as answer:
        lines = (line for line in answer.iter_lines() if line.startswith("data: "))
        seen = [json.loads(next(lines)[6:]) for _ in range(4)]
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    _, address = process()
    with httpx.Client(base_url=f"{address}/v1", trust_env=False, timeout=60) as http:
        run = seen[0]["response"]["id"]
        assert http.get(f"/responses/{run}").json()["status"] == "in_progress"
        let_time_pass(tmp_path, 300)
        after = seen[-1]["sequence_number"]
        rest = events(http.get(f"/responses/{run}?stream=true&starting_after={after}"))
        assert [event["sequence_number"] for event in rest][:2] == [after + 1, after + 2]
        assert rest[-1]["response"] == http.get(f"/responses/{run}").json()
        assert rest[-1]["type"] == "response.completed"


def test_two_processes_share_a_file_at_the_same_time(process):
    (_, one), (_, two) = process(), process()
    with httpx.Client(trust_env=False, timeout=60) as http:
        for here, there in [(one, two), (two, one)] * 10:
            body = {"model": "sandbox", "input": "x"}
            created = http.post(f"{here}/v1/responses", json=body).json()
            assert http.get(f"{there}/v1/responses/{created['id']}").json() == created
        run = http.post(
            f"{one}/v1/responses", json={"model": "a-research", "input": "x", "background": True}
        ).json()
        assert http.post(f"{two}/v1/responses/{run['id']}/cancel").json()["status"] == "cancelled"
        assert http.get(f"{one}/v1/responses/{run['id']}").json()["status"] == "cancelled"


def test_a_reader_that_leaves_is_not_written_to_any_more(gateway, caplog):
    """asyncio logs each write to a connection that is gone, and a kernel shows what it logs."""
    body = json.dumps({"model": "sandbox-research", "input": "kimchi", "stream": True}).encode()
    head = f"POST /v1/responses HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
    head += "Content-Type: application/json\r\n\r\n"
    host, port = gateway.url.removeprefix("http://").split(":")
    for _ in range(5):
        with socket.create_connection((host, int(port))) as reader:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            reader.sendall(head.encode() + body)
            assert reader.recv(10)
    time.sleep(0.5)
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []
