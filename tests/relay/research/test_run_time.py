"""The time that a run may take, and what the gateway has when it is over."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from typing import Any

import pytest

from relay_lite.hold import Hold
from relay_lite.research import Limits, conduct
from relay_lite.store import Draft, Invocation, Progress
from tests.relay.research.conftest import QUICK, Desk
from tests.relay.research.scripted import TEXT, Scripted, refused

pytestmark = pytest.mark.anyio

STRICT = dataclasses.replace(QUICK, grace=0.0, call=60.0)
"""Without grace the time of a run is over exactly when its limit says so."""
HOURS = 4 * 3600.0


class Stepped(Hold):
    """A hold on a machine whose wall clock is set on by hours when the run has been submitted."""

    async def write(self, *events: Draft, **more: Any) -> None:
        await super().write(*events, **more)
        progress: Progress | None = more.get("progress")
        if progress is not None and progress.submitted is not None:
            submitted = time.time() - HOURS
            self.progress = dataclasses.replace(self.progress, submitted=submitted)


@pytest.mark.parametrize("way", ["background", "plain", "poll"])
async def test_a_wall_clock_that_is_set_on_ends_no_run(way: str, desk: Desk) -> None:
    there = Scripted(way=way, looks=3)
    await desk.order()
    hold = await desk.claim("w1")
    await conduct(Stepped(desk.store, hold.invocation), there.upstream(), Limits(HOURS / 2), STRICT)
    assert (await desk.now()).result.output_text == TEXT
    assert there.cancels == []


async def taken_over_too_late(desk: Desk, there: Scripted, **progress: Any) -> Invocation:
    """A run that is taken over when its time has been over for hours."""
    await desk.order()
    hold = await desk.claim("w1")
    step = Progress(1, upstream_id="resp_1", submitted=time.time() - HOURS, **progress)
    await hold.write(status="running", progress=step)
    await desk.store.release("w1")
    await conduct(await desk.claim("w2"), there.upstream(), Limits(HOURS / 2), STRICT)
    return await desk.now()


@pytest.mark.parametrize(
    "progress",
    [{"way": "background", "cursor": 3}, {"way": "background"}, {"way": "poll"}, {"way": "plain"}],
    ids=["stream", "stream without numbers", "poll", "plain"],
)
async def test_what_the_gateway_has_ended_is_fetched_though_the_time_is_over(
    progress: dict[str, Any], desk: Desk
) -> None:
    there = Scripted()
    run = await taken_over_too_late(desk, there, **progress)
    assert (run.status, run.result.output_text) == ("completed", TEXT)
    assert there.cancels == []


@pytest.mark.parametrize("way", ["background", "poll"])
async def test_what_still_runs_when_the_time_is_over_is_stopped(way: str, desk: Desk) -> None:
    there = Scripted(looks=10**6)
    run = await taken_over_too_late(desk, there, way=way, cursor=3)
    assert (run.status, run.result.error_code) == ("failed", "timed_out")
    assert there.cancels == ["/responses/resp_1/cancel"]


async def test_a_failed_run_is_told_as_failed_though_the_time_is_over(desk: Desk) -> None:
    there = Scripted(final={"status": "failed", "error": {"code": "content_filter"}})
    run = await taken_over_too_late(desk, there, way="background", cursor=3)
    assert (run.status, run.result.error_code) == ("failed", "upstream_error")
    assert there.cancels == []


async def test_a_gateway_that_cannot_be_asked_at_the_end_is_told_to_stop(desk: Desk) -> None:
    there = Scripted(polls=[refused(503)] * 10)
    run = await taken_over_too_late(desk, there, way="poll")
    assert (run.status, run.result.error_code) == ("failed", "timed_out")
    assert there.cancels == ["/responses/resp_1/cancel"]


async def test_a_gateway_that_wants_an_hour_of_peace_is_looked_at_all_the_same(desk: Desk) -> None:
    there = Scripted(way="poll", polls=[refused(503, Retry_After="3600")] * 3)
    async with asyncio.timeout(60):
        run = await desk.work(there.upstream())
    assert (run.status, run.result.output_text) == ("completed", TEXT)
    assert len(there.gets) == 4
