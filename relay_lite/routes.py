"""The relay's addresses, and what its documentation says of each."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute

from kit.relay.contracts_answers import ChatAnswer, InvocationList, InvocationView
from relay_lite.auth import Callers
from relay_lite.problems import Refused, documented
from relay_lite.routes_reading import Reading
from relay_lite.routes_starting import Starting
from relay_lite.routes_views import PREFIX, RUNS, Desk

__all__ = ["routers"]

ONE = f"{RUNS}/{{id}}"

FRAMES = """retry: 2000

id: 1
event: status
data: {"invocation_id":"inv_…","type":"status","status":"pending","data":{"mode":"stream"}}

id: 2
event: output_text
data: {"invocation_id":"inv_…","type":"output_text","status":"running","data":{"text":"짜장면"}}

id: 3
event: completed
data: {"invocation_id":"inv_…","type":"completed","status":"completed","data":{"output_text":"…"}}

"""

STREAM: dict[str, Any] = {
    "description": "Frames, until the terminal event: `completed`, `error` or `cancelled`.",
    "content": {"text/event-stream": {"schema": {"type": "string"}, "example": FRAMES}},
}
HEALTH: dict[str, Any] = {
    "description": "It is well.",
    "content": {
        "application/json": {
            "schema": {"type": "object", "properties": {"status": {"type": "string"}}},
            "example": {"status": "ok"},
        }
    },
}


def routers(desk: Desk) -> list[APIRouter]:
    """All addresses: those for callers with a key, those of one run, those for who watches."""
    reading = Reading(desk)
    return [_starting(Starting(desk), desk.callers), _reading(reading), _health(reading)]


def _starting(routes: Starting, callers: Callers) -> APIRouter:
    router = APIRouter(route_class=_keyed(callers), tags=["callers"])
    refused = documented(400, 401, 403, 413, 415, 422, 500, 503, 507)
    accepted = {202: {"model": InvocationView, "description": "Accepted: read it at `Location`."}}
    router.add_api_route(
        RUNS,
        routes.create,
        methods=["POST"],
        response_model=InvocationView,
        responses={**accepted, **refused, **documented(409, 502, 504)},
    )
    router.add_api_route(
        RUNS,
        routes.listing,
        methods=["GET"],
        response_model=InvocationList,
        responses=documented(401, 403, 422, 500, 503),
    )
    router.add_api_route(
        f"{PREFIX}/chat",
        routes.chat,
        methods=["POST"],
        response_model=ChatAnswer,
        responses=refused,
    )
    return router


def _reading(routes: Reading) -> APIRouter:
    router = APIRouter(tags=["one run"])
    add = router.add_api_route
    refused = documented(403, 404, 422, 500, 503)
    view: dict[str, Any] = {"response_model": InvocationView, "responses": refused}
    add(ONE, routes.get, methods=["GET"], **view)
    add(f"{ONE}/wait", routes.wait, methods=["GET"], **view)
    add(
        f"{ONE}/events",
        routes.events,
        methods=["GET"],
        response_class=StreamingResponse,
        responses={200: STREAM, 204: {"description": "It ended before."}, **refused},
    )
    view["responses"] = refused | documented(415, 507)
    add(f"{ONE}/cancel", routes.cancel, methods=["POST"], **view)
    add(
        ONE,
        routes.delete,
        methods=["DELETE"],
        status_code=204,
        response_class=Response,
        responses=refused | documented(409, 507),
    )
    return router


def _health(routes: Reading) -> APIRouter:
    router = APIRouter(tags=["health"])
    forbidden = documented(403)
    router.add_api_route(
        "/healthz", routes.alive, methods=["GET"], responses={200: HEALTH, **forbidden}
    )
    router.add_api_route(
        "/readyz", routes.ready, methods=["GET"], responses={200: HEALTH, **documented(403, 503)}
    )
    return router


def _keyed(callers: Callers) -> type[APIRoute]:
    """Routes that look at the caller's key before they read the body."""

    class Keyed(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handle_with_key(request: Request) -> Response:
                caller = callers.named(request.headers.get("authorization"))
                if caller is None:
                    raise Refused(401, headers={"WWW-Authenticate": "Bearer"})
                request.state.caller = caller
                return await handle(request)

            return handle_with_key

    return Keyed
