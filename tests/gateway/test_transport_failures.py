"""Each failure has the name that says how far the request came.

`UNSENT` is a promise: after one of these types no byte of the request has left.
"""

from __future__ import annotations

import asyncio
import gc
import ssl
import traceback
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
import trustme

from kit.gateway.transport import UNSENT, open_transport
from tests.gateway.loopback import (
    Handler,
    Reader,
    Writer,
    answering,
    read_request,
    reply,
    reset,
    serving,
)
from tests.ports import free_port

pytestmark = pytest.mark.anyio
KEY = "sk-very-secret"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def transport() -> AsyncIterator[httpx.AsyncBaseTransport]:
    opened = open_transport()
    yield opened
    await opened.aclose()
    gc.collect()


def request(url: str, body: bytes = b"{}", **timeout: float) -> httpx.Request:
    headers = {"authorization": f"Bearer {KEY}"}
    return httpx.Request(
        "POST", url, content=body, headers=headers, extensions={"timeout": timeout}
    )


async def failure(transport: httpx.AsyncBaseTransport, sent: httpx.Request) -> httpx.TransportError:
    """The error of sending `sent` and reading its whole response."""
    with pytest.raises(httpx.TransportError) as caught:
        response = await transport.handle_async_request(sent)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        async for _ in response.stream:
            pass
    return caught.value


def everything_shown(error: BaseException | None) -> str:
    """What a log, a debugger or a careless `repr` could show of an error and its causes."""
    shown = ""
    while error is not None:
        shown += "".join(traceback.format_exception(error)) + repr(error) + repr(error.args)
        error = error.__cause__ or error.__context__
    return shown


async def silence(reader: Reader, writer: Writer) -> None:
    await reader.read()


async def close_unread(reader: Reader, writer: Writer) -> None:
    await reader.read(1000)
    reset(writer)


async def hang_up(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    writer.close()


async def reset_unanswered(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    reset(writer)


def saying(answer: bytes, end: Callable[[Writer], None] | None = None) -> Handler:
    async def handle(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        writer.write(answer)
        await writer.drain()
        if end is None:
            await reader.read()
        else:
            await asyncio.sleep(0.05)
            end(writer)

    return handle


SENT: list[tuple[str, Handler, type[httpx.TransportError]]] = [
    ("it hangs up unanswered", hang_up, httpx.RemoteProtocolError),
    ("it resets unanswered", reset_unanswered, httpx.ReadError),
    ("it never answers", silence, httpx.ReadTimeout),
    ("it does not speak HTTP", saying(b"SSH-2.0-thing\r\n\r\n"), httpx.RemoteProtocolError),
    (
        "a header is too large",
        saying(reply(b"", "x-long: " + "x" * 100_000)),
        httpx.RemoteProtocolError,
    ),
    (
        "it cuts a body short",
        saying(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", lambda writer: writer.close()),
        httpx.RemoteProtocolError,
    ),
    (
        "it cuts a chunked body short",
        saying(CHUNKED, lambda writer: writer.close()),
        httpx.RemoteProtocolError,
    ),
    ("it resets within a body", saying(CHUNKED, reset), httpx.RemoteProtocolError),
    ("it falls silent within a body", saying(CHUNKED), httpx.ReadTimeout),
    (
        "what it calls gzip is none",
        saying(reply(b"plain text", "content-encoding: gzip")),
        httpx.RemoteProtocolError,
    ),
]


@pytest.mark.parametrize(
    ("handler", "kind"), [case[1:] for case in SENT], ids=[case[0] for case in SENT]
)
async def test_what_happens_after_sending_is_never_called_unsent(
    transport: httpx.AsyncBaseTransport, handler: Handler, kind: type[httpx.TransportError]
) -> None:
    async with serving(handler) as port:
        error = await failure(transport, request(f"http://127.0.0.1:{port}/", read=0.3))
    assert type(error) is kind
    assert not isinstance(error, UNSENT)
    assert KEY not in everything_shown(error)


async def test_a_refused_connection_is_a_connect_error_with_its_cause(
    transport: httpx.AsyncBaseTransport,
) -> None:
    error = await failure(transport, request(f"http://127.0.0.1:{free_port()}/"))
    assert type(error) is httpx.ConnectError
    assert isinstance(error.__cause__, OSError)
    assert KEY not in everything_shown(error)


async def test_a_name_nobody_knows_is_a_connect_error(
    transport: httpx.AsyncBaseTransport,
) -> None:
    error = await failure(transport, request("http://gateway.invalid/v1"))
    assert type(error) is httpx.ConnectError
    assert "gateway.invalid" in str(error)


@pytest.mark.parametrize("name", ["self-signed", "another host", "not TLS"])
async def test_a_tls_failure_is_a_connect_error(
    name: str, transport: httpx.AsyncBaseTransport
) -> None:
    async def refuse(reader: Reader, writer: Writer) -> None:
        await reader.read(1000)
        writer.write(reply(b"this is plain HTTP", status="400 Bad Request"))
        await writer.drain()

    async with serving(refuse, _server_tls(name)) as port:
        error = await failure(transport, request(f"https://localhost:{port}/", connect=5))
    assert type(error) is httpx.ConnectError
    assert error.__cause__ is not None


def _server_tls(name: str) -> ssl.SSLContext | None:
    if name == "not TLS":
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    host = "other.test" if name == "another host" else "localhost"
    trustme.CA().issue_cert(host).configure_cert(context)
    return context


async def test_a_handshake_that_never_ends_is_a_connect_timeout(
    transport: httpx.AsyncBaseTransport,
) -> None:
    async with serving(silence) as port:
        error = await failure(transport, request(f"https://127.0.0.1:{port}/", connect=0.3))
    assert type(error) is httpx.ConnectTimeout


async def test_waiting_too_long_for_a_connection_is_a_pool_timeout() -> None:
    transport = open_transport(connections=1)
    async with serving(saying(CHUNKED)) as port:
        open_stream = await transport.handle_async_request(request(f"http://127.0.0.1:{port}/"))
        error = await failure(transport, request(f"http://127.0.0.1:{port}/", pool=0.1))
        await open_stream.aclose()
        freed = await transport.handle_async_request(
            request(f"http://127.0.0.1:{port}/", pool=60.0)
        )
        await freed.aclose()
        await transport.aclose()
    assert type(error) is httpx.PoolTimeout


async def test_a_connection_lost_while_sending_is_a_write_error(
    transport: httpx.AsyncBaseTransport,
) -> None:
    async with serving(close_unread) as port:
        error = await failure(transport, request(f"http://127.0.0.1:{port}/", bytes(30_000_000)))
    assert type(error) is httpx.WriteError


async def test_a_server_that_stops_reading_is_a_write_timeout(
    transport: httpx.AsyncBaseTransport,
) -> None:
    async def deaf(reader: Reader, writer: Writer) -> None:
        await asyncio.sleep(1_000)

    async with serving(deaf) as port:
        sent = request(f"http://127.0.0.1:{port}/", bytes(30_000_000), write=0.3)
        error = await failure(transport, sent)
    assert type(error) is httpx.WriteTimeout


async def test_a_post_on_a_connection_that_dies_is_sent_once_and_may_have_arrived(
    transport: httpx.AsyncBaseTransport,
) -> None:
    """The race of keeping connections: the server hangs up as the next request comes."""
    seen: list[bytes] = []

    async def handle(reader: Reader, writer: Writer) -> None:
        seen.append((await read_request(reader))[1])
        writer.write(reply())
        seen.append((await read_request(reader))[1])
        writer.close()

    async with serving(handle) as port:
        url = f"http://127.0.0.1:{port}/"
        response = await transport.handle_async_request(request(url, b"1"))
        assert isinstance(response.stream, httpx.AsyncByteStream)
        assert [piece async for piece in response.stream] == [b"fine"]
        error = await failure(transport, request(url, b"2"))
        await asyncio.sleep(0.1)
    assert type(error) is httpx.RemoteProtocolError
    assert seen == [b"1", b"2"]


async def test_a_header_cannot_smuggle_a_line(transport: httpx.AsyncBaseTransport) -> None:
    async with serving(answering(reply())) as port:
        sent = request(f"http://127.0.0.1:{port}/")
        sent.headers["x-name"] = "a\r\nx-evil: 1"
        error = await failure(transport, sent)
    assert type(error) is httpx.LocalProtocolError
    assert KEY not in everything_shown(error)


async def test_an_address_of_another_kind_is_refused(transport: httpx.AsyncBaseTransport) -> None:
    error = await failure(transport, request("ftp://gateway.test/"))
    assert type(error) is httpx.UnsupportedProtocol


async def test_after_a_failure_the_connection_is_free_again() -> None:
    transport = open_transport(connections=1)
    async with serving(hang_up) as port:
        for _ in range(3):
            error = await failure(transport, request(f"http://127.0.0.1:{port}/", pool=60.0))
            assert type(error) is httpx.RemoteProtocolError
        await transport.aclose()
