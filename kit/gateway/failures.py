"""What came back instead of an answer: which error it is, and whether to send again.

Rules (the retry table of the wire contract):
- a create may have been accepted and billed, so it is sent again only when no byte of it left,
  or after an explicit 408, 409, 429, 503 or 529; a GET also after any 5xx and broken connection;
- a 429 about money is not repeated, nor is anything the gateway wants later than in two minutes;
- what a gateway says is redacted, stripped of addresses and cut short before a person sees it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, cast

from kit import errors
from kit.gateway.events import Wire, error_of

__all__ = ["Refusal", "error_for", "error_from", "read_refusal", "retry_delay", "server_hint"]

LONGEST_HINT = 120.0
"""Seconds; a gateway that wants more is not waited for (as the official SDK)."""

_AGAIN = {408, 409, 429, 503, 529}
_QUOTA = {
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "budget_exceeded",
}
_WRONG_KEY = {"no_db_connection", "auth_error", "invalid_api_key", "token_not_found_in_db"}
_LONGEST_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP answer that is none: `message` is fit to be shown."""

    status: int
    message: str
    code: str
    kind: str
    param: str | None = None
    request_id: str | None = None
    hint: float | None = None
    again: str | None = None

    @property
    def quota(self) -> bool:
        return self.status == 429 and bool({self.code, self.kind} & _QUOTA)


def read_refusal(status: int, headers: Mapping[str, str], body: bytes, *secrets: str) -> Refusal:
    """Read an error body in any of the shapes gateways use: nested, flat, `detail`, HTML, none."""
    error = _error_object(body)
    wrapped = _wrapped(str(error.get("message") or ""))
    code = str(wrapped.get("code") or error.get("code") or "")
    return Refusal(
        status=status,
        message=_shown(str(wrapped.get("message") or error.get("message") or ""), secrets),
        code="" if code == str(status) else code,
        kind=str(wrapped.get("type") or error.get("type") or ""),
        param=cast(str | None, error.get("param")) if isinstance(error.get("param"), str) else None,
        request_id=headers.get("x-request-id") or headers.get("x-litellm-call-id"),
        hint=server_hint(headers),
        again=headers.get("x-should-retry"),
    )


def retry_delay(attempt: int, refusal: Refusal, *, create: bool, jitter: float) -> float | None:
    """Seconds until the next try, None for no other; `attempt` from 0, `jitter` from 0 to 1."""
    if refusal.quota or refusal.again == "false":
        return None
    if (refusal.hint or 0) > LONGEST_HINT:
        return None
    again = refusal.status in _AGAIN or (
        not create and (refusal.status >= 500 or refusal.again == "true")
    )
    if not again:
        return None
    return refusal.hint if refusal.hint else backoff(attempt, jitter)


def backoff(attempt: int, jitter: float) -> float:
    """Half a second, doubled each time, eight at most, up to a quarter less at random."""
    return min(0.5 * 2**attempt, 8.0) * (1 - 0.25 * jitter)


def server_hint(headers: Mapping[str, str]) -> float | None:
    """When the server wants to be asked again, in seconds from now; None when it does not say."""
    for name, scale in (
        ("retry-after-ms", 0.001),
        ("retry-after", 1.0),
        ("llm_provider-retry-after-ms", 0.001),
        ("llm_provider-retry-after", 1.0),
    ):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * scale
        except ValueError:
            seconds = _until(value, headers.get("date"))
        if seconds is not None and 0 < seconds < 1e9:
            return seconds
    return None


def _until(moment: str, now: str | None) -> float | None:
    """Seconds to an HTTP date, by the server's own clock; ours may be wrong."""
    try:
        start = parsedate_to_datetime(now or "")
        return (parsedate_to_datetime(moment) - start).total_seconds()
    except (TypeError, ValueError):
        return None


def error_for(
    refusal: Refusal, *, method: str = "POST", path: str = "", model: str | None, keyed: bool
) -> errors.GatewayError:
    """The error of one refused request, worded for the person who made it."""
    kind, text = _kind_and_text(refusal, f"{method} {path}", model, keyed)
    silent = refusal.message.lower() in _PHRASES
    said = "" if silent else f" The gateway says: {refusal.message}"
    quote = refusal.status >= 500 and refusal.request_id
    return kind(
        text + said + (f"\nRequest id: {refusal.request_id}" if quote else ""),
        status=refusal.status,
        code=refusal.code or None,
        request_id=refusal.request_id,
        retry_after=refusal.hint,
    )


_Kind = type[errors.GatewayError]
_PHRASES = {"", "null"} | {status.phrase.lower() for status in HTTPStatus}
"""What says no more than the status does."""


def _kind_and_text(
    refusal: Refusal, request: str, model: str | None, keyed: bool
) -> tuple[_Kind, str]:
    if _is_about_the_key(refusal, keyed):
        what = "does not accept the key. Check LITELLM_API_KEY" if keyed else _NO_KEY
        return errors.AuthenticationFailed, f"The gateway {what}, or run %kit login."
    if _is_about_the_model(refusal):
        name = f" {model!r}" if model else ""
        return errors.ModelUnknown, (
            f"The gateway does not offer the model{name}; %kit models lists what it does."
        )
    if _TOO_LONG.search(f"{refusal.code} {refusal.message}"):
        return errors.BadRequest, "The prompt is longer than the model takes; shorten it."
    if refusal.status == 404 or (" /responses/" in request and _is_lost_id(refusal)):
        return errors.NotFound, _not_found(request)
    if refusal.status == 429:
        return _too_many(refusal)
    return _by_status(refusal, request)


def _by_status(refusal: Refusal, request: str) -> tuple[_Kind, str]:
    status = refusal.status
    if status == 403:
        return errors.AuthenticationFailed, "The gateway does not allow this with this key."
    if status == 408:
        return errors.TimedOut, "The gateway gave up waiting for the request; try again."
    if 300 <= status < 400:
        return errors.ProtocolError, (
            f"The gateway redirects (status {status}), which is not followed with a key. "
            "Set LITELLM_BASE_URL to its final address."
        )
    if status < 500:
        about = f" (about `{refusal.param}`)" if refusal.param else ""
        return errors.BadRequest, f"The gateway refused the request with status {status}{about}."
    if status in _AGAIN or not request.startswith("POST"):
        return (
            errors.ServerFailed,
            f"The gateway is overloaded or down (status {status}); try later.",
        )
    return errors.ServerFailed, (
        f"The gateway failed with status {status}. It may have taken the request, so it was "
        "not sent again; try again if a second run does no harm."
    )


def _too_many(refusal: Refusal) -> tuple[_Kind, str]:
    if refusal.quota:
        return errors.QuotaExceeded, (
            "A budget or quota at the gateway is used up; waiting does not help."
        )
    wait = f" {refusal.hint:,.0f} s" if refusal.hint and refusal.hint >= 1 else " a little"
    return errors.RateLimited, f"The gateway has too many requests; wait{wait} and try again."


def _not_found(request: str) -> str:
    if request == "POST /responses":
        return "The gateway has no /responses here: try %%chat, or check LITELLM_BASE_URL."
    if " /responses/" in request:
        return "The gateway does not know that response id, or no longer keeps it."
    return f"The gateway has no {request.partition(' ')[2]} here: check LITELLM_BASE_URL."


_NO_KEY = "wants a key and none is configured. Set LITELLM_API_KEY"
_TOO_LONG = re.compile(
    r"(?i)context_length_exceeded|contextwindowexceeded|maximum context length|context size"
)


def _is_lost_id(refusal: Refusal) -> bool:
    """LiteLLM's 400 for an id that it cannot route."""
    return refusal.status == 400 and "no healthy deployments" in refusal.message.lower()


def _is_about_the_key(refusal: Refusal, keyed: bool) -> bool:
    if refusal.status == 401 or {refusal.code, refusal.kind} & _WRONG_KEY:
        return True
    # LiteLLM without a database answers a missing key with a bare 500
    return refusal.status == 500 and not keyed and refusal.message == "Internal Server Error"


def _is_about_the_model(refusal: Refusal) -> bool:
    if refusal.code == "model_not_found":
        return True
    text = refusal.message.lower()
    return refusal.status in (400, 404) and (
        "invalid model name" in text or "model_not_found" in text
    )


def error_from(error: Wire, *secrets: str, status: int | None = None) -> errors.GatewayError:
    """The error of a stream's `error` frame, or of a response that ended `failed`."""
    message = _shown(str(error.get("message") or ""), secrets)
    code = str(error.get("code") or error.get("type") or "") or None
    kind = errors.ResponseFailed
    if code in _QUOTA:
        kind = errors.QuotaExceeded
    elif code in ("rate_limit_exceeded", "429", "slow_down", "too_many_requests"):
        kind = errors.RateLimited
    said = f": {message}" if message else f" without a reason (code {code})." if code else "."
    return kind(f"The model's response failed{said}", status=status, code=code)


# -- reading hostile text ----------------------------------------------------------------------


def _error_object(body: bytes) -> Wire:
    text = body[:65_536].decode("utf-8", "replace").strip()
    try:
        found = json.loads(text)
    except ValueError:
        if text[:1] == "<" or "<html" in text[:500].lower():
            return {"message": ""}
        return _error_in_frames(text) or {"message": text}
    if not isinstance(found, dict):
        return {"message": str(found)}
    found = cast(Wire, found)
    if found.get("error"):
        return error_of(found)
    detail: Any = found.get("detail")
    if isinstance(detail, str):
        return {"message": detail}
    return found if found.get("message") else {"message": ""}


def _error_in_frames(text: str) -> Wire | None:
    """LiteLLM sends some errors with status 500 as an event stream."""
    for line in text.splitlines():
        if line.startswith("data:") and '"error"' in line:
            try:
                return error_of(json.loads(line[5:]))
            except (ValueError, AttributeError):
                return None
    return None


def _wrapped(message: str) -> Wire:
    """The upstream's own error that LiteLLM puts, as JSON, into its message."""
    start = message.find('{"error"')
    if start < 0:
        start = message.find('{\\"error\\"')
        message = message.replace('\\"', '"')
        start = message.find('{"error"')
    if start < 0:
        return {}
    try:
        found, _ = json.JSONDecoder().raw_decode(message[start:])
    except ValueError:
        return {}
    return error_of(cast(Wire, found)) if isinstance(found, dict) else {}


_NOISE = (
    (re.compile(r"\s*\n\s*LiteLLM: .*", re.S), ""),
    (re.compile(r"^(?:(?:litellm\.)?\w*(?:Error|Exception)(?:: | - ))+"), ""),
    (re.compile(r"\s*model=\S+\. context_window_fallbacks=.*", re.S), ""),
    (re.compile(r"<[^<>]{0,200} object at 0x[0-9a-fA-F]+>"), "…"),
    (re.compile(r"(?i)\b(?:https?|wss?|redis|postgres(?:ql)?)://[^\s'\")]+"), "…"),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b"), "…"),
    (
        re.compile(
            r"(?i)\b(?:localhost|[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:internal|local|svc|lan))(?::\d+)?\b"
        ),
        "…",
    ),
    (re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]+"), " "),
)


def _shown(message: str, secrets: tuple[str, ...]) -> str:
    """`message` without keys, addresses and noise, 300 characters at most."""
    message = message[:20_000]
    for pattern, instead in _NOISE:
        message = pattern.sub(instead, message)
    message = errors.redact(message, *secrets).strip()
    return message if len(message) <= _LONGEST_MESSAGE else message[: _LONGEST_MESSAGE - 1] + "…"
