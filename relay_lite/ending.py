"""How a run ends: which code, in which words, and what is kept of the gateway's response (pure).

Rule: the words are our own. What a gateway says of its failures holds names of hosts, of keys, of
people's projects, and the caller is somebody else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, cast

from kit import errors
from kit.errors import KitError
from kit.gateway.events import Wire, error_of, objects
from kit.gateway.refusal import failure_code
from relay_lite.spending import Spent

__all__ = ["Failed", "failed_response", "failure_of", "kept_response"]

MOST_RESPONSE_BYTES = 8_000_000
MOST_DEPTH = 300
"""Of lists and objects in each other. Python reads a thousand, less all the calls around it."""


class Failed(KitError):
    """The run ends `failed`. `code` and the message are the caller's to read.

    `stops`: the gateway is told to stop. `uncertain`: it may run something we have no id of.
    `response` and `spent` are what the gateway ended with, where it did.
    """

    def __init__(
        self, code: str, message: str, *, stops: bool = False, uncertain: bool = False
    ) -> None:
        super().__init__(message)
        self.code = code
        self.stops = stops
        self.uncertain = uncertain
        self.response: Wire | None = None
        self.spent: Spent | None = None


KNOWN_CODES = {
    "server_error": "an error of its own",
    "rate_limit_exceeded": "its provider's rate limit",
    "insufficient_quota": "a quota that is used up",
    "invalid_prompt": "a prompt it does not take",
    "content_filter": "its content filter",
    "bio_policy": "its usage policy",
    "misalignment_policy_violation": "its usage policy",
    "data_residency_mismatch": "its rules of data residency",
    "vector_store_timeout": "a file search that took too long",
    "bad_request": "a request that its provider refused",
    "context_length_exceeded": "a prompt that is too long for the model",
    "invalid_api_key": "a key that its provider does not accept",
    "model_not_found": "a model that it does not offer",
}
"""What a gateway's code means; a code that is not here is not passed on."""

KINDS = {
    "rate_limit_exceeded": "rate_limited",
    "insufficient_quota": "rate_limited",
    "bad_request": "upstream_refused",
    "context_length_exceeded": "upstream_refused",
    "model_not_found": "upstream_refused",
    "invalid_api_key": "authentication_failed",
}
"""A refusal that came as a response that failed ends a run as the refusal would have."""


def failure_of(error: errors.KitError) -> Failed:
    """The end of a run that this error ends."""
    match error:
        case Failed():
            return error
        case errors.AuthenticationFailed():
            return Failed(
                "authentication_failed",
                "The gateway does not accept the key, or not for this:"
                " check LITELLM_API_KEY (a relay elsewhere has its own).",
            )
        case errors.QuotaExceeded():
            return Failed("rate_limited", "A budget or quota at the gateway is used up.")
        case errors.RateLimited():
            return Failed("rate_limited", "The gateway has too many requests; try again later.")
        case errors.ModelUnknown() | errors.ModelMissing():
            return Failed(
                "upstream_refused",
                "The gateway does not offer the research model: name another one, or set"
                " LITELLM_RESEARCH_MODEL.",
            )
        case errors.NotFound():
            return Failed("upstream_refused", "The gateway does not serve the responses API.")
        case errors.BadRequest() | errors.InputError():
            return Failed("upstream_refused", "The gateway refused the request as it is.")
        case errors.ResponseFailed():
            return Failed("upstream_error", f"The gateway's run failed{_because(error.code)}.")
        case errors.ConnectionFailed():
            return Failed("upstream_error", "The gateway cannot be reached.")
        case errors.ProtocolError():
            return Failed(
                "upstream_error",
                "What answered does not speak as a gateway does (a web page, a redirect):"
                " check LITELLM_BASE_URL (a relay elsewhere has its own).",
            )
        case _:
            return Failed("upstream_error", "The gateway failed before the run had ended.")


def failed_response(raw: Wire) -> Failed:
    """The end of a run whose response ended `failed`, or `cancelled` by somebody else."""
    if raw.get("status") == "cancelled":
        return Failed("upstream_error", "The run was cancelled at the gateway.")
    code = failure_code(error_of(raw))
    return Failed(KINDS.get(code, "upstream_error"), f"The gateway's run failed{_because(code)}.")


def _because(code: str | None) -> str:
    return f" because of {KNOWN_CODES[code]}" if code in KNOWN_CODES else ""


# -- what is kept --------------------------------------------------------------------------------

_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def kept_response(raw: Wire, limit: int = MOST_RESPONSE_BYTES) -> Wire | None:
    """The gateway's object as the store can hold it; None for none.

    Everything that was paid for is kept, as long as it fits into `limit` bytes of JSON and is not
    too deep; then the messages alone, then with what the object says of itself and no more, then
    that alone. What it says of an error is replaced.
    """
    if not raw:
        return None
    if raw.get("error"):
        error = failed_response(raw)
        raw = {**raw, "error": {"code": error.code, "message": str(error)}}
    for candidate in (raw, *_shorter(raw)):
        if _is_deep(candidate):
            continue
        text = json.dumps(candidate, ensure_ascii=False)
        if len(content := text.encode(errors="replace")) <= limit:
            return _plain(content.decode())
    return None


def _shorter(raw: Wire) -> list[Wire]:
    messages = [item for item in objects(raw.get("output")) if item.get("type") == "message"]
    head = {name: raw[name] for name in ("id", "object", "status", "model", "usage") if name in raw}
    cut: Wire = {"truncated_by_relay": True}
    return [
        {**raw, "output": messages, **cut},
        {**head, "output": messages, **cut},
        {**head, "output": [], **cut},
    ]


def _is_deep(raw: Wire) -> bool:
    """Whether something lies deeper in it than can be relied on to be written and read."""
    level: list[Any] = [raw]
    for _ in range(MOST_DEPTH):
        level = [inner for value in level for inner in _within(value)]
        if not level:
            return False
    return True


def _within(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return cast(dict[str, Any], value).values()
    return cast(list[Any], value) if isinstance(value, list) else ()


def _plain(text: str) -> dict[str, Any]:
    if "\\u0000" in text:
        text = _NUL.sub("\\1\N{REPLACEMENT CHARACTER}", text)
    return cast(dict[str, Any], json.loads(text))
