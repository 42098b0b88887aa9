"""The key goes into one header of one request to one address, and nowhere else."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
import traceback
from typing import Any

import pytest

from kit import errors
from kit.gateway import exchange
from kit.gateway.client import AsyncClient
from kit.gateway.proxies import Proxies
from kit.gateway.transport import open_transport
from kit.settings import Endpoint, Secret
from tests.gateway.gateways import KEY, USAGE, Reply, gateway, json_reply, stream_reply
from tests.gateway.loopback import (
    Reader,
    Writer,
    answering,
    read_request,
    reply,
    serving,
)
from tests.ports import free_port

pytestmark = pytest.mark.anyio

ODD_KEY = "correct horse+battery/staple=0"  # nothing in its shape says that it is a key
DONE = {"object": "response", "status": "completed", "output": [], "usage": USAGE}


@pytest.mark.parametrize("proxy", ["http://u:pa55word@h:99999999", "http://u:pa55word@[h"])
async def test_a_proxy_that_cannot_be_read_is_a_config_error_without_its_password(
    proxy: str,
) -> None:
    transport = open_transport(proxies=Proxies(https=proxy))
    endpoint = Endpoint("https://gateway.example.com/v1", Secret(KEY), "m")
    async with AsyncClient(endpoint, transport=transport) as client:
        with pytest.raises(errors.ConfigError, match="HTTPS_PROXY") as caught:
            await client.respond("hi")
    trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [frame for frame in trace.stack if "/kit/" in frame.filename]
    shown = str(caught.value) + repr([frame.locals for frame in frames])
    assert frames
    assert "pa55word" not in shown
    assert KEY not in shown


async def test_nothing_of_ours_that_a_client_holds_shows_the_key() -> None:
    async with AsyncClient(Endpoint("http://127.0.0.1:9/v1", Secret(KEY), "m")) as client:
        seen: dict[int, object] = {}
        waiting: list[object] = [client, client.stream("hi")]
        while waiting:
            one = waiting.pop()
            ours = type(one).__module__.startswith("kit.") or isinstance(one, dict | list | tuple)
            if id(one) not in seen and ours:
                seen[id(one)] = one
                assert KEY not in repr(one)
                waiting += getattr(one, "__dict__", {}).values()
                waiting.append(getattr(one, "__dict__", None))
                if not isinstance(one, type):
                    names = getattr(type(one), "__slots__", ())
                    waiting += [getattr(one, name, None) for name in names]
    assert len(seen) > 5


def chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found


def everything_said(error: BaseException) -> str:
    """All that a notebook, a log or a bug report would show of an error."""
    said = ["".join(traceback.format_exception(error))]
    for one in chain(error):
        said += [str(one), repr(one), repr(one.args), repr(vars(one))]
    if isinstance(error, errors.KitError):
        said += error._render_traceback_()
        said.append(repr(error.answer))
    return "\n".join(said)


def echoes(key: str) -> dict[str, Reply]:
    """Gateways that say the key back, each in its way."""
    bearer = f"Bearer {key}"
    failed = {"status": "failed", "error": {"code": bearer, "message": f"bad {bearer}"}}
    return {
        "nested": json_reply({"error": {"message": f"got {bearer}"}}, status="400 No"),
        "code": json_reply({"error": {"message": "x", "code": key, "type": key}}, status="400 No"),
        "param": json_reply({"error": {"message": "x", "param": key}}, status="400 No"),
        "detail": json_reply({"detail": f"headers: authorization={bearer}"}, status="422 No"),
        "string": json_reply({"error": f"key {key}"}, status="401 No"),
        "plain": reply(f"Authorization: {bearer}".encode(), status="403 No"),
        "page": reply(f"<html>{bearer}</html>".encode(), status="500 No"),
        "wrapped": json_reply(
            {"error": {"message": f'litellm.X: {{"error": {{"message": "{bearer}"}}}}'}},
            status="400 No",
        ),
        "request id": json_reply({}, f"x-request-id: {key}", status="500 No"),
        "content type": reply(b"x", f"content-type: text/{bearer}"),
        "reason": reply(b"", status=f"400 {bearer}"),
        "location": reply(b"", f"location: http://x.invalid/{key}", status="302 No"),
        "status line": f"HTTP/9.9 {bearer}\r\n\r\n".encode(),
        "error in JSON": json_reply({"error": {"message": bearer, "code": key}}),
        "failed in JSON": json_reply({**DONE, **failed}),
        "refused in JSON": json_reply({**DONE, "incomplete_details": {"reason": key}}).replace(
            b'"completed"', b'"failed"   '
        ),
        "stream error": stream_reply({"type": "error", "message": bearer, "code": key}),
        "stream failed": stream_reply({"type": "response.failed", "response": failed}),
        "stream chat": stream_reply({"error": {"message": bearer, "type": key}}),
    }


@pytest.mark.parametrize("key", [KEY, ODD_KEY, "sk-1234"])
@pytest.mark.parametrize("name", echoes(""))
async def test_a_key_that_a_gateway_echoes_is_not_shown(
    name: str, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with gateway(echoes(key)[name]) as there, there.client(key=key, retries=0) as client:
        with pytest.raises(errors.KitError) as caught:
            async for _ in client.stream("hi"):
                pass
        assert there.requests[0].headers["authorization"] == f"Bearer {key}"
        if not name.startswith("stream"):
            with pytest.raises(errors.KitError) as again:
                await client.respond("hi")
            assert key not in everything_said(again.value)
    assert key not in everything_said(caught.value)
    assert key not in caplog.text
    assert all(key not in repr(vars(record)) for record in caplog.records)


async def test_a_key_in_a_header_of_ones_own_is_a_key_too() -> None:
    headers = {"api-key": ODD_KEY, "x-team": "visible"}
    no = json_reply({"error": {"message": f"got {ODD_KEY} of visible"}}, status="401 No")
    async with gateway(no) as there, there.client(key=None, headers=headers, retries=0) as client:
        with pytest.raises(errors.AuthenticationFailed) as caught:
            await client.respond("hi")
    assert ODD_KEY not in everything_said(caught.value)
    assert "got *** of visible" in str(caught.value)
    assert "does not accept the key" in str(caught.value)


async def test_a_placeholder_for_a_key_is_no_secret() -> None:
    """Local servers take any key; taking `none` out of answers would only spoil them."""
    done = {**DONE, "tool_choice": "none", "id": "none"}
    async with gateway(json_reply(done)) as there, there.client(key="none") as client:
        assert (await client.respond("hi")).id == "none"


@pytest.mark.parametrize("key", [KEY, ODD_KEY])
async def test_a_call_that_goes_well_leaves_the_key_nowhere(
    key: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    async with gateway(json_reply(DONE)) as there, there.client(key=key) as client:
        answer = await client.respond("hi")
        stream = client.stream("hi")
        shown = [repr(one) for one in (client, client.endpoint, stream, answer, answer.raw)]
    asyncio.get_running_loop().set_debug(False)
    assert key not in "\n".join(shown)
    assert key.encode() not in pickle.dumps(answer)
    assert key not in caplog.text


async def test_a_client_does_not_go_into_a_file_with_its_key() -> None:
    client = AsyncClient(Endpoint("http://127.0.0.1:9/v1", Secret(KEY)))
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(client)
    assert KEY not in repr(copy.copy(client.endpoint))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    """The other server must not even be connected to."""
    knocks: list[int] = []

    async def elsewhere(reader: Reader, writer: Writer) -> None:
        knocks.append(1)

    async with serving(elsewhere) as port:
        to = f"location: http://127.0.0.1:{port}/v1/responses"
        go = reply(b"", to, status=f"{status} Go")
        async with gateway(go) as there, there.client() as client:
            for call in (client.respond("hi"), client.retrieve("r"), client.models()):
                with pytest.raises(errors.ProtocolError, match="redirects"):
                    await call
        assert len(there.requests) == 3
    assert knocks == []


async def test_cookies_are_not_kept() -> None:
    set_cookie = json_reply(DONE, "set-cookie: session=1; path=/")
    async with gateway(set_cookie) as there, there.client() as client:
        await client.respond("hi")
        await client.respond("hi")
    assert all("cookie" not in request.headers for request in there.requests)


async def test_a_key_is_sent_once_and_as_a_bearer() -> None:
    heads: list[str] = []

    async def handle(reader: Reader, writer: Writer) -> None:
        heads.append((await read_request(reader))[0])
        writer.write(json_reply(DONE))

    async with serving(handle) as port:
        endpoint = Endpoint(f"http://127.0.0.1:{port}/v1", Secret(KEY), "m")
        async with AsyncClient(endpoint, headers={"Authorization": "Bearer other"}) as client:
            await client.respond("hi")
    [head] = heads
    lines = [line for line in head.split("\r\n") if line.lower().startswith("authorization")]
    assert [line.partition(": ")[2] for line in lines] == [f"Bearer {KEY}"]
    assert head.count(KEY) == 1


async def test_a_gateway_that_is_away_is_named_without_the_key() -> None:
    endpoint = Endpoint(f"http://127.0.0.1:{free_port()}/v1", Secret(ODD_KEY), "m")
    async with AsyncClient(endpoint, retries=0) as client:
        with pytest.raises(errors.ConnectionFailed) as caught:
            await client.respond("hi")
    assert ODD_KEY not in everything_said(caught.value)


@pytest.mark.parametrize(
    "inside",
    [
        "http://10.0.0.7:8080/v1/internal?x=1",
        "https://user:pw@db.prod.corp/x",
        "postgresql://litellm:pw@postgres:5432/litellm",
        "redis://cache:6379",
        "10.12.0.3:9000",
        "[fd00::17]:8080",
        "localhost:4000",
        "llm.team.internal",
        "vllm-0.vllm.svc.cluster.local:8000",
    ],
)
async def test_addresses_inside_are_not_shown(inside: str) -> None:
    no = json_reply({"error": {"message": f"Cannot connect to {inside} now"}}, status="500 No")
    async with gateway(no) as there, there.client(retries=0) as client:
        with pytest.raises(errors.ServerFailed) as caught:
            await client.respond("hi")
    assert "Cannot connect to … now" in str(caught.value)


async def test_words_with_dots_and_colons_are_not_taken_for_addresses() -> None:
    said = "Version 1.2.3 of gpt-4.1: see e.g. max_tokens (line 3:14), at 12:30."
    no = json_reply({"error": {"message": said}}, status="400 No")
    async with gateway(no) as there, there.client() as client:
        with pytest.raises(errors.BadRequest) as caught:
            await client.respond("hi")
    assert str(caught.value).endswith(said)


@pytest.mark.parametrize(
    "noise",
    [
        *("\n" * 60_000, "a-" * 30_000, "a." * 30_000, "litellm." * 8_000, "AError: " * 8_000),
        *("\n LiteLLM:" * 6_000, '{"error"' * 8_000, '\\"' * 30_000, "bearer " * 9_000),
        "[" * 60_000,
    ],
    ids=lambda noise: noise[:8],
)
async def test_a_hostile_message_does_not_hold_up_the_reader(noise: str) -> None:
    no = json_reply({"error": {"message": noise}}, status="400 No")
    async with gateway(no) as there, there.client() as client, asyncio.timeout(60):
        with pytest.raises(errors.BadRequest) as caught:
            await client.respond("hi")
    assert len(str(caught.value)) < 500


async def test_control_characters_of_a_gateway_do_not_reach_a_terminal() -> None:
    said = "a\x1b[2Jb\x07c\u202ed\x9be\r\nf"
    no = json_reply({"error": {"message": said}}, status="400 No")
    async with gateway(no) as there, there.client() as client:
        with pytest.raises(errors.BadRequest) as caught:
            await client.respond("hi")
    assert str(caught.value).isprintable()


# -- sizes -------------------------------------------------------------------------------------


async def test_an_endless_refusal_is_cut() -> None:
    async def endless(reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 400 No\r\nconnection: close\r\n\r\n")
        while not reader.at_eof():
            writer.write(b"no " * 20_000)
            await writer.drain()

    async with gateway(endless) as there, there.client() as client, asyncio.timeout(60):
        with pytest.raises(errors.BadRequest) as caught:
            await client.respond("hi")
    assert len(str(caught.value)) < 500


async def test_an_answer_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MAX_BODY_BYTES", 1000)
    large = json_reply({**DONE, "padding": "x" * 2000})
    async with gateway(large) as there, there.client() as client:
        with pytest.raises(errors.ProtocolError, match="larger than 1,000 bytes"):
            await client.respond("hi")


async def test_a_deeply_nested_answer_is_refused() -> None:
    deep = json_reply('{"output": ' + "[" * 200_000 + "]" * 200_000 + "}")
    async with gateway(deep) as there, there.client() as client:
        with pytest.raises(errors.ProtocolError):
            await client.respond("hi")


async def test_models_with_odd_names_are_shown_short_and_clean() -> None:
    names = ["a\x1b[2J", "x" * 5000, KEY, "fine", None, 7, {"id": 1}]
    listed = json_reply({"data": [{"id": name} for name in names]})
    async with gateway(listed) as there, there.client(model=None) as client:
        with pytest.raises(errors.ModelMissing) as caught:
            await client.respond("hi")
    assert KEY not in str(caught.value)
    assert "fine" in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert "\x1b" not in str(caught.value)


def test_redaction_knows_the_shapes_of_keys() -> None:
    """For keys that are not ours: a provider's key behind the gateway, say."""
    shapes = [
        "sk-proj-abcdefgh12345678",
        "Bearer abc.def",
        "ghp_0123456789abcdef",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig",
        "xoxb-123456789012",
    ]
    for shape in shapes:
        assert errors.redact(f"got {shape} here") == "got *** here"
    assert errors.redact("a task-force, a risk-free desk_job", None) == (
        "a task-force, a risk-free desk_job"
    )


@pytest.mark.parametrize("call", ["respond", "chat", "models"])
async def test_a_server_that_is_not_http_is_an_error_without_the_key(call: str) -> None:
    async with serving(answering(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")) as port:
        endpoint = Endpoint(f"http://127.0.0.1:{port}/v1", Secret(ODD_KEY), "m")
        async with AsyncClient(endpoint, retries=0) as client:
            arguments: list[Any] = [] if call == "models" else ["hi"]
            with pytest.raises(errors.GatewayError) as caught:
                await getattr(client, call)(*arguments)
    assert ODD_KEY not in everything_said(caught.value)
    assert len(str(caught.value).splitlines()) == 1
