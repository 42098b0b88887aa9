"""Who may speak to an app on loopback: the guard that stands before it.

Rule: a web page in the user's browser can send requests to 127.0.0.1 too, under a name of its own
that resolves there, and must get nothing. Bodies are JSON, which a form cannot send, and bounded.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

__all__ = ["ASGIApp", "Guard", "Message", "Receive", "Refusal", "Scope", "Send", "is_loopback"]

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Refusal = Callable[[int, str], tuple[str, Mapping[str, Any]]]
"""Status and message -> the media type and the JSON of a refusal."""

BODY_LIMIT = 32 * 1024 * 1024


class Guard:
    """ASGI middleware for an app on loopback.

    Refuses a `Host` that is neither loopback nor in `hosts` (DNS rebinding) and an `Origin` from
    elsewhere with 403, a body that is not JSON with 415, and more than `body_limit` bytes with 413.
    `refusal` says how that looks; without it, as a gateway's errors do.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Iterable[str] = (),
        body_limit: int = BODY_LIMIT,
        refusal: Refusal | None = None,
    ) -> None:
        self.app = app
        self.refusal = refusal or _as_a_gateway
        self.hosts = frozenset(host.lower() for host in hosts)
        self.body_limit = body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        headers = _headers(scope)
        reason = self._reason_against(scope["method"], headers)
        if reason:
            return await _refuse(send, reason[0], *self.refusal(*reason))
        await _Bounded(self.body_limit, receive, send, self.refusal).call(self.app, scope)

    def _reason_against(self, method: str, headers: dict[str, list[str]]) -> tuple[int, str] | None:
        hosts = headers.get("host", [])
        if len(hosts) != 1 or not self._is_ours(_host_name(hosts[0])):
            return 403, "This server answers on its own address only (the Host header is foreign)."
        for origin in headers.get("origin", []):
            if not self._is_ours(_origin_host(origin)):
                return 403, "This server answers no page of another origin."
        if method not in ("POST", "PUT", "PATCH") or not _has_body(headers):
            return None
        kind = headers.get("content-type", [""])[0].partition(";")[0].strip().lower()
        if kind != "application/json":
            return 415, "Send the body as JSON, with Content-Type: application/json."
        length = headers.get("content-length", ["0"])[0]
        if length.isascii() and length.isdigit() and int(length) > self.body_limit:
            return 413, _too_large(self.body_limit)
        return None

    def _is_ours(self, host: str | None) -> bool:
        return host is not None and (host in self.hosts or is_loopback(host))


class _Bounded:
    """One call whose request body may not exceed `limit` bytes, however it is chunked."""

    def __init__(self, limit: int, receive: Receive, send: Send, refusal: Refusal) -> None:
        self.limit = limit
        self.refusal = refusal
        self.left = limit
        self.started = False
        self.receive_ = receive
        self.send_ = send

    async def call(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self.receive, self.send)
        except Exception:
            if self.left >= 0:
                raise

    async def receive(self) -> Message:
        message = await self.receive_()
        self.left -= len(message.get("body", b""))
        if self.left < 0:
            if not self.started:
                await _refuse(self.send_, 413, *self.refusal(413, _too_large(self.limit)))
            raise OSError("the request body is too large")
        return message

    async def send(self, message: Message) -> None:
        if self.left < 0:
            return  # the 413 is out; whatever the app makes of the broken body comes too late
        self.started = True
        await self.send_(message)


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _headers(scope: Scope) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def _host_name(host: str) -> str | None:
    """The name in a `Host` header, lower case, without port and brackets; None if it is none."""
    if "@" in host or "/" in host:
        return None
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises when it is no port
        return parts.hostname
    except ValueError:
        return None


def _origin_host(origin: str) -> str | None:
    scheme, _, host = origin.partition("://")
    return _host_name(host) if scheme in ("http", "https") else None


def _has_body(headers: dict[str, list[str]]) -> bool:
    """A body, or the claim of one. A POST without either is how a run is cancelled by hand."""
    return (
        "transfer-encoding" in headers
        or "content-type" in headers
        or headers.get("content-length", ["0"])[0] != "0"
    )


def _too_large(limit: int) -> str:
    return f"The request is too large; at most {limit:,} bytes are read."


def _as_a_gateway(status: int, message: str) -> tuple[str, Mapping[str, Any]]:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return "application/json", {"error": error}


async def _refuse(send: Send, status: int, kind: str, document: Mapping[str, Any]) -> None:
    body = json.dumps(document).encode()
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),  # the rest of a refused body is not read
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
