"""A process that is killed around its first request: the next finds the run, and starts none."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

import kit
from tests.relay import upstreams
from tests.relay.caller.callers import TEXT, Elsewhere

pytestmark = pytest.mark.waits

Moment = Literal["before", "after", "never"]

ASK = """
import kit
kit.research("김치의 역사는?")
"""

# Its own relay, over a transport that is the moment of the kill.
DIE = """
import os, signal
import httpx
from kit import local, settings
from kit.blocking import run
from kit.connect_desk import book_of
from kit.gateway.transport import open_transport
from kit.relay.client import RelayClient
from kit.relay.handle import Desk, begin

class Deadly(httpx.AsyncBaseTransport):
    def __init__(self):
        self.real = open_transport()

    async def handle_async_request(self, request):
        await self.real.handle_async_request(request)
        os.kill(os.getpid(), signal.SIGKILL)

found = settings.load()
own = local.relay_of(found, found.endpoint)
client = RelayClient(own.url, own.key, Deadly())
desk = Desk(book_of(found), lambda entry: client)
arguments = {"research_question": "김치의 역사는?", "background": True}
run(begin, desk, arguments, relay="", gateway=found.endpoint.identity)
"""


class Between:
    """Stands between a process and its relay, and kills the process at the moment that is set."""

    def __init__(self, relay: str, moment: Moment) -> None:
        self.moment, self._relay = moment, int(relay.rpartition(":")[2])
        self._server = socket.create_server(("127.0.0.1", 0))
        self.victim: subprocess.Popen[bytes] | None = None
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def close(self) -> None:
        self._server.close()

    def kill(self) -> None:
        assert self.victim is not None
        self.victim.kill()
        self.victim.wait()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                threading.Thread(target=self._pass_on, args=(connection,), daemon=True).start()

    def _pass_on(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            if self.moment == "before":
                return self.kill()
            with socket.create_connection(("127.0.0.1", self._relay)) as relay:
                threading.Thread(target=_copied, args=(connection, relay), daemon=True).start()
                first = relay.recv(65536)
                if self.moment == "after":
                    return self.kill()
                connection.sendall(first)
                _copied(relay, connection)


def _copied(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Elsewhere]:
    with Elsewhere(tmp_path / "relay") as there:
        yield there


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_around_the_start_at_a_relay_elsewhere(
    relay: Elsewhere, moment: Moment, monkeypatch: pytest.MonkeyPatch
) -> None:
    between = Between(relay.known_to(monkeypatch).url, moment)
    monkeypatch.setenv("RELAY_BASE_URL", between.url)
    with subprocess.Popen([sys.executable, "-W", "ignore", "-c", ASK]) as between.victim:
        assert between.victim.wait(300) == -signal.SIGKILL
    between.moment = "never"
    taken = relay.all_runs()
    assert len(taken) == (1 if moment == "after" else 0)
    status = "pending" if moment == "after" else "not sent"
    [row] = kit.runs().to_dict("records")
    run = kit.run(row["id"])
    assert (row["status"], run.status, row["question"]) == (status, status, "김치의 역사는?")
    assert relay.all_runs() == taken, "looking starts nothing"
    if moment == "before":
        run = run.retry()
        taken = relay.all_runs()
    assert taken == [run.id]
    relay.complete(run)
    assert run.wait().text == TEXT
    assert relay.all_runs() == taken
    assert list(kit.runs()["id"]) == taken
    between.close()


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[upstreams.Gateway]:
    with upstreams.gateway() as there:
        monkeypatch.setenv("LITELLM_BASE_URL", there.url)
        monkeypatch.setenv("LITELLM_MODEL", upstreams.MODEL)
        yield there


def test_a_kill_before_the_answer_of_the_users_own_relay(gateway: upstreams.Gateway) -> None:
    """The relay has taken it and dies with the process: there is one paid run all the same."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", DIE], timeout=300)
    assert done.returncode == -signal.SIGKILL
    [row] = kit.runs().to_dict("records")
    assert row["status"] in ("queued", "running", "completed")
    run = kit.run(row["id"]).wait(300)
    assert "".join(event.text for event in run.events) == run.text
    assert len(gateway.seen().submissions) == 1
