"""What came back instead of an answer: which error it is, and whether to send again.

Rules (the retry table of the wire contract):
- a create may have been accepted and billed, so it is sent again only when no byte of it left,
  or after an explicit 408, 409, 429, 503 or 529; a GET also after any 5xx and broken connection;
- a 429 about money is not repeated, nor is anything the gateway wants later than in two minutes;
- a message begins with what happened and what to do; what the gateway says stands behind it, and
  only where it adds something.
"""

from __future__ import annotations

import re
from http import HTTPStatus

from kit import errors
from kit.gateway.events import Wire
from kit.gateway.refusal import Refusal, failure_code, shown, unwrapped

__all__ = [
    "backoff",
    "error_for",
    "error_from",
    "is_of_provider",
    "is_out_of_reach",
    "is_providers_time",
    "retry_delay",
]

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


_QUOTA_WORDS = re.compile(r"(?i)exceeded your current quota")
"""LiteLLM's bridge passes on what a provider says, without its code."""


def _is_quota(refusal: Refusal) -> bool:
    coded = bool({refusal.code, refusal.kind} & _QUOTA)
    return refusal.status == 429 and (coded or bool(_QUOTA_WORDS.search(refusal.message)))


def retry_delay(attempt: int, refusal: Refusal, *, create: bool, jitter: float) -> float | None:
    """Seconds until the next try, None for no other; `attempt` from 0, `jitter` from 0 to 1."""
    if _is_quota(refusal) or _keeps_nothing(refusal) or refusal.again == "false":
        return None
    if (refusal.hint or 0) > LONGEST_HINT or (create and _is_providers_time(refusal)):
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


def error_for(
    refusal: Refusal, *, method: str = "POST", path: str = "", model: str | None, keyed: bool
) -> errors.GatewayError:
    """The error of one refused request, worded for the person who made it."""
    kind, text = _kind_and_text(refusal, f"{method} {path}", model, keyed)
    unsaid = _EMPTY_WORDS.search(refusal.message)
    better = unsaid or _is_out_of_reach(refusal) or _keeps_nothing(refusal)
    silent = refusal.message.lower() in _PHRASES or better
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

_EMPTY_WORDS = re.compile(
    r"(?i)^No connected db|Invalid model name passed in|You passed in model=None"
)
"""LiteLLM's own words for what the message has just said better."""


def _kind_and_text(
    refusal: Refusal, request: str, model: str | None, keyed: bool
) -> tuple[_Kind, str]:
    if refusal.passed_on and refusal.status == 401:
        return errors.AuthenticationFailed, _PROVIDERS_KEY
    if _is_providers_time(refusal):
        return errors.TimedOut, _PROVIDERS_TIME
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
    if _keeps_nothing(refusal):
        return errors.NotFound, (
            "The provider of the model keeps no responses: what was answered cannot be fetched, "
            "cancelled or deleted by its id."
        )
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
    if _is_out_of_reach(refusal):
        return errors.ServerFailed, _NO_PROVIDER
    if status in _AGAIN or not request.startswith("POST"):
        return (
            errors.ServerFailed,
            f"The gateway is overloaded or down (status {status}); try later.",
        )
    return errors.ServerFailed, (
        f"The gateway failed with status {status}. It may have taken the request, so it was "
        "not sent again; try again if a second run does no harm."
    )


def is_of_provider(error: errors.KitError) -> bool:
    """Whether a refused key is the gateway's own, at the provider behind it."""
    return isinstance(error, errors.AuthenticationFailed) and str(error).startswith(_PROVIDERS_KEY)


def is_providers_time(error: errors.KitError) -> bool:
    """Whether it was the provider that took too long: it may have done, and counted, the work."""
    return isinstance(error, errors.TimedOut) and str(error).startswith(_PROVIDERS_TIME)


def _is_providers_time(refusal: Refusal) -> bool:
    """LiteLLM's 408: the request was understood, and passed on."""
    words = f"{refusal.kind} {refusal.code} {refusal.message}"
    return refusal.status == 408 and bool(_TIMEOUT.search(words))


def is_out_of_reach(error: errors.KitError) -> bool:
    """Whether the gateway could not reach the provider: for the moment, mostly."""
    return isinstance(error, errors.ServerFailed) and str(error).startswith(_NO_PROVIDER)


def _too_many(refusal: Refusal) -> tuple[_Kind, str]:
    if _is_quota(refusal):
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


_NO_PROVIDER = (
    "The gateway cannot reach the provider of the model; try later, or tell whoever "
    "runs the gateway."
)
_PROVIDERS_KEY = (
    "The provider of the model does not accept the gateway's own key; "
    "tell whoever runs the gateway."
)
_PROVIDERS_TIME = (
    "The provider of the model did not answer the gateway in time. It may have taken the request, "
    "so it was not sent again; try again if a second run does no harm."
)
_TIMEOUT = re.compile(r"\btimeout_error\b|litellm\.Timeout|APITimeoutError")
_NO_KEY = "wants a key and none is configured. Set LITELLM_API_KEY"
_TOO_LONG = re.compile(
    r"(?i)context_length_exceeded|contextwindowexceeded|maximum context length|context size"
    r"|exceeds the context window"
)


def _is_lost_id(refusal: Refusal) -> bool:
    """LiteLLM's 400 for an id that it cannot route."""
    return refusal.status == 400 and "no healthy deployments" in refusal.message.lower()


def _keeps_nothing(refusal: Refusal) -> bool:
    """LiteLLM's 500 for providers that it translates for."""
    return refusal.status == 500 and bool(_KEEPS_NOTHING.search(refusal.message))


_KEEPS_NOTHING = re.compile(r"\b(?:GET|CANCEL|DELETE) responses is not supported for \w")


def _is_about_the_key(refusal: Refusal, keyed: bool) -> bool:
    if refusal.status == 401 or {refusal.code, refusal.kind} & _WRONG_KEY:
        return True
    # LiteLLM without a database answers a missing key with a bare 500
    return refusal.status == 500 and not keyed and refusal.message == "Internal Server Error"


def _is_out_of_reach(refusal: Refusal) -> bool:
    """LiteLLM's 500 where no connection came about, so that nothing was taken."""
    return refusal.passed_on and bool(_OUT_OF_REACH.search(refusal.message))


_OUT_OF_REACH = re.compile(r"^Cannot connect to host|^Connection error\.?$")


def _is_about_the_model(refusal: Refusal) -> bool:
    if refusal.code == "model_not_found":
        return True
    text = refusal.message.lower()
    return refusal.status in (400, 404) and (
        "invalid model name" in text or "model_not_found" in text
    )


def error_from(error: Wire, *secrets: str, status: int | None = None) -> errors.GatewayError:
    """The error of a stream's `error` frame, or of a response that ended `failed`."""
    message = shown(str(unwrapped(error).get("message") or ""), *secrets)
    code = shown(failure_code(error), *secrets)[:100] or None
    kind = errors.ResponseFailed
    if code in _QUOTA:
        kind = errors.QuotaExceeded
    elif code in ("rate_limit_exceeded", "429", "slow_down", "too_many_requests"):
        kind = errors.RateLimited
    said = f": {message}" if message else f" without a reason (code {code})." if code else "."
    return kind(f"The model's response failed{said}", status=status, code=code)
