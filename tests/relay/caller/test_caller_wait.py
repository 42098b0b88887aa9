"""Waiting for a run: as long as it takes, as long as one likes, and through a relay's absence."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from kit import errors
from kit.relay.book import Book, Entry
from kit.relay.client import RelayClient
from kit.relay.handle import Desk
from tests.relay.caller.there import (
    QUICK,
    Reply,
    There,
    by_path,
    frame,
    in_turn,
    stream,
    view,
)

pytestmark = [pytest.mark.anyio, pytest.mark.once]

ENDED = view("completed", output_text="김치", finished_at=1_795_000_009.0)


def silent(_request: httpx.Request) -> Reply:
    """Takes the request, and never answers."""
    return stream(b" ", 1_000.0)


async def test_it_lasts_until_the_end(tmp_path: Path) -> None:
    there = There(view("pending"), view("queued"), view("running"), ENDED)
    run = there.run(tmp_path)
    found = await run.wait()
    assert (found.status, found.text) == ("completed", "김치")
    assert Book(tmp_path).entries()[0].ended == "completed"


async def test_what_has_ended_is_not_asked_for_twice(tmp_path: Path) -> None:
    there = There(ENDED)
    run = there.run(tmp_path)
    await run.wait()
    asked = len(there.requests)
    await run.wait()
    await run.refresh()
    assert len(there.requests) == asked


@pytest.mark.parametrize("seconds", [0, 0.05, 0.3])
async def test_it_lasts_no_longer_than_one_likes(tmp_path: Path, seconds: float) -> None:
    there = There(view("running"))
    began = time.monotonic()
    assert (await there.run(tmp_path).wait(seconds)).status == "running"
    assert time.monotonic() - began >= seconds - 0.01
    assert there.requests, "it looked once at least"


async def test_a_relay_that_answers_too_soon_is_not_asked_without_a_pause(tmp_path: Path) -> None:
    """An older relay, or a status that nobody knows."""
    there = There(view("paused"))
    await there.run(tmp_path).wait(0.3)
    assert len(there.requests) < 100


async def test_a_relay_that_waits_as_it_was_asked_is_asked_again_at_once(tmp_path: Path) -> None:
    """However long the run takes, its end is heard of when it comes."""
    late = stream(0.1, json.dumps(view("running")).encode())
    there = There(*[late] * 6, ENDED)
    pace = replace(QUICK, look=0.1, pause=1_000.0, longest_pause=1_000.0)
    assert (await there.run(tmp_path, pace).wait()).status == "completed"


@pytest.mark.parametrize(
    "away", [httpx.ConnectError("x"), httpx.ReadError("x"), 500, 502, 503], ids=str
)
async def test_a_relay_that_is_away_and_comes_back_is_waited_for(
    tmp_path: Path, away: Reply
) -> None:
    there = There(view("running"), *[away] * 9, ENDED)
    assert (await there.run(tmp_path).wait()).status == "completed"


async def test_a_relay_that_stays_away_is_said_after_a_while(tmp_path: Path) -> None:
    there = There(view("running"), httpx.ConnectError("x"))
    with pytest.raises(errors.ConnectionFailed):
        await there.run(tmp_path).wait()


async def test_a_relay_that_is_away_for_longer_than_one_likes_is_said_then(tmp_path: Path) -> None:
    there = There(view("running"), httpx.ConnectError("x"))
    with pytest.raises(errors.ConnectionFailed):
        await there.run(tmp_path, replace(QUICK, patience=1_000)).wait(0.1)


async def test_a_relay_that_takes_the_question_and_never_answers_is_noticed(tmp_path: Path) -> None:
    there = There(by_path(run=view("running"), wait=in_turn(silent, ENDED)))
    assert (await there.run(tmp_path).wait()).status == "completed"
    there = There(silent)
    with pytest.raises(errors.GatewayError):
        await there.run(tmp_path).wait(0.1)


@pytest.mark.parametrize(
    ("no", "kind"),
    [(404, errors.NotFound), (403, errors.AuthenticationFailed), (401, errors.ConfigError)],
)
async def test_a_refusal_is_said_at_once(
    tmp_path: Path, no: int, kind: type[errors.KitError]
) -> None:
    with pytest.raises(kind):
        await There(view("running"), no).run(tmp_path).wait()


async def test_a_stop_ends_the_waiting_and_never_the_run(tmp_path: Path) -> None:
    there = There(view("running"), silent)
    task = asyncio.ensure_future(there.run(tmp_path).wait())
    while len(there.requests) < 2:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert {one.method for one in there.requests} == {"GET"}


# -- how it stands -------------------------------------------------------------------------------


async def test_a_run_ends_once(tmp_path: Path) -> None:
    """An answer that was on its way when it ended changes nothing."""
    there = There(ENDED)
    run = there.run(tmp_path)
    await run.refresh()
    there.replies = (view("cancelled"),)
    assert (await run.cancel()).status == "completed"
    assert (await run.refresh()).status == "completed"


async def test_an_older_look_does_not_take_a_newer_ones_place(tmp_path: Path) -> None:
    there = There(view("running", last_event=5), view("pending", last_event=1))
    run = there.run(tmp_path)
    assert (await run.refresh()).status == "running"
    assert (await run.refresh()).status == "running"


async def test_an_end_is_kept_though_its_events_cannot_be_read(tmp_path: Path) -> None:
    ended = view("failed", error_message="No.", last_event=9)
    there = There(by_path(run=ended, events=httpx.ReadError("x")))
    run = there.run(tmp_path)
    assert (await run.refresh()).error_message == "No."
    assert Book(tmp_path).entries()[0].ended == "failed"


async def test_the_cost_is_what_the_events_say_else_what_the_gateway_said(tmp_path: Path) -> None:
    usage = frame(1, "usage", {"cost_usd": 0.5, "estimate": False})
    end = frame(2, "completed", {}, "completed")
    response = {"id": "resp_1", "output": [], "usage": {"input_tokens": 1, "cost": 0.75}}
    ended = view("completed", last_event=2, response=response)
    there = There(by_path(run=ended, events=stream(usage, end)))
    run = there.run(tmp_path)
    await run.refresh()
    assert run.entry.cost == 0.5
    there = There(by_path(run=ended, events=stream(end)))
    run = there.run(tmp_path)
    await run.refresh()
    assert run.entry.cost == 0.75


async def test_the_end_counts_as_seen_when_it_was_shown(tmp_path: Path) -> None:
    there = There(view("running"), ENDED)
    run = there.run(tmp_path)
    run.shown()
    assert not Book(tmp_path).entries()[0].seen
    await run.wait()
    assert not Book(tmp_path).entries()[0].seen
    run.shown()
    assert Book(tmp_path).entries()[0].seen


async def test_a_relay_that_takes_long_to_start_holds_up_nobody_else(tmp_path: Path) -> None:
    """It is started in a thread of its own: other cells stream over this loop meanwhile."""
    there = There(ENDED)
    run = there.unwritten(tmp_path)
    client = there.client()

    def slow(_entry: Entry) -> RelayClient:
        while ticks <= 10:
            time.sleep(0.01)
        return client

    run.desk = Desk(Book(tmp_path), slow)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.01)

    ticking = asyncio.ensure_future(tick())
    await run.refresh()
    ticking.cancel()
    assert ticks > 10
