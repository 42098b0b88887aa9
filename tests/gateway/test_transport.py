"""The transport over real sockets: what arrives, when, and what each failure is called."""

from __future__ import annotations

import asyncio
import gc
import gzip
import time
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest

from kit.gateway.transport import open_transport
from tests.gateway.loopback import Reader, Writer, answering, read_request, reply, serving

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def transport() -> AsyncIterator[httpx.AsyncBaseTransport]:
    opened = open_transport()
    yield opened
    await opened.aclose()
    gc.collect()  # whatever was left open complains here


def post(port: int, body: bytes = b"{}", **timeout: float) -> httpx.Request:
    headers = {"authorization": "Bearer sk-secret"}
    url = f"http://127.0.0.1:{port}/v1/responses"
    return httpx.Request(
        "POST", url, content=body, headers=headers, extensions={"timeout": timeout}
    )


async def content(response: httpx.Response) -> bytes:
    assert isinstance(response.stream, httpx.AsyncByteStream)
    pieces = [piece async for piece in response.stream]
    await response.aclose()
    return b"".join(pieces)


async def test_a_request_arrives_as_it_was_made(transport: httpx.AsyncBaseTransport) -> None:
    seen: list[tuple[str, bytes]] = []

    async def handle(reader: Reader, writer: Writer) -> None:
        seen.append(await read_request(reader))
        writer.write(reply())

    async with serving(handle) as port:
        request = post(port, b'{"a": 1}')
        request.headers = httpx.Headers(
            [*request.headers.multi_items(), ("x-a", "1"), ("x-a", "2")]
        )
        response = await transport.handle_async_request(request)
        assert await content(response) == b"fine"
    [(head, body)] = seen
    assert head.startswith("POST /v1/responses HTTP/1.1\r\n")
    assert body == b'{"a": 1}'
    lines = head.lower().split("\r\n")
    for line in ("authorization: bearer sk-secret", "content-length: 8", "x-a: 1", "x-a: 2"):
        assert lines.count(line) == 1
    assert sum(line.startswith("host:") for line in lines) == 1


async def test_status_reason_and_repeated_headers_come_back(
    transport: httpx.AsyncBaseTransport,
) -> None:
    answer = reply(b"", "X-A: 1", "X-A: 2", "x-raw: \xe9", status="429 Slow Down")
    async with serving(answering(answer)) as port:
        response = await transport.handle_async_request(post(port))
        await response.aclose()
    assert response.status_code == 429
    assert response.reason_phrase == "Slow Down"
    assert response.headers.get_list("x-a") == ["1", "2"]
    assert (b"x-raw", b"\xe9") in [(k.lower(), v) for k, v in response.headers.raw]


async def test_a_header_as_long_as_gateways_send_comes_back(
    transport: httpx.AsyncBaseTransport,
) -> None:
    """A policy or a list of fallbacks: more than the 8 KB that aiohttp reads by itself."""
    handler = answering(reply(b"", f"x-long: {'a' * 60_000}"))
    async with serving(handler) as port:
        response = await transport.handle_async_request(post(port))
        await response.aclose()
    assert len(response.headers["x-long"]) == 60_000


async def test_a_large_body_arrives_whole(transport: httpx.AsyncBaseTransport) -> None:
    body = bytes(range(256)) * 20_000  # 5 MB: more than one piece, more than any socket's buffer
    seen: list[bytes] = []

    async def handle(reader: Reader, writer: Writer) -> None:
        seen.append((await read_request(reader))[1])
        writer.write(reply())

    async with serving(handle) as port:
        assert await content(await transport.handle_async_request(post(port, body))) == b"fine"
    assert seen == [body]


async def test_connections_are_kept_and_used_again(transport: httpx.AsyncBaseTransport) -> None:
    connections: list[int] = []
    inner = answering(reply())

    async def handle(reader: Reader, writer: Writer) -> None:
        connections.append(1)
        await inner(reader, writer)

    async with serving(handle) as port:
        for _ in range(5):
            await content(await transport.handle_async_request(post(port)))
    assert len(connections) == 1


async def test_two_hundred_at_a_time_share_the_connections() -> None:
    transport = open_transport(connections=20)
    busy, most = 0, 0

    async def handle(reader: Reader, writer: Writer) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        try:
            await answering(reply())(reader, writer)
        finally:
            busy -= 1

    async def call(port: int) -> bytes:
        return await content(await transport.handle_async_request(post(port)))

    async with serving(handle) as port:
        assert await asyncio.gather(*(call(port) for _ in range(200))) == [b"fine"] * 200
        await transport.aclose()
    assert most <= 20


async def test_events_arrive_when_they_are_sent(transport: httpx.AsyncBaseTransport) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def handle(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for word in (b"one", b"two", b"six"):
            writer.write(b"3\r\n" + word + b"\r\n")
            await heard.get()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async with serving(handle) as port:
        response = await transport.handle_async_request(post(port))
        pieces: list[bytes] = []
        assert isinstance(response.stream, httpx.AsyncByteStream)
        async for piece in response.stream:
            pieces.append(piece)
            heard.put_nowait(piece)  # and not before is the next one sent
        await response.aclose()
    assert pieces == [b"one", b"two", b"six"]


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_compressed_body_is_decoded(
    transport: httpx.AsyncBaseTransport, encoding: str
) -> None:
    text = b'{"text": "' + b"word " * 10_000 + b'"}'
    packed = gzip.compress(text) if encoding == "gzip" else zlib.compress(text)
    answer = reply(packed, f"Content-Encoding: {encoding}")
    async with serving(answering(answer)) as port:
        response = await transport.handle_async_request(post(port))
        assert "content-encoding" not in response.headers
        assert "content-length" not in response.headers
        assert await content(response) == text


async def test_compressed_events_are_decoded_as_they_arrive(
    transport: httpx.AsyncBaseTransport,
) -> None:
    heard = asyncio.Event()

    async def handle(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n")
        packer = zlib.compressobj(wbits=31)
        for word in (b"data: one\n\n", b"data: two\n\n"):
            writer.write(packer.compress(word) + packer.flush(zlib.Z_SYNC_FLUSH))
            await heard.wait()
        writer.write(packer.flush())
        await writer.drain()

    async with serving(handle) as port:
        response = await transport.handle_async_request(post(port))
        assert isinstance(response.stream, httpx.AsyncByteStream)
        pieces = aiter(response.stream)
        assert await anext(pieces) == b"data: one\n\n"
        heard.set()
        assert await anext(pieces) == b"data: two\n\n"
        await response.aclose()


async def test_a_body_that_swells_comes_in_pieces_its_reader_can_stop(
    transport: httpx.AsyncBaseTransport,
) -> None:
    """50 MB of zeros in 50 kB: nobody decodes more than the reader takes."""
    answer = reply(gzip.compress(bytes(50_000_000), 9), "Content-Encoding: gzip")
    async with serving(answering(answer)) as port:
        response = await transport.handle_async_request(post(port))
        taken, largest = 0, 0
        assert isinstance(response.stream, httpx.AsyncByteStream)
        async for piece in response.stream:
            taken, largest = taken + len(piece), max(largest, len(piece))
            if taken > 8_000_000:
                break
        await response.aclose()
    assert largest < 4_000_000


async def test_a_redirect_is_returned_and_not_followed(
    transport: httpx.AsyncBaseTransport,
) -> None:
    asked: list[str] = []

    async def handle(reader: Reader, writer: Writer) -> None:
        asked.append((await read_request(reader))[0])
        writer.write(reply(b"", "location: /elsewhere", status="307 Elsewhere"))

    async with serving(handle) as port:
        response = await transport.handle_async_request(post(port))
        await response.aclose()
    assert response.status_code == 307
    assert len(asked) == 1


async def test_cookies_are_not_kept(transport: httpx.AsyncBaseTransport) -> None:
    asked: list[str] = []

    async def handle(reader: Reader, writer: Writer) -> None:
        for _ in range(2):
            asked.append((await read_request(reader))[0])
            writer.write(reply(b"", "set-cookie: session=1; path=/"))
            await writer.drain()

    async with serving(handle) as port:
        for _ in range(2):
            await (await transport.handle_async_request(post(port))).aclose()
    assert len(asked) == 2
    assert not any("cookie" in head.lower() for head in asked)


async def test_it_serves_an_httpx_client_as_well() -> None:
    answer = reply(gzip.compress(b'{"a": 1}'), "content-encoding: gzip")
    client = httpx.AsyncClient(transport=open_transport())
    async with serving(answering(answer)) as port, client:
        response = await client.post(f"http://127.0.0.1:{port}/", json={"b": 2})
    assert response.json() == {"a": 1}


async def test_leaving_a_stream_closes_its_connection_at_once(
    transport: httpx.AsyncBaseTransport,
) -> None:
    left = asyncio.Event()

    async def handle(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        try:
            await reader.read()
        finally:
            left.set()

    async with serving(handle) as port:
        response = await transport.handle_async_request(post(port))
        assert isinstance(response.stream, httpx.AsyncByteStream)
        assert await anext(aiter(response.stream)) == b"one"
        await response.aclose()
        await asyncio.wait_for(left.wait(), 60)


async def test_cancelling_a_call_closes_its_connection_at_once(
    transport: httpx.AsyncBaseTransport,
) -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def handle(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        asked.set()
        await reader.read()
        left.set()

    async with serving(handle) as port:
        call = asyncio.create_task(transport.handle_async_request(post(port)))
        await asked.wait()
        call.cancel()
        await asyncio.wait_for(left.wait(), 60)
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_a_response_nobody_closed_gives_its_connection_back() -> None:
    transport = open_transport(connections=1)
    async with serving(answering(reply())) as port:
        for _ in range(3):
            response = await transport.handle_async_request(post(port, pool=60.0))
            assert response.status_code == 200
            del response
            gc.collect()
        await transport.aclose()


async def test_what_the_server_closed_while_idle_is_not_used_for_a_post(
    transport: httpx.AsyncBaseTransport,
) -> None:
    seen: list[bytes] = []
    closing = asyncio.Event()

    async def handle(reader: Reader, writer: Writer) -> None:
        seen.append((await read_request(reader))[1])
        writer.write(reply())
        await asyncio.sleep(0.1)
        closing.set()

    async with serving(handle) as port:
        await content(await transport.handle_async_request(post(port, b"1")))
        await closing.wait()
        await asyncio.sleep(0.2)
        await content(await transport.handle_async_request(post(port, b"2")))
    assert seen == [b"1", b"2"]


async def test_it_sees_such_a_close_even_when_the_loop_was_blocked(
    transport: httpx.AsyncBaseTransport,
) -> None:
    """In a notebook the loop stands still between two cells and during one."""
    seen: list[bytes] = []

    async def handle(reader: Reader, writer: Writer) -> None:
        seen.append((await read_request(reader))[1])
        writer.write(reply(b"fine"))
        writer.close()

    async with serving(handle) as port:
        await content(await transport.handle_async_request(post(port, b"1")))
        time.sleep(0.6)
        await content(await transport.handle_async_request(post(port, b"2")))
    assert seen == [b"1", b"2"]


@pytest.mark.parametrize(("server", "connections"), [("llama.cpp", 2), ("uvicorn", 1)])
async def test_a_connection_that_llama_hangs_up_behind_a_stream_is_not_used_again(
    transport: httpx.AsyncBaseTransport, server: str, connections: int
) -> None:
    """Its server says `keep-alive`, and ends the connection some moments later."""
    opened: list[int] = []
    headers = ("content-type: text/event-stream", f"server: {server}")

    async def handle(reader: Reader, writer: Writer) -> None:
        opened.append(1)
        while True:
            await read_request(reader)
            head, _, body = reply(b"data: {}\n\n", *headers).partition(b"\r\n\r\n")
            for piece in (head + b"\r\n\r\n", body):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.02)

    async with serving(handle) as port:
        for _ in range(2):
            assert await content(await transport.handle_async_request(post(port)))
    assert len(opened) == connections


async def test_an_idle_connection_is_closed_after_a_while() -> None:
    transport = open_transport(idle=0.2)
    closed = asyncio.Event()

    async def handle(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        writer.write(reply())
        await reader.read()
        closed.set()

    async with serving(handle) as port:
        await content(await transport.handle_async_request(post(port)))
        await asyncio.wait_for(closed.wait(), 60)
        await transport.aclose()


async def test_closing_ends_every_connection_and_stream() -> None:
    transport = open_transport()
    ended: list[bytes] = []

    async def handle(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        ended.append(await reader.read())

    async with serving(handle) as port:
        response = await transport.handle_async_request(post(port))
        await transport.aclose()
        while not ended:
            await asyncio.sleep(0.01)
        assert ended == [b""]
        assert isinstance(response.stream, httpx.AsyncByteStream)
        with pytest.raises(httpx.TransportError):
            async for _ in response.stream:
                pass
        await response.aclose()
