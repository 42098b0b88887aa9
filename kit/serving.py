"""An ASGI app on this machine: in a daemon thread beside a notebook, or alone in a terminal.

Two rules. The socket is bound before anything else starts, so a busy port is an error here and not
silence in a thread. And whoever is served on loopback stands behind the `Guard`: a web page in the
user's browser can send requests to 127.0.0.1 too, and must get nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import json
import os
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kit.errors import ConfigError

if TYPE_CHECKING:
    import uvicorn

__all__ = ["ASGIApp", "Guard", "Served", "is_loopback", "serve", "serve_in_thread"]

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

START_LIMIT = 10.0
STOP_LIMIT = 5.0
BODY_LIMIT = 32 * 1024 * 1024


class Served:
    """A running server: `.url` without a slash at the end, `.port`, and `.stop()`."""

    def __init__(self, server: uvicorn.Server, thread: threading.Thread, url: str) -> None:
        self.url = url
        self.port = int(url.rpartition(":")[2])
        self._server = server
        self._thread = thread
        self._pid = os.getpid()

    def stop(self) -> None:
        """Close every connection and end the thread. Harmless twice, and in a forked child."""
        if os.getpid() != self._pid:
            return  # after a fork the thread lives in the parent alone
        self._server.should_exit = True
        if self._thread is not threading.current_thread():
            self._thread.join(STOP_LIMIT)

    def __repr__(self) -> str:
        return f"<Served {self.url}>"


def serve_in_thread(
    app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0, name: str = "kit-server"
) -> Served:
    """Serve `app` in a daemon thread and return once it answers; port 0 takes a free one.

    Raises `ConfigError` when the port is taken or the app refuses to start.
    """
    listener = _bind(host, port)
    server = _server(app, log_level="critical", grace=0)
    thread = threading.Thread(target=_run, args=(server, listener), name=name, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_LIMIT
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.001)
    if not server.started:
        server.should_exit = True
        raise ConfigError(f"The server {name} did not start on {host}.")
    return Served(server, thread, _url(host, listener.getsockname()[1]))


def serve(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    announce: Callable[[str], object] = lambda _url: None,
) -> None:
    """Serve `app` until Ctrl-C or SIGTERM; `announce(url)` is called once the port is ours.

    Raises `ConfigError` when the port is taken.
    """
    listener = _bind(host, port)
    announce(_url(host, listener.getsockname()[1]))
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn sends itself the signal once more
        _run(_server(app, log_level="warning", grace=1), listener)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, because asyncio sets TCP_NODELAY only on sockets whose protocol says TCP; without it
    # every keep-alive call waits 40 ms for a delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # on Windows the option would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise ConfigError(_why_not(error, host, port)) from None
    return listener


def _why_not(error: Exception, host: str, port: int) -> str:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use. Choose another port, or stop what listens there."
    if number == errno.EACCES:
        return f"Port {port} may not be used by this account. Choose one above 1023."
    return f"Cannot listen on {host} port {port}: {error}."


def _server(app: ASGIApp, *, log_level: str, grace: int) -> uvicorn.Server:
    import uvicorn

    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        log_config=None,  # its own would print into notebook cells
        access_log=False,
        log_level=log_level,
        server_header=False,
        timeout_graceful_shutdown=grace,
    )
    return uvicorn.Server(config)


def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    # asyncio.run may have been replaced by nest_asyncio; a runner with its own loop has not.
    with (
        contextlib.closing(listener),
        asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner,
        contextlib.suppress(SystemExit),  # a failed start; whoever waits sees `started` unset
    ):
        runner.run(server.serve(sockets=[listener]))


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Guard:
    """ASGI middleware for an app on loopback.

    Refuses a `Host` that is neither loopback nor in `hosts` (DNS rebinding) and an `Origin` from
    elsewhere with 403, a body that is not JSON with 415, and more than `body_limit` bytes with 413.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: Iterable[str] = (), body_limit: int = BODY_LIMIT
    ) -> None:
        self.app = app
        self.hosts = frozenset(host.lower() for host in hosts)
        self.body_limit = body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        headers = _headers(scope)
        refusal = self._refusal(scope["method"], headers)
        if refusal:
            return await _refuse(send, *refusal)
        await _Bounded(self.body_limit, receive, send).call(self.app, scope)

    def _refusal(self, method: str, headers: dict[str, list[str]]) -> tuple[int, str] | None:
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

    def __init__(self, limit: int, receive: Receive, send: Send) -> None:
        self.limit = limit
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
                await _refuse(self.send_, 413, _too_large(self.limit))
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


async def _refuse(send: Send, status: int, message: str) -> None:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    body = json.dumps({"error": error}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),  # the rest of a refused body is not read
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
