"""Serving an ASGI app on loopback, and what its guard refuses."""

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kit.errors import ConfigError
from kit.serving import Guard, Served, is_loopback, serve, serve_in_thread


async def echo(scope, receive, send):
    """Answers with the number of body bytes; `/stream` never ends."""
    if scope["type"] != "http":
        return
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/stream":
        await send({"type": "http.response.body", "body": b"on\n", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
    await send({"type": "http.response.body", "body": str(size).encode()})


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    server = serve_in_thread(Guard(echo, hosts=["my-machine"], body_limit=1000))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, trust_env=False) as client:
        yield client


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LocalHost:8888", 200),
        ("127.0.0.1:1", 200),
        ("127.9.9.9", 200),
        ("[::1]:80", 200),
        ("kit.localhost", 200),
        ("my-machine:9", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example:80", 403),
        ("evil@127.0.0.1", 403),
        ("10.0.0.1", 403),
        ("0.0.0.0", 403),
        ("", 403),
    ],
)
def test_only_our_own_names_are_answered(client, host, status):
    """A name that resolves to loopback but is not ours is a DNS rebinding page."""
    assert client.get("/", headers={"host": host}).status_code == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:8888", 200),
        ("https://127.0.0.1", 200),
        ("http://my-machine:1", 200),
        ("https://evil.example", 403),
        ("http://localhost.evil.example", 403),
        ("null", 403),
        ("file://localhost", 403),
        ("localhost", 403),
    ],
)
def test_pages_of_other_origins_are_refused(client, origin, status):
    answer = client.get("/", headers={"origin": origin})
    assert answer.status_code == status
    if status != 200:
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/jsonp", 415),
        ("", 415),
    ],
)
def test_bodies_are_json(client, kind, status):
    """What a form of a foreign page can send without asking is not accepted."""
    answer = client.post("/", content=b"{}", headers={"content-type": kind})
    assert answer.status_code == status


def test_a_post_without_a_body_needs_no_type(client):
    assert client.post("/").status_code == 200


@pytest.mark.parametrize("size", [1000, 1001, 200_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_are_bounded_however_they_are_sent(client, size, chunked):
    halves = [b"x" * (size // 2), b"x" * (size - size // 2)]
    body = iter(halves) if chunked else b"".join(halves)
    answer = client.post("/", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == (200 if size <= 1000 else 413)
    if size > 1000:
        assert "at most 1,000 bytes" in answer.json()["error"]["message"]


def test_two_hosts_in_one_request_are_refused(served):
    with socket.create_connection(("127.0.0.1", served.port), timeout=5) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n")
        assert wire.recv(100).split()[1] in (b"400", b"403")


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [("localhost", True), ("::1", True), ("127.1.2.3", True), ("0.0.0.0", False), ("x", False)],
)
def test_what_is_loopback(host, is_ours):
    assert is_loopback(host) is is_ours


def test_starting_takes_little_work_and_stopping_frees_the_port():
    from tests.growth import unit  # here: another process imports this file by its path

    took = []
    for _ in range(3):  # the first start pays the import of uvicorn
        begun = time.process_time()
        server = serve_in_thread(echo)
        took.append(time.process_time() - begun)
        assert httpx.get(server.url, trust_env=False).text == "0"
        server.stop()
    assert min(took) < 3 * unit()
    again = serve_in_thread(echo, port=server.port)
    again.stop()
    again.stop()


def test_an_endless_stream_does_not_hold_up_stopping(capfd):
    server = serve_in_thread(echo, name="stopping")
    with httpx.stream("GET", f"{server.url}/stream", trust_env=False) as answer:
        assert next(answer.iter_raw()) == b"on\n"
        server.stop()
    assert capfd.readouterr() == ("", "")
    assert not [t for t in threading.enumerate() if t.name == "stopping"]


class Readers:
    """An app whose streams go on until it is told to close; then they end as they should."""

    def __init__(self):
        self.told = asyncio.Event()
        self.events = []

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"on\n", "more_body": True})
        await self.told.wait()
        await send({"type": "http.response.body", "body": b"back later\n"})
        self.events.append("ended")

    async def close(self):
        self.events.append("closing")
        self.told.set()


def test_an_app_ends_its_streams_before_connections_are_closed():
    """Whoever reads gets a whole answer: the last chunk is there, so nothing raises."""
    app = Readers()
    server = serve_in_thread(app, closing=app.close)
    with httpx.stream("GET", f"{server.url}/stream", trust_env=False) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "on"
        server.stop()
        assert [*lines] == ["back later"]
    assert app.events == ["closing", "ended"]


@pytest.mark.parametrize("way", ["SIGTERM", "SIGINT"])
def test_a_signal_runs_what_closes_before_connections_are_closed(way):
    program = """
import asyncio, sys
from kit.serving import serve
sys.path.insert(0, sys.argv[1])
from test_serving import Readers

app = Readers()
serve(app, "127.0.0.1", 0, announce=lambda url: print(url, flush=True), closing=app.close)
"""
    command = [sys.executable, "-W", "ignore", "-c", program, str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with httpx.stream("GET", url, trust_env=False) as answer:
            lines = answer.iter_lines()
            assert next(lines) == "on"
            process.send_signal(getattr(signal, way))
            assert [*lines] == ["back later"]
    assert process.returncode == (0 if way == "SIGINT" else -signal.SIGTERM)


def test_a_server_stops_although_closing_fails(caplog):
    async def fails():
        raise ValueError("sk-secret")

    server = serve_in_thread(echo, closing=fails, name="failing")
    server.stop()
    assert not [t for t in threading.enumerate() if t.name == "failing"]
    assert "ValueError" in caplog.text
    assert "sk-secret" not in caplog.text


def test_what_an_app_raises_at_its_start_reaches_the_caller(capfd):
    """Its own words, no line of anybody's log, and nothing of a server that runs."""

    async def too_new(scope, receive, send):
        await receive()
        try:
            raise ConfigError("The store is of a newer version.")
        except ConfigError:
            await send({"type": "lifespan.startup.failed", "message": "a traceback"})
            raise

    with pytest.raises(ConfigError, match="newer version"):
        serve_in_thread(too_new)
    with pytest.raises(ConfigError, match="newer version"):
        serve(too_new, "127.0.0.1", 0, announce=print)
    assert capfd.readouterr() == ("", "")


def test_stopping_waits_no_longer_than_it_is_told():
    release = threading.Event()

    async def slow():
        await asyncio.to_thread(release.wait, 250)

    server = serve_in_thread(echo, closing=slow)
    begun = time.monotonic()
    server.stop(0.2)
    assert time.monotonic() - begun > 0.15 and not release.is_set()
    release.set()
    server.stop()


def test_five_hundred_readers_may_come_at_once():
    """All of them connect before the first is answered."""
    server = serve_in_thread(echo)
    with contextlib.ExitStack() as open_ones:
        wires = [open_ones.enter_context(socket.socket()) for _ in range(500)]
        for wire in wires:
            wire.settimeout(5)
            wire.connect(("127.0.0.1", server.port))
            wire.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert {wire.recv(12) for wire in wires} == {b"HTTP/1.1 200"}
    server.stop()


def test_a_busy_port_is_one_line_that_says_what_to_do():
    server = serve_in_thread(echo)
    with pytest.raises(ConfigError, match=rf"Port {server.port} on 127.0.0.1 is in use"):
        serve_in_thread(echo, port=server.port)
    server.stop()


def test_an_app_that_refuses_to_start_is_an_error_and_not_silence():
    async def broken(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no"})

    with pytest.raises(ConfigError, match="refused to start"):
        serve_in_thread(broken)


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_forked_child_does_not_stop_the_parents_server():
    program = """
import os, socket
from kit.serving import serve_in_thread

async def app(scope, receive, send): ...

server = serve_in_thread(app)
if (child := os.fork()) == 0:
    server.stop()
    os._exit(0)
os.waitpid(child, 0)
socket.create_connection(("127.0.0.1", server.port)).close()
server.stop()
print("served")
"""
    assert run(program) == "served\n"


def test_it_serves_in_a_process_that_nest_asyncio_has_patched():
    program = """
import asyncio, urllib.request, nest_asyncio
from kit.serving import serve_in_thread

async def app(scope, receive, send):
    if scope["type"] == "http":
        await asyncio.sleep(0.01)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"nested"})

async def main():
    nest_asyncio.apply()
    server = serve_in_thread(app)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    print(opener.open(server.url).read().decode())
    server.stop()

asyncio.run(main())
"""
    assert run(program) == "nested\n"


def test_importing_it_does_not_load_uvicorn():
    program = "import sys, kit.serving; print('uvicorn' in sys.modules, 'starlette' in sys.modules)"
    assert run(program).split() == ["False", "False"]


def test_a_refusal_is_json(client):
    answer = client.get("/", headers={"host": "evil.example"})
    assert json.loads(answer.text)["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ({"host": "evil.example"}, b"", 403),
        ({"content-type": "text/plain"}, b"{}", 415),
        ({"content-type": "application/json"}, b"x" * 2000, 413),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_an_app_may_say_how_refusals_look(headers, content, status, chunked):
    def problem(status, message):
        return "application/problem+json", {"status": status, "detail": message}

    server = serve_in_thread(Guard(echo, body_limit=1000, refusal=problem))
    body = iter([content]) if chunked else content
    answer = httpx.post(server.url, headers=headers, content=body, trust_env=False)
    server.stop()
    assert answer.status_code == status == answer.json()["status"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].endswith((".", ")."))
