"""Streams end in an answer, or say why not; nothing that arrived is lost."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kit import errors
from kit.gateway import stream as stream_module
from kit.gateway.events import Event, Failure, Finished, Snapshot, TextDelta
from kit.gateway.stream import AsyncStream
from kit.gateway.wire import Api
from tests.gateway.gateways import (
    STREAM_HEAD,
    Gateway,
    Reply,
    frame,
    frames,
    gateway,
    json_reply,
    stream_reply,
)
from tests.gateway.loopback import Reader, Writer, answering, reply, reset

pytestmark = pytest.mark.anyio

CREATED = {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}}
HELLO = {
    "type": "response.output_text.delta",
    "output_index": 0,
    "content_index": 0,
    "delta": "Hel",
}
LO = {**HELLO, "delta": "lo"}
DONE = {
    "type": "response.completed",
    "response": {
        "id": "resp_1",
        "status": "completed",
        "model": "m",
        "output": [
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
            }
        ],
        "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
    },
}
FAILED = {
    "type": "response.failed",
    "response": {"status": "failed", "error": {"code": "server_error", "message": "the reason"}},
}
CHAT_HEL: dict[str, Any] = {"id": "c", "choices": [{"index": 0, "delta": {"content": "Hel"}}]}
CHAT_LO = {"id": "c", "choices": [{"index": 0, "delta": {"content": "lo"}}]}
CHAT_STOP = {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def error_frame(**fields: Any) -> dict[str, Any]:
    return {"type": "error", "error": {"message": "broken", "code": None, **fields}}


async def read(stream: AsyncStream) -> list[Event]:
    return [event async for event in stream]


async def ended(*replies: Reply, api: Api = "responses", **options: Any) -> AsyncStream:
    """The stream of one call, read to its end. Raises what it failed with."""
    async with gateway(*replies) as there, there.client(**options) as client:
        stream = client.stream("hi", api=api)
        await read(stream)
        return stream


async def failed(
    kind: type[errors.KitError], *replies: Reply, api: Api = "responses", **options: Any
) -> errors.KitError:
    """The error of one call; the same comes out of `.answer`, and `.partial` is its answer."""
    async with gateway(*replies) as there, there.client(retries=0, **options) as client:
        stream = client.stream("hi", api=api)
        with pytest.raises(kind) as caught:
            await read(stream)
        with pytest.raises(kind) as again:
            _ = stream.answer
        assert again.value is caught.value
        if caught.value.answer is not None:
            assert stream.partial.text == caught.value.answer.text
        assert caught.type is kind
        return caught.value


# -- success -----------------------------------------------------------------------------------


async def test_a_stream_gives_events_and_then_the_answer() -> None:
    frames_of = stream_reply(CREATED, HELLO, LO, DONE, "[DONE]")
    async with gateway(frames_of) as there, there.client() as client, client.stream("hi") as stream:
        events = await read(stream)
    assert [type(event) for event in events] == [Snapshot, TextDelta, TextDelta, Finished]
    assert (stream.answer.text, stream.text, stream.partial) == ("Hello", "Hello", stream.answer)
    assert there.requests[0].body == {"model": "m", "input": "hi", "stream": True}
    assert stream.answer.seconds is not None


@pytest.mark.parametrize(
    "tail",
    [
        [],
        ["[DONE]"],
        ["[DONE]", "[DONE]"],
        [LO, "[DONE]"],
        [error_frame()],
        [FAILED],
        ["not json", "{", "[", "]"],
        ["[DONE]", "not json", "{", "]"],
    ],
)
async def test_what_follows_the_end_changes_nothing(tail: list[Any]) -> None:
    stream = await ended(stream_reply(CREATED, HELLO, LO, DONE, *tail))
    assert (stream.answer.text, stream.answer.status) == ("Hello", "completed")


async def test_a_connection_that_breaks_after_the_end_does_no_harm() -> None:
    async def break_off(reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n")
        writer.write(b"content-length: 99999\r\n\r\n" + frames([HELLO, LO, DONE]))
        await writer.drain()
        await asyncio.sleep(0.02)
        reset(writer)

    assert (await ended(break_off)).answer.text == "Hello"


async def test_a_body_that_does_not_end_after_the_answer_is_not_waited_for() -> None:
    async with asyncio.timeout(60):
        stream = await ended(stream_reply(HELLO, LO, DONE, 1_000.0))
    assert stream.answer.text == "Hello"


@pytest.mark.parametrize(
    "chunks",
    [
        [CHAT_HEL, CHAT_LO, CHAT_STOP, "[DONE]"],
        [CHAT_HEL, CHAT_LO, CHAT_STOP],
        [CHAT_HEL, CHAT_LO, "[DONE]"],
    ],
)
async def test_a_chat_ends_with_a_finish_reason_or_done(chunks: list[Any]) -> None:
    stream = await ended(stream_reply(*chunks), api="chat")
    assert (stream.answer.text, stream.answer.status) == ("Hello", "completed")


async def test_usage_after_the_finish_reason_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "AFTER_FINISH_SECONDS", 60.0)
    usage = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "cost": 0.5}}
    stream = await ended(stream_reply(CHAT_HEL, CHAT_STOP, 0.05, usage, "[DONE]"), api="chat")
    assert (stream.answer.usage and stream.answer.usage.total_tokens, stream.answer.cost) == (
        3,
        0.5,
    )


async def test_heartbeats_and_blank_data_are_no_events_and_no_faults() -> None:
    pulse = [b": ping\n\n", b"data:\n\n", b"event: ping\ndata: \n\n", b"event: ping\n\n"]
    pieces = [STREAM_HEAD, frame(HELLO), *pulse * 3, frame(LO), frame(DONE)]
    stream = await ended(pieces)
    assert stream.answer.text == "Hello"


async def test_a_stream_may_be_cut_into_single_bytes() -> None:
    content = frames([CREATED, {**HELLO, "delta": "짜장"}, {**LO, "delta": "면 🌟"}])
    single = [content[at : at + 1] for at in range(len(content))]
    final = {"type": "response.completed", "response": {}}
    stream = await ended([STREAM_HEAD, *single, frame(final)])
    assert stream.answer.text == "짜장면 🌟"


async def test_what_has_arrived_can_be_read_at_any_time() -> None:
    frames_of = stream_reply(CREATED, HELLO, 0.02, LO, 0.02, DONE)
    async with gateway(frames_of) as there, there.client() as client, client.stream("hi") as stream:
        assert (stream.text, stream.partial.status) == ("", "in_progress")
        seen = [(stream.text, stream.partial.status) async for _ in stream]
    assert ("Hel", "in_progress") in seen
    assert seen[-1] == ("Hello", "completed")


async def test_before_its_end_there_is_no_answer() -> None:
    async with gateway(stream_reply(CREATED)) as there, there.client() as client:
        with pytest.raises(errors.InputError, match="has not ended"):
            _ = client.stream("hi").answer


@pytest.mark.parametrize(
    ("api", "chunks"),
    [
        ("responses", [HELLO, LO, DONE, "[DONE]"]),
        ("responses", [HELLO, LO, DONE]),
        ("chat", [CHAT_HEL, CHAT_LO, CHAT_STOP, "[DONE]"]),
        ("chat", [CHAT_HEL, CHAT_LO, CHAT_STOP]),
    ],
)
async def test_bytes_that_drip_after_the_end_do_not_keep_the_stream_open(
    api: Api, chunks: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "AFTER_FINISH_SECONDS", 0.2)
    drip: list[bytes | float] = [b":", 0.02] * 100_000
    async with asyncio.timeout(60):
        stream = await ended([*stream_reply(*chunks), *drip], api=api)
    assert (stream.answer.text, stream.answer.status) == ("Hello", "completed")


async def test_bytes_that_drip_after_an_error_do_not_keep_the_stream_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream_module, "AFTER_ERROR_SECONDS", 0.2)
    drip: list[bytes | float] = [b":", 0.02] * 100_000
    async with asyncio.timeout(60):
        await failed(errors.ResponseFailed, [*stream_reply(HELLO, error_frame()), *drip])


async def test_a_stream_that_never_pauses_ends_at_its_deadline() -> None:
    async def flood(reader: Reader, writer: Writer) -> None:
        writer.write(STREAM_HEAD)
        while True:
            writer.write(frame(HELLO))
            await writer.drain()
            await asyncio.sleep(0)

    async with asyncio.timeout(60):
        await failed(errors.TimedOut, flood, timeout=0.3)


async def test_a_chat_that_falls_silent_after_its_finish_reason_is_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream_module, "AFTER_FINISH_SECONDS", 0.1)
    async with asyncio.timeout(60):
        stream = await ended(stream_reply(CHAT_HEL, CHAT_LO, CHAT_STOP, 1_000.0), api="chat")
    assert stream.answer.text == "Hello"


# -- no success without a terminal event -------------------------------------------------------


@pytest.mark.parametrize("tail", [[], ["[DONE]"]])
async def test_without_a_terminal_event_there_is_no_answer(tail: list[Any]) -> None:
    error = await failed(errors.StreamInterrupted, stream_reply(CREATED, HELLO, *tail))
    assert error.answer.text == "Hel"
    assert error.answer.status == "in_progress"
    assert "3 characters" in str(error)


@pytest.mark.parametrize("reason", [None, "", "null"])
async def test_a_chat_without_finish_reason_and_done_was_cut(reason: str | None) -> None:
    said = {**CHAT_HEL, "choices": [{**CHAT_HEL["choices"][0], "finish_reason": reason}]}
    error = await failed(errors.StreamInterrupted, stream_reply(said), api="chat")
    assert (error.answer.text, error.answer.status) == ("Hel", "in_progress")


async def test_a_frame_that_was_not_finished_does_not_count() -> None:
    pieces = [STREAM_HEAD, frame(HELLO), frame(DONE)[:-1]]
    error = await failed(errors.StreamInterrupted, pieces)
    assert error.answer.text == "Hel"


@pytest.mark.parametrize("how", ["reset", "short"])
async def test_a_broken_connection_interrupts(how: str) -> None:
    async def break_off(reader: Reader, writer: Writer) -> None:
        length = b"content-length: 99999\r\n\r\n"
        writer.write(STREAM_HEAD.replace(b"connection: close\r\n\r\n", length) + frame(HELLO))
        await writer.drain()
        await asyncio.sleep(0.02)
        if how == "reset":
            reset(writer)
        else:
            writer.close()

    error = await failed(errors.StreamInterrupted, break_off)
    assert error.answer.text == "Hel"


async def test_an_empty_stream_is_an_interruption_with_nothing_to_keep() -> None:
    error = await failed(errors.StreamInterrupted, [STREAM_HEAD])
    assert error.answer is None
    assert "nothing had arrived" in str(error)


@pytest.mark.parametrize("chunks", [[], [{"choices": [], "usage": {"prompt_tokens": 1}}]])
async def test_a_chat_of_nothing_but_done_is_no_answer(chunks: list[Any]) -> None:
    error = await failed(errors.ProtocolError, stream_reply(*chunks, "[DONE]"), api="chat")
    assert "is empty" in str(error)


async def test_completed_without_output_and_usage_is_suspicious() -> None:
    empty = {"type": "response.completed", "response": {"status": "completed", "output": []}}
    error = await failed(errors.ProtocolError, stream_reply(CREATED, empty))
    assert "sent no answer" in str(error)


# -- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "error", "error": {"message": "broken", "code": "server_error"}},
        {"type": "error", "message": "broken", "code": "server_error", "param": None},
        {"error": {"message": "broken", "type": "server_error", "code": None}},
    ],
)
@pytest.mark.parametrize("tail", [[], ["[DONE]"]])
async def test_an_error_of_each_shape_fails_the_stream(
    raw: dict[str, Any], tail: list[Any]
) -> None:
    error = await failed(errors.ResponseFailed, stream_reply(HELLO, raw, *tail))
    assert "broken" in str(error)
    assert isinstance(error, errors.GatewayError)
    assert error.code == "server_error"
    assert error.answer.text == "Hel"


async def test_an_error_may_be_the_first_frame() -> None:
    error = await failed(errors.ResponseFailed, stream_reply(error_frame()))
    assert "broken" in str(error)
    assert error.answer is None


async def test_the_detail_that_follows_an_error_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "AFTER_ERROR_SECONDS", 60.0)
    events = stream_reply(HELLO, error_frame(), 0.05, FAILED)
    error = await failed(errors.ResponseFailed, events)
    assert "the reason" in str(error)
    assert "broken" not in str(error)


async def test_after_an_error_the_stream_is_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert stream_module.AFTER_ERROR_SECONDS <= 3
    monkeypatch.setattr(stream_module, "AFTER_ERROR_SECONDS", 0.05)
    async with asyncio.timeout(60):
        error = await failed(errors.ResponseFailed, stream_reply(HELLO, error_frame(), 1_000.0))
    assert error.answer.text == "Hel"


async def test_an_answer_after_an_error_stands() -> None:
    """The gateway recovered, and its terminal event says so."""
    assert (await ended(stream_reply(HELLO, error_frame(), DONE))).answer.text == "Hello"


@pytest.mark.parametrize("tail", [[], ["[DONE]"], [CHAT_STOP, "[DONE]"]])
async def test_an_error_in_a_chat_fails_it(tail: list[Any]) -> None:
    raw = {"error": {"message": "broken", "code": 500}}
    error = await failed(errors.ResponseFailed, stream_reply(CHAT_HEL, raw, *tail), api="chat")
    assert "broken" in str(error)
    assert error.answer.text == "Hel"


async def test_an_error_in_the_choice_of_a_chat_fails_it_with_what_had_come() -> None:
    choice = {"index": 0, "delta": {"content": "lo"}, "error": {"message": "broken", "code": 502}}
    for reason in (None, "error"):
        chunk = {"choices": [{**choice, "finish_reason": reason}]}
        error = await failed(errors.ResponseFailed, stream_reply(CHAT_HEL, chunk), api="chat")
        assert "broken" in str(error)
        assert error.answer.text == "Hello"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("rate_limit_exceeded", errors.RateLimited),
        ("insufficient_quota", errors.QuotaExceeded),
        (429, errors.RateLimited),
        (None, errors.ResponseFailed),
    ],
)
async def test_a_failed_response_is_the_kind_its_code_says(
    code: Any, kind: type[errors.GatewayError]
) -> None:
    response = {"status": "failed", "error": {"code": code, "message": "no"}}
    raw = {"type": "response.failed", "response": response}
    error = await failed(kind, stream_reply(HELLO, raw))
    assert error.answer.status == "failed"
    assert error.answer.text == "Hel"


async def test_a_cancelled_response_is_no_success() -> None:
    raw = {"type": "response.cancelled", "response": {"status": "cancelled"}}
    error = await failed(errors.ResponseFailed, stream_reply(HELLO, raw))
    assert "cancelled" in str(error)


async def test_an_incomplete_response_is_an_answer_that_says_so() -> None:
    details = {"incomplete_details": {"reason": "max_output_tokens"}}
    raw = {"type": "response.incomplete", "response": {"status": "incomplete", **details}}
    stream = await ended(stream_reply(HELLO, raw))
    assert (stream.answer.text, stream.answer.incomplete) == ("Hel", "max_output_tokens")


# -- what is no stream -------------------------------------------------------------------------

WHOLE = DONE["response"]
CHAT_WHOLE = {
    "object": "chat.completion",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "Hello"}}],
}


@pytest.mark.parametrize(("api", "whole"), [("responses", WHOLE), ("chat", CHAT_WHOLE)])
async def test_json_instead_of_a_stream_is_the_answer(api: Api, whole: dict[str, Any]) -> None:
    async with gateway(json_reply(whole)) as there, there.client() as client:
        stream = client.stream("hi", api=api)
        [event] = await read(stream)
    assert isinstance(event, Finished)
    assert (stream.answer.text, stream.text, stream.partial.text) == ("Hello",) * 3


async def test_a_failed_event_is_a_failure_whatever_its_response_says() -> None:
    error = {"code": "server_error", "message": "the reason"}
    failed_event = {
        "type": "response.failed",
        "response": {**DONE["response"], "error": error},
    }
    found = await failed(errors.ResponseFailed, stream_reply(HELLO, LO, failed_event))
    assert "the reason" in str(found)
    assert found.answer.text == "Hello"


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        ({"error": {"message": "no such thing"}}, errors.ResponseFailed, "no such thing"),
        ({"error": "no such thing"}, errors.ResponseFailed, "no such thing"),
        (FAILED["response"] | {"object": "response"}, errors.ResponseFailed, "the reason"),
        ("{half", errors.ProtocolError, "where JSON belongs"),
        ([1], errors.ProtocolError, "no object"),
        ({"hello": "world"}, errors.ProtocolError, "no answer"),
    ],
)
async def test_json_that_is_no_answer_is_an_error(
    body: Any, kind: type[errors.KitError], says: str
) -> None:
    assert says in str(await failed(kind, json_reply(body)))


async def test_a_web_page_is_called_one() -> None:
    page = reply(b"<!doctype html><h1>Sign in</h1>" * 10, "content-type: text/html; charset=utf-8")
    error = await failed(errors.ProtocolError, page)
    assert "a web page" in str(error)
    assert "LITELLM_BASE_URL" in str(error)
    assert error.answer is None


async def test_plain_text_is_not_a_stream() -> None:
    plain = reply(b"Service is starting, please wait", "content-type: text/plain")
    assert "text/plain" in str(await failed(errors.ProtocolError, plain))


async def test_three_unreadable_frames_in_a_row_end_the_stream() -> None:
    error = await failed(errors.ProtocolError, stream_reply(HELLO, "{", "}", "nonsense", DONE))
    assert "no JSON" in str(error)
    assert error.answer.text == "Hel"


async def test_two_unreadable_frames_are_kept_as_events() -> None:
    stream_of = stream_reply("a", "b", HELLO, "c", "d", "7", LO, DONE)
    async with gateway(stream_of) as there, there.client() as client:
        stream = client.stream("hi")
        unreadable = [one.raw["data"] async for one in stream if one.type == "kit.unreadable"]
    assert unreadable == ["a", "b", "c", "d"]
    assert stream.answer.text == "Hello"


async def test_a_frame_nested_too_deeply_is_unreadable_and_no_crash() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    assert (await ended(stream_reply(HELLO, deep, LO, DONE))).answer.text == "Hello"


# -- sizes -------------------------------------------------------------------------------------


async def test_a_frame_over_the_limit_ends_the_stream() -> None:
    flood = [STREAM_HEAD, frame(HELLO), b"data: ", *[b"x" * 2**20] * 20]
    error = await failed(errors.ProtocolError, flood)
    assert "single stream event" in str(error)
    assert error.answer.text == "Hel"


async def test_a_stream_over_the_limit_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "MAX_STREAM_BYTES", 10_000)
    error = await failed(errors.ProtocolError, stream_reply(*[HELLO] * 200))
    assert "larger than 10,000 bytes" in str(error)
    assert error.answer.text.startswith("Hel")


# -- time --------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [[], [HELLO]])
async def test_silence_ends_the_stream(before: list[Any]) -> None:
    error = await failed(errors.TimedOut, stream_reply(*before, 1_000.0), idle_timeout=2.0)
    assert "sent nothing for" in str(error)
    assert (error.answer.text if error.answer else "") == "Hel" * len(before)


async def test_silence_before_the_first_byte_ends_it_too() -> None:
    error = await failed(errors.TimedOut, [1_000.0], idle_timeout=0.05)
    assert "sent nothing for" in str(error)


async def test_silence_in_a_json_answer_ends_it_too() -> None:
    half = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"a"'
    await failed(errors.TimedOut, [half, 1_000.0], idle_timeout=0.05)


async def test_comments_are_signs_of_life() -> None:
    pulse = [piece for _ in range(6) for piece in (0.5, b": ping\n\n")]
    stream = await ended([STREAM_HEAD, frame(HELLO), *pulse, frame(DONE)], idle_timeout=2.0)
    assert stream.answer.text == "Hello"


async def test_the_deadline_ends_a_stream_that_is_alive() -> None:
    pulse = [piece for _ in range(10_000) for piece in (0.01, frame(HELLO))]
    error = await failed(errors.TimedOut, [STREAM_HEAD, *pulse], timeout=2.0)
    assert "time for the whole call is over" in str(error)
    assert error.answer.text.startswith("Hel")


# -- leaving -----------------------------------------------------------------------------------


def endless() -> Iterator[bytes | float]:
    """Deltas for as long as the client stays."""
    yield STREAM_HEAD
    while True:
        yield frame(HELLO)
        yield 0.002


async def hung_up(there: Gateway) -> None:
    await asyncio.wait_for(there.left.wait(), 60)


async def leave_block(there: Gateway) -> None:
    async with there.client() as client:
        async with client.stream("hi") as stream:
            async for _ in stream:
                break
        await hung_up(there)
        assert stream.partial.text.startswith("Hel")


async def leave_loop(there: Gateway) -> None:
    async with there.client() as client:
        async for _ in client.stream("hi"):
            break
        gc.collect()
        await hung_up(there)


async def close_stream(there: Gateway) -> None:
    async with there.client() as client:
        stream = client.stream("hi")
        async for _ in stream:
            await stream.aclose()
        await hung_up(there)


async def close_from_elsewhere(there: Gateway) -> None:
    async with there.client() as client:
        stream = client.stream("hi")
        reading = asyncio.create_task(read(stream))
        while not stream.text:
            await asyncio.sleep(0.005)
        await stream.aclose()
        await hung_up(there)
        await asyncio.wait([reading], timeout=60)
        assert reading.done()
        assert isinstance(reading.exception(), errors.StreamInterrupted | None)


async def cancel_task(there: Gateway) -> None:
    async with there.client() as client:
        stream = client.stream("hi")
        reading = asyncio.create_task(read(stream))
        while not stream.text:
            await asyncio.sleep(0.005)
        reading.cancel()
        await hung_up(there)
        assert stream.partial.text.startswith("Hel")


async def raise_inside(there: Gateway) -> None:
    async with there.client() as client:
        with pytest.raises(ZeroDivisionError):
            async with client.stream("hi") as stream:
                async for _ in stream:
                    raise ZeroDivisionError
        await hung_up(there)


async def close_client(there: Gateway) -> None:
    client = there.client()
    stream = client.stream("hi")
    async for _ in stream:
        break
    await client.aclose()
    await hung_up(there)


@pytest.mark.parametrize(
    "leave",
    [
        *(leave_block, leave_loop, close_stream, close_from_elsewhere),
        *(cancel_task, raise_inside, close_client),
    ],
)
async def test_leaving_early_closes_the_connection(leave: Callable[[Gateway], Any]) -> None:
    """The server sees it within a second, and nothing is left to complain at the end."""
    async with gateway(endless()) as there:
        await leave(there)
    gc.collect()


async def test_a_stream_closed_before_it_began_sends_nothing() -> None:
    async with gateway(stream_reply(DONE)) as there, there.client() as client:
        stream = client.stream("hi")
        await stream.aclose()
        assert await read(stream) == []
    assert there.requests == []


async def test_a_refused_stream_raises_the_refusal() -> None:
    no = json_reply({"error": {"message": "nope"}}, status="400 Bad Request")
    error = await failed(errors.BadRequest, no)
    assert error.answer is None


async def test_failures_are_events_too() -> None:
    async with gateway(stream_reply(error_frame(), FAILED)) as there, there.client() as client:
        stream, seen = client.stream("hi"), []
        with pytest.raises(errors.ResponseFailed):
            async for event in stream:
                seen.append(type(event))
    assert seen == [Failure, Finished]


async def test_connections_are_used_again_after_a_stream() -> None:
    """A body that ends with its answer leaves the connection usable."""
    body = frames([HELLO, LO, DONE, "[DONE]"])
    whole = reply(body, "content-type: text/event-stream")
    ports: set[Any] = set()

    async def handle(reader: Reader, writer: Writer) -> None:
        ports.add(writer.get_extra_info("peername"))
        writer.write(whole)
        await answering(whole)(reader, writer)

    async with gateway(handle) as there, there.client() as client:
        for _ in range(3):
            await read(client.stream("hi"))
    assert len(ports) == 1
