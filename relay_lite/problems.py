"""Refusals, in one shape: `application/problem+json` with `detail`, a sentence that can be shown.

Rule: whatever goes wrong is answered here, and nothing that came from outside is in the answer:
not the input, not what the gateway said, not what Python said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from kit.relay.contracts import TOO_LARGE
from relay_lite.store import Conflict, StoreFull, StoreUnavailable, TooMany

__all__ = ["PROBLEM", "Refused", "as_json", "documented", "handle_problems", "problem_body"]

PROBLEM = "application/problem+json"

SENTENCES = {
    400: "The body cannot be read as JSON.",
    401: "This relay wants a key: send it as Authorization: Bearer KEY.",
    403: "Invocation token is invalid",
    404: "Invocation not found",
    405: "This address does not take that method.",
    409: "The run has not ended.",
    413: "research_question: The text is longer than 100,000 characters.",
    415: "Send the body as JSON, with Content-Type: application/json.",
    422: "research_question: Field required",
    500: "The relay itself failed at this request; this is a fault in it.",
    502: "The gateway failed at this run.",
    503: "The relay's store cannot be reached now. Try again in a moment.",
    504: "The research takes longer than 300 s. It goes on: read it with its id and token.",
    507: "The relay's store is full. Delete runs that are read, or make room on its disk.",
}
"""What the documentation shows for each status; some are the very sentences."""


class Refused(Exception):
    """The request gets a problem for an answer. `extra`: further members of it."""

    def __init__(
        self,
        status: int,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **extra: object,
    ) -> None:
        self.status = status
        self.detail = detail or SENTENCES[status]
        super().__init__(self.detail)
        self.headers = dict(headers or {})
        self.extra = extra

    def response(self) -> Response:
        body = problem_body(self.status, self.detail) | self.extra
        return as_json(body, self.status, self.headers, media_type=PROBLEM)


def problem_body(status: int, detail: str) -> dict[str, Any]:
    """A problem as a JSON object."""
    title = HTTPStatus(status).phrase
    return {"type": "about:blank", "title": title, "status": status, "detail": detail}


def as_json(
    body: object,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    media_type: str = "application/json",
) -> Response:
    """A JSON answer that keeps Hangul as Hangul, whatever else a gateway put into its texts."""
    content = json_text(body).encode("utf-8", "replace")
    return Response(content, status, dict(headers or {}), media_type)


def json_text(body: object) -> str:
    """One line of JSON. A gateway's NaN becomes null: Python reads it, and JSON has none."""
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        strict = json.loads(json.dumps(body), parse_constant=lambda _name: None)
        return json.dumps(strict, ensure_ascii=False, separators=(",", ":"))


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These problems for the OpenAPI of a route."""
    return {status: _documented(status) for status in statuses}


def _documented(status: int) -> dict[str, Any]:
    content = {
        "schema": {"$ref": "#/components/schemas/Problem"},
        "example": problem_body(status, SENTENCES[status]),
    }
    return {"description": HTTPStatus(status).phrase, "content": {PROBLEM: content}}


def handle_problems(app: FastAPI) -> None:
    """Let `app` answer everything that goes wrong as a problem."""
    handlers: dict[Any, Any] = {
        Refused: _refused,
        RequestValidationError: _invalid,
        HTTPException: _of_http,
        Conflict: _conflict,
        TooMany: _too_many,
        StoreFull: _full,
        StoreUnavailable: _away,
        Exception: _broken,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


async def _refused(_request: Request, refused: Refused) -> Response:
    return refused.response()


async def _invalid(_request: Request, error: RequestValidationError) -> Response:
    """The first thing that is wrong: where, and in the checker's words, which repeat no input."""
    first = cast(dict[str, Any], error.errors()[0])
    if first["type"] == "json_invalid":
        return Refused(422, SENTENCES[400]).response()
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    detail = f"{place}: {first['msg']}" if place else str(first["msg"])
    return Refused(413 if first["type"] == TOO_LARGE else 422, detail).response()


async def _of_http(_request: Request, error: HTTPException) -> Response:
    sentences = {**SENTENCES, 404: "There is nothing at this address."}
    detail = sentences.get(error.status_code, "The request cannot be answered.")
    return Refused(error.status_code, detail, headers=error.headers).response()


async def _conflict(_request: Request, _error: Conflict) -> Response:
    detail = "This Idempotency-Key was used before, with another request."
    return Refused(422, detail, code="idempotency_key_reused").response()


async def _too_many(_request: Request, _error: TooMany) -> Response:
    detail = (
        "The relay keeps as many runs as it may (RELAY_MAX_INVOCATIONS), and none of them has ended"
        " and been read. Read or delete one."
    )
    return Refused(503, detail, headers={"Retry-After": "30"}, code="too_many").response()


async def _full(_request: Request, _error: StoreFull) -> Response:
    return Refused(507, code="store_full").response()


async def _away(_request: Request, _error: StoreUnavailable) -> Response:
    return Refused(503, headers={"Retry-After": "2"}, code="store_unavailable").response()


async def _broken(_request: Request, _error: Exception) -> Response:
    # The server ends the connection of a failed app, so the caller must know not to use it again.
    return Refused(500, headers={"Connection": "close"}).response()
