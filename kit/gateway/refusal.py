"""Reading what a gateway says instead of an answer.

Rules: the body of a refusal has any shape, or none (nested, flat, `detail`, frames, HTML, empty);
what it says is hostile until `shown` has taken keys, addresses and noise out of it and cut it
short. Every pattern here is linear in the text: a gateway chooses the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, cast

from kit.errors import redact
from kit.gateway.events import Wire, error_of
from kit.gateway.json_text import read_json

__all__ = ["Refusal", "failure_code", "read_refusal", "server_hint", "shown", "unwrapped"]

LONGEST_MESSAGE = 300
LONGEST_READ = 4_000
"""Characters of a message that are looked at: noise comes first, what is shown is far shorter."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP answer that is none: `message` is fit to be shown.

    passed_on: it was no word of LiteLLM's own, but of the provider behind it.
    """

    status: int
    message: str
    code: str
    kind: str
    param: str | None = None
    request_id: str | None = None
    hint: float | None = None
    again: str | None = None
    passed_on: bool = False


def read_refusal(status: int, headers: Mapping[str, str], body: bytes, *secrets: str) -> Refusal:
    """Read an error body. `headers`: lower-case; `secrets` are taken out of the message."""
    said = _error_object(body)
    error = unwrapped(said)
    code = shown(str(error.get("code") or ""), *secrets)[:100]
    param = error.get("param")
    request_id = headers.get("x-request-id") or headers.get("x-litellm-call-id") or ""
    return Refusal(
        status=status,
        message=shown(str(error.get("message") or ""), *secrets),
        code="" if code == str(status) else code,
        kind=shown(str(error.get("type") or ""), *secrets)[:100],
        param=shown(param, *secrets)[:60] if isinstance(param, str) else None,
        request_id=shown(request_id, *secrets)[:200] or None,
        hint=server_hint(headers),
        again=headers.get("x-should-retry"),
        passed_on=str(said.get("message") or "").startswith("litellm."),
    )


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
    except (TypeError, ValueError, OverflowError):  # OverflowError: a zone or a year beyond all
        return None


# -- the shapes of an error body ---------------------------------------------------------------


def _error_object(body: bytes) -> Wire:
    text = body[:65_536].decode("utf-8", "replace").strip()
    try:
        found = read_json(text)
    except (ValueError, RecursionError):
        if text[:1] == "<" or "<html" in text[:500].lower():
            return {"message": ""}
        return _error_in_frames(text) or {"message": text}
    if not isinstance(found, dict):
        return {"message": str(found) if isinstance(found, str) else ""}
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
                return error_of(read_json(line[5:]))
            except (ValueError, AttributeError, RecursionError):
                return None
    return None


def unwrapped(error: Wire) -> Wire:
    """`error` as the upstream had it, where LiteLLM has put that, as JSON, into its message."""
    inner = _wrapped(str(error.get("message") or ""))
    return {**error, **{name: value for name, value in inner.items() if value}}


def failure_code(error: Wire) -> str:
    """The code of a response that failed: the upstream's, or what LiteLLM's exception means.

    LiteLLM's polling makes every refusal of an upstream a response that failed, with one code.
    """
    code = str(unwrapped(error).get("code") or error.get("type") or "")
    if code not in ("", "background_streaming_error"):
        return code
    named = _EXCEPTION.match(str(error.get("message") or ""))
    return _MEANT.get(named[1] or named[2], code) if named else code


_EXCEPTION = re.compile(r"litellm\.(\w+(?:Error|Exception))\b|.{0,40}(Invalid model name passed)")
"""How LiteLLM begins what an upstream said, and one thing of its own."""

_MEANT = {
    "RateLimitError": "rate_limit_exceeded",
    "ContextWindowExceededError": "context_length_exceeded",
    "AuthenticationError": "invalid_api_key",
    "BadRequestError": "bad_request",
    "Invalid model name passed": "model_not_found",
}


def _wrapped(message: str) -> Wire:
    start = message.find('{"error"')
    if start < 0:
        message = message.replace('\\"', '"')
        start = message.find('{"error"')
    if start < 0:
        return {}
    try:
        found, _ = json.JSONDecoder().raw_decode(message[start:])
    except (ValueError, RecursionError):
        return {}
    return error_of(cast(Wire, found)) if isinstance(found, dict) else {}


# -- hostile text ------------------------------------------------------------------------------

_END_OF_SENSE = ("\nLiteLLM: ", "\nTraceback (most recent call last)", " context_window_fallbacks=")
"""Where LiteLLM's own affairs begin: groups, fallbacks, tracebacks."""

_NOISE = (
    (re.compile(r"^(?:(?:litellm\.)?\w*(?:Error|Exception)(?:: | - ))+"), ""),
    (re.compile(r"\smodel=\S+\.$"), ""),
    (re.compile(r"<[^<>]{0,200} object at 0x[0-9a-fA-F]+>"), "…"),
    (re.compile(r"(?i)\b(?:https?|wss?|rediss?|postgres(?:ql)?)://[^\s'\")]+"), "…"),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b"), "…"),
    (re.compile(r"\[(?=[^\]]{0,40}:[^\]]{0,40}:)[0-9a-fA-F:.]{2,45}\](?::\d+)?"), "…"),
    (re.compile(r"(?i)\bhost [a-z0-9._\-]+(?::\d+)?"), "host …"),
    (re.compile(r"\b[0-9a-fA-F]{40,}\b"), "…"),
    (
        re.compile(
            r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+"
        ),
        " ",
    ),
)
_NAMES = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:\-]*")
_INSIDE = (".internal", ".local", ".svc", ".lan", ".localdomain", ".intranet", ".corp")


def shown(message: str, *secrets: str) -> str:
    """`message` without keys, addresses and noise, 300 characters at most."""
    message = redact(message, *secrets)
    message = re.sub(r"\s+", lambda gap: "\n" if "\n" in gap[0] else " ", message)
    for mark in _END_OF_SENSE:
        message = message.partition(mark)[0]
    message = message[:LONGEST_READ].strip()
    for pattern, instead in _NOISE:
        message = pattern.sub(instead, message)
    message = redact(_NAMES.sub(_without_inner_host, message), *secrets).strip()
    return message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 1] + "…"


def _without_inner_host(found: re.Match[str]) -> str:
    name = found[0].partition(":")[0].rstrip(".").lower()
    return "…" if name == "localhost" or name.endswith(_INSIDE) else found[0]
