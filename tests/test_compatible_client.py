"""The earlier client's names for research: what existing programs read, on the same wire."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

import kit
from kit import errors, local
from kit.connect_compatible import LiteLLMClient, ToolCallingResult
from kit.settings import load
from tests.relay.caller.callers import TEXT, Elsewhere
from tests.relay.caller.paid import FINAL, KEY, REPORT, Paid

pytestmark = pytest.mark.once

RESEARCH = "짜장면의 역사와 기원에 대해 상세히 조사해줘"
HELLO = "안녕하세요!"


@pytest.fixture
def paid(monkeypatch: pytest.MonkeyPatch) -> Iterator[Paid]:
    with Paid() as there:
        yield there.known_to(monkeypatch)


# -- on the sandbox ------------------------------------------------------------------------------


def test_a_question_that_needs_research_gets_it() -> None:
    result = LiteLLMClient().create_response_with_tool_calling(RESEARCH)
    assert (result.tool_called, result.tool_name) == (True, "deep_research")
    assert result.response_status == "completed"
    assert "짜장면" in result.final_text
    assert result.research_summary is not None
    assert result.research_summary.startswith("#")
    run = kit.run(result.invocation_id or "")
    assert (run.token, run.text) == (result.invocation_token, result.research_summary)
    assert run.upstream_response_id == result.upstream_response_id
    ids = {result.response_id, result.previous_response_id, result.upstream_response_id}
    assert len(ids) == 3
    assert all(id and id.startswith("resp_") for id in ids)
    assert result.tool_call_id


def test_a_greeting_gets_none() -> None:
    result = LiteLLMClient().create_response_with_tool_calling(HELLO)
    assert result.final_text
    assert result.response_id
    nothing = dataclasses.replace(result, final_text="", response_id=None)
    assert nothing == ToolCallingResult(
        "", False, None, "completed", None, None, None, None, None, None, None
    )
    assert len(kit.runs()) == 0


def test_the_same_over_chat_completions() -> None:
    text, called = LiteLLMClient().create_chat_with_tool_calling(RESEARCH)
    assert called
    assert "짜장면" in text
    assert len(kit.runs()) == 1
    text, called = LiteLLMClient().create_chat_with_tool_calling(HELLO)
    assert text
    assert not called
    assert len(kit.runs()) == 1


@pytest.mark.parametrize(("message", "called"), [(RESEARCH, True), (HELLO, False)])
def test_the_relays_chat_decides_the_same(message: str, called: bool) -> None:
    settings = load()
    relay = local.relay_of(settings, local.sandbox_endpoint(settings))
    answer = httpx.post(
        f"{relay.url}/api/v1/chat",
        json={"message": message, "auto_tool_call": True},
        headers={"Authorization": f"Bearer {relay.key.reveal()}"},
        trust_env=False,
        timeout=60,
    ).json()
    assert answer["content"]
    assert answer["tool_called"] is called
    assert answer["tool_name"] == ("deep_research" if called else None)
    assert bool(answer["research_summary"]) is called


# -- on a gateway that costs money ---------------------------------------------------------------


def test_calling_it_is_a_yes(paid: Paid) -> None:
    """Existing scripts rely on it; nobody is there to be asked."""
    result = LiteLLMClient().create_response_with_tool_calling("김치의 역사를 조사해줘")
    assert (result.final_text, result.research_summary) == (FINAL, REPORT)
    assert (result.response_id, result.previous_response_id) == ("resp_2", "resp_1")
    assert (result.tool_call_id, result.upstream_response_id) == ("call_1", "resp_deep")
    assert LiteLLMClient().create_chat_with_tool_calling("김치의 역사를 조사해줘") == (FINAL, True)
    assert len(paid.submitted) == 2


def test_nothing_but_research_is_at_hand(paid: Paid) -> None:
    LiteLLMClient().create_response_with_tool_calling("김치의 역사를 조사해줘")
    assert [tool["name"] for tool in paid.asked[0]["tools"]] == ["deep_research"]


@pytest.mark.parametrize(
    ("models", "given", "expected"),
    [
        ({}, None, "markdown_brief"),
        ({}, "json_outline", "json_outline"),
        ({"deliverable_format": "markdown_report"}, "json_outline", "markdown_report"),
    ],
)
def test_the_models_format_counts_before_the_callers(
    paid: Paid, models: dict[str, str], given: str | None, expected: str
) -> None:
    paid.arguments = ({"research_question": "김치", **models},)
    client = LiteLLMClient()
    result = client.create_response_with_tool_calling("김치", deliverable_format=given)  # type: ignore[arg-type]
    arguments = kit.run(result.invocation_id or "").inner.entry.arguments
    assert arguments["deliverable_format"] == expected


def test_research_that_failed_was_called_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with Paid(fails=True) as there:
        there.known_to(monkeypatch)
        result = LiteLLMClient().create_response_with_tool_calling("김치의 역사를 조사해줘")
    assert (result.tool_called, result.research_summary) == (True, None)
    assert result.final_text == FINAL
    assert result.invocation_id
    assert KEY not in f"{result!r}{result}"


def test_neither_report_nor_token_is_in_its_repr(paid: Paid) -> None:
    result = LiteLLMClient().create_response_with_tool_calling("김치의 역사를 조사해줘")
    shown = f"{result!r} {result}"
    assert result.invocation_token
    assert result.invocation_token not in shown
    assert "발효 음식이다 (" not in shown
    assert KEY not in shown + repr(vars(LiteLLMClient()))


# -- a relay that runs already -------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["", "/", "/api/v1/tool-invocations"])
def test_a_relay_is_named_by_its_address_and_never_gets_the_gateways_key(
    paid: Paid, tmp_path: Path, ending: str
) -> None:
    with Elsewhere(tmp_path / "relay", keyed=False) as relay, ThreadPoolExecutor() as pool:
        asked = pool.submit(
            LiteLLMClient().create_response_with_tool_calling,
            "김치의 역사를 조사해줘",
            relay_base_url=relay.url + ending,
        )
        hold = relay.worker.take()
        relay.worker.hand_over(hold, "resp_9")
        relay.worker.complete(hold, TEXT)
        result = asked.result(20)
    assert (result.final_text, result.research_summary) == (FINAL, TEXT)
    assert result.upstream_response_id == "resp_9"
    assert result.invocation_id in relay.all_runs()
    assert paid.submitted == [], "the relay asks its own gateway"
    assert KEY not in str(relay.heard)
    assert all("authorization" not in headers for headers in relay.heard)


def test_the_argument_wins_over_the_environment(
    paid: Paid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAY_BASE_URL", "http://127.0.0.1:9")
    with Elsewhere(tmp_path / "relay", keyed=False) as relay, ThreadPoolExecutor() as pool:
        asked = pool.submit(
            LiteLLMClient().create_chat_with_tool_calling, "김치", relay_base_url=relay.url
        )
        relay.worker.finish()
        assert asked.result(20) == (FINAL, True)


def test_a_relay_that_is_not_there_is_told_to_the_model(
    paid: Paid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer comes without research, and says so."""
    client = LiteLLMClient()
    result = client.create_response_with_tool_calling("김치", relay_base_url="http://127.0.0.1:9")
    assert (result.tool_called, result.research_summary) == (False, None)
    assert "No relay answers" in str(paid.told[-1]["output"])
    assert result.final_text == FINAL


def test_a_gateway_that_refuses_is_an_error_without_its_key(
    paid: Paid, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid.last_turn_fails = True
    with pytest.raises(errors.GatewayError) as caught:
        LiteLLMClient().create_response_with_tool_calling("김치의 역사를 조사해줘")
    assert KEY not in str(caught.value)
    assert "secret.internal" not in str(caught.value)
    [call] = caught.value.answer.tool_calls
    assert call.run.status == "completed"


def test_its_time_out_bounds_a_request_and_never_the_research() -> None:
    client = LiteLLMClient(timeout=20)
    assert client.create_response_with_tool_calling(HELLO).final_text
    with pytest.raises(errors.InputError, match="timeout"):
        LiteLLMClient(timeout=0)
