"""A run from its arguments to its last event, at gateways of every kind."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from relay_lite.research import Limits, conduct
from relay_lite.store import Progress
from tests.relay.research.conftest import QUICK, Desk
from tests.relay.research.scripted import TEXT, USAGE, Json, Scripted, refused

pytestmark = pytest.mark.anyio


async def test_the_log_tells_the_whole_run(desk: Desk) -> None:
    there = Scripted()
    run = await desk.work(there.upstream())
    told = [(one.type, one.status) for one in await desk.log()]
    assert told[:4] == [
        ("status", "pending"),
        ("request", "pending"),
        ("status", "queued"),
        ("status", "running"),
    ]
    assert [kind for kind, _ in told if kind not in ("status", "output_text")] == [
        *("request", "reasoning", "search", "page", "source", "usage", "completed")
    ]
    assert await desk.said("search") == [{"queries": ["kimchi", "김치"]}]
    assert await desk.said("source") == [{"number": 1, "url": "https://a.example/1", "title": "T1"}]
    assert await desk.text() == TEXT
    assert (run.status, run.result.output_text) == ("completed", TEXT)
    assert run.result.response is not None
    assert run.result.response["usage"] == USAGE


async def test_no_event_but_text_has_a_key_named_text(desk: Desk) -> None:
    await desk.work(Scripted().upstream())
    assert [one.type for one in await desk.log() if "text" in one.data] == ["output_text"] * 5


async def test_the_gateway_can_recognise_a_submission(desk: Desk) -> None:
    there = Scripted()
    run = await desk.work(there.upstream())
    [body] = there.submissions
    assert (body["background"], body["stream"], body["store"]) == (True, True, True)
    assert body["metadata"] == {"invocation_id": run.id}
    assert there.keys == [f"{run.id}-1"]
    assert run.progress.upstream_id == "resp_1"


async def test_the_log_has_every_body_that_was_sent_as_the_gateway_got_it(desk: Desk) -> None:
    """Also the one that the gateway refused, and the next without what it did not know."""
    there = Scripted(refusals=[refused(400, "Unknown parameter: 'include'.")])
    await desk.work(there.upstream(), context=["what is known"])
    assert len(there.submissions) == 2
    assert [one["body"] for one in await desk.said("request")] == there.submissions


async def test_a_stream_cut_at_any_event_is_taken_up_without_gap_or_repetition(
    desks: Callable[[], Desk],
) -> None:
    for cut in range(1, len(Scripted().events)):
        there, desk = Scripted(cuts=[cut, 1, 2]), desks()
        run = await desk.work(there.upstream())
        assert (run.status, await desk.text()) == ("completed", TEXT), cut
        assert len(there.submissions) == 1
        assert len(await desk.said("search")) == 1
        assert len(await desk.said("source")) == 1
        assert there.resumes[0] == str(cut - 1)


@pytest.mark.parametrize(
    "there",
    [
        Scripted(cuts=[6], resumes_refused=400),
        Scripted(cuts=[6], resumes_refused=404),
        Scripted(cuts=[6], numbered=False),
        Scripted(cuts=[6, 0, 0]),
        Scripted(cuts=[9], silent=True),
        Scripted(cuts=[6], resumes_refused=400, looks=20),
        Scripted(cuts=[6], resumes_refused=400, polls=[refused(404), refused(404)]),
        Scripted(cuts=[6], resumes_refused=400, polls=[refused(502)] * 6),
        Scripted(cuts=[6], resumes_refused=400, polls=[httpx.ReadError("gone")] * 6),
        Scripted(cuts=[6], resumes_refused=400, rotating=True, looks=3),
        Scripted(way="poll"),
        Scripted(way="poll", looks=5),
        Scripted(way="json"),
        Scripted(way="plain"),
        Scripted(way="plain", numbered=False),
        Scripted(chunk=1),
        Scripted(chunk=7, cuts=[9]),
    ],
    ids=[
        *("cursor-refused", "stream-unknown", "no-numbers", "cut-thrice", "silent", "long"),
        *("first-polls-404", "polls-502", "polls-broken", "rotating-ids", "json-queued"),
        *("json-growing", "json-ended", "plain", "plain-unnumbered", "every-byte", "odd-bytes"),
    ],
)
async def test_every_way_leads_to_the_same_end(there: Scripted, desk: Desk) -> None:
    run = await desk.work(there.upstream())
    assert (run.status, run.result.output_text) == ("completed", TEXT)
    assert await desk.text() == TEXT
    assert len(there.submissions) == 1
    assert len(await desk.said("search")) == len(await desk.said("page")) == 1
    assert await desk.warnings() == []
    assert set(there.gets) <= {"/responses/resp_1"}


async def test_a_run_that_is_in_progress_for_long_is_not_failed(desk: Desk) -> None:
    """The first fault of the earlier relay."""
    there = Scripted(way="poll", looks=30)
    run = await desk.work(there.upstream())
    assert run.status == "completed"
    assert len(there.gets) == 31


async def test_text_that_the_end_contradicts_is_replaced_by_it(desk: Desk) -> None:
    there = Scripted(cuts=[9], resumes_refused=400)
    there.final = {"output": [{"type": "message", "content": [_part("Another text.")]}]}
    run = await desk.work(there.upstream(), require_citations=False)
    assert await desk.warnings() == ["text_replaced"]
    assert run.result.output_text == "Another text."
    assert TEXT.startswith(await desk.text())
    assert (await desk.said("completed"))[-1] == {"output_text": "Another text."}


def _part(text: str) -> dict[str, object]:
    return {"type": "output_text", "text": text, "annotations": []}


async def test_half_surrogates_and_nul_do_not_stop_a_run(desk: Desk) -> None:
    there = Scripted(pieces=("a\ud83d", "b", "\0c"), escaped=True)
    there.final = {"note": "\0\ud800"}
    run = await desk.work(there.upstream(), require_citations=False)
    assert (run.status, await desk.text()) == ("completed", "a\ufffdb\ufffdc")
    assert run.result.response is not None
    assert run.result.response["note"] == "\ufffd\ufffd"


@pytest.mark.parametrize(
    ("final", "warning"),
    [
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "cut"),
        ({}, ""),
    ],
)
async def test_an_incomplete_answer_is_completed_with_a_warning(
    final: dict[str, object], warning: str, desk: Desk
) -> None:
    run = await desk.work(Scripted(final=final).upstream())
    assert (run.status, run.result.output_text) == ("completed", TEXT)
    assert await desk.warnings() == (["incomplete"] if warning else [])


async def test_missing_citations_and_searches_are_said(desk: Desk) -> None:
    there = Scripted(items=())
    there.final = {"output": [{"type": "message", "content": [_part(TEXT)]}]}
    await desk.work(there.upstream())
    assert await desk.warnings() == ["no_search", "no_citations"]


async def test_a_completed_response_with_nothing_in_it_is_looked_at_once_more(
    desks: Callable[[], Desk],
) -> None:
    hollow: Json = {"output": [], "usage": None}
    desk = desks()
    run = await desk.work(Scripted(way="poll", final=hollow).upstream())
    assert (run.status, run.result.error_code) == ("failed", "upstream_error")
    there, desk = Scripted(way="poll"), desks()
    there.polls = [(200, {}, {**there.response, **hollow})]
    run = await desk.work(there.upstream())
    assert (run.status, run.result.output_text) == ("completed", TEXT)


async def test_text_over_the_bound_ends_the_run_and_keeps_what_there_is(desk: Desk) -> None:
    there = Scripted()
    run = await desk.work(there.upstream(), Limits(max_stream_bytes=30))
    assert (run.status, run.result.error_code) == ("failed", "too_large")
    assert TEXT.startswith(text := await desk.text())
    assert 27 <= len(text.encode()) <= 30
    assert run.progress.upstream_id == "resp_1"
    assert there.cancels == ["/responses/resp_1/cancel"]


async def test_a_gateway_that_cuts_every_stream_is_asked_for_the_whole(desk: Desk) -> None:
    there = Scripted(pieces=tuple("Kimchi is fermented, and has been for centuries."), cuts=[8])
    there.cuts += [1] * 100
    run = await desk.work(there.upstream())
    assert (run.status, await desk.text()) == ("completed", "".join(there.pieces))
    assert len(there.resumes) <= 20


async def test_a_run_over_its_time_is_stopped_at_the_gateway_too(desk: Desk) -> None:
    there = Scripted(way="poll", looks=10**6)
    run = await desk.work(there.upstream(), Limits(run_seconds=0.2))
    assert (run.status, run.result.error_code) == ("failed", "timed_out")
    assert there.cancels == ["/responses/resp_1/cancel"]


async def test_an_answer_that_is_complete_is_kept_though_the_time_is_over(desk: Desk) -> None:
    """Found by whoever takes the run over, too late; but the work is done, and paid for."""
    there = Scripted(way="poll")
    await desk.order()
    sent = Progress(attempt=1, upstream_id="resp_1", way="poll", submitted=1.0)
    await (await desk.claim("w1")).write(status="queued", progress=sent)
    await desk.store.release("w1")
    await conduct(await desk.claim("w2"), there.upstream(), Limits(run_seconds=0.0), QUICK)
    run = await desk.now()
    assert (run.status, run.result.output_text) == ("completed", TEXT)
    assert there.cancels == []


async def test_a_complete_answer_over_the_bound_is_cut_and_not_cancelled(desk: Desk) -> None:
    there = Scripted(way="poll")
    run = await desk.work(there.upstream(), Limits(max_stream_bytes=30))
    assert (run.status, run.result.error_code) == ("failed", "too_large")
    assert TEXT.startswith(text := await desk.text())
    assert 27 <= len(text.encode()) <= 30
    assert there.cancels == []
