"""An httpx transport over aiohttp: one request in, one response whose body streams.

Its rule: every event loop has a pool of its own, every request takes a permit from it, and the
permit comes back exactly once: when the body ends, breaks off, is closed or forgotten. What a
failure is called is in `aiohttp_progress`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import ssl
import weakref
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import httpx
from multidict import CIMultiDict
from yarl import URL

from kit.gateway.aiohttp_progress import (
    FAILURES,
    Body,
    fail,
    opening_failure,
    reading_failure,
)
from kit.gateway.proxies import Proxies, Route

__all__ = ["AiohttpTransport"]

BUSY_SECONDS = 0.5
LONGEST_HEADER = 64 * 1024
"""Bytes: gateways and the proxies before them put policies, traces and lists of fallbacks into one.
aiohttp's own 8 KB would lose an answer that was made and paid for."""

_closing: set[asyncio.Task[None]] = set()
_of_the_parent: list[aiohttp.ClientSession] = []


class AiohttpTransport(httpx.AsyncBaseTransport):
    """See `open_transport`; `tls` is called for the first https request only."""

    def __init__(
        self,
        *,
        tls: Callable[[], ssl.SSLContext],
        proxies: Proxies,
        connections: int,
        idle: float,
    ) -> None:
        self._tls = tls
        self._proxies = proxies
        self._connections = connections
        self._idle = idle
        self._pools: dict[asyncio.AbstractEventLoop, _Pool] = {}
        # A client that nobody closed goes quietly, as httpx's own does. At the interpreter's end
        # the last that was registered goes first: this is here and not with the first request, so
        # that what was started with this transport is stopped while it can still send.
        weakref.finalize(self, _abandon_all, self._pools)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` once; the response's body is read from `.stream`, then closed."""
        timeout: dict[str, float | None] = request.extensions.get("timeout", {})
        stream = request.stream
        content = (
            b"".join(stream) if isinstance(stream, httpx.ByteStream) else await request.aread()
        )
        body = Body(content, timeout.get("write")) if content else None
        options = await self._options(request, timeout)
        pool = self._pool()
        await pool.enter(timeout.get("pool"))
        failure: Exception
        try:
            answer = await pool.session.request(request.method, data=body, **options)
        except FAILURES as error:  # first: a certificate's failure is a ValueError as well
            failure = error
        except ValueError as error:
            pool.leave()
            raise httpx.LocalProtocolError(str(error)) from error
        except BaseException:
            pool.leave()
            raise
        else:
            return _response(request, answer, pool)
        pool.leave()
        # Outside of `except`, so that aiohttp's error, which may hold headers, is no context.
        fail(opening_failure(failure, body), failure)

    async def aclose(self) -> None:
        """Close every connection; those of other event loops are closed there."""
        here = self._pools.pop(asyncio.get_running_loop(), None)
        _abandon_all(self._pools)
        if here is not None:
            await here.aclose()

    async def _options(
        self, request: httpx.Request, timeout: dict[str, float | None]
    ) -> dict[str, Any]:
        """What aiohttp's `request` takes, besides the method and the body."""
        scheme = request.url.scheme
        if scheme not in ("http", "https"):
            raise httpx.UnsupportedProtocol(f"An address starts with http:// or https://: {scheme}")
        route = self._proxies.route(request.url)  # may raise: before a variable holds the key
        options: dict[str, Any] = {
            "url": URL(str(request.url), encoded=True),
            "headers": _headers(request),
            "allow_redirects": False,
            "timeout": _client_timeout(timeout.get("connect"), timeout.get("read")),
        }
        if route is not None:
            _through(route, options, tunnel=scheme == "https")
        if scheme == "https" or (route is not None and route.address.startswith("https:")):
            # Reading the system's certificates blocks, and must not stop the loop.
            options["ssl"] = await asyncio.to_thread(self._tls)
        return options

    def _pool(self) -> _Pool:
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None or pool.pid != os.getpid():
            if pool is not None:
                pool.abandon()
            for other in [other for other in self._pools if other.is_closed()]:
                self._pools.pop(other).abandon()
            pool = self._pools[loop] = _Pool(self._connections, self._idle)
        return pool


class _Pool:
    """The connections of one event loop in one process."""

    def __init__(self, connections: int, idle: float) -> None:
        self.loop = asyncio.get_running_loop()
        self.pid = os.getpid()
        self.permits = asyncio.Semaphore(connections)
        self.used = self.loop.time()
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=idle),
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=LONGEST_HEADER,
            max_field_size=LONGEST_HEADER,
            trust_env=False,
        )

    async def enter(self, timeout: float | None) -> None:
        """Wait for one of the connections to be free."""
        if self.permits.locked():
            try:
                async with asyncio.timeout(timeout):
                    await self.permits.acquire()
            except TimeoutError as error:
                raise httpx.PoolTimeout("Every connection was busy for too long.") from error
        else:
            await self.permits.acquire()
        now = self.loop.time()
        if now - self.used > BUSY_SECONDS:
            # In a notebook the loop may not have run since the last request. Two turns let it see
            # which idle connections the server closed, before one of them gets a POST.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        self.used = now

    def leave(self) -> None:
        self.used = self.loop.time()
        self.permits.release()

    async def aclose(self) -> None:
        await self.session.close()
        await asyncio.sleep(0)

    def abandon(self) -> None:
        """Close what nobody closed, without the warnings aiohttp logs for it."""
        if self.pid != os.getpid():
            # After a fork the sockets and the loop's poll set are the parent's: touch neither.
            _of_the_parent.append(self.session)
            return
        connector = self.session.connector
        self.session.detach()
        if connector is None or connector.closed:
            return
        if self.loop.is_closed():
            step = connector.close().__await__()
            next(step, None)  # on a closed loop there is nothing to wait for
        else:
            with contextlib.suppress(RuntimeError):  # it closed meanwhile
                self.loop.call_soon_threadsafe(_close_soon, connector)


class _Stream(httpx.AsyncByteStream):
    """A response's body, in the pieces in which it arrives."""

    def __init__(self, answer: aiohttp.ClientResponse, pool: _Pool) -> None:
        self._answer = answer
        self._pool: _Pool | None = pool

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = self._answer.content.readany
        failure: Exception | None = None
        while failure is None:
            try:
                piece = await read()
            except (*FAILURES, RuntimeError) as error:  # RuntimeError: the transport was closed
                failure = error
            else:
                if not piece:
                    self._leave()
                    return
                yield piece
        self._break_off()
        fail(reading_failure(failure), failure)

    async def aclose(self) -> None:
        """End the response; one that had more to say loses its connection at once."""
        if self._pool is not None:
            self._break_off()
            await asyncio.sleep(0)  # the turn in which the socket closes

    def __del__(self) -> None:
        pool = self._pool
        if pool is not None and pool.pid == os.getpid() and pool.loop.is_running():
            pool.loop.call_soon_threadsafe(self._break_off)

    def _break_off(self) -> None:
        connection = self._answer.connection
        if connection is not None and connection.transport is not None:
            # Closing would first wait for the peer's farewell in TLS.
            connection.transport.abort()
        self._answer.close()
        self._leave()

    def _leave(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.leave()


HANGS_UP = "llama.cpp"
"""Says that it keeps the connection, and hangs up behind a stream: the next POST would break."""


@functools.lru_cache(maxsize=64)
def _client_timeout(connect: float | None, read: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, connect=connect, sock_read=read)


def _headers(request: httpx.Request) -> CIMultiDict[str]:
    """The request's headers in order and as often as given; the framing is aiohttp's."""
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in request.headers.raw:
        try:
            headers.add(name.decode("ascii"), value.decode("utf-8"))
        except UnicodeDecodeError:
            headers.add(name.decode("ascii"), value.decode("latin-1"))
    headers.pop("transfer-encoding", None)
    return headers


def _through(route: Route, options: dict[str, Any], *, tunnel: bool) -> None:
    options["proxy"] = URL(route.address)
    if route.authorization is not None:
        if tunnel:
            options["proxy_headers"] = {"Proxy-Authorization": route.authorization}
        else:
            options["headers"]["Proxy-Authorization"] = route.authorization


def _response(
    request: httpx.Request, answer: aiohttp.ClientResponse, pool: _Pool
) -> httpx.Response:
    headers = list(answer.raw_headers)
    if answer.headers.get("Server") == HANGS_UP and answer.connection is not None:
        protocol = answer.connection.protocol
        if protocol is not None and answer.content_type == "text/event-stream":
            protocol.force_close()
    if "Content-Encoding" in answer.headers:  # the stream is already decoded
        gone = (b"content-encoding", b"content-length")
        headers = [pair for pair in headers if pair[0].lower() not in gone]
    extensions: dict[str, Any] = {"http_version": b"HTTP/1.1"}
    if answer.reason:
        extensions["reason_phrase"] = answer.reason.encode("ascii", "replace")
    return httpx.Response(
        answer.status,
        headers=headers,
        stream=_Stream(answer, pool),
        extensions=extensions,
        request=request,
    )


def _abandon_all(pools: dict[asyncio.AbstractEventLoop, _Pool]) -> None:
    while pools:
        pools.popitem()[1].abandon()


def _close_soon(connector: aiohttp.BaseConnector) -> None:
    task = asyncio.ensure_future(_close(connector))
    _closing.add(task)
    task.add_done_callback(_closing.discard)


async def _close(connector: aiohttp.BaseConnector) -> None:
    await connector.close()
