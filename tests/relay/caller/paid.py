"""A gateway that costs money: it calls deep_research, and runs it where it is asked to.

with Paid() as there:
    there.known_to(monkeypatch)
    kit.Client().run_tools("김치의 역사를 조사해줘")
    there.submitted
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from typing import Any, Self

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from kit.serving import serve_in_thread

KEY = "sk-of-the-gateway-0123456789"
REPORT = "# 김치\n\n김치는 발효 음식이다 ([김치](https://a.example/1))."
FINAL = "김치는 발효 음식이다."
PRICES = {
    **{"input_cost_per_token": 1e-5, "output_cost_per_token": 4e-5},
    "search_context_cost_per_query": {"search_context_size_medium": 0.01},
}
Json = dict[str, Any]


class Paid:
    """arguments: what the model calls deep_research with, once for each. prices: None for none.

    asked: bodies of all turns; submitted: those of research.
    """

    def __init__(self, *arguments: Json, prices: Json | None = PRICES, fails: bool = False) -> None:
        self.arguments = arguments or ({"research_question": "김치의 역사는?"},)
        self.prices, self.fails = prices, fails
        self.asked: list[Json] = []
        self.submitted: list[Json] = []
        self.last_turn_fails = False

    def __enter__(self) -> Self:
        self._served = serve_in_thread(self._app(), name="paid")
        return self

    def __exit__(self, *_exception: object) -> None:
        self._served.stop()

    @property
    def url(self) -> str:
        return self._served.url

    def known_to(self, environment: pytest.MonkeyPatch) -> Self:
        environment.setenv("LITELLM_BASE_URL", self.url)
        environment.setenv("LITELLM_API_KEY", KEY)
        environment.setenv("LITELLM_MODEL", "small")
        environment.setenv("LITELLM_RESEARCH_MODEL", "deep")
        return self

    @property
    def told(self) -> list[Json]:
        """What the model was told that its calls returned."""
        return [
            item
            for body in self.asked
            for item in _items(body)
            if item.get("type") == "function_call_output" or item.get("role") == "tool"
        ]

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/model/info", self._prices),
                Route("/v1/responses", self._respond, methods=["POST"]),
                Route("/v1/responses/{id}", self._retrieve),
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
            ]
        )

    async def _prices(self, _request: Request) -> Response:
        if self.prices is None:
            return _refused(404)
        names = ("small", "deep")
        return JSONResponse(
            {"data": [{"model_name": name, "model_info": self.prices} for name in names]}
        )

    async def _respond(self, request: Request) -> Response:
        body = await request.json()
        if body["model"] == "deep":
            self.submitted.append(body)
            return _refused(400) if self.fails else JSONResponse(_response("resp_deep", REPORT))
        self.asked.append(body)
        tools = [tool.get("name") for tool in body.get("tools") or ()]
        if any(item.get("type") == "function_call_output" for item in _items(body)):
            if self.last_turn_fails:
                return _refused(400)
            return JSONResponse(_response("resp_2", FINAL))
        if "deep_research" not in tools:
            return JSONResponse(_response("resp_1", "안녕하세요!"))
        calls = [
            {"type": "function_call", "call_id": f"call_{n}", "name": "deep_research"}
            | {"arguments": json.dumps(arguments, ensure_ascii=False)}
            for n, arguments in enumerate(self.arguments, 1)
        ]
        return JSONResponse({**_response("resp_1", ""), "output": calls})

    async def _retrieve(self, _request: Request) -> Response:
        return JSONResponse(_response("resp_deep", REPORT))

    async def _chat(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        if any(message["role"] == "tool" for message in body["messages"]):
            return JSONResponse(_completion({"content": FINAL}, "stop"))
        calls = [
            {"id": f"call_{n}", "type": "function"}
            | {"function": {"name": "deep_research", "arguments": json.dumps(arguments)}}
            for n, arguments in enumerate(self.arguments, 1)
        ]
        return JSONResponse(_completion({"content": None, "tool_calls": calls}, "tool_calls"))


class Slow(Paid):
    """The same, whose research goes on until `go_on` is set, and ends with its reader.

    background: it says that it runs it in the background.
    """

    def __init__(self, *, background: bool = False) -> None:
        super().__init__()
        self.background = background
        self.go_on = threading.Event()

    async def _respond(self, request: Request) -> Response:
        self.submitted.append(await request.json())
        return StreamingResponse(self._told_slowly(), media_type="text/event-stream")

    async def _told_slowly(self) -> AsyncIterator[str]:
        begun: Json = {**_response("resp_deep", ""), "status": "in_progress", "output": []}
        yield _frame("response.created", {**begun, "background": self.background})
        while not self.go_on.is_set():
            await asyncio.sleep(0.02)
        yield _frame("response.completed", _response("resp_deep", REPORT))

    async def _retrieve(self, _request: Request) -> Response:
        if self.go_on.is_set():
            return JSONResponse(_response("resp_deep", REPORT))
        return JSONResponse({**_response("resp_deep", ""), "status": "in_progress"})


def _frame(kind: str, response: Json) -> str:
    number = {"in_progress": 0}.get(response["status"], 1)
    told = {"type": kind, "response": response, "sequence_number": number}
    return f"event: {kind}\ndata: {json.dumps(told)}\n\n"


def _items(body: Json) -> list[Json]:
    items = body.get("messages") or body.get("input")
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _response(id: str, text: str) -> Json:
    part = {"type": "output_text", "text": text, "annotations": []}
    usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    return {"id": id, "object": "response", "status": "completed", "model": "m"} | {
        "output": [{"type": "message", "role": "assistant", "content": [part]}],
        "usage": usage,
    }


def _completion(message: Json, reason: str) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    return {"id": "chat_1", "object": "chat.completion", "model": "m", "choices": [choice]}


def _refused(status: int) -> Response:
    error = {"message": f"host secret.internal refused {KEY}", "type": "invalid_request_error"}
    return JSONResponse({"error": error}, status)
