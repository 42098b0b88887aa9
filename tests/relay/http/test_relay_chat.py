"""A chat message that becomes research, over a gateway that says what each test wants."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.relay.http.relays import Json, Relay, Run

pytestmark = pytest.mark.once

REPORT = "김치는 발효 음식이다."
Turn = Json | int


class Gateway(httpx.AsyncBaseTransport):
    """Answers each turn with the next of its answers; keeps what it was asked."""

    def __init__(self, *turns: Turn) -> None:
        self.turns = list(turns)
        self.asked: list[Json] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(json.loads(await request.aread()))
        turn = self.turns.pop(0)
        if isinstance(turn, int):
            error = {"message": "secret-host.internal refused sk-of-the-gateway"}
            return httpx.Response(turn, json={"error": error}, request=request)
        return httpx.Response(200, json=turn, request=request)


def response(*output: Json) -> Json:
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    return {"id": "resp_1", "object": "response", "status": "completed", "model": "m"} | {
        "output": list(output),
        "usage": usage,
    }


def says(text: str) -> Json:
    part = {"type": "output_text", "text": text, "annotations": []}
    return response({"type": "message", "role": "assistant", "content": [part]})


def call(arguments: str, id: str = "call_1", name: str = "deep_research") -> Json:
    return {"type": "function_call", "call_id": id, "name": name, "arguments": arguments}


CALL = call('{"research_question": "김치의 역사"}')


def chat(
    folder: Path,
    gateway: Gateway,
    work: Callable[[Relay], object] = lambda _relay: None,
    settings: Json | None = None,
    **asked: Any,
) -> Json:
    """The answer to one message, while `work` does what runs need."""
    with (
        Relay(folder, transport=gateway, **(settings or {})) as relay,
        ThreadPoolExecutor() as pool,
    ):
        body = {"message": "김치의 역사를 조사해줘", **asked}
        answer = pool.submit(relay.http.post, "/api/v1/chat", json=body)
        work(relay)
        assert answer.result().status_code == 200, answer.result().text
        return answer.result().json()


def finish(relay: Relay) -> None:
    relay.worker.finish()


def test_a_message_that_needs_no_research_is_answered(tmp_path: Path) -> None:
    gateway = Gateway(says("안녕하세요"))
    answer = chat(tmp_path, gateway)
    assert answer["content"] == "안녕하세요"
    assert (answer["tool_called"], answer["tool_name"]) == (False, None)
    assert [tool["name"] for tool in gateway.asked[0]["tools"]] == ["deep_research"]


def test_research_is_done_and_told(tmp_path: Path) -> None:
    gateway = Gateway(response(CALL), says("요약: 김치"))
    answer = chat(tmp_path, gateway, finish)
    assert answer["content"] == "요약: 김치"
    assert (answer["tool_called"], answer["tool_name"]) == (True, "deep_research")
    assert answer["research_summary"] == REPORT


def test_the_second_turn_resends_everything(tmp_path: Path) -> None:
    """The gateway is not asked to remember the first one."""
    gateway = Gateway(response(CALL), says("."))
    chat(
        tmp_path,
        gateway,
        finish,
        system_prompt="Be brief.",
        context=["예전 글", {"role": "assistant", "content": "네"}, {"x": 1}],
    )
    second = gateway.asked[1]
    assert "previous_response_id" not in second
    assert second["instructions"] == "Be brief."
    assert second["input"] == [
        {"role": "user", "content": "예전 글"},
        {"role": "assistant", "content": "네"},
        {"role": "user", "content": '{"x": 1}'},
        {"role": "user", "content": "김치의 역사를 조사해줘"},
        CALL,
        {"type": "function_call_output", "call_id": "call_1", "output": REPORT},
    ]


def test_every_call_gets_an_output(tmp_path: Path) -> None:
    calls = [
        CALL,
        call("{", "call_2"),
        call("{}", "call_3"),
        call("{}", "call_4", "rm"),
        call('{"research_question": "깍두기"}', "call_5"),
        call('{"research_question": "x", "deliverable_format": "pdf"}', "call_6"),
    ]
    gateway = Gateway(response(*calls), says("."))

    def finish_both(relay: Relay) -> None:
        finish(relay)
        finish(relay)

    chat(tmp_path, gateway, finish_both)
    outputs = {
        item["call_id"]: item["output"]
        for item in gateway.asked[1]["input"]
        if item.get("type") == "function_call_output"
    }
    assert outputs.keys() == {f"call_{number}" for number in range(1, 7)}
    assert {outputs["call_1"], outputs["call_5"]} == {REPORT}
    wrong = [json.loads(outputs[f"call_{number}"])["error"] for number in (2, 3, 4, 6)]
    assert [error["type"] for error in wrong] == [
        *("invalid_arguments", "invalid_arguments", "unknown_tool", "invalid_arguments")
    ]


def test_no_message_starts_any_number_of_runs(tmp_path: Path) -> None:
    calls = [call(f'{{"research_question": "{n}"}}', f"call_{n}") for n in range(9)]
    gateway = Gateway(response(*calls), says("."))

    def finish_four(relay: Relay) -> None:
        for _ in range(4):
            finish(relay)

    answer = chat(tmp_path, gateway, finish_four)
    assert "At most 4 runs" in gateway.asked[1]["input"][-1]["output"]
    assert len({run["invocation_id"] for run in answer["invocations"]}) == 4
    assert all(run["invocation_token"] for run in answer["invocations"])


def test_the_same_call_twice_is_one_run(tmp_path: Path) -> None:
    calls = [call('{"research_question": "x"}', f"call_{n}") for n in range(2)]
    gateway = Gateway(response(*calls), says("."))
    answer = chat(tmp_path, gateway, finish)
    assert len(answer["invocations"]) == 1
    assert [one["output"] for one in gateway.asked[1]["input"][-2:]] == [REPORT, REPORT]


def test_what_a_full_relay_took_is_named_all_the_same(tmp_path: Path) -> None:
    """One of two runs finds room: it costs money, and it has to be found again."""
    calls = [call(f'{{"research_question": "x{n}"}}', f"call_{n}") for n in range(2)]
    gateway = Gateway(response(*calls), says("."))
    answer = chat(tmp_path, gateway, finish, {"max_invocations": 1})
    assert len(answer["invocations"]) == 1
    assert "no more runs" in json.dumps(gateway.asked[1]["input"])


@pytest.mark.parametrize(
    ("arguments", "format"),
    [
        ({"research_question": "x"}, "markdown_report"),
        ({"research_question": "x", "deliverable_format": "json_outline"}, "json_outline"),
    ],
)
def test_the_callers_format_counts_where_the_model_names_none(
    tmp_path: Path, arguments: Json, format: str
) -> None:
    gateway = Gateway(response(call(json.dumps(arguments))), says("."))
    found: list[str] = []

    def look(relay: Relay) -> None:
        hold = relay.worker.take()
        found.append(hold.invocation.arguments["deliverable_format"])
        relay.worker.complete(hold)

    chat(tmp_path, gateway, look, deliverable_format="markdown_report")
    assert found == [format]


def test_what_costs_is_not_the_models_to_say(tmp_path: Path) -> None:
    arguments = {"research_question": "x", "budget_usd": 1e5, "model": "dear", "background": True}
    gateway = Gateway(response(call(json.dumps(arguments))), says("."))
    found: list[Json] = []

    def look(relay: Relay) -> None:
        hold = relay.worker.take()
        found.append(hold.invocation.arguments)
        relay.worker.complete(hold)

    chat(tmp_path, gateway, look)
    assert not {"budget_usd", "model"} & found[0].keys()
    assert found[0]["background"] is False


def test_without_the_tool_nothing_is_offered(tmp_path: Path) -> None:
    gateway = Gateway(says("."))
    chat(tmp_path, gateway, auto_tool_call=False)
    assert "tools" not in gateway.asked[0]


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_a_gateway_that_fails_is_an_answer_in_our_words(tmp_path: Path, status: int) -> None:
    answer = chat(tmp_path, Gateway(status, status))  # a 400 is asked once more, with less
    assert answer["content"]
    assert answer["tool_called"] is False
    for secret in ("secret-host", "sk-of-the-gateway", "gateway.invalid"):
        assert secret not in json.dumps(answer)


def test_a_second_turn_that_fails_keeps_the_report(tmp_path: Path) -> None:
    answer = chat(tmp_path, Gateway(response(CALL), 500), finish)
    assert "research_summary" in answer["content"]
    assert answer["research_summary"] == REPORT
    assert "secret-host" not in answer["content"]


def test_research_that_fails_is_told(tmp_path: Path) -> None:
    def fail(relay: Relay) -> None:
        relay.worker.fail(relay.worker.take(), "The gateway failed.")

    answer = chat(tmp_path, Gateway(response(CALL)), fail)
    assert answer["content"] == "The gateway failed."
    assert (answer["tool_called"], answer["research_summary"]) == (True, None)


def test_research_that_outlasts_its_time_goes_on(tmp_path: Path) -> None:
    gateway = Gateway(response(CALL))
    with Relay(tmp_path, transport=gateway, research_seconds=0.1) as relay:
        answer = relay.http.post("/api/v1/chat", json={"message": "조사해줘"}).json()
        run = Run(answer["invocation_id"], answer["invocation_token"])
        assert run.id in answer["content"]
        relay.worker.finish(run.id)
        assert relay.get(run, "/wait").json()["output_text"] == REPORT


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 422),
        ({"message": ""}, 422),
        ({"message": "x" * 100_001}, 413),
        ({"message": "x", "context": ["x"] * 201}, 413),
        ({"message": "x", "deliverable_format": "pdf"}, 422),
    ],
)
def test_a_message_is_checked(relay: Relay, asked: Json, status: int) -> None:
    assert relay.http.post("/api/v1/chat", json=asked).status_code == status
