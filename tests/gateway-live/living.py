"""The programs that these tests stand on: upstreams, a Redis, LiteLLM proxies.

Rule: each listens on a free loopback port, is ended by its own pid, and says in a log what it did.
A proxy's way out of this machine leads to `Trap`, which lets nothing through and notes who asked.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from kit.connect import Client
from kit.sandbox.app import open_sandbox
from kit.serving import serve_in_thread
from tests.ports import free_port
from tests.waiting import pauses

ROOT = Path(__file__).parents[2]
LITELLM = ROOT / ".venv-gateway" / "bin" / "litellm"
KEY = "sk-test-0123456789abcdef"
END_SECONDS = 15.0

Json = dict[str, Any]
NewClient = Callable[..., Client]
http = httpx.Client(trust_env=False, timeout=30)


@dataclass
class Request:
    """One request that reached an upstream. `ended`: the whole answer was taken from it."""

    method: str
    path: str
    body: Json
    ended: bool = False


class Clock:
    """Seconds since the epoch, without those that it stood still."""

    def __init__(self) -> None:
        self._lost = 0.0
        self._end = math.inf

    def __call__(self) -> float:
        return min(time.time() - self._lost, self._end)

    def passes(self, seconds: float) -> None:
        """So much, where it stands still."""
        self._end += seconds
        time.sleep(seconds)

    @contextlib.contextmanager
    def standing(self) -> Iterator[None]:
        self._end = self()
        try:
            yield
        finally:
            self._lost, self._end = time.time() - self(), math.inf


class Upstream:
    """The sandbox as what stands behind a gateway, with a list of what it was asked.

    `with upstream.clock.standing()`: what runs there stays where it is, however long a test takes,
    but for what `until(…, passing=upstream.clock.passes)` lets pass between its looks.
    """

    def __init__(self, pace: float) -> None:
        self.requests: list[Request] = []
        self.clock = Clock()
        self._app = open_sandbox(pace=pace, clock=self.clock)
        self._served = serve_in_thread(self, name="upstream")
        self.url = f"{self._served.url}/v1"

    def stop(self) -> None:
        self._served.stop()

    def submissions(self, marker: str) -> list[Request]:
        """What was created whose body holds `marker`."""
        creates = [
            one for one in self.requests if one.path.endswith(("/responses", "/completions"))
        ]
        return [one for one in creates if marker in json.dumps(one.body, ensure_ascii=False)]

    def cancels(self) -> list[Request]:
        return [one for one in self.requests if one.path.endswith("/cancel")]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        body = await _read(receive)
        query = f"?{query.decode()}" if (query := scope["query_string"]) else ""
        request = Request(scope["method"], scope["path"] + query, json.loads(body or b"{}"))
        self.requests.append(request)
        whole = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def again() -> Any:
            return next(whole, None) or await receive()

        async def sent(message: Any) -> None:
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                request.ended = True

        await self._app(scope, again, sent)


async def _read(receive: Any) -> bytes:
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return body


class Trap:
    """Where a proxy's traffic to other machines would go: refused, and noted."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                with caller:
                    caller.settimeout(2)
                    with contextlib.suppress(OSError):
                        self.asked.append(caller.recv(200).decode("latin-1").partition("\r\n")[0])

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(END_SECONDS)


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[int]:
    """A Redis that keeps nothing on disk; its port."""
    program = shutil.which("redis-server")
    assert program is not None, "make test-gateway says how to bring redis-server"
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with _process([program, *options], folder / "redis.log", {}) as process:
        _until_it_answers(process, folder / "redis.log", lambda: _pongs(port))
        yield port


def _pongs(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(7) == b"+PONG\r\n"


@dataclass(frozen=True)
class Proxy:
    """A LiteLLM that answers."""

    url: str
    log: Path

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    def ask(
        self, method: str, path: str, body: Json | None = None, **headers: str
    ) -> httpx.Response:
        """One request as it is, with the key unless headers say otherwise."""
        known = {"authorization": f"Bearer {KEY}", **headers}
        sent = {name: value for name, value in known.items() if value}
        return http.request(method, self.base_url + path, json=body, headers=sent)


@contextlib.contextmanager
def litellm(name: str, config: Json, folder: Path, outside: str) -> Iterator[Proxy]:
    """A proxy with `config`; it is ready when it is yielded."""
    assert LITELLM.exists(), f"{LITELLM} is missing: make test-gateway makes it."
    port = free_port()
    written, log = folder / f"{name}.yaml", folder / f"{name}.log"
    written.write_text(json.dumps(config))  # JSON is YAML
    options = ["--config", str(written), "--host", "127.0.0.1", "--port", str(port)]
    command = [str(LITELLM), *options, "--telemetry", "False"]
    with _process(command, log, _alone(folder, outside)) as process:
        proxy = Proxy(f"http://127.0.0.1:{port}", log)
        ready = f"{proxy.url}/health/liveliness"
        _until_it_answers(process, log, lambda: http.get(ready).status_code == 200)
        yield proxy


def _alone(folder: Path, outside: str) -> dict[str, str]:
    """What keeps a LiteLLM from other machines, and from this one's settings."""
    return {
        **{"HOME": str(folder), "PYTHONUNBUFFERED": "1"},
        **{"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"},
        **{"NO_DOCS": "True", "DO_NOT_TRACK": "1", "NO_COLOR": "1"},
        **{"HTTP_PROXY": outside, "HTTPS_PROXY": outside, "NO_PROXY": "127.0.0.1,localhost"},
    }


@contextlib.contextmanager
def _process(
    command: Sequence[str], log: Path, variables: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    path = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**path, **variables}, cwd=log.parent, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until_it_answers(process: subprocess.Popen[bytes], log: Path, answers: Any) -> None:
    for pause in pauses():
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError, httpx.HTTPError):
            if answers():
                return
        time.sleep(pause)
    raise AssertionError(f"It does not answer:\n{log.read_text(errors='replace')[-3000:]}")
