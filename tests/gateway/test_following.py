"""A gateway that runs a request in the background unasked: its answer is waited for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kit import errors
from kit.gateway import following
from kit.gateway.events import Event, Finished, Snapshot
from tests.gateway.gateways import gateway, json_reply

pytestmark = pytest.mark.anyio

QUEUED: dict[str, Any] = {"id": "poll_1", "object": "response", "status": "queued", "output": []}
RUNNING = {**QUEUED, "status": "in_progress"}
MESSAGE = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
}
ENDED = {**QUEUED, "status": "completed", "output": [MESSAGE], "usage": {"input_tokens": 1}}
FAILED = {**QUEUED, "status": "failed", "error": {"message": "the reason"}}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "FIRST_SECONDS", 0.02)


async def test_an_answer_is_fetched_until_it_has_ended() -> None:
    replies = map(json_reply, (QUEUED, QUEUED, RUNNING, ENDED))
    async with gateway(*replies) as there, there.client() as client:
        answer = await client.respond("hi")
    assert (answer.text, answer.status) == ("Hello", "completed")
    assert [one.method for one in there.requests] == ["POST", "GET", "GET", "GET"]
    assert there.requests[-1].path == "/v1/responses/poll_1"
    assert answer.seconds is not None and answer.seconds > 0.05


async def test_a_stream_tells_how_it_stands_and_how_it_ended() -> None:
    replies = map(json_reply, (QUEUED, RUNNING, ENDED))
    async with gateway(*replies) as there, there.client() as client:
        stream = client.stream("hi")
        events: list[Event] = [event async for event in stream]
    assert [type(event) for event in events] == [Snapshot, Snapshot, Finished]
    assert (stream.answer.text, stream.text) == ("Hello", "Hello")


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(
    ("replies", "kind", "says"),
    [
        ((QUEUED, FAILED), errors.ResponseFailed, "the reason"),
        ((QUEUED, {**QUEUED, "status": "cancelled"}), errors.ResponseFailed, "cancelled"),
        ((QUEUED, RUNNING), errors.TimedOut, r"retrieve\('poll_1'\)"),
        (({**QUEUED, "id": None},), errors.ProtocolError, "no id"),
    ],
)
async def test_what_does_not_come_to_an_end_is_an_error(
    streamed: bool, replies: tuple[Any, ...], kind: type[errors.KitError], says: str
) -> None:
    timeout = 2.0 if kind is errors.TimedOut else 60.0
    async with gateway(*map(json_reply, replies)) as there, there.client(timeout=timeout) as client:
        with pytest.raises(kind, match=says) as caught:
            if streamed:
                _ = [event async for event in client.stream("hi")]
            else:
                await client.respond("hi")
    assert caught.value.answer.raw in replies


async def test_what_was_asked_to_run_in_the_background_is_returned_at_once() -> None:
    async with gateway(json_reply(QUEUED)) as there, there.client() as client:
        stream = client.stream("hi", extra={"background": True})
        [event] = [event async for event in stream]
        answers = [
            stream.answer,
            await client.submit("hi"),
            await client.respond("hi", extra={"background": True}),
        ]
    assert isinstance(event, Snapshot)
    assert [(one.id, one.status) for one in answers] == [("poll_1", "queued")] * 3


async def test_a_stream_that_is_closed_meanwhile_asks_no_more() -> None:
    async with gateway(*map(json_reply, (QUEUED, RUNNING))) as there, there.client() as client:
        stream = client.stream("hi")
        async for _ in stream:
            break
        asked = len(there.requests)
        await asyncio.sleep(0.1)
    assert len(there.requests) == asked
    assert stream.partial.id == "poll_1"
