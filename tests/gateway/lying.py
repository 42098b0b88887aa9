"""Gateways that do something else than they say: the sandbox behind a small app that lies.

A lie changes what is asked (`ask`), what is answered (`answer`), or both. `examined` has the doctor
look at one, over a real socket.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from kit.gateway.doctor import examine
from kit.gateway.doctor_examination import Patience
from kit.gateway.doctor_report import Report
from kit.gateway.transport import open_transport
from kit.sandbox.app import open_sandbox
from kit.serving import serve_in_thread
from kit.settings import Endpoint, Secret

Json = dict[str, Any]
KEY = "sk-test-0123456789abcdef"
QUICK = Patience(
    probe=5.0, first=5.0, dear=5.0, idle=2.0, later=0.2, look=0.05, cheap_all=20.0, dear_all=20.0
)


@dataclass(frozen=True)
class Asked:
    """A request; `body` is {} where there is none."""

    method: str
    path: str
    body: Json


@dataclass(frozen=True)
class Reply:
    """An answer in one piece."""

    content: bytes
    status: int = 200
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def streamed(self) -> bool:
        return "event-stream" in self.kind

    @property
    def object(self) -> Json:
        return json.loads(self.content)


def as_json(value: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(json.dumps(value).encode(), status, headers=headers)


def refused(message: str, status: int = 400, code: str | None = None) -> Reply:
    return as_json({"error": {"message": message, "code": code, "type": "x"}}, status)


def without(*names: str) -> Callable[[Asked], Asked]:
    """The request as if nobody had said these."""

    def ask(asked: Asked) -> Asked:
        return replace(asked, body={k: v for k, v in asked.body.items() if k not in names})

    return ask


def lines(change: Callable[[str], str | None]) -> Callable[[Asked, Reply], Reply]:
    """Every frame of a stream changed; None drops it."""

    def answer(asked: Asked, reply: Reply) -> Reply:
        if not reply.streamed:
            return reply
        frames = reply.content.decode().split("\n\n")
        kept = [made for one in frames if (made := change(one)) is not None]
        return replace(reply, content="\n\n".join(kept).encode())

    return answer


def responses_in(change: Callable[[Json], Json]) -> Callable[[str], str]:
    """Of a frame: the response that its event holds, changed."""

    def changed(frame: str) -> str:
        head, mark, data = frame.partition("data: ")
        if not mark or data.startswith("["):
            return frame
        event = json.loads(data)
        if isinstance(event.get("response"), dict):
            event["response"] = change(event["response"])
        return f"{head}{mark}{json.dumps(event)}"

    return changed


@dataclass(frozen=True)
class Lie:
    """`ask` may answer by itself; `answer` gets what the sandbox said."""

    ask: Callable[[Asked], Asked | Reply] = lambda asked: asked
    answer: Callable[[Asked, Reply], Reply] = lambda asked, reply: reply


class Liar:
    """The sandbox with a lie before it, and a list of what it was asked."""

    def __init__(self, lie: Lie, inner: Any) -> None:
        self.lie, self._inner = lie, inner
        self.asked: list[Asked] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await self._inner(scope, receive, send)
        asked = Asked(scope["method"], scope["path"], json.loads(await _body(receive) or b"{}"))
        self.asked.append(asked)
        told = self.lie.ask(asked)
        if isinstance(told, Reply):
            return await _say(send, told)
        reply = await self._pass_on(scope, told)
        await _say(send, self.lie.answer(asked, reply))

    async def _pass_on(self, scope: Any, asked: Asked) -> Reply:
        content = json.dumps(asked.body).encode() if asked.body else b""
        said: list[Any] = []
        whole = iter([{"type": "http.request", "body": content, "more_body": False}])

        async def receive() -> Any:
            return next(whole, None) or await asyncio.Event().wait()  # nobody hangs up

        async def send(message: Any) -> None:
            said.append(message)

        headers = [pair for pair in scope["headers"] if pair[0] != b"content-length"]
        length = (b"content-length", str(len(content)).encode())
        await self._inner({**scope, "headers": [*headers, length]}, receive, send)
        kind = dict(said[0]["headers"]).get(b"content-type", b"").decode()
        return Reply(b"".join(one.get("body", b"") for one in said[1:]), said[0]["status"], kind)


async def _body(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _say(send: Any, reply: Reply) -> None:
    headers = {"content-type": reply.kind, "content-length": str(len(reply.content))}
    pairs = [(k.encode(), v.encode()) for k, v in {**headers, **reply.headers}.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": pairs})
    await send({"type": "http.response.body", "body": reply.content})


@contextmanager
def lying(lie: Lie, inner: Any = None) -> Iterator[tuple[Endpoint, Liar]]:
    """A gateway on loopback that tells this lie."""
    liar = Liar(lie, inner or open_sandbox(pace=0))
    served = serve_in_thread(liar, name="liar")
    try:
        yield Endpoint(f"{served.url}/v1", Secret(KEY), "sandbox"), liar
    finally:
        served.stop()


async def examined(
    endpoint: Endpoint, *, dear: bool = False, patience: Patience = QUICK, model: str | None = None
) -> Report:
    return await examine(endpoint, open_transport(), dear=dear, patience=patience, model=model)
