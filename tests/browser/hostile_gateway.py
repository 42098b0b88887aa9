"""A gateway whose every word is hostile, in small pieces that cut through the middle of it.

The prompt names the answer. The first words of it come alone, and the last: in between the page is
looked at while the answer grows. `go` lets it go on.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from typing import Any

from tests.browser.hostile import ANSWERS, OURS, PIXEL, RUN

Json = dict[str, Any]
PIECES = 300
FIRST, LAST = "Beginning now.\n\n", "\n\nEnding now."
HOLD_SECONDS = 600.0
SHORT = [text for text in OURS if "\n" not in text]


class Hostile:
    """An ASGI app: chat completions and responses, the latter also in the background."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.responses: dict[str, Json] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        path = scope["path"]
        if scope["method"] == "GET":
            await self._answer(send, self.responses.get(path.rpartition("/")[2]))
        elif path.endswith("/cancel"):
            await self._answer(send, None)
        else:
            await self._stream(send, chat if "chat" in path else responses, json.loads(body))

    async def _answer(self, send: Any, answer: Json | None) -> None:
        headers = [(b"content-type", b"application/json")]
        status = 404 if answer is None else 200
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer or {}).encode()})

    async def _stream(self, send: Any, api: Any, request: Json) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number, event in enumerate(api(request)):
            if event is HOLD:
                await self._hold()
                continue
            if "response" in event:
                self.responses[event["response"]["id"]] = event["response"]
            data = json.dumps({**event, "sequence_number": number})
            frame = f"data: {data}\n\n".encode()
            await send({"type": "http.response.body", "body": frame, "more_body": True})
            await asyncio.sleep(0.002)
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})

    async def _hold(self) -> None:
        for _ in range(int(HOLD_SECONDS / 0.01)):
            if self.go.is_set():
                break
            await asyncio.sleep(0.01)
        self.go.clear()


HOLD: Json = {"hold": True}


def asked_for(request: Json) -> str:
    """The name of the answer: the last one that the request says."""
    names = re.findall(rf"answer ({'|'.join(ANSWERS)})\b", json.dumps(request))
    return names[-1] if names else "first"


def pieces(text: str) -> Iterator[str]:
    size = max(7, len(text) // PIECES)
    for start in range(0, len(text), size):
        yield text[start : start + size]


def chat(request: Json) -> Iterator[Json]:
    for delta in chat_deltas(ANSWERS[asked_for(request)]):
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        yield HOLD if delta is HOLD else {**CHUNK, "choices": [choice]}
    yield {**CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


CHUNK: Json = {"id": "c1", "object": "chat.completion.chunk", "model": SHORT[0]}


def chat_deltas(text: str) -> Iterator[Json]:
    yield {"content": FIRST}
    yield HOLD
    for thought in SHORT:
        yield {"reasoning_content": f"{thought}\n"}
    for piece in pieces(text):
        yield {"content": piece}
    yield {"annotations": [{"type": "url_citation", "url_citation": note} for note in NOTES]}
    yield HOLD
    yield {"content": LAST}


BEGINNING = {"start_index": 0, "end_index": len(FIRST.strip())}
NOTES: list[Json] = [
    {"type": "url_citation", "url": url, "title": title, **BEGINNING}
    for title in SHORT
    for url in (f"javascript:{RUN}", f"https://ok.example/{title}", PIXEL)
][:90]


def responses(request: Json) -> Iterator[Json]:
    if request.get("tools") and "function_call_output" not in json.dumps(request):
        yield from calling(request)
        return
    text = FIRST + ANSWERS[asked_for(request)] + LAST
    whole = message(text)
    output = [thought(one) for one in SHORT[:9]] + [searched(one) for one in SHORT] + [whole]
    yield {"type": "response.created", "response": response("in_progress", [])}
    for place, item in enumerate(output[:-1]):
        yield {"type": "response.output_item.done", "output_index": place, "item": item}
    inside = {"item_id": "msg_1", "output_index": len(output) - 1, "content_index": 0}
    yield {"type": "response.output_item.added", **inside, "item": message("")}
    for piece in (FIRST, HOLD, *pieces(ANSWERS[asked_for(request)]), HOLD, LAST):
        told = {"type": "response.output_text.delta", "delta": piece, **inside}
        yield HOLD if piece is HOLD else told
    yield {"type": "response.completed", "response": response("completed", output)}


def calling(request: Json) -> Iterator[Json]:
    """Calls of functions with hostile names and arguments; hosted tools are none."""
    if not any(one.get("type") == "function" for one in request["tools"]):
        yield from responses({**request, "tools": None})
        return
    calls = [
        {"type": "function_call", "id": f"fc_{place}", "call_id": f"c{place}", "name": one}
        | {"arguments": json.dumps({"x": one}), "status": "completed"}
        for place, one in enumerate(SHORT[:20])
    ]
    yield {"type": "response.created", "response": response("in_progress", [])}
    for place, item in enumerate(calls):
        yield {"type": "response.output_item.done", "output_index": place, "item": item}
    yield {"type": "response.completed", "response": response("completed", calls)}


def response(status: str, output: list[Json]) -> Json:
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    return {
        **{"id": "resp_1", "object": "response", "created_at": 1, "status": status},
        **{"model": SHORT[0], "output": output, "usage": usage if output else None},
    }


def message(text: str) -> Json:
    part = {"type": "output_text", "text": text, "annotations": NOTES}
    content = [part] if text else []
    return {"type": "message", "id": "msg_1", "role": "assistant", "content": content}


def thought(text: str) -> Json:
    return {"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}


def searched(text: str) -> Json:
    opened = {"type": "open_page", "url": text if len(text) % 2 else PIXEL}
    action = {"type": "search", "query": text, "queries": [text, text[::-1]]}
    return {"type": "web_search_call", "action": opened if len(text) % 3 == 0 else action}
