"""The sandbox as an ASGI app: routes, errors in one shape, and the headers every answer carries."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from kit.sandbox.answering import Answerer, Lender, Sandbox
from kit.sandbox.chat import Chat
from kit.sandbox.lending import Lending
from kit.sandbox.model_name import MODEL
from kit.sandbox.problems import Refused, as_json
from kit.sandbox.response_object import NO_MODEL
from kit.sandbox.responses import Responses
from kit.sandbox.store import Store
from kit.serving import ASGIApp, Guard, Message, Receive, Scope, Send

STORE_FILE = "sandbox.sqlite3"
WRONG_KEY = "sk-wrong"
"""The one key that is refused, so that anybody can see what a wrong key looks like."""


def create_app(
    *,
    answer: Answerer,
    library: Lender,
    store: Store,
    pace: float = 1.0,
    clock: Callable[[], float] = time.time,
    hosts: Iterable[str] = (),
    at_end: Callable[[], object] = lambda: None,
    key: str | None = None,
) -> ASGIApp:
    """The gateway over its parts. `library` lends the library for a question and the folders that
    it brings, mostly none; `pace` stretches time (0: at once). It answers on loopback names and
    `hosts` only, with `key` only to its bearer. At its end it closes the store and what else
    `at_end` closes.
    """
    sandbox = Sandbox(answer, library, store, pace, clock)
    routes = [
        Route("/models", models, methods=["GET"]),
        Route("/models/{id}", model, methods=["GET"]),
        *Responses(sandbox).routes(),
        *Chat(sandbox).routes(),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        yield
        store.close()
        at_end()

    app = Starlette(
        routes=[Mount("/v1", routes=routes), *routes],
        exception_handlers={Refused: _refused, HTTPException: _no_route, Exception: _broken},
        lifespan=lifespan,
    )
    return Guard(_Labels(app, key), hosts=hosts)


def open_sandbox(
    *,
    folders: Sequence[Path] = (),
    store: Path | None = None,
    pace: float = 1.0,
    clock: Callable[[], float] = time.time,
    key: str | None = None,
) -> ASGIApp:
    """The gateway as users have it: over the toolkit's own pages and `folders`.

    `store` is the file of its responses; None keeps them in memory.
    """
    from kit.sandbox.mind import answer

    lending = Lending(folders)
    return create_app(
        answer=answer,
        library=lending,
        store=Store(store),
        pace=pace,
        clock=clock,
        at_end=lending.close,
        key=key,
    )


async def models(_request: Request) -> Response:
    return as_json({"object": "list", "data": [_model()]})


async def model(request: Request) -> Response:
    if request.path_params["id"] != MODEL:
        raise Refused(404, "The sandbox lists one model: 'sandbox'.", code="model_not_found")
    return as_json(_model())


def _model() -> dict[str, object]:
    return {"id": MODEL, "object": "model", "created": 1_700_000_000, "owned_by": "responses-kit"}


async def _refused(_request: Request, problem: Any) -> Response:
    return problem.response()


async def _no_route(request: Request, problem: Any) -> Response:
    message = f"{request.method} {request.url.path[:200]} is nothing the sandbox serves."
    return Refused(problem.status_code, message, headers=problem.headers).response()


async def _broken(_request: Request, _problem: Exception) -> Response:
    message = "The sandbox itself failed at this request; this is a bug in it."
    # The server ends the connection of a failed app, so the caller must know not to use it again.
    headers = {"connection": "close"}
    return Refused(500, message, kind="server_error", headers=headers).response()


class _Labels:
    """Refuses the wrong key, and names every answer: an id to quote, and that no model wrote it."""

    def __init__(self, app: ASGIApp, key: str | None) -> None:
        self.app = app
        self.key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        labels = [
            (b"x-request-id", f"req_{secrets.token_hex(12)}".encode()),
            (b"x-sandbox", NO_MODEL.encode()),
        ]

        async def labelled(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *labels]
            await send(message)

        app = self.app if self._may(_key(scope)) else _wrong_key
        await app(scope, receive, labelled)

    def _may(self, given: str) -> bool:
        if self.key is None:
            return given != WRONG_KEY
        return secrets.compare_digest(given.encode(), self.key.encode())


def _key(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return value.decode("latin-1").removeprefix("Bearer ").strip()
    return ""


async def _wrong_key(scope: Scope, receive: Receive, send: Send) -> None:
    message = "Incorrect API key provided for the sandbox."
    problem = Refused(401, message, code="invalid_api_key")
    await problem.response()(scope, receive, send)
