"""Refusals in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`.

Everything that is wrong with a request is raised as a `Refused`, wherever it is noticed; the app
turns it into an answer in one place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response


class Refused(Exception):
    """The request gets an error for an answer."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        kind: str = "invalid_request_error",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error: dict[str, Any] = {
            "message": message,
            "type": kind,
            "param": param,
            "code": code,
        }
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The HTTP answer."""
        return as_json({"error": self.error}, status=self.status, headers=self.headers)


def as_json(
    body: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON answer that keeps Hangul as Hangul."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(
        text.encode("utf-8", "replace"), status, dict(headers or {}), "application/json"
    )
