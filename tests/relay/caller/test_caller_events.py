"""A run's events from the first to the last: no gap and no repetition, whatever breaks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from kit import errors
from kit.relay.book import Book
from kit.relay.handle import AsyncRun
from kit.relay.view import RunEvent
from tests.relay.caller.there import (
    QUICK,
    Reply,
    There,
    answer,
    by_path,
    frame,
    in_turn,
    page,
    stream,
    view,
)

pytestmark = pytest.mark.anyio

PIECES = ("# 김치\n", "발효 🥬 ", "음식 👩‍👩‍👧‍👦 ", "끝.")
LOG = (
    frame(1, "status", {"mode": "stream"}, "pending"),
    frame(2, "search", {"queries": ["김치"]}),
    *(frame(3 + at, "output_text", {"text": piece}) for at, piece in enumerate(PIECES)),
    frame(7, "usage", {"cost_usd": 0.25, "estimate": False}),
    frame(8, "completed", {"output_text": "".join(PIECES)}, "completed"),
)
WHOLE = b"retry: 2000\n\n" + b"".join(LOG)
ENDED = view("completed", output_text="".join(PIECES), last_event=8, finished_at=1_795_000_009.0)
BROKEN = httpx.ReadError("reset")


def behind(request: httpx.Request) -> int:
    return int(request.url.params["starting_after"])


def from_there(request: httpx.Request) -> Reply:
    """As a relay does: what is behind the number, and 204 where there is nothing more."""
    after = behind(request)
    return stream(*LOG[after:]) if after < len(LOG) else answer(b"", 204)


def following(events: Reply, run: Reply = ENDED) -> There:
    return There(by_path(events=events, run=run, wait=run))


async def all_of(lists: AsyncGenerator[Sequence[RunEvent], None]) -> list[RunEvent]:
    return [event async for events in lists for event in events]


def numbers(events: Sequence[RunEvent]) -> list[int]:
    return [event.number for event in events]


def text_in(events: Sequence[RunEvent]) -> str:
    return "".join(event.text for event in events)


EVERY = [*range(1, 9)]


# -- as they come --------------------------------------------------------------------------------


async def test_they_come_from_the_first_to_the_last(tmp_path: Path) -> None:
    there = following(from_there)
    run = there.run(tmp_path)
    events = await all_of(run.follow())
    assert numbers(events) == EVERY
    assert text_in(events) == "".join(PIECES)
    assert run.ended
    assert (run.entry.ended, run.entry.cost) == ("completed", 0.25)
    assert Book(tmp_path).entries() == [run.entry]


async def test_they_come_behind_a_number(tmp_path: Path) -> None:
    assert numbers(await all_of(following(from_there).run(tmp_path).follow(5))) == [6, 7, 8]


async def test_a_run_that_ended_is_followed_once_more_without_asking(tmp_path: Path) -> None:
    there = following(from_there)
    run = there.run(tmp_path)
    await all_of(run.follow())
    asked = len(there.requests)
    assert numbers(await all_of(run.follow())) == EVERY
    assert len(there.requests) == asked


async def test_each_comes_when_it_is_there_and_not_at_the_end(tmp_path: Path) -> None:
    run = following(lambda _: stream(*LOG[:2], 0.15, *LOG[2:])).run(tmp_path)
    came = [numbers(events)[-1] async for events in run.follow()]
    assert 2 in came and came[-1] > 2


async def test_what_there_is_so_far_is_read_without_waiting_for_more(tmp_path: Path) -> None:
    running = view("running", last_event=3)
    run = following(lambda _: stream(*LOG[:3], 1_000.0), running).run(tmp_path)
    assert numbers(await run.catch_up()) == [1, 2, 3]


# -- broken --------------------------------------------------------------------------------------


async def test_a_stream_that_breaks_at_any_byte_goes_on_behind_it(tmp_path: Path) -> None:
    """Inside a code point, a number, between CR and LF, everywhere."""
    log = (
        LOG[0],
        frame(2, "output_text", {"text": "김🥬"}),
        frame(3, "completed", {}, "completed"),
    )
    ended = view("completed", output_text="김🥬", last_event=3)

    def rest(request: httpx.Request) -> Reply:
        return stream(*log[behind(request) :]) if behind(request) < 3 else answer(b"", 204)

    for body in (b"".join(log), b"".join(log).replace(b"\n", b"\r\n")):
        for place in range(len(body)):
            cut = in_turn(stream(body[:place], BROKEN), rest)
            events = await all_of(following(cut, ended).unwritten(tmp_path).follow())
            assert numbers(events) == [1, 2, 3], place
            assert text_in(events) == "김🥬"


async def test_a_stream_that_breaks_behind_every_event_goes_on(tmp_path: Path) -> None:
    def one_at_a_time(request: httpx.Request) -> Reply:
        after = behind(request)
        return stream(*LOG[after : after + 1], BROKEN)

    there = following(one_at_a_time, in_turn(*[view("running")] * 8, ENDED))
    assert numbers(await all_of(there.run(tmp_path).follow())) == EVERY
    assert [behind(one) for one in there.requests if "events" in one.url.path] == [*range(8)]


async def test_chunks_of_any_size_give_the_same(tmp_path: Path) -> None:
    for size in (1, 2, 3, 7, 64):
        pieces = [WHOLE[at : at + size] for at in range(0, len(WHOLE), size)]
        run = following(stream(*pieces)).run(tmp_path)
        assert numbers(await all_of(run.follow())) == EVERY


@pytest.mark.parametrize("away", [httpx.ConnectError("x"), BROKEN, 500, 502, 503], ids=str)
async def test_a_relay_that_is_away_and_comes_back_is_waited_for(
    tmp_path: Path, away: Reply
) -> None:
    half = stream(*LOG[:4], BROKEN)
    there = There(half, *[away] * 9, stream(*LOG[4:]), ENDED)
    assert numbers(await all_of(there.run(tmp_path).follow())) == EVERY


async def test_a_relay_that_stays_away_is_said_after_a_while(tmp_path: Path) -> None:
    there = There(stream(*LOG[:4], BROKEN), httpx.ConnectError("x"))
    run, seen = there.run(tmp_path), list[int]()
    with pytest.raises(errors.ConnectionFailed, match="No relay answers"):
        async for events in run.follow():
            seen += numbers(events)
    assert seen == [1, 2, 3, 4]
    assert numbers(run.events) == seen


async def test_a_silent_run_is_no_relay_that_is_away(tmp_path: Path) -> None:
    """A proxy that cuts what is silent: the run thinks, for longer than anybody's patience."""
    quiet = lambda _: stream(b": still here\n\n", 0.15, BROKEN)  # noqa: E731
    there = following(
        in_turn(stream(*LOG[:2], BROKEN), *[quiet] * 10, from_there),
        in_turn(*[view("running", last_event=2)] * 11, ENDED),
    )
    pace, began = replace(QUICK, patience=1.0), time.monotonic()
    assert numbers(await all_of(there.run(tmp_path, pace).follow())) == EVERY
    assert time.monotonic() - began > pace.patience


async def test_a_stream_without_a_sign_of_life_is_left(tmp_path: Path) -> None:
    there = following(
        in_turn(stream(*LOG[:2], 1_000.0), from_there),
        in_turn(view("running", last_event=2), ENDED),
    )
    began = time.monotonic()
    assert numbers(await all_of(there.run(tmp_path).follow())) == EVERY
    assert time.monotonic() - began > 0.4


async def test_a_run_that_is_deleted_meanwhile_is_said(tmp_path: Path) -> None:
    there = There(stream(*LOG[:4], BROKEN), 404)
    with pytest.raises(errors.NotFound, match="does not know this run"):
        await all_of(there.run(tmp_path).follow())


async def test_whoever_has_seen_everything_is_told_so(tmp_path: Path) -> None:
    there = following(answer(b"", 204), view("completed", last_event=0))
    assert await all_of(there.run(tmp_path).follow()) == []


async def test_leaving_early_closes_the_stream_and_ends_nothing(tmp_path: Path) -> None:
    there = following(lambda _: stream(*LOG[:3], 1_000.0), view("running", last_event=3))
    run = there.run(tmp_path)
    lists = run.follow()
    assert await anext(lists)
    await lists.aclose()
    assert {one.method for one in there.requests} == {"GET"}
    assert not run.ended


# -- lies ----------------------------------------------------------------------------------------


def shuffled(*places: int) -> Reply:
    return lambda _: stream(*(LOG[place - 1] for place in places))


@pytest.mark.parametrize(
    "order",
    [
        (1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 8),
        (1, 2, 1, 2, 3, 4, 5, 6, 7, 8),
        (2, 1, 3, 4, 5, 6, 7, 8),
        (8, 7, 6, 5, 4, 3, 2, 1),
        (1, 2, 4, 5, 6, 7, 8),
        (1, 2, 8),
        (1, 2, 3, 4, 5, 6, 8, 7),
    ],
    ids=str,
)
async def test_events_out_of_order_are_asked_for_again(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    there = following(in_turn(shuffled(*order), from_there))
    assert numbers(await all_of(there.run(tmp_path).follow())) == EVERY


async def test_a_gap_that_stays_ends_when_the_run_has_ended(tmp_path: Path) -> None:
    there = following(shuffled(1, 2, 4, 5, 6, 7, 8))
    assert numbers(await all_of(there.run(tmp_path).follow())) == [1, 2]


@pytest.mark.parametrize(
    "ending", [(), (BROKEN,), (0.3,)], ids=["closed", "broken", "open and silent"]
)
async def test_a_log_without_its_last_event_ends_with_the_run(
    tmp_path: Path, ending: tuple[Any, ...]
) -> None:
    def without_the_last(request: httpx.Request) -> Reply:
        return stream(*LOG[behind(request) : -1], *ending)

    run = following(without_the_last).run(tmp_path)
    assert numbers(await all_of(run.follow())) == [*range(1, 8)]
    assert run.ended
    assert len(await run.catch_up()) == 7


async def test_a_page_in_place_of_events_is_said(tmp_path: Path) -> None:
    there = following(lambda _: page(), view("running", last_event=2))
    with pytest.raises(errors.ProtocolError, match="is no relay"):
        await all_of(there.run(tmp_path).follow())
    with pytest.raises(errors.ProtocolError, match="is no relay"):
        await there.run(tmp_path).catch_up()


async def test_a_relay_that_promises_more_than_it_has_is_believed_for_a_moment(
    tmp_path: Path,
) -> None:
    """Else looking at a run that goes on would last as long as the run."""
    still = [b": still here\n\n", 0.1] * 10_000
    run = following(lambda _: stream(*LOG[:3], *still), view("running", last_event=2**50)).run(
        tmp_path
    )
    assert numbers(await run.catch_up()) == [1, 2, 3]


ODD_FRAMES: dict[str, bytes] = {
    "no JSON": b"id: 3\nevent: x\ndata: {\n\n",
    "a list": b"id: 3\ndata: []\n\n",
    "null": b"id: 3\ndata: null\n\n",
    "data of another kind": b'id: 3\ndata: {"type": "search", "data": []}\n\n',
    "no type": b'id: 3\ndata: {"data": {}}\n\n',
    "a type of another kind": b'id: 3\ndata: {"type": 7, "data": {}}\n\n',
    "no number": b'data: {"type": "search", "data": {}}\n\n',
    "a number that is none": b'id: three\ndata: {"type": "search", "data": {}}\n\n',
    "a negative number": b'id: -3\ndata: {"type": "search", "data": {}}\n\n',
    "an endless number": b"id: " + b"3" * 5000 + b'\ndata: {"type": "search", "data": {}}\n\n',
    "another script's digits": 'id: ٣\ndata: {"type": "search", "data": {}}\n\n'.encode(),
    "an end without a number": b'id: 0\ndata: {"type": "completed", "data": {}}\n\n',
    "bytes that are no text": b"id: 3\ndata: \xff\xfe\n\n",
    "too deep": b"id: 3\ndata: " + b"[" * 100_000 + b"\n\n",
}


@pytest.mark.parametrize("odd", ODD_FRAMES.values(), ids=ODD_FRAMES)
async def test_a_frame_that_is_no_event_is_passed_over(tmp_path: Path, odd: bytes) -> None:
    there = following(in_turn(lambda _: stream(*LOG[:2], odd, *LOG[2:]), from_there))
    assert numbers(await all_of(there.run(tmp_path).follow())) == EVERY


WRONG: list[Any] = [None, 7, True, [], [7, None, {}], {}, "x" * 100_000, {"a": ["b"]}]


@pytest.mark.parametrize("value", WRONG, ids=lambda one: ascii(one)[:20])
async def test_wrong_types_in_events_change_nothing_but_what_they_say(
    tmp_path: Path, value: Any
) -> None:
    kinds = ("status", "search", "page", "reasoning", "source", "usage", "warning", "invented")
    names = ("mode", "upstream_response_id", "queries", "url", "summary", "number", "title")
    names += ("cost_usd", "estimate", "code", "message", "body")
    data = dict.fromkeys(names, value)
    frames = [frame(at, kind, data) for at, kind in enumerate(kinds, 1)]
    end = frame(9, "error", data, "failed")
    run = following(stream(*frames, end), view("failed", last_event=9)).run(tmp_path)
    events = await all_of(run.follow())
    assert len(events) == 9
    assert text_in(events) == ""
    assert len(run.glance.doing) < 200
    assert all(len(one) <= 300 for one in run.glance.warnings)
    assert len(run.glance.problem or "") <= 300


async def test_text_is_text_in_one_kind_of_event_alone(tmp_path: Path) -> None:
    """A relay that puts a key `text` elsewhere does not get it into the report."""
    text = {"text": "엉뚱한 글"}
    log = (
        *(frame(at, kind, text) for at, kind in enumerate(("status", "search", "request"), 1)),
        frame(4, "output_text", {"text": "김치"}),
        frame(5, "output_text", {"text": ["엉뚱한"]}),
        frame(6, "invented", text),
        frame(7, "completed", {**text, "output_text": "김치"}, "completed"),
    )
    run = following(stream(*log), view("completed", last_event=7)).run(tmp_path)
    assert text_in(await all_of(run.follow())) == "김치"


# -- several readers -----------------------------------------------------------------------------


async def test_readers_of_one_run_share_what_each_has_read(tmp_path: Path) -> None:
    def slowly(request: httpx.Request) -> Reply:
        pieces = [one for piece in LOG[behind(request) :] for one in (piece, 0.005)]
        return stream(*pieces)

    run = following(slowly).run(tmp_path)

    async def late(seconds: float) -> list[RunEvent]:
        await asyncio.sleep(seconds)
        return await all_of(run.follow())

    found = await asyncio.gather(*(late(0.004 * at) for at in range(8)))
    assert [numbers(each) for each in found] == [EVERY] * 8
    assert numbers(run.events) == EVERY


async def test_the_events_of_a_run_do_not_double_between_two_loops(tmp_path: Path) -> None:
    """`await run` reads in the user's own loop while the toolkit's reads too."""
    log = [frame(at, "output_text", {"text": "x"}) for at in range(1, 400)]
    log.append(frame(400, "completed", {}, "completed"))

    def from_here(request: httpx.Request) -> Reply:
        return stream(*log[behind(request) :])

    ended = view("completed", last_event=400)

    def read(run: AsyncRun) -> list[int]:
        return numbers(asyncio.run(all_of(run.follow())))

    for _ in range(5):
        run = following(from_here, ended).run(tmp_path)
        found = await asyncio.gather(*(asyncio.to_thread(read, run) for _ in range(4)))
        assert found == [[*range(1, 401)]] * 4
        assert numbers(run.events) == [*range(1, 401)]
