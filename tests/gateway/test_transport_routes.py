"""Whom the transport trusts, which way it goes, and in which loop or process it lives."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import os
import ssl
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import trustme

from kit.errors import ConfigError
from kit.gateway.proxies import Proxies, Route, bypassed, parse_proxy
from kit.gateway.transport import UNSENT, open_transport, tls_context
from tests.gateway.loopback import Reader, Writer, answering, read_request, reply, serving

PASSWORD = "pass/word:1"
KEY = "sk-very-secret"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "gateway.test").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def post(url: str) -> httpx.Request:
    headers = {"authorization": f"Bearer {KEY}"}
    return httpx.Request("POST", url, content=b"{}", headers=headers)


async def ask(transport: httpx.AsyncBaseTransport, url: str) -> bytes:
    response = await transport.handle_async_request(post(url))
    assert isinstance(response.stream, httpx.AsyncByteStream)
    try:
        return b"".join([piece async for piece in response.stream])
    finally:
        await response.aclose()


@contextlib.asynccontextmanager
async def proxy(target: int, status: str = "200 OK") -> AsyncIterator[tuple[str, list[str]]]:
    """A proxy that leads every request to the port `target`; yields its address and what it saw."""
    heads: list[str] = []

    async def pump(reader: Reader, writer: Writer) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(65536):
                writer.write(piece)
        writer.close()

    async def handle(reader: Reader, writer: Writer) -> None:
        head, body = await read_request(reader)
        heads.append(head)
        if not status.startswith("200"):
            writer.write(reply(b"no", status=status))
            await writer.drain()
            return
        there, back = await asyncio.open_connection("127.0.0.1", target)
        if head.startswith("CONNECT "):
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            back.write(head.encode() + body)
        await asyncio.gather(pump(reader, back), pump(there, writer))

    async with serving(handle) as port:
        yield f"http://user:{PASSWORD.replace('/', '%2F')}@127.0.0.1:{port}", heads


CREDENTIALS = "Basic " + base64.b64encode(f"user:{PASSWORD}".encode()).decode()


@pytest.mark.anyio
async def test_a_private_authority_is_honoured(server_tls: ssl.SSLContext, ca_file: str) -> None:
    transport = open_transport(ca_file=ca_file)
    async with serving(answering(reply()), server_tls) as port:
        assert await ask(transport, f"https://localhost:{port}/") == b"fine"
        await transport.aclose()


@pytest.mark.anyio
async def test_a_private_authority_in_a_folder_is_honoured_too(
    server_tls: ssl.SSLContext, ca_file: str, tmp_path: Path
) -> None:
    hashed = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", ca_file],
        capture_output=True,
        text=True,
        check=True,
    )
    (tmp_path / f"{hashed.stdout.strip()}.0").write_bytes(Path(ca_file).read_bytes())
    transport = open_transport(ca_file=str(tmp_path))
    async with serving(answering(reply()), server_tls) as port:
        assert await ask(transport, f"https://localhost:{port}/") == b"fine"
        await transport.aclose()


@pytest.mark.anyio
async def test_leaving_a_tls_stream_closes_its_connection_at_once(
    server_tls: ssl.SSLContext, ca_file: str
) -> None:
    left = asyncio.Event()

    async def handle(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        try:
            await reader.read()
        finally:
            left.set()

    transport = open_transport(ca_file=ca_file)
    async with serving(handle, server_tls) as port:
        response = await transport.handle_async_request(post(f"https://localhost:{port}/"))
        await response.aclose()
        await asyncio.wait_for(left.wait(), 60)
        await transport.aclose()


def test_a_context_is_made_once_for_each_file(ca_file: str) -> None:
    assert tls_context(ca_file) is tls_context(ca_file)
    assert tls_context(ca_file) is not tls_context()
    assert tls_context().verify_mode is ssl.CERT_REQUIRED
    assert tls_context().check_hostname


@pytest.mark.parametrize("text", [None, "", "not a certificate"])
def test_a_certificate_file_that_cannot_be_used_is_named(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=r"ca\.pem .* SSL_CERT_FILE|ca\.pem") as caught:
        tls_context(str(path))
    assert "SSL_CERT_FILE" in str(caught.value)


@pytest.mark.anyio
async def test_no_certificate_is_read_for_a_plain_address() -> None:
    transport = open_transport(ca_file="/does/not/exist.pem")
    async with serving(answering(reply())) as port:
        assert await ask(transport, f"http://127.0.0.1:{port}/") == b"fine"
        await transport.aclose()


@pytest.mark.anyio
async def test_a_plain_request_goes_through_its_proxy() -> None:
    async with serving(answering(reply())) as port, proxy(port) as (address, heads):
        transport = open_transport(proxies=Proxies(http=address))
        assert await ask(transport, "http://gateway.test/v1/models") == b"fine"
        await transport.aclose()
    assert heads[0].startswith("POST http://gateway.test/v1/models HTTP/1.1\r\n")
    assert f"Proxy-Authorization: {CREDENTIALS}\r\n" in heads[0]


@pytest.mark.anyio
async def test_an_encrypted_request_goes_through_a_tunnel(
    server_tls: ssl.SSLContext, ca_file: str
) -> None:
    """The proxy learns the host and its own password, never the gateway's key."""
    seen: list[str] = []

    async def handle(reader: Reader, writer: Writer) -> None:
        seen.append((await read_request(reader))[0])
        writer.write(reply())
        await writer.drain()

    async with serving(handle, server_tls) as port, proxy(port) as (address, heads):
        transport = open_transport(ca_file=ca_file, proxies=Proxies(https=address))
        assert await ask(transport, "https://gateway.test/v1/models") == b"fine"
        await transport.aclose()
    assert heads[0].startswith("CONNECT gateway.test:443 HTTP/1.1\r\n")
    assert f"Proxy-Authorization: {CREDENTIALS}\r\n" in heads[0]
    assert KEY not in heads[0]
    assert "proxy-authorization" not in seen[0].lower()


@pytest.mark.anyio
@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "502 Bad Gateway"])
async def test_a_proxy_that_refuses_a_tunnel_is_a_connect_error_without_its_password(
    status: str,
) -> None:
    async with proxy(0, status) as (address, _):
        transport = open_transport(proxies=Proxies(https=address))
        with pytest.raises(httpx.ConnectError, match=status) as caught:
            await ask(transport, "https://gateway.test/")
        await transport.aclose()
    shown = repr(caught.value.__cause__) + repr(caught.value.__context__) + str(caught.value)
    for secret in (PASSWORD, CREDENTIALS, KEY, "user"):
        assert secret not in shown


@pytest.mark.anyio
async def test_a_proxy_that_is_down_is_a_connect_error_without_its_password() -> None:
    async with proxy(0) as (address, _):
        pass
    transport = open_transport(proxies=Proxies(http=address, https=address))
    for url in ("http://gateway.test/", "https://gateway.test/"):
        with pytest.raises(UNSENT) as caught:
            await ask(transport, url)
        shown = repr(caught.value.__cause__) + repr(caught.value.__cause__.args)  # type: ignore[union-attr]
        assert PASSWORD not in shown and CREDENTIALS not in shown
    await transport.aclose()


def test_proxies_do_not_show_their_passwords() -> None:
    proxies = Proxies(http=f"http://user:{PASSWORD}@proxy.test", no_proxy="a.test")
    assert repr(proxies) == "Proxies(no_proxy='a.test')"
    assert repr(parse_proxy("http://user:word@proxy.test")) == "Route(address='http://proxy.test')"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, Proxies()),
        ({"HTTP_PROXY": "a", "HTTPS_PROXY": "b"}, Proxies("a", "b")),
        ({"https_proxy": "small", "HTTPS_PROXY": "large"}, Proxies(None, "small")),
        ({"ALL_PROXY": "a", "HTTP_PROXY": "b"}, Proxies("b", "a")),
        ({"HTTP_PROXY": " ", "NO_PROXY": "x.test"}, Proxies(no_proxy="x.test")),
        ({"HTTP_PROXY": "forged", "REQUEST_METHOD": "GET"}, Proxies()),
        ({"http_proxy": "own", "REQUEST_METHOD": "GET"}, Proxies("own")),
    ],
)
def test_variables_become_proxies(variables: dict[str, str], expected: Proxies) -> None:
    assert Proxies.from_variables(variables) == expected


@pytest.mark.parametrize(
    ("host", "port", "no_proxy", "direct"),
    [
        ("gateway.test", 443, "", False),
        ("gateway.test", 443, "*", True),
        ("gateway.test", 443, "gateway.test", True),
        ("gateway.test", 443, "a.test, GATEWAY.TEST", True),
        ("api.gateway.test", 443, "gateway.test", True),
        ("api.gateway.test", 443, ".gateway.test", True),
        ("gateway.test", 443, ".gateway.test", True),
        ("api.gateway.test", 443, "*.gateway.test", True),
        ("my-gateway.test", 443, "gateway.test", False),
        ("gateway.test.evil.test", 443, "gateway.test", False),
        ("gateway.test", 8443, "gateway.test:8443", True),
        ("gateway.test", 443, "gateway.test:8443", False),
        ("gateway.test.", 443, "gateway.test", True),
        ("10.1.2.3", 80, "10.0.0.0/8", True),
        ("11.1.2.3", 80, "10.0.0.0/8", False),
        ("10.1.2.3", 80, "10.1.2.3", True),
        ("10.1.2.3", 80, "1.2.3", False),
        ("fd00::1", 80, "fd00::/8", True),
        ("fd00::1", 80, "[fd00::1]:80", True),
        ("localhost", 80, "", True),
        ("app.localhost", 80, "", True),
        ("127.0.0.1", 80, "", True),
        ("127.9.9.9", 80, "", True),
        ("::1", 80, "", True),
        ("localhost.evil.test", 80, "", False),
    ],
)
def test_who_is_reached_without_a_proxy(host: str, port: int, no_proxy: str, direct: bool) -> None:
    assert bypassed(host, port, no_proxy) is direct


def test_a_proxy_without_a_scheme_is_http_and_another_kind_is_refused() -> None:
    assert parse_proxy("proxy.test:3128") == Route("http://proxy.test:3128")
    with pytest.raises(ConfigError, match="socks5") as caught:
        Proxies(http="socks5://user:word@proxy.test").route(httpx.URL("http://gateway.test"))
    assert "word" not in str(caught.value)


def test_one_transport_serves_one_loop_after_another() -> None:
    """`asyncio.run` twice with one client: each loop has connections of its own."""
    transport = open_transport()

    async def call(last: bool) -> bytes:
        async with serving(answering(reply())) as port:
            answer = await ask(transport, f"http://127.0.0.1:{port}/")
            if last:
                await transport.aclose()
        await asyncio.sleep(0.05)  # the first loop sees its server go, the transport stays
        return answer

    assert asyncio.run(call(False)) == asyncio.run(call(True)) == b"fine"
    gc.collect()


def finished(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(code)]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=environment
    )


HEAD = """
import asyncio, gc, os, httpx
from kit.blocking import run
from kit.gateway.transport import open_transport
from tests.gateway.loopback import answering, reply, serving

async def ask(transport, port):
    response = await transport.handle_async_request(
        httpx.Request("POST", f"http://127.0.0.1:{port}/", content=b"x"))
    return b"".join([piece async for piece in response.stream])
"""


def test_a_transport_that_nobody_closed_goes_without_a_word() -> None:
    """In a loop that ends, on the I/O thread, by garbage collection and by the process's end."""
    code = """
    async def main():
        async with serving(answering(reply())) as port:
            print(await ask(open_transport(), port))
            gc.collect()
            await asyncio.sleep(0.1)
            global kept
            kept = open_transport()
            print(await ask(kept, port))

    asyncio.run(main())

    async def start():
        global server
        server = serving(answering(reply()))
        return await server.__aenter__()

    port = run(start)
    own = open_transport()
    print(run(ask, own, port))
    """
    done = finished(HEAD + textwrap.dedent(code))
    assert done.stdout == "b'fine'\n" * 3, done.stderr
    assert done.stderr == ""


def test_what_still_sends_at_the_processs_end_may_use_its_transport() -> None:
    """As a relay in a kernel does, which is stopped there: it made its transport before."""
    code = """
    import atexit

    async def start():
        global server
        server = serving(answering(reply()))
        return await server.__aenter__()

    port = run(start)
    own = open_transport()
    atexit.register(lambda: print(run(ask, own, port)))
    print(run(ask, own, port))
    """
    done = finished(HEAD + textwrap.dedent(code))
    assert (done.stdout, done.stderr) == ("b'fine'\n" * 2, "")


def test_a_forked_child_leaves_the_connections_to_its_parent() -> None:
    code = """
    import warnings

    # Python 3.12 warns of a fork beside threads, which is what is shown to work here.
    warnings.filterwarnings("ignore", ".*multi-threaded", DeprecationWarning)

    async def start():
        global server
        server = serving(answering(reply()))
        return await server.__aenter__()

    ready, told = os.pipe()
    going, go = os.pipe()
    if os.fork() == 0:
        os.write(told, str(run(start)).encode())
        os.read(going, 1)
        os._exit(0)
    port = int(os.read(ready, 10))
    own = open_transport()
    assert run(ask, own, port) == b"fine"
    child = os.fork()
    if child == 0:
        ok = run(ask, own, port) == b"fine"
        gc.collect()
        os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert run(ask, own, port) == b"fine"
    run(own.aclose)
    os.write(go, b"x")
    print("fine")
    """
    done = finished(HEAD + textwrap.dedent(code))
    assert done.stdout == "fine\n", done.stderr
    assert done.stderr == ""
