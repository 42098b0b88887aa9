"""What the doctor has seen: how it is kept, and how a client goes by it."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kit import errors, secret_file
from kit.gateway.answer import Answer
from kit.gateway.capabilities import NOTHING, Capabilities, Seen
from kit.gateway.capabilities_file import (
    MOST_FINDINGS,
    NO_SECONDS,
    YES_SECONDS,
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


@pytest.mark.parametrize(
    ("verdict", "seconds"), [("yes", YES_SECONDS), ("partly", YES_SECONDS), ("no", NO_SECONDS)]
)
def test_what_works_is_believed_for_a_week_and_a_no_for_a_day(
    tmp_path: Path, verdict: Any, seconds: float
) -> None:
    """Behind a "no" may be an hour in which the gateway was not well."""
    assert (YES_SECONDS, NO_SECONDS) == (7 * 86_400, 86_400)
    remember(tmp_path, THERE, "m", {"chat": Seen(verdict, "refused", NOW)})
    assert recall(tmp_path, THERE, "m", now=NOW + seconds - 9).verdict("chat") == verdict
    assert recall(tmp_path, THERE, "m", now=NOW + seconds + 9) is NOTHING
    assert recall(tmp_path, THERE, "m", now=NOW - 3600) is NOTHING, "a clock was wrong"


def test_a_no_that_is_no_longer_believed_takes_nothing_with_it(tmp_path: Path) -> None:
    remember(tmp_path, THERE, "m", {"chat": Seen("yes", at=NOW), "history": Seen("no", at=NOW)})
    found = recall(tmp_path, THERE, "m", now=NOW + NO_SECONDS + 9)
    assert (found.verdict("chat"), found.verdict("history")) == ("yes", "unknown")


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
    assert [*tmp_path.iterdir()] == []


def test_the_last_that_is_forgotten_takes_the_folder_with_it(tmp_path: Path) -> None:
    for gateway_, model in ((THERE, "a"), ("https://other.example/v1", "b")):
        remember(tmp_path, gateway_, model, {"chat": Seen("yes", at=NOW)})
    assert forget(tmp_path, THERE, "a") == 1
    assert len([*(tmp_path / "gateways").iterdir()]) == 1
    assert forget(tmp_path, "https://other.example/v1") == 1
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("act", ["remember", "forget"])
def test_what_a_killed_process_was_writing_is_swept(tmp_path: Path, act: str) -> None:
    """Not what another may be writing at this moment."""
    remember(tmp_path, THERE, "m", {"chat": Seen("yes", at=NOW)})
    (file,) = files(tmp_path)
    old, young, other = (
        file.with_name(name)
        for name in (f".{file.name}.{'a' * 16}", f".{file.name}.{'b' * 16}", ".notes")
    )
    for one in (old, young, other):
        one.write_text("{")
    for one in (old, other):
        os.utime(one, (NOW - 7200, NOW - 7200))
    if act == "remember":
        remember(tmp_path, THERE, "n", {"chat": Seen("yes", at=NOW)})
    else:
        assert forget(tmp_path, THERE) == 1
    assert (old.exists(), young.exists(), other.exists()) == (False, True, True)


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


def finding(at: str = "NOW", **changes: Any) -> str:
    """A file with one finding, good but for the changes; `at` as JSON spells it, or NOW."""
    good = {"name": "chat", "verdict": "no", "how": "refused", **changes}
    one = f'{json.dumps(good)[:-1]}, "at": {at}}}'
    return f'{{"gateway": "{THERE}", "model": "m", "findings": [{one}]}}'


def told(content: str) -> str:
    return content.replace("NOW", str(NOW))  # here: names of tests are the same in all processes


def test_a_good_file_is_believed(tmp_path: Path) -> None:
    """So that each of the damaged ones is damaged in one place."""
    remember(tmp_path, THERE, "m", {"history": Seen("yes", at=NOW)})
    (file,) = files(tmp_path)
    file.write_text(told(finding()))
    assert recall(tmp_path, THERE, "m").refuses("chat")


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
        '[{"name": "chat", "verdict": ["no"], "how": {}, "at": NaN}]}',
        "x" * 200_000,
        '{"a": ' * 9_000,
        *(finding(verdict="maybe"), finding(verdict=["no"]), finding(verdict=None)),
        *(finding(how={}), finding(name=["chat"]), finding(name="x" * 41)),
        finding(at="[" * 200 + "]" * 200),
        *(finding(at=one) for one in ("1e308", "-1e308", "1e999", "NaN", "Infinity", "-Infinity")),
        *(finding(at=one) for one in ("1" + "0" * 400, "-1" + "0" * 400, "true", "null", '"1"')),
        finding(at="1" + "0" * 5_000),
    ],
)
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, content: str) -> None:
    remember(tmp_path, THERE, "m", {"chat": Seen("yes", at=NOW)})
    (file,) = files(tmp_path)
    file.write_text(told(content))
    assert recall(tmp_path, THERE, "m") is NOTHING
    remember(tmp_path, THERE, "m", {"chat": Seen("yes", at=NOW)})
    assert recall(tmp_path, THERE, "m").verdict("chat") == "yes"


def test_a_file_with_more_than_the_doctor_asks_does_not_grow(tmp_path: Path) -> None:
    many = {f"n{number}": Seen("yes", at=NOW) for number in range(2 * MOST_FINDINGS)}
    remember(tmp_path, THERE, "m", many)
    assert len(recall(tmp_path, THERE, "m").seen) == MOST_FINDINGS
    remember(tmp_path, THERE, "m", {"chat": Seen("yes", at=NOW)})
    assert recall(tmp_path, THERE, "m").verdict("chat") == "yes"


def pipe(file: Path) -> None:
    os.mkfifo(file)


def link(file: Path) -> None:
    there = file.parent.parent / "elsewhere"
    there.write_text(told(finding()))
    there.chmod(0o600)
    file.symlink_to(there)


def endless(file: Path) -> None:
    file.symlink_to("/dev/zero")


def in_circles(file: Path) -> None:
    file.symlink_to(file)


def of_another(file: Path) -> None:
    file.write_text(told(finding()))
    try:
        os.chown(file, os.geteuid() + 1, -1)
    except PermissionError:
        pytest.skip("only root gives files away")


def of_all(file: Path) -> None:
    file.write_text(told(finding()))
    file.chmod(0o666)


def of_the_group(file: Path) -> None:
    file.write_text(told(finding()))
    file.chmod(0o620)


@pytest.mark.skipif(os.name != "posix", reason="pipes, owners and modes")
@pytest.mark.parametrize(
    "put", [pipe, link, endless, in_circles, of_another, of_all, of_the_group, os.mkdir]
)
def test_a_foreign_file_is_as_good_as_none(tmp_path: Path, put: Any) -> None:
    """And nobody waits for it: it is looked for before each stream."""
    remember(tmp_path, THERE, "m", {"chat": Seen("yes", at=NOW)})
    (file,) = files(tmp_path)
    file.unlink()
    put(file)
    assert recall(tmp_path, THERE, "m") is NOTHING
    if put is os.mkdir:
        with pytest.raises(OSError):
            remember(tmp_path, THERE, "m", {"chat": Seen("yes", at=NOW)})
    else:
        remember(tmp_path, THERE, "m", {"chat": Seen("yes", at=NOW)})
        assert recall(tmp_path, THERE, "m").verdict("chat") == "yes"
        assert stat.S_ISREG(file.lstat().st_mode)


@pytest.mark.skipif(os.name != "posix", reason="pipes")
@pytest.mark.parametrize("put", [pipe, link, in_circles])
def test_a_foreign_file_is_forgotten_too(tmp_path: Path, put: Any) -> None:
    remember(tmp_path, THERE, "m", {"chat": Seen("yes", at=NOW)})
    (file,) = files(tmp_path)
    file.unlink()
    put(file)
    forget(tmp_path, THERE)
    assert not os.path.lexists(file)


# -- several kernels at once ---------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="elsewhere folders cannot be locked")
def test_what_several_see_at_once_is_all_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret_file, "LOCK_SECONDS", 600.0)  # however slow the disk is
    names = [f"n{number}" for number in range(16)]
    together = threading.Barrier(len(names))

    def write(name: str) -> None:
        together.wait()
        remember(tmp_path, THERE, "m", {name: Seen("yes", at=NOW)})

    with ThreadPoolExecutor(len(names)) as pool:
        [*pool.map(write, names)]
    assert sorted(recall(tmp_path, THERE, "m").seen) == sorted(names)
    assert len(files(tmp_path)) == 1


@pytest.mark.skipif(os.name != "posix", reason="elsewhere folders cannot be locked")
def test_nobody_waits_for_ever_for_one_who_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was stopped in the middle keeps others from nothing."""
    monkeypatch.setattr(secret_file, "LOCK_SECONDS", 0.05)
    with secret_file.alone(tmp_path):
        remember(tmp_path, THERE, "m", {"chat": Seen("yes", at=NOW)})
        assert recall(tmp_path, THERE, "m").verdict("chat") == "yes"
        assert forget(tmp_path, THERE) == 1


def test_where_nothing_can_be_locked_it_is_kept_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret_file, "fcntl", None)
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


# -- a memory that is wrong ----------------------------------------------------------------------


MUST = "Stream must be set to true"
REPLIES: Any = {
    "responses": (ANSWER, DONE),
    "chat": (
        CHAT,
        stream_reply(
            {**CHAT, "choices": [{**CHAT["choices"][0], "delta": {"content": "Hi"}}]}, "[DONE]"
        ),
    ),
}


WORKED = "The non-streaming request was cut at 600 s; 3,120 tokens had been generated by then."
MENTIONED = [
    WORKED,
    "The stream must have broken off behind 3,120 tokens",
    "only 3 of 9 streams ended",
    "timed out; stream=true is advised for long answers",
]
"""Words about streams that refuse nothing."""


def no(message: str, status: str = "400 Bad Request", **error: Any) -> bytes:
    return json_reply({"error": {"message": message, **error}}, status=status)


@pytest.mark.parametrize("api", ["responses", "chat"])
@pytest.mark.parametrize(
    "refusal",
    [
        no(MUST),
        no("Bad request"),
        no("Unprocessable", "422 Unprocessable Entity"),
        no("no", "404 Not Found"),
        no(f"litellm.APIConnectionError: {MUST}", "500 Internal Server Error"),
    ],
)
async def test_a_gateway_that_streams_alone_by_now_is_asked_for_a_stream(
    api: Any, refusal: bytes
) -> None:
    """Once more, for a request in one piece that nobody would have sent without the memory."""
    known = knows(f"{api} stream", "no", "cut")
    async with (
        gateway(refusal, REPLIES[api][1]) as there,
        there.client(capabilities=known) as client,
    ):
        assert (await read(client, api=api)).text == "Hi"
    assert [one.body["stream"] for one in there.requests] == [False, True]
    assert ["stream_options" in one.body for one in there.requests] == [False, api == "chat"]


@pytest.mark.parametrize(
    "words",
    [
        MUST,
        "`stream` must be true",
        "The parameter 'stream' has to be set to true.",
        "Streaming must be enabled for this model",
        "stream is required",
        "stream=true is required",
        "Please set stream=true: non-streaming requests are not supported.",
        "This model only supports streaming.",
        "This model only support stream mode, please enable the stream parameter.",
        "Only streaming requests are accepted",
        "The provider does not support non-streaming calls",
    ],
)
async def test_in_whichever_words_a_500_asks_for_a_stream(words: str) -> None:
    refusal = no(f"litellm.APIConnectionError: {words}", "500 Internal Server Error")
    known = knows("chat stream", "no", "cut")
    async with gateway(refusal, REPLIES["chat"][1]) as there, there.client(capabilities=known) as c:
        assert (await read(c, api="chat")).text == "Hi"
    assert [one.body["stream"] for one in there.requests] == [False, True]


@pytest.mark.parametrize("api", ["responses", "chat"])
async def test_a_memory_that_was_wrong_is_not_asked_again(api: Any) -> None:
    """By this client, of this model and API: the next call is a stream at once."""
    known = knows(f"{api} stream", "no", "cut")
    stream = REPLIES[api][1]
    async with (
        gateway(no(MUST), stream, stream) as there,
        there.client(capabilities=known) as client,
    ):
        await read(client, api=api)
        await read(client, api=api)
    assert [one.body["stream"] for one in there.requests] == [False, True, True]


async def test_a_refusal_of_both_is_the_streams_and_changes_nothing() -> None:
    """It is what a client that knows nothing would have raised."""
    known = knows("responses stream", "no", "cut")
    async with (
        gateway(no("in one piece"), no("as a stream"), json_reply(ANSWER)) as there,
        there.client(capabilities=known) as client,
    ):
        with pytest.raises(errors.BadRequest, match="as a stream"):
            await read(client)
        assert (await read(client)).text == "Hi"
    assert [one.body["stream"] for one in there.requests] == [False, True, False]


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (no("no such model", code="model_not_found"), errors.ModelUnknown),
        (no("no", "401 Unauthorized"), errors.AuthenticationFailed),
        (no("no", "500 Internal Server Error"), errors.ServerFailed),
        (no("upstream timed out", "504 Gateway Timeout"), errors.ServerFailed),
        *(
            (no(words, status), errors.ServerFailed)
            for words in (MUST, "Only streams live so long", WORKED)
            for status in ("502 Bad Gateway", "504 Gateway Timeout", "524 A Timeout Occurred")
        ),
        *((no(words, "500 Internal Server Error"), errors.ServerFailed) for words in MENTIONED),
        (no(WORKED, "499 Client Closed Request"), errors.BadRequest),
    ],
)
async def test_what_a_stream_would_not_help_or_would_pay_for_twice_is_raised(
    refusal: bytes, kind: type[errors.KitError]
) -> None:
    known = knows("responses stream", "no", "cut")
    async with gateway(refusal) as there, there.client(capabilities=known, retries=0) as client:
        with pytest.raises(kind):
            await read(client)
    assert len(there.requests) == 1


async def test_a_stream_that_was_refused_is_not_asked_for_in_another_way() -> None:
    """Nothing was remembered: one request, as ever."""
    async with gateway(no(MUST)) as there, there.client() as client:
        with pytest.raises(errors.BadRequest):
            await read(client)
    assert len(there.requests) == 1


async def test_an_answer_in_one_piece_may_begin_long_before_it_ends() -> None:
    """A gateway that sends the head at once is given the same time for the rest."""
    whole = json_reply(ANSWER)
    cut = whole.index(b"\r\n\r\n") + 4
    slow: Any = [whole[:cut], 0.3, whole[cut:]]
    known = knows("responses stream", "no")
    async with (
        gateway(slow) as there,
        there.client(capabilities=known, idle_timeout=0.1) as client,
    ):
        assert (await read(client)).text == "Hi"


async def test_a_client_that_knows_nothing_says_so() -> None:
    async with gateway(json_reply(ANSWER)) as there, there.client(KEY) as client:
        assert client.known() is NOTHING and client.known("x") is NOTHING
