"""The least a gateway can be: fixed bodies over bare asyncio sockets, in a process of its own.

What is measured against it is the client, not a server. It reads a request's head and length,
and answers `POST /v1/responses` with one response object, or with its stream of 508 events (500
text deltas) when the body asks for one. `with running() as base_url:` starts and ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

DELTAS = 500
EVENTS = DELTAS + 8
WORD = "token "
TEXT = WORD * DELTAS


def message(text: str, status: str) -> dict[str, Any]:
    """An output message; without text its content is empty."""
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {
        "type": "message",
        "id": "msg_1",
        "status": status,
        "role": "assistant",
        "content": [part] if text else [],
    }


def response(status: str, text: str) -> dict[str, Any]:
    """A whole response object, with every key the official SDK's models know."""
    usage = {
        "input_tokens": 12,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 15,
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_700_000_000,
        "completed_at": 1_700_000_001 if status == "completed" else None,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": "bench",
        "output": [message(text, "completed")] if text else [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage if status == "completed" else None,
        "user": None,
        "metadata": {},
    }


def events() -> Iterator[dict[str, Any]]:
    """The stream in order; sequence numbers are added by `stream_body`."""
    place: dict[str, Any] = {"item_id": "msg_1", "output_index": 0}
    inside = place | {"content_index": 0}
    empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    yield {"type": "response.created", "response": response("in_progress", "")}
    yield {"type": "response.in_progress", "response": response("in_progress", "")}
    added = {"type": "response.output_item.added", "output_index": 0}
    yield added | {"item": message("", "in_progress")}
    yield {"type": "response.content_part.added", "part": empty} | inside
    for _ in range(DELTAS):
        yield {"type": "response.output_text.delta", "delta": WORD, "logprobs": []} | inside
    yield {"type": "response.output_text.done", "text": TEXT, "logprobs": []} | inside
    yield {"type": "response.content_part.done", "part": empty | {"text": TEXT}} | inside
    done = {"type": "response.output_item.done", "output_index": 0}
    yield done | {"item": message(TEXT, "completed")}
    yield {"type": "response.completed", "response": response("completed", TEXT)}


def stream_body() -> bytes:
    """The 508 events as server-sent events, then `[DONE]`."""
    frames: list[str] = []
    for number, event in enumerate(events()):
        text = json.dumps(event | {"sequence_number": number})
        frames.append(f"event: {event['type']}\ndata: {text}\n\n")
    return "".join([*frames, "data: [DONE]\n\n"]).encode()


def reply(media_type: str, body: bytes) -> bytes:
    """A whole HTTP response that keeps the connection open."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + b"x-request-id: req_1\r\n\r\n" + body


ANSWER = reply("application/json", json.dumps(response("completed", "OK")).encode())
STREAM = reply("text/event-stream", stream_body())


class Upstream(asyncio.Protocol):
    """Answers as soon as a request is whole; one after another on a connection."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            length = content_length(self.received[:end])
            if len(self.received) < end + 4 + length:
                return
            body = self.received[end + 4 : end + 4 + length]
            self.received = self.received[end + 4 + length :]
            asks = b'"stream":true' in body or b'"stream": true' in body
            self.transport.write(STREAM if asks else ANSWER)


def content_length(head: bytes) -> int:
    """The body's length in bytes, 0 when the head gives none."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Start the upstream in its own process; yields its base address, ending in `/v1`."""
    command = [sys.executable, __file__]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
