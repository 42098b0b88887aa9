"""The relay as an ASGI app.

Rule: whoever serves it, it stands behind the guard, so that a web page in somebody's browser
reaches nothing; no answer allows another origin, and nothing is documented by scripts from
elsewhere.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from typing import Any

from fastapi import FastAPI

from kit.relay.contracts_answers import Problem
from kit.serving import ASGIApp, Guard
from kit.settings_relay import RelaySettings
from relay_lite.auth import Callers, Tokens
from relay_lite.engine import Engine
from relay_lite.problems import PROBLEM, handle_problems, problem_body
from relay_lite.routes import routers
from relay_lite.routes_views import Desk

__all__ = ["BODY_LIMIT", "create_app"]

BODY_LIMIT = 4 * 1024 * 1024

ABOUT = """Research runs that go on whatever dies.

A run is started by a POST, with the caller's key where the relay has keys. Everything that is done
with it afterwards takes the token that the POST gave, as `X-Invocation-Token`.
"""


def create_app(
    engine: Engine,
    settings: RelaySettings,
    tokens: Tokens,
    *,
    hosts: Iterable[str] = (),
    started: Callable[[], Awaitable[object]] | None = None,
) -> ASGIApp:
    """The relay over its engine, which starts and stops with the app.

    Whoever serves it lets `engine.stop` run before connections are closed, so that readers end
    as they should; a second stop is harmless.
    hosts: names in a `Host` header that are this relay, beside loopback's and the settings' own.
    started: awaited behind the engine's start, before the first request.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        await engine.start()
        if started is not None:
            await started()
        yield
        await engine.stop()

    app = _Documented(
        title="relay_lite",
        version="1",
        description=ABOUT,
        lifespan=lifespan,
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    for router in routers(Desk(engine, settings, tokens, Callers(settings.keys))):
        app.include_router(router)
    handle_problems(app)
    known = (*settings.allowed_hosts, *hosts)
    return Guard(app, hosts=known, body_limit=BODY_LIMIT, refusal=_as_problem)


def _as_problem(status: int, message: str) -> tuple[str, Mapping[str, Any]]:
    return PROBLEM, problem_body(status, message)


class _Documented(FastAPI):
    """Adds what no route answers with as its model: problems, and how callers show their key."""

    def openapi(self) -> dict[str, Any]:
        known = self.openapi_schema is not None
        document = super().openapi()
        if not known:
            components = document["components"]
            components["schemas"]["Problem"] = Problem.model_json_schema()
            components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        return document
