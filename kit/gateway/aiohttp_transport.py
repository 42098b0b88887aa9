"""An httpx transport over aiohttp: one request in, one response whose body streams.

Its rule: each failure becomes the httpx exception that says how far the request came. Before the
body's first byte it is a ConnectError or ConnectTimeout, while it is written a WriteError or
WriteTimeout, afterwards a RemoteProtocolError, ReadError or ReadTimeout. aiohttp holds back the
head of a request until its body starts, which is what makes the first of these certain.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import ssl
import weakref
from collections.abc import AsyncIterator, Callable
from typing import Any, Never

import aiohttp
import httpx
from aiohttp import payload
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict
from yarl import URL

from kit.gateway.proxies import Proxies, Route

__all__ = ["AiohttpTransport"]

PIECE = 256 * 1024  # bytes written under one write time-out
SMALL = 16 * 1024  # bytes that never wait to be written
BUSY_SECONDS = 0.5
_FAILURES = (aiohttp.ClientError, OSError, TimeoutError)
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

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` once; the response's body is read from `.stream`, then closed."""
        timeout: dict[str, float | None] = request.extensions.get("timeout", {})
        stream = request.stream
        content = (
            b"".join(stream) if isinstance(stream, httpx.ByteStream) else await request.aread()
        )
        body = _Body(content, timeout.get("write")) if content else None
        options = await self._options(request, timeout)
        pool = self._pool()
        await pool.enter(timeout.get("pool"))
        failure: Exception
        try:
            answer = await pool.session.request(request.method, data=body, **options)
        except _FAILURES as error:  # first: a certificate's failure is a ValueError as well
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
        _fail(_opening_failure(failure, body), failure)

    async def aclose(self) -> None:
        """Close every connection; those of other event loops are closed there."""
        pools, self._pools = self._pools, {}
        here = pools.pop(asyncio.get_running_loop(), None)
        for pool in pools.values():
            pool.abandon()
        if here is not None:
            await here.aclose()

    async def _options(
        self, request: httpx.Request, timeout: dict[str, float | None]
    ) -> dict[str, Any]:
        """What aiohttp's `request` takes, besides the method and the body."""
        scheme = request.url.scheme
        if scheme not in ("http", "https"):
            raise httpx.UnsupportedProtocol(f"An address starts with http:// or https://: {scheme}")
        options: dict[str, Any] = {
            "url": URL(str(request.url), encoded=True),
            "headers": _headers(request),
            "allow_redirects": False,
            "timeout": _client_timeout(timeout.get("connect"), timeout.get("read")),
        }
        route = self._proxies.route(request.url)
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
            for other in [other for other in self._pools if other.is_closed()]:
                self._pools.pop(other).abandon()
            pool = self._pools[loop] = _Pool(self, self._connections, self._idle)
        return pool


class _Pool:
    """The connections of one event loop in one process."""

    def __init__(self, owner: AiohttpTransport, connections: int, idle: float) -> None:
        self.loop = asyncio.get_running_loop()
        self.pid = os.getpid()
        self.permits = asyncio.Semaphore(connections)
        self.used = self.loop.time()
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=idle),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        # A client that nobody closed goes quietly, as httpx's own does.
        self.abandon = weakref.finalize(owner, _abandon, self.session, self.loop, self.pid)

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
        self.abandon.detach()
        await self.session.close()
        await asyncio.sleep(0)


class _Body(payload.Payload):
    """A request's body that knows how far it came, and has no limit on its size in memory."""

    def __init__(self, content: bytes, timeout: float | None) -> None:
        super().__init__(content, content_type="application/octet-stream")
        self._size = self._length = len(content)
        self._content = content
        self._timeout = timeout
        self.started = False
        self.finished = False

    async def write(self, writer: AbstractStreamWriter) -> None:
        self.started = True
        self.finished = False
        if self._length <= PIECE:
            await self._write_piece(writer, self._content)
        else:
            view = memoryview(self._content)
            for start in range(0, self._length, PIECE):
                await self._write_piece(writer, view[start : start + PIECE])
        self.finished = True

    async def _write_piece(
        self, writer: AbstractStreamWriter, piece: bytes | memoryview[int]
    ) -> None:
        if self._timeout is None or len(piece) < SMALL:
            await writer.write(piece)  # a socket's buffer takes it without waiting
        else:
            async with asyncio.timeout(self._timeout):
                await writer.write(piece)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._content.decode(encoding, errors)


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
            except (*_FAILURES, RuntimeError) as error:  # RuntimeError: the transport was closed
                failure = error
            else:
                if not piece:
                    self._leave()
                    return
                yield piece
        self._break_off()
        _fail(_reading_failure(failure), failure)

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


def _opening_failure(error: Exception, body: _Body | None) -> type[httpx.TransportError]:
    unsent = (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError, aiohttp.InvalidURL)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return httpx.ConnectTimeout
    if isinstance(error, unsent) or (body is not None and not body.started):
        return httpx.ConnectError
    if body is not None and not body.finished:
        return httpx.WriteTimeout if isinstance(error, TimeoutError) else httpx.WriteError
    return _reading_failure(error)


def _reading_failure(error: Exception) -> type[httpx.TransportError]:
    if isinstance(error, TimeoutError):
        return httpx.ReadTimeout
    disorder = (
        aiohttp.ServerDisconnectedError,
        aiohttp.ClientPayloadError,
        aiohttp.ClientResponseError,
    )
    return httpx.RemoteProtocolError if isinstance(error, disorder) else httpx.ReadError


def _fail(kind: type[httpx.TransportError], error: Exception) -> Never:
    """Raise `kind` because of `error`; an error that carries request headers is left behind."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        refusal = f"The proxy answered {error.status} {error.message}".rstrip()
        raise kind(refusal) from ConnectionRefusedError(refusal)
    if isinstance(error, aiohttp.ClientResponseError):
        raise kind(error.message or "The answer is not HTTP.") from error.__cause__
    raise kind(str(error) or type(error).__name__) from error


def _abandon(session: aiohttp.ClientSession, loop: asyncio.AbstractEventLoop, pid: int) -> None:
    """Close what nobody closed, without the warnings aiohttp logs for it."""
    if pid != os.getpid():
        # After a fork the sockets and the loop's poll set are the parent's: touch neither.
        _of_the_parent.append(session)
        return
    connector = session.connector
    session.detach()
    if connector is None or connector.closed:
        return
    if loop.is_closed():
        step = connector.close().__await__()
        next(step, None)  # on a closed loop there is nothing to wait for
    else:
        with contextlib.suppress(RuntimeError):  # it closed meanwhile
            loop.call_soon_threadsafe(_close_soon, connector)


def _close_soon(connector: aiohttp.BaseConnector) -> None:
    task = asyncio.ensure_future(_close(connector))
    _closing.add(task)
    task.add_done_callback(_closing.discard)


async def _close(connector: aiohttp.BaseConnector) -> None:
    await connector.close()
