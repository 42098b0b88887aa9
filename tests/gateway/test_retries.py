"""When a request is sent again, when it is not, and how long is waited: counted by a real server.

Waiting is real; the hints of the server are milliseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from kit import errors
from kit.gateway.client import AsyncClient
from kit.gateway.failures import backoff, retry_delay
from kit.gateway.refusal import read_refusal, server_hint
from kit.settings import Endpoint
from tests.gateway.gateways import KEY, USAGE, Gateway, Reply, gateway, json_reply, stream_reply
from tests.gateway.loopback import Reader, Writer, read_request, serving
from tests.ports import free_port

pytestmark = pytest.mark.anyio

SOON = "retry-after-ms: 1"
ANSWER = {"id": "r", "object": "response", "status": "completed", "output": [], "usage": USAGE}
FINE = json_reply(ANSWER)
Call = Callable[[AsyncClient], Any]


def refusal(status: int, *headers: str, **error: Any) -> bytes:
    return json_reply({"error": {"message": "no", **error}}, *headers, status=f"{status} No")


def respond(client: AsyncClient) -> Any:
    return client.respond("hi")


def chat(client: AsyncClient) -> Any:
    return client.chat("hi")


def submit(client: AsyncClient) -> Any:
    return client.submit("hi")


async def stream(client: AsyncClient) -> Any:
    opened = client.stream("hi")
    async for _ in opened:
        pass
    return opened.answer


def retrieve(client: AsyncClient) -> Any:
    return client.retrieve("resp_1")


def cancel(client: AsyncClient) -> Any:
    return client.cancel("resp_1")


def models(client: AsyncClient) -> Any:
    return client.models()


async def tries(call: Call, *replies: Reply, **options: Any) -> tuple[int, Exception | None]:
    """How often `call` was sent, and what it failed with."""
    async with gateway(*replies) as there, there.client(**options) as client:
        try:
            await call(client)
        except errors.KitError as error:
            return len(there.requests), error
        return len(there.requests), None


# -- statuses ----------------------------------------------------------------------------------

ALWAYS = (408, 409, 429, 503, 529)
GET_ONLY = (500, 502, 504)
NEVER = (400, 401, 403, 404, 413, 422)


@pytest.mark.parametrize("call", [respond, chat, submit, stream])
@pytest.mark.parametrize(
    ("status", "count"),
    [*((one, 3) for one in ALWAYS), *((one, 1) for one in (*GET_ONLY, *NEVER))],
)
async def test_a_create_is_sent_again_only_after_a_refusal_that_took_nothing(
    call: Call, status: int, count: int
) -> None:
    sent, error = await tries(call, refusal(status, SOON))
    assert sent == count
    assert isinstance(error, errors.GatewayError)
    assert error.status == status


LATE = {"type": "timeout_error"}, {"message": "litellm.Timeout: APITimeoutError - timed out."}


@pytest.mark.parametrize("error", LATE, ids=["its type", "its words"])
@pytest.mark.parametrize("call", [respond, chat, submit, stream])
async def test_a_provider_that_was_late_may_have_been_paid_and_is_not_asked_again(
    call: Call, error: dict[str, str]
) -> None:
    """LiteLLM's 408: the gateway had the request, and had passed it on."""
    sent, said = await tries(call, refusal(408, SOON, **error))
    assert sent == 1
    assert isinstance(said, errors.TimedOut)
    assert str(said).startswith("The provider of the model did not answer the gateway in time.")


@pytest.mark.parametrize("error", LATE, ids=["its type", "its words"])
async def test_what_creates_nothing_is_sent_again_after_that_too(error: dict[str, str]) -> None:
    assert (await tries(retrieve, refusal(408, SOON, **error)))[0] == 3


@pytest.mark.parametrize("call", [retrieve, models, cancel])
@pytest.mark.parametrize(
    ("status", "count"),
    [*((one, 3) for one in (*ALWAYS, *GET_ONLY)), *((one, 1) for one in NEVER)],
)
async def test_what_creates_nothing_is_sent_again_after_any_failure_of_the_server(
    call: Call, status: int, count: int
) -> None:
    if (call, status) == (cancel, 409):
        return  # has a meaning of its own, below
    assert (await tries(call, refusal(status, SOON)))[0] == count


async def test_it_is_the_same_request_that_is_sent_again() -> None:
    replies = (refusal(429, SOON), refusal(503, SOON), FINE)
    async with gateway(*replies) as there, there.client() as client:
        assert (await client.submit("hi", metadata={"a": "b"})).id == "r"
    first, *others = there.requests
    assert first.body["metadata"]["kit_request_id"]
    assert [one.content for one in others] == [first.content] * 2
    assert [one.headers for one in others] == [first.headers] * 2


@pytest.mark.parametrize(("retries", "count"), [(0, 1), (1, 2), (4, 5)])
async def test_retries_counts_the_further_tries(retries: int, count: int) -> None:
    assert (await tries(respond, refusal(429, SOON), retries=retries))[0] == count


# -- what the gateway says besides -------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        {"type": "insufficient_quota"},
        {"code": "insufficient_quota"},
        {"code": "credit_balance_exhausted"},
        {"code": "organization_spend_limit_exceeded"},
        {"code": "project_spend_limit_exceeded"},
        {"code": "organization_usage_limit_exceeded"},
        {"type": "budget_exceeded"},
        {
            "code": "429",
            "type": "throttling_error",
            "message": 'litellm.RateLimitError: OpenAIException - {\\"error\\": {\\"message\\": '
            '\\"You exceeded it\\", \\"code\\": \\"insufficient_quota\\"}}\n\nLiteLLM: no',
        },
    ],
)
async def test_a_used_up_budget_is_not_asked_again(error: dict[str, Any]) -> None:
    sent, failure = await tries(respond, refusal(429, SOON, "x-should-retry: true", **error))
    assert sent == 1
    assert type(failure) is errors.QuotaExceeded


@pytest.mark.parametrize(
    ("headers", "count"),
    [
        (["x-should-retry: false", SOON], 1),
        (["retry-after: 121"], 1),
        (["retry-after-ms: 120001", "x-should-retry: true"], 1),
        (["llm_provider-retry-after: 600"], 1),
        ([SOON, "retry-after: 600"], 3),
        (["retry-after: 0.001"], 3),
        (["llm_provider-retry-after: 0.001"], 3),
        (["llm_provider-retry-after-ms: 1"], 3),
    ],
)
async def test_headers_say_whether_and_when(headers: list[str], count: int) -> None:
    async with asyncio.timeout(60):
        assert (await tries(respond, refusal(429, *headers)))[0] == count


@pytest.mark.parametrize(
    ("call", "status", "count"), [(respond, 500, 1), (retrieve, 400, 3), (respond, 429, 3)]
)
async def test_should_retry_moves_a_get_but_no_create(call: Call, status: int, count: int) -> None:
    """A create that may have been accepted is not sent again, whatever a header says."""
    assert (await tries(call, refusal(status, SOON, "x-should-retry: true")))[0] == count


NOW, SOON_AFTER = "Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:07 GMT"
ODD_MOMENTS = [
    "Mon, 01 Jan 2024 00:00:00 +99999999999999999",
    "Mon, 01 Jan 2024 00:00:00 -99999999999999999",
    "Mon, 01 Jan 2024 00:00:00 +9999",
    "Mon, 01 Jan 2024 00:00:00 -0000",
    "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
    "Mon, 01 Jan 9999 00:00:00 -9999",
    "Mon, 00 Jan 2024 99:99:99 GMT",
    "Mon, 01 Foo 2024 00:00:00 GMT",
    "Sunday",
    ",",
    "\x00",
    "",
]
"""No moment, or none that a clock can show."""


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "7", "llm_provider-retry-after": "9"}, 7),
        ({"llm_provider-retry-after": "7"}, 7),
        (
            {
                "retry-after": "Wed, 21 Oct 2026 07:28:07 GMT",
                "date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            7,
        ),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:07 GMT"}, None),
        (
            {
                "retry-after": "Wed, 21 Oct 2026 07:28:00 GMT",
                "date": "Wed, 21 Oct 2026 07:29:00 GMT",
            },
            None,
        ),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "9" * 5000}, None),
        *(({"retry-after": odd, "date": NOW}, None) for odd in ODD_MOMENTS),
        *(({"retry-after": SOON_AFTER, "date": odd}, None) for odd in ODD_MOMENTS),
        ({"retry-after-ms": "x", "retry-after": "7"}, 7),
        ({}, None),
    ],
)
def test_a_hint_is_read_in_every_spelling(headers: dict[str, str], seconds: float | None) -> None:
    """A date counts from the server's own clock: ours may be wrong."""
    assert server_hint(headers) == seconds


def test_without_a_hint_waits_double_up_to_eight_seconds_and_vary() -> None:
    no = read_refusal(503, {}, b"")
    waits = [retry_delay(attempt, no, create=True, jitter=0) for attempt in range(6)]
    assert waits == [0.5, 1, 2, 4, 8, 8]
    assert retry_delay(0, no, create=True, jitter=1) == 0.375
    assert backoff(1000, 0) == 8


# -- connections -------------------------------------------------------------------------------


async def test_a_refused_connection_is_tried_again() -> None:
    port = free_port()
    client = AsyncClient(Endpoint(f"http://127.0.0.1:{port}/v1", model="m"))
    asking = asyncio.create_task(client.respond("hi"))
    await asyncio.sleep(0.1)

    async def answer_once(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        writer.write(FINE)
        writer.close()

    server = await asyncio.start_server(answer_once, "127.0.0.1", port)
    async with client:
        assert (await asking).id == "r"
    server.close()


async def test_a_gateway_that_stays_away_is_named() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with AsyncClient(Endpoint(f"{url}/v1", model="m"), retries=1) as client:
        with pytest.raises(errors.ConnectionFailed) as caught:
            await client.respond("hi")
    assert url in str(caught.value)
    assert "connection refused" in str(caught.value)


@pytest.mark.parametrize("call", [respond, chat, submit, stream, retrieve])
async def test_a_create_whose_connection_breaks_after_sending_is_not_sent_again(
    call: Call,
) -> None:
    """It may have been taken; a GET harms nobody."""
    taken = 0

    async def hang_up(reader: Reader, writer: Writer) -> None:
        nonlocal taken
        await read_request(reader)
        taken += 1
        writer.close()

    async with serving(hang_up) as port, Gateway(port).client(retries=1) as client:
        with pytest.raises(errors.ConnectionBroken) as caught:
            await call(client)
    assert ("not sent again" in str(caught.value)) is (call is not retrieve)
    assert taken == 1 if call is not retrieve else taken >= 2


@pytest.mark.parametrize("call", [respond, chat, submit, stream, retrieve])
async def test_a_header_that_is_too_long_is_said_and_nothing_is_sent_again(call: Call) -> None:
    """It would come again, and a create be paid for again."""
    sent, error = await tries(call, json_reply(ANSWER, f"x-long: {KEY}{'a' * 70_000}"))
    assert (sent, type(error)) == (1, errors.ConnectionBroken)
    assert "a header longer than 64 KiB" in str(error) and "does not help" in str(error)
    assert "aaa" not in str(error) and KEY not in str(error)


async def test_a_stream_that_breaks_is_not_asked_for_again() -> None:
    begun = stream_reply({"type": "response.created", "response": {"id": "r"}})
    sent, error = await tries(stream, begun)
    assert (sent, type(error)) == (1, errors.StreamInterrupted)


# -- time --------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [respond, stream])
async def test_a_wait_beyond_the_deadline_is_not_waited_for(call: Call) -> None:
    """The refusal is told at once, and not a time-out after a wait in vain."""
    sent, error = await tries(call, refusal(429, "retry-after: 20"), timeout=10)
    assert (sent, type(error)) == (1, errors.RateLimited)
    assert isinstance(error, errors.RateLimited)
    assert error.retry_after == 20


@pytest.mark.parametrize("call", [respond, chat, submit, retrieve, models])
@pytest.mark.parametrize("half", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"])
async def test_the_deadline_bounds_the_whole_call(call: Call, half: bytes) -> None:
    sent, error = await tries(call, [half, 1_000.0], timeout=1.0)
    assert (sent, type(error)) == (1, errors.TimedOut)


async def test_the_deadline_covers_the_tries_together() -> None:
    sent, error = await tries(
        respond, refusal(429, "retry-after-ms: 400"), timeout=2.0, retries=1000
    )
    assert 2 <= sent <= 6
    assert isinstance(error, errors.RateLimited | errors.TimedOut)


async def test_a_timeout_of_the_call_wins_over_the_clients() -> None:
    async with gateway([1_000.0]) as there, there.client(timeout=1_000) as client:
        with pytest.raises(errors.TimedOut):
            await client.respond("hi", timeout=0.05)


# -- ids ---------------------------------------------------------------------------------------


async def test_an_id_just_created_may_be_unknown_for_a_moment() -> None:
    """Gateways write it down behind their answer."""
    lost = refusal(404)
    queued = json_reply({**ANSWER, "status": "queued"})
    async with gateway(queued, lost, FINE) as there, there.client() as client:
        created = await client.submit("hi")
        assert created.id is not None
        assert (await client.retrieve(created.id)).status == "completed"


async def test_an_answer_that_came_at_once_is_not_waited_for() -> None:
    """LiteLLM's bridge ignores `background`, and keeps nothing that could be known later."""
    async with gateway(FINE, refusal(404)) as there, there.client() as client:
        created = await client.submit("hi")
        with pytest.raises(errors.NotFound):
            await client.retrieve(created.id or "")
    assert len(there.requests) == 2


async def test_an_id_of_another_day_is_unknown_at_once() -> None:
    sent, error = await tries(retrieve, refusal(404))
    assert (sent, type(error)) == (1, errors.NotFound)


async def test_cancelling_what_has_ended_gives_it_as_it_ended() -> None:
    """Some gateways answer 409; the response is fetched instead."""
    async with gateway(refusal(409), FINE) as there, there.client() as client:
        assert (await client.cancel("resp_1")).status == "completed"
    assert [(one.method, one.path) for one in there.requests] == [
        ("POST", "/v1/responses/resp_1/cancel"),
        ("GET", "/v1/responses/resp_1"),
    ]


@pytest.mark.parametrize(
    "gone",
    [
        json_reply({"id": "r", "object": "response", "deleted": True}),
        b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ],
)
async def test_deleting_says_whether_it_did(gone: bytes) -> None:
    async with gateway(gone) as there, there.client() as client:
        assert await client.delete("resp/1 ?") is True
    assert there.requests[0].path == "/v1/responses/resp%2F1%20%3F"
    no = json_reply({"deleted": False})
    async with gateway(no) as there, there.client() as client:
        assert await client.delete("r") is False


@pytest.mark.parametrize("call", [retrieve, cancel])
@pytest.mark.parametrize("verb", ["GET", "CANCEL"])
async def test_what_a_provider_has_no_way_to_do_is_asked_once(call: Call, verb: str) -> None:
    """LiteLLM says 500 where it translates for a provider that keeps no responses."""
    said = f"litellm.APIConnectionError: {verb} responses is not supported for anthropic"
    count, error = await tries(call, refusal(500, SOON, message=said), FINE)
    assert count == 1 and isinstance(error, errors.NotFound)
    assert str(error).startswith(
        "The provider of the model keeps no responses: what was answered cannot be fetched, "
        "cancelled or deleted by its id."
    )
