"""What the relay needs of the client: a body as it is, once; a stream taken up; prices."""

from __future__ import annotations

from typing import Any

import pytest

from kit import errors
from kit.gateway.events import Event, Finished, Snapshot
from tests.gateway.gateways import KEY, gateway, json_reply, stream_reply

pytestmark = pytest.mark.anyio

QUEUED: dict[str, Any] = {"id": "resp_1", "object": "response", "status": "queued", "output": []}
FAILED = {**QUEUED, "status": "failed", "error": {"message": "no"}}
DELTA = {"type": "response.output_text.delta", "output_index": 0, "sequence_number": 8}
MESSAGE = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "All of it", "annotations": []}],
}
ENDED = {
    "type": "response.completed",
    "sequence_number": 9,
    "response": {**QUEUED, "status": "completed", "output": [MESSAGE]},
}


async def test_a_stream_is_taken_up_behind_a_number() -> None:
    reply = stream_reply({**DELTA, "delta": "it"}, ENDED)
    async with gateway(reply) as there, there.client() as client:
        stream = client.resume("resp/1", starting_after=7)
        events: list[Event] = [event async for event in stream]
    [request] = there.requests
    assert (request.method, request.path) == (
        *("GET", "/v1/responses/resp%2F1?stream=true&starting_after=7"),
    )
    assert [event.sequence_number for event in events] == [8, 9]
    assert stream.answer.text == "All of it"


async def test_a_stream_is_taken_up_from_its_beginning_without_a_number() -> None:
    async with gateway(stream_reply(ENDED)) as there, there.client() as client:
        _ = [event async for event in client.resume("resp_1")]
    assert there.requests[0].path == "/v1/responses/resp_1?stream=true"


@pytest.mark.parametrize(
    ("status", "kind"), [("404 Not Found", errors.NotFound), ("400 No", errors.BadRequest)]
)
async def test_a_stream_that_is_not_given_again_says_so(
    status: str, kind: type[errors.GatewayError]
) -> None:
    refusal = json_reply({"error": {"message": "too old"}}, status=status)
    async with gateway(refusal) as there, there.client() as client:
        with pytest.raises(kind):
            _ = [event async for event in client.resume("resp_1", starting_after=3)]


async def test_json_instead_of_a_resumed_stream_is_the_response_as_it_stands() -> None:
    async with gateway(json_reply(QUEUED)) as there, there.client() as client:
        stream = client.resume("resp_1", starting_after=3)
        events = [event async for event in stream]
    assert [type(event) for event in events] == [Snapshot]
    assert stream.answer.status == "queued"


async def test_a_body_is_sent_as_it_is_with_headers_of_its_own() -> None:
    body = {"model": "x", "input": "hi", "background": True, "stream": True, "new": {"a": [1]}}
    replies = (stream_reply(ENDED), stream_reply(ENDED))
    async with gateway(*replies) as there, there.client() as client:
        stream = client.create(body, headers={"Idempotency-Key": "inv_1-1"})
        events = [event async for event in stream]
        _ = [event async for event in client.create(body)]
    assert type(events[-1]) is Finished
    assert there.requests[0].body == body
    assert there.requests[0].headers["idempotency-key"] == "inv_1-1"
    assert there.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert "idempotency-key" not in there.requests[1].headers


async def test_a_body_is_sent_once_even_where_it_was_refused_for_now() -> None:
    busy = json_reply({"error": {"message": "later"}}, "retry-after-ms: 5", status="429 Busy")
    async with gateway(busy, stream_reply(ENDED)) as there, there.client(retries=2) as client:
        with pytest.raises(errors.RateLimited) as caught:
            _ = [event async for event in client.create({"model": "x", "input": "hi"})]
    assert caught.value.retry_after == pytest.approx(0.005)
    assert len(there.requests) == 1


async def test_what_was_created_and_failed_is_an_answer_too() -> None:
    async with gateway(json_reply(FAILED)) as there, there.client() as client:
        stream = client.create({"model": "x", "input": "hi"})
        _ = [event async for event in stream]
    assert stream.answer.status == "failed"


@pytest.mark.parametrize("headers", [{"x": "a\nb"}, {"a b": "c"}, {"x": "김치"}])
async def test_headers_that_cannot_be_sent_are_refused(headers: dict[str, str]) -> None:
    async with gateway(stream_reply(ENDED)) as there, there.client() as client:
        with pytest.raises(errors.InputError):
            _ = [event async for event in client.create({"model": "x"}, headers=headers)]
    assert there.requests == []


async def test_litellms_list_of_models_is_read_as_it_comes() -> None:
    listed = {"data": [{"model_name": "m", "model_info": {"input_cost_per_token": 1e-6}}]}
    async with gateway(json_reply(listed)) as there, there.client() as client:
        assert await client.model_info() == listed
    assert there.requests[0].path == "/v1/model/info"


async def test_the_only_model_is_named_and_several_are_an_error() -> None:
    one, two = ({"data": [{"id": f"m{n}"} for n in range(count)]} for count in (1, 2))
    async with gateway(json_reply(one)) as there, there.client() as client:
        assert (await client.only_model(), await client.only_model()) == ("m0", "m0")
    assert len(there.requests) == 1
    async with gateway(json_reply(two)) as there, there.client() as client:
        with pytest.raises(errors.ModelMissing, match="m0, m1"):
            await client.only_model()
