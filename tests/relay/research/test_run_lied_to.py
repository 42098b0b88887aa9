"""Runs at gateways whose answers are well formed, and say what no specification has."""

from __future__ import annotations

import pytest

from tests.relay.research.conftest import Desk
from tests.relay.research.scripted import (
    ITEMS,
    PIECES,
    PRICES,
    TEXT,
    USAGE,
    Json,
    Scripted,
    message,
    searched,
)

pytestmark = pytest.mark.anyio

Reply = tuple[int, Json, Json]
WHOLE = message(TEXT, "https://a.example/1")
ENDED: Json = {"id": "resp_1", "status": "completed", "output": [*ITEMS, WHOLE], "usage": USAGE}


@pytest.mark.parametrize(
    "first",
    [{"type": "keepalive"}, {"type": "ping", "cost": "0"}, {"type": "response.heartbeat"}],
    ids=lambda first: first["type"],
)
async def test_what_comes_before_the_responses_id_is_not_taken_for_it(
    desk: Desk, first: Json
) -> None:
    there = Scripted(before=(first,), cuts=[4])
    run = await desk.work(there.upstream())
    assert (run.status, run.result.output_text) == ("completed", TEXT)
    assert (run.progress.upstream_id, len(there.submissions)) == ("resp_1", 1)


@pytest.mark.parametrize("output", [[], [searched("kimchi"), message(PIECES[0])]])
@pytest.mark.parametrize("status", ["running", "pending", "processing", "STARTED", ""])
async def test_a_status_that_nobody_knows_is_no_end(
    desk: Desk, status: str, output: list[Json]
) -> None:
    strange: Reply = (200, {}, {"id": "resp_1", "status": status, "output": output})
    there = Scripted(way="poll", polls=[strange, strange])
    run = await desk.work(there.upstream())
    assert (run.status, run.result.output_text) == ("completed", TEXT)
    assert len(there.gets) == 3


async def test_nor_is_it_one_in_the_answer_to_the_submission(desk: Desk) -> None:
    there = Scripted(before=({"type": "response.created", "response": ENDED | {"output": []}},))
    there.before[0]["response"] |= {"status": "starting", "usage": None, "background": True}
    run = await desk.work(there.upstream())
    assert (run.status, run.result.output_text) == ("completed", TEXT)


@pytest.mark.parametrize("status", ["succeeded", "done"])
async def test_with_its_text_and_tokens_a_strange_status_is_the_end(
    desk: Desk, status: str
) -> None:
    there = Scripted(way="poll", final={"status": status})
    run = await desk.work(there.upstream())
    assert (run.status, run.result.output_text) == ("completed", TEXT)


@pytest.mark.parametrize(
    "there",
    [Scripted(final={"output": []}), Scripted(final={"output": []}, twice=True)],
    ids=["without output", "with pieces that came twice"],
)
async def test_where_the_stream_ends_with_less_the_response_itself_is_asked_for(
    desk: Desk, there: Scripted
) -> None:
    """LiteLLM loses output and citations in streams: BerriAI/litellm#32724, #20002."""
    there.polls = [(200, {}, ENDED)]
    run = await desk.work(there.upstream())
    assert (run.status, run.result.output_text) == ("completed", TEXT)
    assert [one["url"] for one in await desk.said("source")] == ["https://a.example/1"]
    assert "no_citations" not in await desk.warnings()


@pytest.mark.parametrize(
    "output", [[], [*ITEMS, message(TEXT)]], ids=["no text", "the text without its source"]
)
async def test_a_response_that_is_asked_for_and_holds_less_is_not_taken(
    desk: Desk, output: list[Json]
) -> None:
    there = Scripted(final={"usage": None}, polls=[(200, {}, {**ENDED, "output": output})])
    run = await desk.work(there.upstream())
    assert (run.status, run.result.output_text) == ("completed", TEXT)
    assert run.result.response is not None
    assert run.result.response["output"][-1] == WHOLE
    assert await desk.warnings() == []


async def test_a_stream_that_tells_everything_is_not_asked_for_again(desk: Desk) -> None:
    there = Scripted()
    await desk.work(there.upstream())
    assert there.gets == []


async def test_an_end_without_text_is_a_failure_whatever_it_calls_itself(desk: Desk) -> None:
    cut = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    run = await desk.work(Scripted(final={**cut, "output": []}, pieces=()).upstream())
    assert (run.status, run.result.error_code) == ("failed", "upstream_error")
    assert run.result.error_message == (
        "The model reached its limit of output tokens before it wrote any text."
    )


@pytest.mark.parametrize(
    "poll",
    [
        (200, {}, {"error": {"code": "not_found", "message": "no such response"}}),
        (200, {"content-type": "text/html"}, {"error": "<html>Sign in</html>"}),
        (200, {}, {}),
    ],
    ids=["an error", "a page", "nothing"],
)
async def test_what_is_no_response_ends_a_run_in_minutes_and_not_in_hours(
    desk: Desk, poll: Reply
) -> None:
    there = Scripted(way="poll", polls=[poll] * 100_000)
    run = await desk.work(there.upstream())
    assert (run.status, run.result.error_code) == ("failed", "upstream_error")
    assert run.result.error_message == (
        "The gateway's answers about the run are none: what had come is kept."
    )


async def test_one_of_them_in_between_is_looked_past(desk: Desk) -> None:
    nothing: Reply = (200, {}, {"error": {"code": "not_found"}})
    there = Scripted(way="poll", polls=[nothing], looks=1)
    run = await desk.work(there.upstream())
    assert (run.status, run.result.output_text) == ("completed", TEXT)


@pytest.mark.parametrize("price", [10**400, -1, "1e999"])
async def test_a_price_that_is_none_is_no_price(desk: Desk, price: object) -> None:
    costs = {"input_cost_per_token": price, "output_cost_per_token": price}
    strange: Json = {"model_name": "other", "model_info": costs}
    there = Scripted(models=[strange, PRICES])
    run = await desk.work(there.upstream(), budget_usd=2)
    assert run.status == "completed"
