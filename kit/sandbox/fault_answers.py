"""Faults that answer with something else than an answer: limits, gateways in pieces, wrong keys.

Each is called with how often this caller has met it (1 the first time) and returns the HTTP answer,
or None to let the request through.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from starlette.responses import Response

from kit.sandbox.problems import Refused, as_json

Refusal = Callable[[int], Response | None]

LIMITED = "Rate limit reached for requests. Please try again later."


def _error(
    status: int,
    message: str,
    *,
    kind: str = "invalid_request_error",
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Refusal:
    return lambda _count: Refused(status, message, kind=kind, code=code, headers=headers).response()


def limited(headers: Mapping[str, str]) -> Refusal:
    """A 429 that says with `headers` how long to wait."""
    return _error(429, LIMITED, kind="requests", code="rate_limit_exceeded", headers=headers)


def limited_at_first(count: int) -> Response | None:
    """Every first attempt is limited, every second goes through."""
    return limited({"retry-after-ms": "20"})(count) if count % 2 else None


def _litellm_limited(_count: int) -> Response:
    upstream = {"error": {"message": LIMITED, "type": "requests", "code": "rate_limit_exceeded"}}
    message = (
        f"litellm.RateLimitError: RateLimitError: OpenAIException - {json.dumps(upstream)}"
        "\n\nNo fallback is configured for model group 'sandbox'."
    )
    error = {"message": message, "type": "throttling_error", "param": None, "code": "429"}
    return as_json({"error": error}, status=429, headers={"llm_provider-retry-after": "7"})


def _html(_count: int) -> Response:
    page = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
    return Response(page, 502, media_type="text/html")


def _plain(_count: int) -> Response:
    return Response("Internal Server Error", 500, media_type="text/plain")


limited_seconds = limited({"retry-after": "1", "x-ratelimit-remaining-requests": "0"})
limited_milliseconds = limited({"retry-after-ms": "30", "retry-after": "7"})
limited_long = limited({"retry-after": "121"})
limited_by_litellm: Refusal = _litellm_limited
quota = _error(
    429,
    "You exceeded your current quota, please check your plan and billing details.",
    kind="insufficient_quota",
    code="insufficient_quota",
)
html: Refusal = _html
plain: Refusal = _plain
overloaded = _error(
    503, "The engine is overloaded.", kind="server_error", code="server_is_overloaded"
)
provider_overloaded = _error(529, "Overloaded", kind="overloaded_error")
too_long = _error(
    400,
    "Your input exceeds the context window of this model.",
    code="context_length_exceeded",
)
forbidden = _error(403, "This key may not use this model.", kind="permission_error")
no_database = _error(400, "No connected db.", kind="no_db_connection", code="400")
