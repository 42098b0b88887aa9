"""A real kernel, and a small gateway that drips: what the notebook tests stand on.

`Kernel.run` gives a cell back the way a notebook would save it: updates of a display replace it.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import queue
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

from kit.serving import serve_in_thread

REPLY_SECONDS = 300.0
"""Ends what hangs; generous, because a busy machine takes its time."""


@dataclass
class Cell:
    """One executed cell: what a saved notebook would hold of it, and what went by."""

    outputs: list[dict[str, Any]] = field(default_factory=list)
    updates: int = 0
    reply: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def displays(self) -> list[dict[str, str]]:
        return [one["data"] for one in self.outputs if "data" in one]

    @property
    def printed(self) -> str:
        return "".join(one["text"] for one in self.outputs if one.get("name") == "stdout")

    @property
    def error(self) -> dict[str, Any] | None:
        return next((one for one in self.outputs if "ename" in one), None)

    @property
    def next_inputs(self) -> list[str]:
        return [one["text"] for one in self.reply["payload"] if one["source"] == "set_next_input"]


class Kernel:
    """A kernel with the extension loaded."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._shown: dict[str, tuple[Cell, int]] = {}
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(env={**os.environ, **environment}, cwd=environment["HOME"])
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=REPLY_SECONDS)
        self.loaded = self.run("%load_ext kit\nimport kit")
        assert self.loaded.error is None

    def run(
        self,
        code: str,
        *,
        stop_when: Callable[[Cell], bool] | None = None,
        typed: str | None = None,
        meanwhile: Callable[[Cell], Any] = lambda cell: None,
    ) -> Cell:
        """Run a cell. `stop_when`: press ■ once it holds; `typed`: what the person types;
        `meanwhile`: what is done whenever something came."""
        began = time.monotonic()
        request = self._execute(code, allow_stdin=typed is not None)
        cell = Cell()
        while True:
            if typed is not None and self._is_asked():
                self.client.input(typed)
                typed = None
            message = self._message()
            if message is not None and message["msg_type"] == "update_display_data":
                self._update(message["content"])  # of any cell, whichever runs
            elif message is None or message["parent_header"].get("msg_id") != request:
                assert time.monotonic() - began < REPLY_SECONDS, "the cell did not end"
            elif self._take(message, cell):
                break
            meanwhile(cell)
            if stop_when is not None and stop_when(cell):
                stop_when, began = None, time.monotonic()
                self.manager.interrupt_kernel()
        cell.seconds = time.monotonic() - began
        cell.reply = self._reply(request)
        return cell

    def value(self, expression: str) -> Any:
        """What an expression is worth in the kernel; it must be JSON."""
        cell = self.run(f"import json; print(json.dumps({expression}))")
        assert cell.error is None, cell.error
        return json.loads(cell.printed)

    def complete(self, code: str) -> list[str]:
        reply = self.client.complete(code, reply=True, timeout=REPLY_SECONDS)["content"]
        return reply["matches"]

    def _execute(self, code: str, *, allow_stdin: bool) -> str:
        return self.client.execute(code, allow_stdin=allow_stdin)

    def _is_asked(self) -> bool:
        try:
            self.client.get_stdin_msg(timeout=0.05)
        except queue.Empty:
            return False
        return True

    def _message(self) -> dict[str, Any] | None:
        try:
            return self.client.get_iopub_msg(timeout=0.1)
        except queue.Empty:
            return None

    def _update(self, content: dict[str, Any]) -> None:
        id = content["transient"]["display_id"]
        if id not in self._shown:
            return  # of a cell that a test gave up
        cell, place = self._shown[id]
        cell.updates += 1
        cell.outputs[place] = content

    def _take(self, message: dict[str, Any], cell: Cell) -> bool:
        """Note what a message brings; whether the cell has ended."""
        content, kind = message["content"], message["msg_type"]
        if kind == "status":
            return content["execution_state"] == "idle"
        shown = content.get("transient", {}).get("display_id")
        if kind in ("display_data", "execute_result", "stream", "error"):
            self._shown[shown] = cell, len(cell.outputs)
            cell.outputs.append(content)
        return False

    def _reply(self, request: str) -> dict[str, Any]:
        while True:
            message = self.client.get_shell_msg(timeout=REPLY_SECONDS)
            if message["parent_header"].get("msg_id") == request:
                return message["content"]

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


MANY = 2_000
WORDS = {b"briefly": 4, b"at length": 60, b"at once": MANY}
FREELY = math.inf


class Dripping:
    """A gateway that sends one word at a time, and notes when its reader leaves.

    It never ends, but where the prompt says "briefly": then after four words; "at length": after
    sixty; "at once": after two thousand, without a pause.

    allowed: how many words an answer may have by now. Where a test has to see something before
    more comes, it lets one through after the other, and the end of the answer as one word more.
    """

    def __init__(self) -> None:
        self.allowed: float = FREELY
        self.left = threading.Event()
        self.requests: list[dict[str, Any]] = []
        self.keys: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.requests.append(json.loads(body or b"{}"))
        self.keys.append(dict(scope["headers"]).get(b"authorization", b""))
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if words := next((words for asked, words in WORDS.items() if asked in body), 0):
            await self._drip(send, words, pause=0 if words == MANY else 0.02)
            await self._may_send(words)
            await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})
            return
        dripping = asyncio.create_task(self._drip(send, 1_000_000))
        while (await receive())["type"] != "http.disconnect":
            pass
        dripping.cancel()
        self.left.set()

    async def _may_send(self, number: int) -> None:
        while number >= self.allowed:
            await asyncio.sleep(0.005)

    async def _drip(self, send: Any, words: int, pause: float = 0.02) -> None:
        chunk = {"id": "c1", "object": "chat.completion.chunk", "model": "drip"}
        for number in range(words):
            word = f"{number} " if words == MANY else "word "
            delta = {"index": 0, "delta": {"content": word}, "finish_reason": None}
            data = f"data: {json.dumps(chunk | {'choices': [delta]})}\n\n".encode()
            await self._may_send(number)
            await send({"type": "http.response.body", "body": data, "more_body": True})
            await asyncio.sleep(pause)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Generator[Kernel, None, None]:
    """One kernel for a module's tests, with nothing configured: it talks to the sandbox."""
    kernel = Kernel({"HOME": str(tmp_path_factory.mktemp("kernel-home"))})
    yield kernel
    kernel.close()


@pytest.fixture(scope="module")
def dripping_server() -> Generator[tuple[Dripping, str], None, None]:
    gateway = Dripping()
    served = serve_in_thread(gateway)
    yield gateway, served.url
    served.stop()


@pytest.fixture
def dripping(kernel: Kernel, dripping_server: tuple[Dripping, str]) -> Dripping:
    """The dripping gateway, and the kernel's cells talk to it."""
    gateway, address = dripping_server
    gateway.allowed = FREELY
    gateway.left.clear()
    gateway.requests.clear()
    kernel.run(
        f"import os\nos.environ.update(LITELLM_BASE_URL={address!r}, LITELLM_MODEL='drip')\n"
        "kit.connect.use('gateway')"
    )
    return gateway
