"""An ASGI app on this machine: in a daemon thread beside a notebook, or alone in a terminal.

Three rules. The socket is bound before anything else starts, so a busy port is an error here and
not silence in a thread. Whoever is served on loopback stands behind the `Guard` (serving_guard.py).
And an app may end what it streams before its connections are closed, so that readers get a whole
answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from kit.errors import ConfigError
from kit.serving_guard import ASGIApp, Guard, Message, Receive, Scope, Send, is_loopback

if TYPE_CHECKING:
    import uvicorn

__all__ = [
    "ASGIApp",
    "Guard",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "Served",
    "is_loopback",
    "serve",
    "serve_in_thread",
]

Step = Callable[[], Coroutine[Any, Any, object]]

log = logging.getLogger(__name__)

START_LIMIT = 10.0
STOP_LIMIT = 5.0
CLOSING_LIMIT = 15.0
BACKLOG = 2048  # connections that may wait to be taken; the system has a limit of its own


class Served:
    """A running server: `.url` without a slash at the end, `.port`, and `.stop()`."""

    def __init__(self, server: uvicorn.Server, thread: threading.Thread, url: str) -> None:
        self.url = url
        self.port = int(url.rpartition(":")[2])
        self._server = server
        self._thread = thread
        self._pid = os.getpid()

    def stop(self, limit: float = STOP_LIMIT) -> None:
        """Run `closing`, close every connection and end the thread; wait `limit` seconds for it.

        Harmless twice, and in a forked child.
        """
        if os.getpid() != self._pid:
            return  # after a fork the thread lives in the parent alone
        self._server.should_exit = True
        if self._thread is not threading.current_thread():
            self._thread.join(limit)

    def __repr__(self) -> str:
        return f"<Served {self.url}>"


def serve_in_thread(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    name: str = "kit-server",
    closing: Step | None = None,
) -> Served:
    """Serve `app` in a daemon thread and return once it answers; port 0 takes a free one.

    closing: as `serve` has it. Raises `ConfigError` when the port is taken or the app refuses to
    start, and what it raises itself while it starts.
    """
    listener = _bind(host, port)
    server = _server(app, "critical", 1 if closing else 0, closing)
    failures: list[Exception] = []

    def run() -> None:
        try:
            _run(server, listener)
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_LIMIT
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.001)
    if not server.started:
        server.should_exit = True
        if failures:
            raise failures[0]
        raise ConfigError(f"The server {name} did not start within {START_LIMIT:g} s.")
    return Served(server, thread, _url(host, listener.getsockname()[1]))


def serve(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    announce: Callable[[str], object] = lambda _url: None,
    closing: Step | None = None,
) -> None:
    """Serve `app` until Ctrl-C or SIGTERM; `announce(url)` is called once it has started.

    closing: awaited in the server's loop before connections are closed, for at most 15 s: the
    place to end endless streams, which would otherwise be cut. Raises as `serve_in_thread` does.
    """
    listener = _bind(host, port)
    url = _url(host, listener.getsockname()[1])
    server = _server(app, "warning", 1, closing, started=lambda: announce(url))
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn sends itself the signal once more
        _run(server, listener)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, because asyncio sets TCP_NODELAY only on sockets whose protocol says TCP; without it
    # every keep-alive call waits 40 ms for a delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # on Windows the option would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
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


def _server(
    app: ASGIApp,
    log_level: str,
    grace: int,
    closing: Step | None,
    started: Callable[[], object] = lambda: None,
) -> uvicorn.Server:
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            try:
                await super().startup(sockets)
            except SystemExit:
                raise starting.failure or ConfigError("The app refused to start.") from None
            logging.getLogger("uvicorn.error").setLevel(log_level.upper())
            started()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            if closing is not None:
                await _close(closing)
            await super().shutdown(sockets)

    starting = _Starting(app)
    config = uvicorn.Config(
        starting,
        http="h11",
        ws="none",
        log_config=None,  # its own would print into notebook cells
        access_log=False,
        log_level="critical",  # until it runs: a failed start is raised, not printed
        server_header=False,
        timeout_graceful_shutdown=grace,
        backlog=BACKLOG,
    )
    return Server(config)


class _Starting:
    """The app, and what it raises while it starts, which uvicorn would make a line of its log."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.failure: Exception | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            return await self.app(scope, receive, send)
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            self.failure = error
            raise


async def _close(closing: Step) -> None:
    """Whatever becomes of it, the server stops."""
    try:
        await asyncio.wait_for(closing(), CLOSING_LIMIT)
    except Exception as error:
        log.warning("The server stopped without all it had to do (%s).", type(error).__name__)


def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    # asyncio.run may have been replaced by nest_asyncio; a runner with its own loop has not.
    with (
        contextlib.closing(listener),
        asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner,
    ):
        runner.run(server.serve(sockets=[listener]))


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
