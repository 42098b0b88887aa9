"""Budgets and usage: estimated while the run goes on, told as it was in the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from relay_lite.research import settle_cancelled
from relay_lite.spending import Prices, estimate, prices_in
from tests.relay.research.conftest import Desk
from tests.relay.research.scripted import (
    GATEWAY,
    ITEMS,
    PRICES,
    TEXT,
    USAGE,
    Scripted,
    refused,
    searched,
)

pytestmark = pytest.mark.anyio

BUSY = (*ITEMS, *(searched(f"query {number}") for number in range(40)))


async def test_a_run_over_its_budget_is_stopped_with_what_it_has(desk: Desk) -> None:
    there = Scripted(items=BUSY)
    run = await desk.work(there.upstream(), budget_usd=0.5)
    assert (run.status, run.result.error_code) == ("failed", "budget_exceeded")
    assert there.cancels == ["/responses/resp_1/cancel"]
    assert 1 < len(await desk.said("search")) < 41
    [usage] = await desk.said("usage")
    assert usage["estimate"] and 0.5 < usage["cost_usd"] < 1


@pytest.mark.parametrize(
    ("answered", "owed"),
    [
        (refused(503), True),
        (refused(429), True),
        (refused(401), True),
        (httpx.ReadError("gone"), True),
        (refused(404), False),
        (refused(400), False),
    ],
    ids=["503", "429", "401", "broken", "404", "400"],
)
async def test_a_stop_that_the_gateway_did_not_hear_is_owed(
    desk: Desk, answered: Any, owed: bool
) -> None:
    """It would go on, and spend; one that does not know the run, or has ended it, does not."""
    there = Scripted(items=BUSY, deaf=[answered])
    run = await desk.work(there.upstream(), budget_usd=0.5)
    assert (run.status, run.result.error_code) == ("failed", "budget_exceeded")
    assert (run.owed, run.progress.upstream_id) == (owed, "resp_1")
    assert await desk.store.waiting(GATEWAY) == ([run.id] if owed else [])
    if owed:
        assert await settle_cancelled(desk.store, there.upstream(), run)
        assert not (await desk.now()).owed
    assert there.cancels == ["/responses/resp_1/cancel"] * (1 + owed)


async def test_a_run_within_its_budget_ends_with_the_tokens_it_used(desk: Desk) -> None:
    run = await desk.work(Scripted().upstream(), budget_usd=5)
    assert run.status == "completed"
    cost = 1000 * 1e-5 + 200 * 4e-5 + 0.01
    assert await desk.said("usage") == [
        {
            **{"input_tokens": 1000, "output_tokens": 200, "searches": 1},
            **{"cost_usd": pytest.approx(cost), "estimate": True},
        }
    ]


async def test_what_the_gateway_says_of_the_cost_is_the_truth(desk: Desk) -> None:
    final = {"usage": {"input_tokens": 1, "output_tokens": 2, "cost": 0.75}}
    await desk.work(Scripted(final=final).upstream())
    [usage] = await desk.said("usage")
    assert (usage["cost_usd"], usage["estimate"]) == (0.75, False)


COUNTS = [(None, None), ("many", -1)]


@pytest.mark.parametrize(("read", "written"), COUNTS)
async def test_a_run_whose_tokens_cannot_be_read_is_estimated(
    desk: Desk, read: Any, written: Any
) -> None:
    final = {"usage": {"input_tokens": read, "output_tokens": written, "total_tokens": 0}}
    assert (await desk.work(Scripted(final=final).upstream())).status == "completed"
    [usage] = await desk.said("usage")
    assert usage["estimate"]
    assert min(usage["input_tokens"], usage["output_tokens"]) > 0
    tokens = usage["input_tokens"] * 1e-5 + usage["output_tokens"] * 4e-5
    assert usage["cost_usd"] == pytest.approx(tokens + 0.01)


@pytest.mark.parametrize(("read", "written"), COUNTS)
async def test_its_cost_is_the_truth_though_its_tokens_cannot_be_read(
    desk: Desk, read: Any, written: Any
) -> None:
    final = {"usage": {"input_tokens": read, "output_tokens": written, "cost": 0.75}}
    await desk.work(Scripted(final=final).upstream())
    [usage] = await desk.said("usage")
    assert (usage["cost_usd"], usage["estimate"]) == (0.75, False)
    assert usage["input_tokens"] > 0


async def test_searches_of_a_run_that_is_fetched_whole_are_in_its_cost(desk: Desk) -> None:
    await desk.work(Scripted(way="poll", items=BUSY).upstream())
    [usage] = await desk.said("usage")
    assert usage["searches"] == len(await desk.said("search")) == 41
    assert usage["cost_usd"] == pytest.approx(1000 * 1e-5 + 200 * 4e-5 + 41 * 0.01)


async def test_searches_of_a_fetched_run_that_failed_are_in_its_cost(desk: Desk) -> None:
    await desk.work(Scripted(way="poll", items=BUSY, final={"status": "failed"}).upstream())
    assert [one["searches"] for one in await desk.said("usage")] == [41]


@pytest.mark.parametrize("cost", [0.24, 1.5], ids=["within-budget", "over-budget"])
async def test_an_answer_that_is_complete_is_kept_whatever_the_estimate_says(
    desk: Desk, cost: float
) -> None:
    """By rule of thumb it is over the budget; but the work is done, and paid for."""
    there = Scripted(way="poll", items=BUSY, final={"usage": {**USAGE, "cost": cost}})
    run = await desk.work(there.upstream(), budget_usd=0.5)
    assert (run.status, run.result.output_text) == ("completed", TEXT)
    assert there.cancels == []
    [usage] = await desk.said("usage")
    assert (usage["cost_usd"], usage["estimate"]) == (cost, False)


@pytest.mark.parametrize("way", ["background", "plain"])
async def test_nor_where_its_end_comes_with_all_the_rest(desk: Desk, way: str) -> None:
    """One batch of a stream has the searches and the end: there is nothing left to stop."""
    final = {"usage": {**USAGE, "cost": 0.24}}
    there = Scripted(way=way, items=BUSY, chunk=10**6, final=final)
    run = await desk.work(there.upstream(), budget_usd=0.5)
    assert (run.status, run.result.output_text) == ("completed", TEXT)
    assert there.cancels == []


async def test_a_response_that_failed_is_not_called_a_run_over_its_budget(desk: Desk) -> None:
    there = Scripted(way="poll", items=BUSY, final={"status": "failed"})
    run = await desk.work(there.upstream(), budget_usd=0.5)
    assert (run.status, run.result.error_code) == ("failed", "upstream_error")
    assert there.cancels == []


@pytest.mark.parametrize("models", [[], [{**PRICES, "model_info": {}}]])
async def test_a_budget_is_refused_where_prices_are_unknown(
    models: list[Any], desks: Callable[[], Desk]
) -> None:
    there, desk = Scripted(models=models), desks()
    run = await desk.work(there.upstream(), budget_usd=5)
    assert (run.status, run.result.error_code) == ("failed", "budget_exceeded")
    assert "does not say what the model costs" in str(run.result.error_message)
    assert there.submissions == []
    free = desks()
    run = await free.work(there.upstream(free=True), budget_usd=0.01)
    assert run.status == "completed"
    [usage] = await free.said("usage")
    assert (usage["cost_usd"], usage["estimate"]) == (0.0, False)
    unpriced = desks()
    assert (await unpriced.work(there.upstream())).status == "completed"
    assert (await unpriced.said("usage"))[0]["cost_usd"] is None


def _listed(*told: Any) -> dict[str, Any]:
    return {"data": [{"model_name": "m", "model_info": one} for one in told]}


@pytest.mark.parametrize(
    ("listed", "prices"),
    [
        (_listed({"input_cost_per_token": 1, "output_cost_per_token": 2}), Prices(1, 2, 0.01)),
        (
            _listed(
                {"input_cost_per_token": 1, "output_cost_per_token": 2},
                {
                    **{"input_cost_per_token": 3, "output_cost_per_token": 1},
                    "search_context_cost_per_query": {"search_context_size_medium": 0.5},
                },
            ),
            Prices(3, 2, 0.5),
        ),
        (_listed({"input_cost_per_token": float("nan"), "output_cost_per_token": 2}), None),
        (_listed({"input_cost_per_token": "1", "output_cost_per_token": 2}), None),
        (_listed({"input_cost_per_token": -1, "output_cost_per_token": 2}), None),
        (_listed(None, [], "x"), None),
        ({"data": "none"}, None),
    ],
)
def test_prices_are_read_from_what_litellm_lists(
    listed: dict[str, Any], prices: Prices | None
) -> None:
    assert prices_in(listed).get("m") == prices


def test_the_estimate_is_the_documented_sum() -> None:
    """(300 / 3 + 2 * 4000) * 1 + (600 / 3 + 2 * 300) * 2 + 1 * 5 = 9705"""
    spent = estimate(Prices(1, 2, 5), prompt=300, text=600, searches=1, pages=1)
    assert (spent.input_tokens, spent.output_tokens, spent.cost) == (8100, 800, 9705)
