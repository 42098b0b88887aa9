"""The body of an HTTP answer: read within limits, decoded, and checked to be an answer at all.

Rule: a status of 200 promises nothing. What comes may be a page, half a JSON, an error object or
some other program's greeting, and each is said to be what it is.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import cast

import httpx

from kit import errors
from kit.gateway import failures
from kit.gateway.events import Wire, error_of
from kit.gateway.json_text import read_json
from kit.gateway.refusal import shown

__all__ = [
    "MAX_BODY_BYTES",
    "answer_in",
    "decoded",
    "headers_of",
    "is_answer",
    "not_json",
    "read_bounded",
    "scrubbed",
    "stream_of",
]

MAX_BODY_BYTES = 64 * 2**20
"""Of an answer that is no stream."""


def decoded(body: bytes, headers: Mapping[str, str]) -> Wire:
    """The JSON object in `body`. Raises ProtocolError for anything else, HTML above all."""
    try:
        raw = read_json(body.decode(json.detect_encoding(body), "replace"))
    except (ValueError, RecursionError):
        raise not_json(headers, body) from None
    if not isinstance(raw, dict):
        raise errors.ProtocolError("The gateway answered with JSON that is no object.")
    return cast(Wire, raw)


def not_json(headers: Mapping[str, str], body: bytes = b"") -> errors.ProtocolError:
    kind = headers.get("content-type", "").partition(";")[0].strip()
    html = "html" in kind or body[:200].lstrip()[:1] == b"<"
    what = "a web page" if html else f"{shown(kind)[:60] or 'something'} that cannot be read"
    return errors.ProtocolError(
        f"The gateway answered with {what} where JSON belongs. "
        "Check that LITELLM_BASE_URL is the gateway itself and not a page or a login before it."
    )


def answer_in(raw: Wire, *secrets: str, status: int | None = 200) -> Wire:
    """`raw`, if it is a response or a completion; else the error it holds is raised."""
    if is_answer(raw):
        return raw
    if raw.get("error"):
        raise failures.error_from(error_of(raw), *secrets, status=status)
    raise errors.ProtocolError(
        "The gateway answered with JSON that is no answer of a model. "
        "Check that LITELLM_BASE_URL is the gateway itself."
    )


def is_answer(raw: Wire) -> bool:
    kinds = ("response", "chat.completion")
    return raw.get("object") in kinds or "output" in raw or "choices" in raw


async def read_bounded(response: httpx.Response, limit: int, *, cut: bool = False) -> bytes:
    """The whole body, closed afterwards; over `limit` bytes it is cut, or ProtocolError."""
    pieces: list[bytes] = []
    size = 0
    try:
        async for piece in stream_of(response):
            size += len(piece)
            pieces.append(piece)
            if size > limit:
                if cut:
                    break
                raise errors.ProtocolError(f"The gateway's answer is larger than {limit:,} bytes.")
    finally:
        await response.aclose()
    return b"".join(pieces)[:limit]


def scrubbed(content: bytes, secrets: tuple[str, ...]) -> bytes:
    """`content` without the secrets that a gateway put into it."""
    for secret in secrets:
        for form in (secret, secret.replace("/", "\\/")):
            if form.encode() in content:
                content = content.replace(form.encode(), b"***")
    return content


def headers_of(response: httpx.Response, secrets: tuple[str, ...]) -> dict[str, str]:
    """The headers, lower-case, without secrets that a gateway put into them."""
    headers = dict(response.headers.items())  # `dict(response.headers)` looks each name up again
    for secret in secrets:
        for name, value in headers.items():
            if secret in value:
                headers[name] = value.replace(secret, "***")
    return headers


def stream_of(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body's pieces as they arrive. The transport has already decompressed them."""
    return cast(httpx.AsyncByteStream, response.stream).__aiter__()
