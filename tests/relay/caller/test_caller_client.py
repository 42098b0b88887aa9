"""What a relay answers, and what its caller makes of it: values, or an error one can act on."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from kit import errors
from kit.relay.client import RelayClient
from kit.relay.view import View
from kit.secret import Secret
from tests.relay.caller.there import (
    ID,
    KEY,
    RUNS,
    TOKEN,
    URL,
    Reply,
    There,
    answer,
    page,
    problem,
    stream,
    view,
)

pytestmark = pytest.mark.anyio

ARGUMENTS = {"research_question": "김치의 역사는?", "stream": True}
SECRET = Secret(TOKEN)

Call = Callable[[RelayClient], Awaitable[Any]]


def start(client: RelayClient) -> Awaitable[View]:
    return client.start(ARGUMENTS, key="k", wait=5.0)


async def read(client: RelayClient) -> None:
    async for _ in client.events(ID, SECRET):
        pass


CALLS: dict[str, Call] = {
    "start": start,
    "view": lambda client: client.view(ID, SECRET),
    "wait": lambda client: client.wait(ID, SECRET, 1.0),
    "cancel": lambda client: client.cancel(ID, SECRET),
    "delete": lambda client: client.delete(ID, SECRET),
    "events": read,
}
OF_A_RUN = [name for name in CALLS if name != "start"]


async def failure(there: There, call: Call, key: str | None = KEY) -> errors.KitError:
    with pytest.raises(errors.KitError) as caught:
        await call(there.client(key))
    return caught.value


# -- what is sent --------------------------------------------------------------------------------


async def test_a_start_carries_its_key_and_the_callers() -> None:
    there = There(answer(view("pending"), 202))
    found = await start(there.client())
    assert (found.id, found.token, found.status) == (ID, SECRET, "pending")
    [request] = there.requests
    assert (request.method, str(request.url)) == ("POST", f"{URL}{RUNS}")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["idempotency-key"] == "k"
    assert request.headers["prefer"] == "wait=5"
    assert "x-invocation-token" not in request.headers
    assert there.sent() == {"tool_name": "deep_research", "arguments": ARGUMENTS}


async def test_a_relay_without_keys_is_sent_none() -> None:
    there = There(view())
    await there.client(None).view(ID, SECRET)
    assert "authorization" not in there.requests[0].headers
    assert there.requests[0].headers["x-invocation-token"] == TOKEN


@pytest.mark.parametrize("id", ["../../secret", "a/b", "a?b=c#d", "짜장면", "a b"])
async def test_an_id_stays_one_part_of_the_address(id: str) -> None:
    there = There(view())
    await there.client().view(id, SECRET)
    path = there.requests[0].url.raw_path.decode()
    assert path.startswith(f"{RUNS}/")
    assert not {*path.removeprefix(f"{RUNS}/")} & {*"/?#"}


# -- the way there -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "away",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("closed"),
        *(502, 503, 504, 507),
    ],
    ids=str,
)
async def test_a_relay_that_is_away_for_a_moment_is_asked_again(name: str, away: Reply) -> None:
    end = stream(b'id: 1\ndata: {"type": "completed", "data": {}}\n\n')
    there = There(away, away, end if name == "events" else view("completed"))
    await CALLS[name](there.client())
    assert len(there.requests) == 3


async def test_a_start_that_is_sent_again_has_the_same_key() -> None:
    there = There(httpx.ReadError("reset"), 503, answer(view(), 202))
    await start(there.client())
    assert [one.headers["idempotency-key"] for one in there.requests] == ["k"] * 3
    assert len({one.content for one in there.requests}) == 1


async def test_a_relay_that_never_answers_says_how_to_bring_one() -> None:
    error = await failure(There(httpx.ConnectError("refused")), start)
    assert type(error) is errors.ConnectionFailed
    assert str(error) == (
        f"No relay answers at {URL}. Start it there (python -m relay_lite, with the store of its "
        "runs), or unset RELAY_BASE_URL: for new runs the notebook brings its own."
    )


@pytest.mark.parametrize("first", [httpx.ReadError("reset"), 502, 503, 504], ids=str)
async def test_no_connection_at_last_is_no_proof_that_nothing_left(first: Reply) -> None:
    """The relay may have taken the first, and have died then."""
    error = await failure(There(first, httpx.ConnectError("refused")), start)
    assert type(error) is errors.ConnectionBroken


async def test_a_relay_that_takes_a_request_and_says_nothing_is_given_up() -> None:
    def silent(_request: httpx.Request) -> Reply:
        return TimeoutError()

    error = await failure(There(silent), start)
    assert type(error) is errors.ConnectionBroken


async def test_a_body_that_breaks_off_is_said() -> None:
    body = stream(b'{"invocation_id"', httpx.ReadError("reset"))
    error = await failure(There(body), CALLS["view"])
    assert type(error) is errors.ConnectionBroken


async def test_a_stop_ends_the_call_at_once() -> None:
    """A cancelled task is not tried again."""
    there = There(stream(b"{", 1_000.0))
    task = asyncio.ensure_future(there.client().view(ID, SECRET))
    while not there.requests:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(there.requests) == 1


# -- refusals ------------------------------------------------------------------------------------

REFUSALS: list[tuple[str, int, type[errors.KitError], str]] = [
    ("start", 401, errors.ConfigError, "set RELAY_API_KEY"),
    ("start", 403, errors.AuthenticationFailed, "Not so."),
    ("start", 404, errors.ConfigError, "is no relay"),
    ("start", 405, errors.ConfigError, "is no relay"),
    ("start", 400, errors.InputError, "The relay refuses this: Not so."),
    ("start", 409, errors.InputError, "Not so."),
    ("start", 413, errors.InputError, "Not so."),
    ("start", 415, errors.InputError, "Not so."),
    ("start", 422, errors.InputError, "Not so."),
    ("start", 500, errors.ServerFailed, "The relay failed (status 500): Not so."),
    ("start", 503, errors.ServerFailed, "cannot take it now: Not so."),
    ("start", 507, errors.ServerFailed, "cannot take it now: Not so."),
    ("start", 302, errors.ServerFailed, "status 302"),
    ("view", 401, errors.ConfigError, "set RELAY_API_KEY"),
    ("view", 403, errors.AuthenticationFailed, "Not so."),
    ("view", 404, errors.NotFound, "does not know this run"),
    ("events", 404, errors.NotFound, "does not know this run"),
    ("cancel", 404, errors.NotFound, "does not know this run"),
    ("delete", 409, errors.InputError, "Not so."),
]


@pytest.mark.parametrize(("name", "status", "kind", "says"), REFUSALS)
async def test_a_refusal_is_an_error_one_can_act_on(
    name: str, status: int, kind: type[errors.KitError], says: str
) -> None:
    error = await failure(There(status), CALLS[name])
    assert type(error) is kind
    assert says in str(error)
    if isinstance(error, errors.ServerFailed):
        assert error.status == status


HOSTILE: dict[str, Any] = {
    "one word": "no",
    "the key": f"You sent Bearer {KEY} and {KEY}.",
    "the token": f"X-Invocation-Token: {TOKEN} is wrong, {TOKEN}!",
    "many lines": "\n".join(["line"] * 400),
    "huge": "x" * 5_000_000,
    "control characters": "\x1b]0;owned\x07\x9b2J\u202eb",
    "a list": [{"loc": ["body"], "msg": TOKEN}],
    "an object": {"token": TOKEN},
    "nothing": None,
    "a number": 7,
    "a key's shape": "sk-abcdefghij0123456789",
}


@pytest.mark.parametrize("detail", HOSTILE.values(), ids=HOSTILE)
async def test_what_a_relay_says_is_shown_short_and_without_secrets(detail: Any) -> None:
    for status in (400, 401, 403, 404, 409, 413, 422, 500, 503, 507):
        for name, token in (("start", "no run, no token"), ("view", TOKEN)):
            said = str(await failure(There(lambda _, at=status: problem(at, detail)), CALLS[name]))
            assert 1 <= len(said.splitlines()) <= 3
            assert 10 < len(said) < 500
            assert not any(secret in said for secret in (KEY, token, "sk-abcdefghij"))
            assert not {*said} & {*"\x1b\x07\x9b\u202e"}


@pytest.mark.parametrize("status", [401, 403, 404, 422, 500, 503])
async def test_a_refusal_that_is_a_page_or_empty_is_said_by_its_status(status: int) -> None:
    for reply in (lambda _: page(status), lambda _: answer(b"", status), answer(b"\xff{", status)):
        error = await failure(There(reply), CALLS["view"])
        assert "<" not in str(error)
        assert len(str(error).splitlines()) == 1


# -- lies ----------------------------------------------------------------------------------------

NO_RUNS: dict[str, Any] = {
    "a page": page,
    "half a JSON": answer(b'{"invocation_id": "inv_'),
    "a list": answer([view()]),
    "text": answer(b"fine"),
    "NaN": answer(b"NaN"),
    "too deep": answer(b"[" * 200_000),
    "empty": answer(b""),
    "an object of another kind": answer({"id": "resp_1", "object": "response"}),
    "an id that is none": answer(view(invocation_id=7)),
    "an empty id": answer(view(invocation_id="")),
    "an endless id": answer(view(invocation_id="x" * 10_000)),
    "no status": answer({**view(), "status": None}),
}


@pytest.mark.parametrize("name", ["start", "view", "wait", "cancel"])
@pytest.mark.parametrize("reply", NO_RUNS.values(), ids=NO_RUNS)
async def test_an_answer_that_is_no_run_is_said(name: str, reply: Any) -> None:
    there = There(lambda _: page() if reply is page else answer(b"".join(reply.stream.pieces)))
    error = await failure(there, CALLS[name])
    assert type(error) is errors.ProtocolError
    assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize("token", [None, "", 7, "a\nb", "토큰", "x" * 5_000], ids=repr)
async def test_a_start_without_a_token_that_can_be_sent_is_no_start(token: Any) -> None:
    """Nobody could read such a run."""
    error = await failure(There(view(invocation_token=token)), start)
    assert type(error) is errors.ProtocolError


async def test_an_answer_of_another_size_is_refused() -> None:
    there = There(lambda _: answer(b" " * (65 * 2**20)))
    error = await failure(there, CALLS["view"])
    assert type(error) is errors.ProtocolError
    assert "relay" in str(error)


ODD: dict[str, Any] = {
    "output_text": 7,
    "response": ["no"],
    "error_message": {"a": 1},
    "error_code": 500,
    "submission_uncertain": "true",
    "created_at": "yesterday",
    "finished_at": -1,
    "last_event": "many",
    "upstream_response_id": ["resp_1"],
}


@pytest.mark.parametrize("name", ODD)
async def test_a_field_of_a_wrong_type_counts_as_not_said(name: str) -> None:
    odd = await There(view(**{name: ODD[name]})).client().view(ID, SECRET)
    assert odd == await There({**view(), name: None}).client().view(ID, SECRET)


@pytest.mark.parametrize(
    "number", ["1e999", "-1e999", "NaN", "true", "1" * 400, "-5", "1.5e300"], ids=lambda n: n[:8]
)
async def test_no_number_is_too_odd(number: str) -> None:
    body = json.dumps(view()).replace('"last_event": 0', f'"last_event": {number}')
    body = body.replace('"created_at": 1795000000.0', f'"created_at": {number}')
    found = await There(answer(body.encode())).client().view(ID, SECRET)
    assert (found.last_event, found.created) == (0, None)


async def test_what_a_relay_says_of_a_failure_is_fit_to_be_shown() -> None:
    said = f"Failed\nat\tBearer {KEY} http://10.0.0.7:4000/v1\x1b[2J " + "x" * 100_000
    found = (
        await There(view("failed", error_message=said, error_code="e" * 999))
        .client()
        .view(ID, SECRET)
    )
    assert found.error_message is not None
    assert len(found.error_message.splitlines()) == 1
    assert len(found.error_message) < 500
    assert not [one for one in (KEY, "10.0.0.7", "\x1b") if one in found.error_message]
    assert len(found.error_code or "") <= 100


async def test_a_status_nobody_knows_is_bounded() -> None:
    found = await There(view("s" * 100_000)).client().view(ID, SECRET)
    assert len(found.status) <= 40


# -- the list by key -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (answer({"data": [], "idempotency_key": "k"}), False),
        (answer({"data": [view()], "idempotency_key": "k"}), True),
        (answer({"data": [view()]}), None),  # an older relay passes the question over
        (403, None),
        (401, None),
        (404, None),
        (405, None),
        (422, None),
    ],
    ids=str,
)
async def test_whether_a_key_has_started_a_run(reply: Reply, expected: bool | None) -> None:
    there = There(reply)
    assert await there.client().started("k") is expected
    assert there.paths == ["?idempotency_key=k"]


@pytest.mark.parametrize(
    "away", [httpx.ConnectError("x"), httpx.ReadError("x"), 503, 500, page()], ids=str
)
async def test_a_relay_that_is_away_is_no_relay_that_does_not_tell(away: Reply) -> None:
    """Else it would be asked to start what it may have."""
    with pytest.raises(errors.GatewayError):
        await There(away).client().started("k")


# -- secrets -------------------------------------------------------------------------------------


async def test_nothing_shows_a_key_or_a_token(caplog: pytest.LogCaptureFixture) -> None:
    there = There(view())
    client = there.client()
    with caplog.at_level(logging.DEBUG):
        found = await client.view(ID, SECRET)
    shown = f"{client!r} {client} {found!r} {found} {caplog.text}"
    assert KEY not in shown
    assert TOKEN not in shown


@pytest.mark.parametrize("reply", [httpx.ConnectError("x"), 403, 500, page()], ids=str)
async def test_a_traceback_with_its_variables_shows_neither(reply: Reply) -> None:
    """Some front ends print them (`%xmode Verbose`)."""
    error = await failure(There(reply), CALLS["view"])
    trace, variables = error.__traceback__, ""
    while trace is not None:
        if "/kit/" in trace.tb_frame.f_code.co_filename:
            variables += repr(trace.tb_frame.f_locals)
        trace = trace.tb_next
    assert variables
    assert TOKEN not in variables
    assert KEY not in variables
