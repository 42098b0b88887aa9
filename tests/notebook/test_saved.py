"""What a notebook holds when a program has run it: no key, whatever the gateway says back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import v4

from kit.serving import serve_in_thread

pytestmark = pytest.mark.once

KEY = "sk-the-key-that-is-told-back-0123456789"
CELLS = [
    "%load_ext kit",
    "%kit",
    "%%chat\nWhat is my key?",
    "%%responses -o answer\nWhat is my key?",
    "answer",
    "kit.chat_panel()",
    "kit.runs_table()",
    "kit.usage_chart()",
]


class Echo:
    """A gateway that says the key back, in every place that it can."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        key = dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer ")
        self.keys.append(key)
        answer = chat(key) if "chat" in scope["path"] else response(key)
        headers = [(b"content-type", b"application/json"), (b"x-request-id", key.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


def chat(key: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": f"It is {key}."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": key, "object": "chat.completion", "model": key, "choices": [choice]}


def response(key: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": f"It is {key}.", "annotations": []}
    message = {"type": "message", "id": key, "role": "assistant", "content": [part]}
    head = {"id": key, "object": "response", "status": "completed", "model": key}
    return {**head, "created_at": 1, "output": [message]}


def test_no_key_is_in_a_notebook_that_nbconvert_has_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Echo()
    served = serve_in_thread(gateway)
    monkeypatch.setenv("LITELLM_BASE_URL", served.url)
    monkeypatch.setenv("LITELLM_API_KEY", KEY)
    monkeypatch.setenv("LITELLM_MODEL", "m")
    file = tmp_path / "demo.ipynb"
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in CELLS]), file)
    command = [sys.executable, "-m", "nbconvert", "--execute", "--to", "notebook", "--inplace"]
    done = subprocess.run([*command, str(file)], capture_output=True, text=True)
    served.stop()
    assert done.returncode == 0, done.stderr
    assert KEY in gateway.keys  # it was sent, and told back
    assert "It is ***." in file.read_text("utf-8")
    assert KEY not in file.read_text("utf-8")
