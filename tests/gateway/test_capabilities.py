"""What the doctor has seen: how it is kept, and how a client goes by it."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from kit.gateway.answer import Answer
from kit.gateway.capabilities import NOTHING, Capabilities, Seen
from kit.gateway.capabilities_file import (
    BELIEVED_SECONDS,
    forget,
    recall,
    remember,
    remembered,
)
from kit.gateway.client import AsyncClient
from tests.gateway.gateways import KEY, gateway, json_reply, stream_reply

pytestmark = [pytest.mark.once, pytest.mark.anyio]

THERE = "https://gateway.example/v1"
NOW = time.time()


def files(folder: Path) -> list[Path]:
    return sorted(one for one in folder.rglob("*") if one.is_file())


def test_what_was_seen_is_known_again(tmp_path: Path) -> None:
    seen = {"chat": Seen("yes", at=NOW), "history": Seen("no", "forgotten", NOW)}
    remember(tmp_path, THERE, "m", seen)
    found = remembered(tmp_path, THERE)("m")
    assert found.seen == seen
    assert found.verdict("history") == "no" and not found.refuses("history")


@pytest.mark.parametrize(("there", "model"), [(THERE, "n"), ("https://other.example/v1", "m")])
def test_it_is_of_one_gateway_and_one_model(tmp_path: Path, there: str, model: str) -> None:
    remember(tmp_path, THERE, "m", {"chat": Seen("yes", at=NOW)})
    assert recall(tmp_path, there, model) is NOTHING


def test_it_is_forgotten_in_a_week(tmp_path: Path) -> None:
    remember(tmp_path, THERE, "m", {"chat": Seen("no", "refused", NOW)})
    assert recall(tmp_path, THERE, "m", now=NOW + BELIEVED_SECONDS - 9).refuses("chat")
    assert recall(tmp_path, THERE, "m", now=NOW + BELIEVED_SECONDS + 9) is NOTHING
    assert recall(tmp_path, THERE, "m", now=NOW - 3600) is NOTHING, "a clock was wrong"


def test_what_is_unknown_now_stays_as_it_was(tmp_path: Path) -> None:
    """The cheap probes do not forget what the dear ones found out."""
    remember(tmp_path, THERE, "m", {"cursor": Seen("yes", at=NOW), "chat": Seen("yes", at=NOW)})
    later = {"cursor": Seen("unknown", "dear", NOW + 1), "chat": Seen("no", "refused", NOW + 1)}
    remember(tmp_path, THERE, "m", later)
    found = recall(tmp_path, THERE, "m")
    assert (found.verdict("cursor"), found.verdict("chat")) == ("yes", "no")


def test_it_can_be_forgotten_at_once(tmp_path: Path) -> None:
    for model in ("a", "b", "c"):
        remember(tmp_path, THERE, model, {"chat": Seen("yes", at=NOW)})
    assert forget(tmp_path, THERE, "a") == 1
    assert recall(tmp_path, THERE, "a") is NOTHING and recall(tmp_path, THERE, "b") is not NOTHING
    assert forget(tmp_path, THERE) == 2
    assert forget(tmp_path, THERE) == 0
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    "model", ["a/b", "..", "", "x" * 5_000, "모델", "a\x00b", "\ud800", "CON", "sandbox:429"]
)
def test_a_model_may_be_called_anything(tmp_path: Path, model: str) -> None:
    remember(tmp_path, THERE, model, {"chat": Seen("yes", at=NOW)})
    assert recall(tmp_path, THERE, model).verdict("chat") == "yes"
    assert len(files(tmp_path)) == 1


def test_the_file_is_private_and_holds_verdicts_alone(tmp_path: Path) -> None:
    remember(tmp_path, THERE, "m", {"chat": Seen("yes", at=NOW)})
    (file,) = files(tmp_path)
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = json.loads(file.read_text())
    assert set(kept) == {"gateway", "model", "findings"}
    assert set(kept["findings"][0]) == {"name", "verdict", "how", "at"}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 50_000,
        '{"gateway": "https://gateway.example/v1", "model": "other", "findings": []}',
        '{"gateway": "https://gateway.example/v1", "model": "m", "findings": 7}',
        '{"gateway": "https://gateway.example/v1", "model": "m", "findings": [7, null, {}]}',
        '{"gateway": "https://gateway.example/v1", "model": "m", "findings": '
        '[{"name": "chat", "verdict": "maybe", "how": "", "at": 1e308}]}',
        '{"gateway": "https://gateway.example/v1", "model": "m", "findings": '
        '[{"name": "chat", "verdict": ["no"], "how": {}, "at": NaN}]}',
        "x" * 200_000,
    ],
)
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, content: str) -> None:
    remember(tmp_path, THERE, "m", {"chat": Seen("yes", at=NOW)})
    (file,) = files(tmp_path)
    file.write_text(content)
    assert recall(tmp_path, THERE, "m") is NOTHING
    remember(tmp_path, THERE, "m", {"chat": Seen("yes", at=NOW)})
    assert recall(tmp_path, THERE, "m").verdict("chat") == "yes"


# -- a client that knows -------------------------------------------------------------------------

ANSWER: Any = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "output": [
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}
    ],
}
CHAT: Any = {
    "id": "chat_1",
    "object": "chat.completion",
    "choices": [{"message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
}

DONE = stream_reply({"type": "response.completed", "response": ANSWER}, "[DONE]")


def knows(name: str, verdict: Any, how: str = "") -> Any:
    return lambda model: Capabilities({name: Seen(verdict, how)} if model == "m" else {})


async def read(client: AsyncClient, **options: Any) -> Answer:
    async with client.stream("hi", **options) as stream:
        async for _ in stream:
            pass
    return stream.answer


@pytest.mark.parametrize(("api", "whole"), [("responses", ANSWER), ("chat", CHAT)])
async def test_where_streams_break_off_an_answer_comes_in_one_piece(api: Any, whole: Any) -> None:
    """The stream is the same to whoever reads it."""
    known = knows(f"{api} stream", "no", "cut")
    async with (
        gateway(json_reply(whole)) as there,
        there.client(capabilities=known) as client,
        client.stream("hi", api=api) as stream,
    ):
        events = [event async for event in stream]
    assert there.requests[0].body["stream"] is False
    assert "stream_options" not in there.requests[0].body
    assert stream.answer.text == "Hi" and events


async def test_an_answer_in_one_piece_may_take_its_time() -> None:
    """Nothing comes before the whole is made: a stream's silence would end it."""
    slow: Any = [0.3, json_reply(ANSWER)]
    known = knows("responses stream", "no")
    async with (
        gateway(slow) as there,
        there.client(capabilities=known, idle_timeout=0.1) as client,
    ):
        assert (await read(client)).text == "Hi"


@pytest.mark.parametrize("verdict", ["yes", "partly", "unknown"])
async def test_a_stream_is_asked_for_everywhere_else(verdict: str) -> None:
    known = knows("responses stream", verdict)
    async with gateway(DONE) as there, there.client(capabilities=known) as client:
        await read(client)
        await read(client, model="another")
    assert [one.body["stream"] for one in there.requests] == [True, True]


async def test_a_gateway_that_streams_again_is_read_as_it_comes() -> None:
    """What was seen is old: the answer comes as a stream although none was asked for."""
    known = knows("responses stream", "no")
    async with gateway(DONE) as there, there.client(capabilities=known) as client:
        assert (await read(client)).text == "Hi"


async def test_a_client_that_knows_nothing_says_so() -> None:
    async with gateway(json_reply(ANSWER)) as there, there.client(KEY) as client:
        assert client.known() is NOTHING and client.known("x") is NOTHING
