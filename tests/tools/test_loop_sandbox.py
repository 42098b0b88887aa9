"""The loop against the hostile streams of the sandbox, over both APIs, by both faces."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from kit import blocking, errors
from kit.connect import AsyncClient, Client
from kit.gateway.answer import Answer
from kit.tools.calls import LONGEST_ARGUMENTS
from kit.tools.happenings import CallBegan, CallEnded, LimitReached
from kit.tools.limits import Limits
from tests.tools.loops import APIS, FACES, error_in, no_task

pytestmark = pytest.mark.usefixtures("nothing_left")

Happened = tuple[list[Any], Answer]
PROMPT = "What is the weather like?"
asked: list[str] = []


@pytest.fixture(autouse=True)
def nothing_asked() -> None:
    asked.clear()


def get_weather(city: str) -> str:
    """The weather of a city.

    Args:
        city: its name
    """
    asked.append(city)
    return f"{city}: sunny"


async def get_weather_later(city: str) -> str:
    """The weather of a city."""
    await asyncio.sleep(0)
    return get_weather(city)


def get_weather_here(city: str = "here") -> str:
    """The weather of a city, or here."""
    return get_weather(city)


@pytest.fixture(params=FACES)
def converse(request: pytest.FixtureRequest) -> Callable[..., Happened]:
    """Talks to the sandbox with a fault, by one of the faces; nothing is left behind."""

    def by_blocking(fault: str, **given: Any) -> Happened:
        given = {"tools": [get_weather], **given}
        with (
            Client(model=f"sandbox:{fault}") as client,
            client.stream_tools(PROMPT, **given) as stream,
        ):
            happened = list(stream)
        blocking.run(no_task)
        return happened, stream.answer

    def by_async(fault: str, **given: Any) -> Happened:
        async def conversation() -> Happened:
            try:
                async with AsyncClient(model=f"sandbox:{fault}") as client:
                    stream = client.stream_tools(PROMPT, **{"tools": [get_weather], **given})
                    happened = [one async for one in stream]
                    return happened, stream.answer
            finally:
                await no_task()

        return asyncio.run(conversation())

    return by_blocking if request.param == "blocking" else by_async


Converse = Callable[..., Happened]


def outcomes(answer: Answer) -> list[str | None]:
    return [one.error for one in answer.tool_calls]


@pytest.mark.parametrize("api", APIS)
def test_calls_whose_events_take_turns_are_two_calls(converse: Converse, api: str) -> None:
    happened, answer = converse("parallel-calls", api=api)
    assert asked == ["Seoul", "Busan"]
    assert [one.output for one in answer.tool_calls] == ["Seoul: sunny", "Busan: sunny"]
    assert outcomes(answer) == [None, None]
    assert "Seoul: sunny; Busan: sunny" in answer.text
    assert [type(one) for one in happened if isinstance(one, CallBegan | CallEnded)] == [
        *(CallBegan, CallBegan),
        *(CallEnded, CallEnded),
    ]


@pytest.mark.parametrize("api", APIS)
def test_half_a_json_is_told_and_not_run(converse: Converse, api: str) -> None:
    _, answer = converse("bad-json-args", api=api)
    assert asked == []
    assert outcomes(answer) == ["invalid_arguments"]
    kind, message = error_in(answer.tool_calls[0].output)
    assert kind == "invalid_arguments"
    assert "not valid JSON" in message
    assert "invalid_arguments" in answer.text  # it was told


@pytest.mark.parametrize("api", APIS)
def test_no_arguments_at_all_are_none(converse: Converse, api: str) -> None:
    _, answer = converse("empty-args", api=api, tools=[get_weather_here])
    assert asked == ["here"]
    assert outcomes(answer) == [None]
    assert answer.tool_calls[0].arguments == ""
    _, answer = converse("empty-args", api=api)
    assert outcomes(answer) == ["invalid_arguments"]
    assert "`city` is missing" in error_in(answer.tool_calls[0].output)[1]


@pytest.mark.parametrize("api", APIS)
def test_arguments_encoded_twice_are_read(converse: Converse, api: str) -> None:
    _, answer = converse("double-encoded-args", api=api)
    assert asked == ["Seoul"]
    assert outcomes(answer) == [None]


@pytest.mark.parametrize("api", APIS)
def test_a_call_that_never_ends_is_ended(converse: Converse, api: str) -> None:
    with pytest.raises(errors.ProtocolError, match="and did not end") as caught:
        converse("endless-args", api=api)
    assert asked == []
    answer = caught.value.answer
    assert answer.tool_calls == ()
    [written] = [item["arguments"] for item in answer.output if item["type"] == "function_call"]
    assert LONGEST_ARGUMENTS < len(written) < 2 * LONGEST_ARGUMENTS


@pytest.mark.parametrize("api", APIS)
def test_the_same_call_for_ever_is_refused_and_then_forbidden(converse: Converse, api: str) -> None:
    happened, answer = converse("same-call", api=api)
    assert asked == ["Seoul", "Seoul"]
    assert outcomes(answer) == [None, None, "repeated"]
    [limit] = [one for one in happened if isinstance(one, LimitReached)]
    assert limit.reason == "The model makes the same call again and again."
    assert answer.status == "completed"
    assert "Seoul: sunny" in answer.text


@pytest.mark.parametrize("api", APIS)
def test_the_same_call_even_where_it_is_forbidden_ends_all_the_same(
    converse: Converse, api: str
) -> None:
    _, answer = converse("same-call-always", api=api)
    assert asked == ["Seoul", "Seoul"]
    assert outcomes(answer) == [None, None, "repeated"]
    assert (answer.text, answer.status) == ("", "incomplete")
    assert answer.incomplete == "The model makes the same call again and again"


@pytest.mark.parametrize("api", APIS)
def test_a_function_that_nobody_has_is_told(converse: Converse, api: str) -> None:
    _, answer = converse("unknown-tool", api=api)
    assert asked == []
    assert outcomes(answer) == ["unknown_tool"]
    assert "There are: get_weather" in answer.text


@pytest.mark.parametrize("api", APIS)
def test_a_text_beside_a_call_is_why_it_is_made(converse: Converse, api: str) -> None:
    happened, answer = converse("call-and-text", api=api)
    assert asked == ["Seoul"]
    [began] = [one for one in happened if isinstance(one, CallBegan)]
    assert began.why
    assert answer.text != began.why
    assert outcomes(answer) == [None]


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("fault", ["rotating-ids", "no-sequence", "unknown-events", "ping"])
def test_streams_that_are_only_odd_do_no_harm(converse: Converse, api: str, fault: str) -> None:
    _, answer = converse(fault, api=api)
    assert answer.status == "completed"
    assert all(one is None for one in outcomes(answer))


def test_a_gateway_that_ignores_the_id_it_gave_is_told_everything(converse: Converse) -> None:
    """The sandbox is known to keep its responses; with this fault it does not."""
    _, answer = converse("previous-ignored")
    assert answer.status == "completed"


@pytest.mark.parametrize(
    ("api", "fault", "kind"),
    [
        ("responses", "cut", errors.StreamInterrupted),
        ("chat", "cut", errors.StreamInterrupted),
        ("responses", "done-without-terminal", errors.StreamInterrupted),
        ("responses", "failed", errors.ResponseFailed),
        ("responses", "500", errors.ServerFailed),
        ("chat", "500", errors.ServerFailed),
        ("responses", "429-quota", errors.QuotaExceeded),
        ("chat", "429-quota", errors.QuotaExceeded),
    ],
)
def test_what_fails_fails_as_it_does_without_tools(
    converse: Converse, api: str, fault: str, kind: type[errors.KitError]
) -> None:
    with pytest.raises(kind):
        converse(fault, api=api)


@pytest.mark.parametrize("api", APIS)
def test_without_a_fault_the_sandbox_calls_and_answers(api: Any) -> None:
    """The whole way, with the functions of a notebook."""
    prompt = "What is the weather like in Seoul?"
    with Client() as client:
        answer = client.run_tools(prompt, tools=[get_weather], api=api)
    assert asked == ["Seoul"]
    assert "sunny" in answer.text
    assert answer.previous_response_id != answer.id


@pytest.mark.parametrize("api", APIS)
def test_the_same_as_async_functions(api: Any) -> None:
    async def conversation() -> Answer:
        async with AsyncClient(model="sandbox:parallel-calls") as client:
            return await client.run_tools(PROMPT, tools=[get_weather_later], api=api)

    answer = asyncio.run(conversation())
    assert asked == ["Seoul", "Busan"]
    assert outcomes(answer) == [None, None]


@pytest.mark.parametrize("api", APIS)
def test_limits_hold_against_the_sandbox_too(converse: Converse, api: str) -> None:
    _, answer = converse("same-call", api=api, limits=Limits(rounds=1))
    assert asked == ["Seoul"]
    assert answer.status == "completed"
    _, answer = converse("same-call", api=api, limits=Limits(repeats=1, rounds=5))
    assert outcomes(answer) == [None, "repeated"]


@pytest.mark.parametrize("api", APIS)
def test_who_declines_is_heard_by_the_model(converse: Converse, api: str) -> None:
    _, answer = converse("parallel-calls", api=api, approve=lambda call: "Busan" in call.arguments)
    assert asked == ["Busan"]
    assert outcomes(answer) == ["declined", None]
    told = json.loads(answer.tool_calls[0].output)
    assert told["error"]["message"] == "The user declined this call."
