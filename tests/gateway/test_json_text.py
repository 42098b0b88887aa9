"""Half a surrogate pair, which JSON can spell, does not get any further than the wire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kit import errors
from kit.gateway.json_text import read_json
from kit.gateway.structured import parse
from tests.gateway.gateways import STREAM_HEAD, gateway, json_reply

pytestmark = pytest.mark.anyio

HALF = r"half \ud800 there"
READ = "half \ufffd there"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (HALF, READ),
        (r"\uDC00\uD800", "\ufffd\ufffd"),
        (r"\ud83d\ude00", "😀"),
        (r"\uD83D\uDE00\ud83d", "😀\ufffd"),
        (r"\ud83d\ud83d\ude00", "\ufffd😀"),
        (r"\\ud800", r"\ud800"),
        (r"\\\ud800", "\\\ufffd"),
        (r"\\\\ud800\n", "\\\\ud800\n"),
        (r"\ud7ff\ue000", "\ud7ff\ue000"),
        ("\ud800", "\ufffd"),
    ],
)
def test_only_halves_of_pairs_are_replaced(written: str, read: str) -> None:
    assert read_json(f'{{"{written}": ["{written}"]}}') == {read: [read]}


@pytest.mark.parametrize("text", [r'"\ud8', r'"\ud800', r"\ud800", '"\\', r'"\ud8zz"'])
def test_what_is_no_json_stays_none(text: str) -> None:
    with pytest.raises(ValueError):
        read_json(text)


def message(text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "role": "assistant", "content": content}


def halved(value: Any) -> str:
    return json.dumps(value).replace("HALF", HALF)


RESPONSE = {
    "object": "response",
    "id": "HALF",
    "status": "completed",
    "model": "HALF",
    "output": [message("HALF")],
    "usage": {"input_tokens": 1},
}


async def test_a_streamed_answer_can_be_written_down() -> None:
    delta = {"type": "response.output_text.delta", "output_index": 0, "delta": "HALF"}
    done = {"type": "response.completed", "response": RESPONSE}
    pieces = [STREAM_HEAD, *(f"data: {halved(one)}\n\n".encode() for one in (delta, done))]
    async with gateway(pieces) as there, there.client() as client, client.stream("hi") as stream:
        events = [event async for event in stream]
    assert (stream.text, stream.answer.text, stream.answer.id) == (READ, READ, READ)
    json.dumps([event.raw for event in events], ensure_ascii=False).encode()
    for shown in stream.answer._repr_mimebundle_().values():
        shown.encode()


async def test_a_whole_answer_can_be_written_down() -> None:
    async with gateway(json_reply(halved(RESPONSE))) as there, there.client() as client:
        answer = await client.respond("hi")
    assert (answer.text, answer.model) == (READ, READ)
    json.dumps(answer.raw, ensure_ascii=False).encode()


async def test_bytes_that_are_no_text_are_replaced_as_well() -> None:
    body = json.dumps(RESPONSE).encode().replace(b"HALF", b"half \xed\xa0\x80 there")
    reply = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    async with gateway(reply % len(body) + body) as there, there.client() as client:
        (await client.respond("hi")).text.encode()


async def test_an_error_can_be_written_down() -> None:
    reply = json_reply(halved({"error": {"message": "no HALF"}}), status="400 No")
    async with gateway(reply) as there, there.client() as client:
        with pytest.raises(errors.BadRequest, match="no half") as caught:
            await client.respond("hi")
    str(caught.value).encode()


def test_a_parsed_object_can_be_written_down() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert parse('{"a": "half \\ud800 there"}', schema) == {"a": READ}


async def test_a_shown_object_can_be_written_down() -> None:
    text = '{"a": "half \\ud800 there"}'
    whole = {**RESPONSE, "output": [message(text)]}
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    async with gateway(json_reply(whole)) as there, there.client() as client:
        answer = await client.respond("hi", schema=schema)
    for shown in answer._repr_mimebundle_().values():
        shown.encode()
