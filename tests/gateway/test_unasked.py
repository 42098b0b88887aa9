"""A gateway that streams although an answer was wanted in one piece."""

from __future__ import annotations

from typing import Any

import pytest

from kit import errors
from kit.gateway import stream as stream_module
from kit.gateway.answer import Answer
from kit.gateway.capabilities import NOTHING, Capabilities, Known, Seen
from kit.gateway.client import AsyncClient
from kit.gateway.ledger import Ledger
from kit.gateway.wire import Api
from tests.gateway.gateways import KEY, STREAM_HEAD, frames, gateway, json_reply, stream_reply
from tests.gateway.loopback import reply
from tests.gateway.test_streams import (
    CHAT_HEL,
    CHAT_LO,
    CHAT_STOP,
    CHAT_WHOLE,
    CREATED,
    DONE,
    FAILED,
    HELLO,
    LO,
    WHOLE,
    error_frame,
)

pytestmark = pytest.mark.anyio

CHAT_USAGE: Any = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
STREAMS: dict[Api, list[Any]] = {
    "responses": stream_reply(CREATED, HELLO, LO, DONE, "[DONE]"),
    "chat": stream_reply(CHAT_HEL, CHAT_LO, CHAT_STOP, CHAT_USAGE, "[DONE]"),
}
IN_ONE_PIECE: dict[Api, Any] = {"responses": WHOLE, "chat": CHAT_WHOLE}
APIS: list[Api] = ["responses", "chat"]


def asked(client: AsyncClient, api: Api, **options: Any) -> Any:
    return (client.chat if api == "chat" else client.respond)("hi", **options)


async def failed(kind: type[errors.KitError], reply: Any, **options: Any) -> errors.KitError:
    """The error of one call over the responses API."""
    async with gateway(reply) as there, there.client(retries=0, **options) as client:
        with pytest.raises(kind) as caught:
            await client.respond("hi")
    assert len(there.requests) == 1 and caught.type is kind
    return caught.value


# -- a stream that nobody asked for ----------------------------------------------------------------


@pytest.mark.parametrize("api", APIS)
async def test_it_is_read_to_its_end_and_is_the_answer(api: Api) -> None:
    ledger = Ledger(0.0)
    async with gateway(STREAMS[api]) as there, there.client(ledger=ledger) as client:
        answer = await asked(client, api)
    assert (answer.text, answer.status, answer.usage.total_tokens) == ("Hello", "completed", 3)
    assert answer.seconds is not None
    assert [bool(one.body.get("stream")) for one in there.requests] == [False]
    assert len(ledger.calls()) == 1, "it is counted once"


@pytest.mark.parametrize("what", ["submit", "retrieve", "cancel"])
async def test_so_is_what_is_begun_fetched_and_cancelled(what: str) -> None:
    async with gateway(STREAMS["responses"]) as there, there.client() as client:
        assert (await getattr(client, what)("resp_1")).text == "Hello"


async def test_a_schema_holds_for_it_too() -> None:
    said = {**HELLO, "delta": '{"word": "a"}'}
    ended = {**DONE, "response": {**DONE["response"], "output": []}}
    form = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}
    async with gateway(stream_reply(said, ended)) as there, there.client() as client:
        assert (await client.respond("hi", schema=form)).parsed == {"word": "a"}


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("blank", [b"", b"\r\n \n", b"\xef\xbb\xbf"])
async def test_json_that_calls_itself_a_stream_is_read_as_json(api: Api, blank: bytes) -> None:
    whole = json_reply(IN_ONE_PIECE[api]).partition(b"\r\n\r\n")[2]
    said: list[Any] = [STREAM_HEAD, blank, 0.01, whole[:20], 0.01, whole[20:]]
    async with gateway(said) as there, there.client() as client:
        assert (await asked(client, api)).text == "Hello"


async def test_a_page_that_calls_itself_a_stream_is_called_a_page() -> None:
    page = [STREAM_HEAD, b"<!doctype html><h1>Sign in</h1>"]
    assert "a web page" in str(await failed(errors.ProtocolError, page))


@pytest.mark.parametrize(
    ("said", "kind", "says", "kept"),
    [
        ([CREATED, HELLO], errors.StreamInterrupted, "3 characters had arrived", "Hel"),
        ([], errors.StreamInterrupted, "nothing had arrived", None),
        ([error_frame()], errors.ResponseFailed, "broken", None),
        ([HELLO, LO, FAILED], errors.ResponseFailed, "the reason", "Hello"),
        (["{half"] * 3, errors.ProtocolError, "no JSON", None),
    ],
    ids=["cut", "nothing", "an error", "a failure", "no frames"],
)
async def test_what_goes_wrong_in_it_is_what_goes_wrong_in_streams(
    said: Any, kind: type[errors.KitError], says: str, kept: str | None
) -> None:
    error = await failed(kind, stream_reply(*said))
    assert says in str(error) and "LITELLM_BASE_URL" not in str(error)
    assert (error.answer.text if isinstance(error.answer, Answer) else None) == kept


async def test_it_is_bounded_as_streams_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "MAX_STREAM_BYTES", 2_000)
    long = stream_reply(CREATED, *[HELLO] * 100, DONE)
    assert "2,000 bytes" in str(await failed(errors.ProtocolError, long))


async def test_its_silence_is_bounded_as_that_of_streams() -> None:
    silent: list[Any] = [STREAM_HEAD + frames([HELLO]), 300.0]
    error = await failed(errors.TimedOut, silent, idle_timeout=0.1)
    assert "3 characters had arrived" in str(error)


@pytest.mark.parametrize("begun", [[], [b"\n"], [frames([HELLO])]])
async def test_the_deadline_of_the_call_holds(begun: list[bytes]) -> None:
    await failed(errors.TimedOut, [STREAM_HEAD, *begun, 300.0], timeout=0.2)


async def test_a_key_in_it_is_not_shown() -> None:
    said = stream_reply({**CREATED, "response": {"id": "resp_1", "user": KEY}}, DONE)
    async with gateway(said) as there, there.client() as client:
        raw = (await client.respond("hi")).raw
    assert raw["user"] == "***" and KEY not in repr(raw)


async def test_lists_are_never_streams() -> None:
    async with gateway(STREAMS["responses"]) as there, there.client(retries=0) as client:
        with pytest.raises(errors.ProtocolError):
            await client.models()


# -- a gateway that has nothing but streams --------------------------------------------------------

ALONE = "This model only support stream mode, please enable the stream parameter."


def no(message: str, status: str = "400 Bad Request", **error: Any) -> bytes:
    return json_reply({"error": {"message": message, **error}}, status=status)


def streams_of(there: Any) -> list[Any]:
    return [one.body.get("stream") for one in there.requests]


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    "refusal",
    [no(ALONE), no("Stream must be set to true", "500 Internal Server Error")],
    ids=["400", "500"],
)
async def test_one_that_orders_a_stream_is_asked_for_one(api: Api, refusal: bytes) -> None:
    """And the next time at once, by this client."""
    async with gateway(refusal, STREAMS[api]) as there, there.client() as client:
        assert (await asked(client, api)).text == "Hello"
        assert (await asked(client, api)).text == "Hello"
    assert streams_of(there) == [None, True, True]
    wished = [one.body.get("stream_options") for one in there.requests]
    assert wished == [None, *[{"include_usage": True} if api == "chat" else None] * 2]


@pytest.mark.parametrize(
    "refusal",
    [
        no("Bad request"),
        no(ALONE, "504 Gateway Timeout"),
        no(ALONE, "499 Client Closed Request"),
        no(ALONE, code="model_not_found"),
        no("The non-streaming request failed behind 3,120 tokens", "500 Internal Server Error"),
    ],
)
async def test_what_orders_none_or_may_have_worked_is_sent_once(refusal: bytes) -> None:
    async with gateway(refusal) as there, there.client(retries=0) as client:
        with pytest.raises(errors.GatewayError):
            await client.respond("hi")
    assert streams_of(there) == [None]


async def test_a_refusal_of_the_stream_as_well_is_what_is_raised() -> None:
    async with (
        gateway(no(ALONE), no("as a stream"), STREAMS["responses"]) as there,
        there.client() as client,
    ):
        with pytest.raises(errors.BadRequest, match="as a stream"):
            await client.respond("hi")
        assert (await client.respond("hi")).text == "Hello"
    assert streams_of(there) == [None, True, None]


def seen(api: Api) -> Known:
    alone = Capabilities({api: Seen("partly", "streams only")})
    return lambda model: alone if model == "m" else NOTHING


@pytest.mark.parametrize("api", APIS)
async def test_one_that_was_seen_to_stream_alone_is_asked_for_a_stream(api: Api) -> None:
    async with gateway(STREAMS[api]) as there, there.client(capabilities=seen(api)) as client:
        assert (await asked(client, api)).text == "Hello"
        await asked(client, api, model="another")
    assert streams_of(there) == [True, None]


@pytest.mark.parametrize("api", APIS)
async def test_a_memory_that_is_wrong_makes_nothing_fail(api: Api) -> None:
    """And is not gone by again."""
    whole = json_reply(IN_ONE_PIECE[api])
    async with (
        gateway(no("no streams"), whole) as there,
        there.client(capabilities=seen(api)) as client,
    ):
        assert (await asked(client, api)).text == "Hello"
        assert (await asked(client, api)).text == "Hello"
    assert streams_of(there) == [True, None, None]


async def test_what_comes_in_one_piece_all_the_same_is_the_answer() -> None:
    whole = json_reply(WHOLE)
    async with gateway(whole) as there, there.client(capabilities=seen("responses")) as client:
        assert (await client.respond("hi")).text == "Hello"


async def test_a_stream_that_breaks_off_is_not_asked_for_in_one_piece() -> None:
    """It may have been made, and is paid for."""
    cut = stream_reply(CREATED, HELLO)
    await failed(errors.StreamInterrupted, cut, capabilities=seen("responses"))


async def test_plain_text_is_no_stream() -> None:
    plain = reply(b"Service is starting", "content-type: text/plain")
    assert "text/plain" in str(await failed(errors.ProtocolError, plain))
