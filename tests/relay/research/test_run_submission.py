"""Submitting: once, or not at all, and never again once an id is saved."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest

from relay_lite.hold import Hold
from relay_lite.research import Limits, conduct
from relay_lite.store import Draft, Fenced
from tests.relay.research.conftest import QUICK, Desk
from tests.relay.research.scripted import TEXT, Scripted, refused
from tests.waiting import until_async

pytestmark = pytest.mark.anyio

DRAINED = dataclasses.replace(QUICK, drain=600.0)
"""However slow the machine is: what is under way when the relay stops ends before that."""
UNDRAINED = dataclasses.replace(QUICK, drain=0.0)


class Killed(BaseException):
    """The process ends here."""


class Mortal(Hold):
    """A hold whose process is killed at its n-th write, before or after the store has it."""

    def __init__(self, hold: Hold, at: int, *, before: bool) -> None:
        super().__init__(hold.store, hold.invocation)
        self.at, self.before = at, before

    async def write(self, *events: Draft, **more: Any) -> None:
        self.at -= 1
        if self.at == 0 and self.before:
            raise Killed
        await super().write(*events, **more)
        if self.at == 0:
            raise Killed


async def killed_and_taken_over(
    desk: Desk, there: Scripted, at: int, *, before: bool, free: bool = False
) -> bool:
    """Whether it was killed before its end. The next worker goes on."""
    await desk.order()
    first = Mortal(await desk.claim("w1"), at, before=before)
    alive = True
    try:
        await conduct(first, there.upstream(free=free), Limits(), QUICK)
    except Killed:
        alive = False
    await desk.store.release("w1")
    if not (await desk.now()).ended:
        await conduct(await desk.claim("w2"), there.upstream(free=free), Limits(), QUICK)
    return not alive


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("way", ["background", "poll"])
async def test_a_worker_killed_at_any_write_is_replaced_without_a_second_submission(
    way: str, before: bool, desks: Callable[[], Desk]
) -> None:
    at, killed = 0, True
    while killed:
        at += 1
        there, desk = Scripted(way=way, looks=2), desks()
        killed = await killed_and_taken_over(desk, there, at, before=before)
        run = await desk.now()
        assert run.ended
        uncertain = (at == 1 and not before) or (at == 2 and before)
        if uncertain:
            assert (run.status, run.result.error_code) == ("failed", "submission_uncertain")
            assert run.progress.uncertain
        else:
            assert (run.status, await desk.text()) == ("completed", TEXT), at
            assert await desk.warnings() == []
            assert len(await desk.said("search")) == len(await desk.said("source")) == 1
        assert len(there.submissions) <= 1
    assert at > 4


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
async def test_where_it_costs_nothing_a_plain_stream_is_begun_anew_by_itself(
    before: bool, desks: Callable[[], Desk]
) -> None:
    at, killed = 0, True
    while killed:
        at += 1
        there, desk = Scripted(way="plain", polls=[refused(404)]), desks()
        killed = await killed_and_taken_over(desk, there, at, before=before, free=True)
        run = await desk.now()
        assert (run.status, await desk.text()) == ("completed", TEXT), at
        assert len(await desk.said("search")) == len(await desk.said("source")) == 1
        assert set(await desk.warnings()) <= {"restarted"}


async def test_elsewhere_a_plain_stream_whose_worker_died_is_lost_with_its_text_kept(
    desk: Desk,
) -> None:
    there = Scripted(way="plain", polls=[refused(404)])
    assert await killed_and_taken_over(desk, there, 8, before=False)
    run = await desk.now()
    assert (run.status, run.result.error_code) == ("failed", "worker_lost")
    assert (text := await desk.text()) and TEXT.startswith(text)
    assert len(there.submissions) == 1


async def test_resubmit_sends_again_what_may_have_been_sent_and_says_so(desk: Desk) -> None:
    there = Scripted(refusals=[httpx.ReadError("gone")])
    run = await desk.work(there.upstream(), Limits(resubmit=True))
    assert (run.status, run.progress.uncertain) == ("completed", True)
    assert there.keys == ["inv_1-1", "inv_1-2"]
    assert await desk.warnings() == ["resubmitted"]


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ReadError("gone"),
        httpx.ReadTimeout("late"),
        refused(408, "litellm.Timeout: APITimeoutError - Request timed out."),
    ],
    ids=["broken", "late", "the provider was late"],
)
async def test_a_submission_of_which_nothing_is_heard_is_not_tried_again(
    failure: Any, desk: Desk
) -> None:
    there = Scripted(refusals=[failure])
    run = await desk.work(there.upstream())
    assert (run.status, run.result.error_code) == ("failed", "submission_uncertain")
    assert run.progress.uncertain
    assert len(there.submissions) == 1


@pytest.mark.parametrize(
    ("refusals", "said"),
    [
        ([refused(429, "slow", retry_after_ms="20")] * 3, "takes no more requests now"),
        ([refused(503)], "takes no more requests now"),
        ([refused(529), refused(409)], "takes no more requests now"),
        ([httpx.ConnectError("refused")] * 2, "does not answer now"),
    ],
)
async def test_a_gateway_that_says_later_is_waited_for(
    refusals: Sequence[Any], said: str, desk: Desk
) -> None:
    there = Scripted(refusals=list(refusals))
    run = await desk.work(there.upstream())
    assert (run.status, await desk.text()) == ("completed", TEXT)
    assert await desk.warnings() == ["waiting"]
    assert said in (await desk.said("warning"))[0]["message"]
    assert run.progress.attempt == len(refusals) + 1
    assert not run.progress.uncertain


@pytest.mark.parametrize(
    ("refusal", "code", "uncertain"),
    [
        (refused(500), "upstream_error", True),
        (refused(502), "upstream_error", True),
        (refused(504), "upstream_error", True),
        (refused(401), "authentication_failed", False),
        (refused(403), "authentication_failed", False),
        (refused(400, "the prompt is rude"), "upstream_refused", False),
        (refused(404), "upstream_refused", False),
        (refused(400, "Invalid model name passed in"), "upstream_refused", False),
        (refused(429, code="insufficient_quota"), "rate_limited", False),
        (refused(200, "no"), "upstream_error", False),
    ],
)
async def test_what_is_refused_ends_the_run_at_once(
    refusal: Any, code: str, uncertain: bool, desk: Desk
) -> None:
    there = Scripted(refusals=[refusal])
    run = await desk.work(there.upstream())
    assert (run.status, run.result.error_code) == ("failed", code)
    assert run.progress.uncertain is uncertain
    assert len(there.submissions) == 1


async def test_nothing_a_gateway_says_of_a_failure_reaches_the_caller(desk: Desk) -> None:
    secret = "db-7.internal:5432 sk-abcdef0123456789 Traceback project-falcon"
    there = Scripted(way="poll")
    there.final = {"status": "failed", "error": {"code": "server_error", "message": secret}}
    run = await desk.work(there.upstream())
    assert run.result.error_code == "upstream_error"
    told = f"{run.result} {await desk.log()}"
    assert not [word for word in secret.split() if word in told]


@pytest.mark.parametrize(
    ("refusals", "missing", "warning"),
    [
        ([refused(400, "Unsupported parameter: 'reasoning.summary'")], {"reasoning"}, []),
        ([refused(500, "create() got an unexpected keyword argument 'max_tool_calls'")], None, []),
        ([refused(400, "stream is not supported")], {"stream"}, []),
        (
            [refused(400, "Unknown tool type web_search"), refused(400, "no tools here")],
            {"tools"},
            ["no_web_search"],
        ),
    ],
)
async def test_what_a_gateway_does_not_take_is_left_out_now_and_later(
    refusals: list[Any], missing: set[str] | None, warning: list[str], desks: Callable[[], Desk]
) -> None:
    there, first, second = Scripted(refusals=refusals), desks(), desks()
    run = await first.work(there.upstream(), max_tool_calls=9)
    assert run.status == "completed"
    dropped = missing or {"max_tool_calls"}
    assert dropped & set(there.submissions[-1]) == set()
    assert await first.warnings() == (warning or [] if missing else ["no_tool_limit"])
    sent = len(there.submissions)
    await second.work(there.upstream(), max_tool_calls=9)
    assert len(there.submissions) == sent + 1
    assert dropped & set(there.submissions[-1]) == set()


async def test_a_relay_that_stops_saves_the_id_of_a_submission_under_way(desk: Desk) -> None:
    there = Scripted(held=asyncio.Event())
    await desk.order()
    task = asyncio.create_task(conduct(await desk.claim("w1"), there.upstream(), Limits(), QUICK))
    await until_async(lambda: bool(there.submissions))
    task.cancel()
    await asyncio.sleep(0.02)
    assert there.held is not None
    there.held.set()
    await asyncio.wait([task])
    assert task.cancelled()
    step = (await desk.now()).progress
    assert (step.upstream_id, step.submitting) == ("resp_1", False)
    await desk.store.release("w1")
    await conduct(await desk.claim("w2"), there.upstream(), Limits(), QUICK)
    assert ((await desk.now()).status, await desk.text()) == ("completed", TEXT)
    assert len(there.submissions) == 1


@pytest.mark.parametrize(
    ("outcome", "sent_again"),
    [
        (refused(429, "slow"), True),
        (refused(503), True),
        (httpx.ConnectError("refused"), True),
        (refused(401), True),
        (refused(500), False),
        (refused(200, "no"), False),
        (httpx.ReadError("gone"), False),
    ],
    ids=["429", "503", "no-connection", "401", "500", "no-response", "broken"],
)
async def test_what_was_surely_not_taken_when_the_relay_stopped_is_sent_by_the_next(
    outcome: Any, sent_again: bool, desk: Desk
) -> None:
    there = Scripted(held=asyncio.Event(), refusals=[outcome])
    await desk.order()
    first = conduct(await desk.claim("w1"), there.upstream(), Limits(), DRAINED)
    task = asyncio.create_task(first)
    await until_async(lambda: bool(there.submissions))
    task.cancel()
    assert there.held is not None
    there.held.set()
    await asyncio.wait([task])
    assert task.cancelled()
    await desk.store.release("w1")
    await conduct(await desk.claim("w2"), there.upstream(), Limits(), QUICK)
    run = await desk.now()
    ended = (run.status, run.result.error_code, len(there.submissions))
    uncertain = ("failed", "submission_uncertain", 1)
    assert ended == (("completed", None, 2) if sent_again else uncertain)


@pytest.mark.parametrize("held", [True, False], ids=["during-the-post", "mid-stream"])
async def test_a_cancelled_run_is_cancelled_at_the_gateway(held: bool, desk: Desk) -> None:
    there = Scripted(held=asyncio.Event(), cuts=[] if held else [9], silent=not held)
    await desk.order()
    task = asyncio.create_task(conduct(await desk.claim("w1"), there.upstream(), Limits(), QUICK))
    await until_async(lambda: bool(there.submissions))
    assert there.held is not None
    if not held:
        there.held.set()
        while (await desk.now()).status != "running":
            await asyncio.sleep(0.01)
    await desk.store.cancel(desk.run)
    there.held.set()
    await asyncio.wait([task])
    assert isinstance(task.exception(), Fenced)
    assert there.cancels == ["/responses/resp_1/cancel"]
    run = await desk.now()
    assert (run.status, run.owed, run.progress.upstream_id) == ("cancelled", False, "resp_1")
    assert (await desk.log())[-1].type == "cancelled"


async def cancelled_by_a_caller(desk: Desk, there: Scripted) -> asyncio.Task[None]:
    """Its worker, which was told so after the run was sent and has no time to drain."""
    await desk.order()
    work = conduct(await desk.claim("w1"), there.upstream(), Limits(), UNDRAINED)
    task = asyncio.create_task(work)
    await until_async(lambda: bool(there.submissions))
    await desk.store.cancel(desk.run)
    task.cancel()
    await asyncio.sleep(0.1)  # shorter shows less, and fails nothing
    return task


async def test_a_cancelled_run_is_cancelled_at_a_gateway_that_is_slow_to_take_it(
    desk: Desk,
) -> None:
    there = Scripted(held=asyncio.Event())
    task = await cancelled_by_a_caller(desk, there)
    assert there.held is not None
    there.held.set()
    await asyncio.wait([task])
    assert there.cancels == ["/responses/resp_1/cancel"]
    run = await desk.now()
    assert (run.status, run.owed, run.progress.upstream_id) == ("cancelled", False, "resp_1")


async def test_a_relay_that_stops_waits_no_longer_for_the_id_of_a_cancelled_run(
    desk: Desk,
) -> None:
    there = Scripted(held=asyncio.Event())
    task = await cancelled_by_a_caller(desk, there)
    task.cancel()
    await asyncio.wait([task])
    assert (task.cancelled(), there.cancels, there.broken_off) == (True, [], 1)
    assert (await desk.now()).owed


async def test_a_cancelled_run_that_only_its_connection_keeps_going_is_let_go_of(
    desk: Desk,
) -> None:
    there = Scripted(refusals=[refused(400, "background is not supported")])
    await desk.work(there.upstream())  # from now on it is known
    there.held, desk.run = asyncio.Event(), "inv_2"
    there.submissions.clear()
    task = await cancelled_by_a_caller(desk, there)
    await asyncio.wait([task])
    assert (task.cancelled(), there.broken_off) == (True, 1)
    assert "background" not in there.submissions[0]
