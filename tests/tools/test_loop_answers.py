"""What a person gets of a conversation with tools: one Answer to the whole, also when it failed."""

from __future__ import annotations

from typing import Any

import pytest

from kit import errors
from kit.gateway.answer import Answer, ToolCall, Usage
from tests.gateway.gateways import STREAM_HEAD, frame, stream_reply
from tests.gateway.loopback import Reader, Writer, reset
from tests.tools.conftest import Open
from tests.tools.loops import APIS, FACES, Turn, call, play, refused, text

pytestmark = pytest.mark.once

pytestmark = pytest.mark.usefixtures("nothing_left")


def clock() -> str:
    """The time."""
    return "12:00"


def usage(read: int, written: int, **more: Any) -> dict[str, Any]:
    """Both spellings at once."""
    return {
        "input_tokens": read,
        "prompt_tokens": read,
        "output_tokens": written,
        "completion_tokens": written,
        "total_tokens": read + written,
        **more,
    }


# -- the whole ---------------------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("face", FACES)
def test_the_answer_is_the_last_turns_with_what_led_to_it(
    opened: Open, api: str, face: str
) -> None:
    played = play(
        opened,
        Turn([text("Let me see."), call("clock", call_id="a")], id="first"),
        Turn([call("clock", "{ }", call_id="b")], id="second"),
        Turn([text("Noon.")], id="third"),
        api=api,
        face=face,
        tools=[clock],
    )
    answer = played.answer
    assert answer is not None
    assert (answer.text, answer.status, answer.model) == ("Noon.", "completed", "m")
    assert (answer.id, answer.response_id) == ("third", "third")
    assert answer.previous_response_id == "first"
    assert answer.tool_call_id == "a"
    assert [(one.name, one.call_id, one.output) for one in answer.tool_calls] == [
        ("clock", "a", "12:00"),
        ("clock", "b", "12:00"),
    ]
    assert all(one.error is None and one.seconds is not None for one in answer.tool_calls)
    assert answer.seconds is not None
    assert answer.seconds >= max(one.seconds for one in answer.tool_calls)
    assert (answer.invocation_id, answer.invocation_token) == (None, None)
    assert answer.upstream_response_id is None


@pytest.mark.parametrize("api", APIS)
def test_without_calls_it_is_the_answer_of_any_call(opened: Open, api: str) -> None:
    played = play(opened, [text("Hi.")], api=api, tools=[clock])
    answer = played.answer
    assert answer is not None
    assert (answer.tool_calls, answer.previous_response_id, answer.tool_call_id) == ((), None, None)


@pytest.mark.parametrize("api", APIS)
def test_tokens_and_costs_of_all_turns_are_added(opened: Open, api: str) -> None:
    first = {"cached_tokens": 4}
    details = {"input_tokens_details": first, "prompt_tokens_details": first}
    played = play(
        opened,
        Turn([call("clock")], usage=usage(10, 5, cost=0.25, **details)),
        Turn([text("Noon.")], usage=usage(20, 7, cost=0.5)),
        api=api,
        tools=[clock],
    )
    answer = played.answer
    assert answer is not None
    assert answer.usage == Usage(30, 12, 42, cached_tokens=4)
    assert answer.cost == 0.75


@pytest.mark.parametrize("api", APIS)
def test_a_cost_in_a_header_counts_where_the_usage_names_none(opened: Open, api: str) -> None:
    played = play(
        opened,
        Turn([call("clock")], headers=("x-litellm-response-cost: 0.25",)),
        Turn([text("Noon.")], usage=usage(1, 1)),
        api=api,
        tools=[clock],
    )
    assert played.answer is not None
    assert played.answer.cost == 0.25
    assert played.answer.usage == Usage(1, 1, 2)


@pytest.mark.parametrize("cost", [float("nan"), float("inf"), -1, "much", None, [1], 10**400])
def test_a_cost_that_is_none_is_not_counted(opened: Open, cost: Any) -> None:
    played = play(
        opened,
        Turn([call("clock")], usage=usage(1, 1, cost=cost)),
        Turn([text("Noon.")], usage=usage(1, 1, cost=0.5)),
        tools=[clock],
    )
    assert played.error is None
    assert played.answer is not None
    assert played.answer.cost == 0.5


def test_nothing_is_said_of_what_nobody_knows(opened: Open) -> None:
    played = play(opened, [call("clock")], [text("Noon.")], tools=[clock])
    assert played.answer is not None
    assert (played.answer.usage, played.answer.cost) == (None, None)


@pytest.mark.parametrize("api", APIS)
def test_an_answer_that_was_cut_off_says_so(opened: Open, api: str) -> None:
    cut = Turn([text("No")], status="incomplete", reason="max_output_tokens")
    played = play(opened, [call("clock")], cut, api=api, tools=[clock])
    assert played.answer is not None
    assert (played.answer.text, played.answer.status) == ("No", "incomplete")
    assert played.answer.incomplete == "max_output_tokens"


def test_a_refusal_is_an_answer(opened: Open) -> None:
    no = {"type": "message", "content": [{"type": "refusal", "refusal": "I cannot."}]}
    played = play(opened, [call("clock")], [no], tools=[clock])
    assert played.answer is not None
    assert (played.answer.text, played.answer.refusal) == ("", "I cannot.")
    assert len(played.calls) == 1


# -- a call that started research --------------------------------------------------------------


class Run:
    id, token, upstream_response_id = "run_1", "secret", "resp_up"


def test_the_call_that_started_research_is_the_telling_one() -> None:
    calls = (ToolCall("clock", "", "a"), ToolCall("deep_research", "", "b", run=Run()))
    answer = Answer("", None, "completed", None, tool_calls=calls)
    assert answer.tool_call_id == "b"
    assert answer.invocation_id == "run_1"
    assert answer.invocation_token == "secret"
    assert answer.upstream_response_id == "resp_up"


def test_a_call_shows_how_its_output_begins_without_keys_and_on_one_line() -> None:
    assert repr(ToolCall("clock", "{}", "a", "12:00")) == (
        "ToolCall(name='clock', arguments='{}', call_id='a', output='12:00', error=None, "
        "seconds=None, cost=None, run=None, note='', started=False)"
    )
    long = repr(ToolCall("f", "{}", "a", "x" * 1_000_000))
    assert f"output='{'x' * 59}…', error" in long
    steering = repr(ToolCall("f", "{}", "a", "sk-abcdefghijklmnop123456\n\x1b[2J\u202e"))
    assert steering.isprintable()
    assert "abcdefghijklmnop" not in steering


# -- failures ----------------------------------------------------------------------------------

FAILED = {"status": "failed", "error": {"code": "server_error", "message": "the reason"}}
HEL = {"type": "response.output_text.delta", "output_index": 0, "delta": "Hel"}
CHAT_HEL = {"id": "c", "choices": [{"index": 0, "delta": {"content": "Hel"}}]}


async def hang_up(reader: Reader, writer: Writer) -> None:
    reset(writer)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    ("api", "second", "kind", "said"),
    [
        ("responses", stream_reply(HEL), errors.StreamInterrupted, "Hel"),
        ("chat", stream_reply(CHAT_HEL), errors.StreamInterrupted, "Hel"),
        ("responses", [STREAM_HEAD, frame(HEL), 30.0], errors.TimedOut, "Hel"),
        ("responses", [30.0], errors.TimedOut, "Let me see."),
        (
            "responses",
            stream_reply(HEL, {"type": "response.failed", "response": FAILED}),
            errors.ResponseFailed,
            "Hel",
        ),
        ("responses", refused("no", "500 Oops"), errors.ServerFailed, "Let me see."),
        ("chat", refused("no", "500 Oops"), errors.ServerFailed, "Let me see."),
        ("chat", refused("no"), errors.BadRequest, "Let me see."),
        ("responses", refused("no", "429 Slow"), errors.RateLimited, "Let me see."),
        ("chat", refused("no", "401 Who"), errors.AuthenticationFailed, "Let me see."),
        ("responses", hang_up, errors.ConnectionBroken, "Let me see."),
        ("chat", b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\n<p/>",
         errors.ProtocolError, "Let me see."),
    ],
)  # fmt: skip
def test_a_gateway_that_fails_later_loses_no_call(
    opened: Open, api: str, face: str, second: Any, kind: type[errors.KitError], said: str
) -> None:
    """What had come of the turn that failed is there, else the turn before it."""
    first = Turn([text("Let me see."), call("clock")], usage=usage(3, 4, cost=0.5))
    given = {"timeout": 3.0} if kind is errors.TimedOut else {}
    played = play(opened, first, second, api=api, face=face, tools=[clock], **given)
    assert type(played.error) is kind, played.error
    answer = played.error.answer
    assert answer.text == said
    assert [(one.call_id, one.output) for one in answer.tool_calls] == [("call_1", "12:00")]
    assert answer.previous_response_id == "resp_1"
    assert (answer.usage, answer.cost) == (Usage(3, 4, 7), 0.5)
    assert (answer.id == "resp_1") == (said == "Let me see.")


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    "no",
    [
        refused("no", "500 Oops"),
        refused("no"),
        refused("no", "404 Not Found"),
        refused("no", "401 Who"),
        stream_reply(),
    ],
)
def test_before_anything_has_come_there_is_no_answer(
    opened: Open, api: str, face: str, no: Any
) -> None:
    played = play(opened, no, no, api=api, face=face, tools=[clock])
    assert isinstance(played.error, errors.GatewayError)
    assert played.error.answer is None


def test_what_a_schema_refuses_is_an_error_with_the_calls(opened: Open) -> None:
    schema = {"type": "object", "properties": {"hour": {"type": "integer"}}, "required": ["hour"]}
    played = play(opened, [call("clock")], [text("Noon.")], tools=[clock], schema=schema)
    assert isinstance(played.error, errors.ProtocolError)
    assert played.error.answer.text == "Noon."
    assert [one.output for one in played.error.answer.tool_calls] == ["12:00"]
    assert played.error.answer.previous_response_id == "resp_1"


def test_an_error_of_a_conversation_inside_a_function_is_not_taken_for_the_outer_one(
    opened: Open,
) -> None:
    """It may have an answer of its own."""

    def ask() -> str:
        """Ask."""
        error = errors.ConsentMissing("Nobody can be asked.")
        error.answer = Answer("the inner one", "inner", "completed", "other")
        raise error

    played = play(opened, [text("Let me see."), call("ask")], tools=[ask])
    assert isinstance(played.error, errors.ConsentMissing)
    assert (played.error.answer.text, played.error.answer.id) == ("Let me see.", "resp_1")
    assert [one.name for one in played.error.answer.tool_calls] == ["ask"]


def test_text_beside_a_call_is_not_the_object_of_the_schema(opened: Open) -> None:
    schema = {"type": "object", "properties": {"hour": {"type": "integer"}}, "required": ["hour"]}
    played = play(
        opened,
        [text("Let me see."), call("clock")],
        [text('{"hour": 12}')],
        tools=[clock],
        schema=schema,
    )
    assert played.answer is not None
    assert played.answer.parsed == {"hour": 12}
