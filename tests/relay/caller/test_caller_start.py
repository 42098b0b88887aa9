"""A run is written down before it is sent, so that nothing that happens in between loses it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from kit import errors
from kit.relay.book import Book, Entry
from kit.relay.handle import AsyncRun, Desk, begin
from kit.secret import Secret
from tests.relay.caller.there import (
    ID,
    RUNS,
    TOKEN,
    Reply,
    There,
    answer,
    by_path,
    page,
    view,
)

pytestmark = [pytest.mark.once, pytest.mark.anyio]

ARGUMENTS = {"research_question": "김치의 역사는?"}


def desk_at(there: There, folder: Path) -> Desk:
    client = there.client()
    return Desk(Book(folder), lambda entry: client)


async def started(there: There, folder: Path, **arguments: object) -> AsyncRun:
    desk = desk_at(there, folder)
    return await begin(desk, {**ARGUMENTS, **arguments}, relay="", gateway="sandbox")


# -- before, and after ---------------------------------------------------------------------------


async def test_it_is_written_down_before_the_first_byte_leaves(tmp_path: Path) -> None:
    seen: list[Entry] = []

    def look(_request: httpx.Request) -> Reply:
        seen.extend(Book(tmp_path).entries())
        return answer(view("pending"), 202)

    there = There(look)
    run = await started(there, tmp_path)
    [before] = seen
    assert (before.id, before.token, before.question) == (None, None, "김치의 역사는?")
    assert there.requests[0].headers["idempotency-key"] == before.key
    assert before.arguments == there.sent()["arguments"] == {**ARGUMENTS, "stream": True}
    [after] = Book(tmp_path).entries()
    assert (after.key, after.id, after.token) == (before.key, ID, Secret(TOKEN))
    assert run.entry == after


async def test_with_background_the_relay_may_wait_for_the_gateway(tmp_path: Path) -> None:
    there = There(answer(view("queued", upstream_response_id="resp_1"), 202))
    run = await started(there, tmp_path, background=True)
    assert there.sent()["arguments"] == {**ARGUMENTS, "background": True}
    assert there.requests[0].headers["prefer"] == "wait=5"
    assert run.view is not None
    assert run.view.upstream_id == "resp_1"


async def test_two_starts_have_two_keys(tmp_path: Path) -> None:
    there = There(lambda _: answer(view(), 202))
    await asyncio.gather(*(started(there, tmp_path) for _ in range(10)))
    assert len({one.headers["idempotency-key"] for one in there.requests}) == 10
    assert len(Book(tmp_path).entries()) == 10


async def test_where_nothing_can_be_written_nothing_is_sent(tmp_path: Path) -> None:
    there = There(view())
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.ConfigError, match="was not started"):
        await started(there, tmp_path / "file" / "runs")
    assert there.requests == []


# -- what did not arrive, and what may have ------------------------------------------------------


@pytest.mark.parametrize(
    "no", [400, 401, 403, 404, 405, 409, 413, 422, httpx.ConnectError("x")], ids=str
)
async def test_what_was_not_taken_is_forgotten(tmp_path: Path, no: Reply) -> None:
    with pytest.raises(errors.KitError):
        await started(There(no), tmp_path)
    assert Book(tmp_path).entries() == []


@pytest.mark.parametrize(
    "replies",
    [
        (httpx.ReadError("reset"),),
        (httpx.ReadError("reset"), httpx.ConnectError("it died")),
        (502, httpx.ConnectError("it died")),
        (500,),
        (503,),
        (504,),
        (page(),),
        (answer(b"{"),),
        (answer(view(invocation_token=None)),),
    ],
    ids=["broken", "broken and gone", "a proxy's", "500", "503", "504", "page", "half", "no token"],
)
async def test_what_may_have_been_taken_stays_written_down(
    tmp_path: Path, replies: tuple[Reply, ...]
) -> None:
    """A paid run that nobody could find again would be the worst of ends."""
    with pytest.raises(errors.GatewayError) as caught:
        await started(There(*replies), tmp_path)
    [kept] = Book(tmp_path).entries()
    assert kept.id is None
    said = str(caught.value)
    assert "kit.runs()" in said
    assert len(said.splitlines()) <= 3


async def test_a_start_that_is_stopped_stays_written_down(tmp_path: Path) -> None:
    async def never(_request: httpx.Request) -> None:
        await asyncio.sleep(1_000)

    class Slow(There):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            await asyncio.sleep(1_000)
            raise AssertionError

    slow = Slow()
    task = asyncio.ensure_future(started(slow, tmp_path))
    while not slow.requests:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(Book(tmp_path).entries()) == 1


# -- found again by the key ----------------------------------------------------------------------

UNANSWERED = {"id": None, "token": None}


async def test_what_the_relay_has_is_posted_again_and_so_found(tmp_path: Path) -> None:
    listed = answer({"data": [{}], "idempotency_key": "0" * 32})
    there = There(by_path(listing=listed, start=answer(view("running"), 202)))
    run = there.run(tmp_path, **UNANSWERED)
    assert await run.find()
    assert (run.entry.id, run.entry.token) == (ID, Secret(TOKEN))
    assert Book(tmp_path).entries() == [run.entry]
    assert [one.method for one in there.requests] == ["GET", "POST"]
    assert there.requests[1].headers["idempotency-key"] == run.entry.key
    assert there.sent()["arguments"] == run.entry.arguments


async def test_what_the_relay_does_not_have_is_not_posted(tmp_path: Path) -> None:
    there = There(by_path(listing=answer({"data": [], "idempotency_key": "0" * 32})))
    run = there.run(tmp_path, **UNANSWERED)
    assert not await run.find()
    with pytest.raises(errors.NotFound, match=r"run\.retry\(\)"):
        await run.refresh()
    assert [one.method for one in there.requests] == ["GET"]


async def test_a_relay_that_keeps_no_lists_is_not_asked_to_start_by_looking(tmp_path: Path) -> None:
    there = There(by_path(listing=403, start=answer(view(), 202)))
    assert not await there.run(tmp_path, **UNANSWERED).find()
    assert [one.method for one in there.requests] == ["GET"]


@pytest.mark.parametrize("status", [401, 403, 404, 409, 422])
async def test_a_refusal_behind_a_cut_connection_does_not_unmake_the_first_try(
    tmp_path: Path, status: int
) -> None:
    """The first may have been taken: the run stays written down."""
    there = There(httpx.ReadError("cut"), answer({"detail": "no"}, status))
    with pytest.raises(errors.ConnectionBroken, match=r"kit\.runs\(\) shows it"):
        await started(there, tmp_path)
    assert len(Book(tmp_path).entries()) == 1


@pytest.mark.parametrize("away", [httpx.ReadError("x"), httpx.ConnectError("x"), 503], ids=str)
async def test_a_relay_that_is_away_is_not_asked_to_start_anything(
    tmp_path: Path, away: Reply
) -> None:
    there = There(away)
    with pytest.raises(errors.GatewayError):
        await there.run(tmp_path, **UNANSWERED).find()
    assert {one.method for one in there.requests} == {"GET"}


async def test_a_known_run_is_not_looked_for(tmp_path: Path) -> None:
    there = There(500)
    assert await there.run(tmp_path).find()
    assert there.requests == []


async def test_the_path_is_the_one_of_the_contract(tmp_path: Path) -> None:
    there = There(answer(view(), 202))
    await started(there, tmp_path)
    assert there.requests[0].url.path == RUNS


# -- deleting ------------------------------------------------------------------------------------


async def test_deleting_removes_it_there_and_here(tmp_path: Path) -> None:
    there = There(answer(b"", 204))
    await there.run(tmp_path).delete()
    assert [(one.method, one.headers["x-invocation-token"]) for one in there.requests] == [
        ("DELETE", TOKEN)
    ]
    assert Book(tmp_path).entries() == []


async def test_what_still_goes_on_is_not_deleted(tmp_path: Path) -> None:
    run = There(409).run(tmp_path)
    with pytest.raises(errors.InputError):
        await run.delete()
    assert Book(tmp_path).entries() == [run.entry]


@pytest.mark.parametrize("away", [httpx.ConnectError("x"), 500, 403], ids=str)
async def test_what_could_not_be_deleted_there_is_kept_here(tmp_path: Path, away: Reply) -> None:
    run = There(away).run(tmp_path)
    with pytest.raises(errors.GatewayError):
        await run.delete()
    assert Book(tmp_path).entries() == [run.entry]


async def test_what_is_gone_there_is_removed_here(tmp_path: Path) -> None:
    await There(404).run(tmp_path).delete()
    assert Book(tmp_path).entries() == []


async def test_what_was_never_sent_is_removed_here(tmp_path: Path) -> None:
    there = There(by_path(listing=answer({"data": [], "idempotency_key": "0" * 32})))
    await there.run(tmp_path, **UNANSWERED).delete()
    assert Book(tmp_path).entries() == []


async def test_what_was_taken_without_an_answer_is_deleted_there_too(tmp_path: Path) -> None:
    listed = answer({"data": [{}], "idempotency_key": "0" * 32})
    there = There(by_path(listing=listed, start=answer(view(), 202), run=answer(b"", 204)))
    await there.run(tmp_path, **UNANSWERED).delete()
    assert [one.method for one in there.requests] == ["GET", "POST", "DELETE"]
    assert Book(tmp_path).entries() == []


async def test_a_deleted_run_does_not_come_back_by_being_shown(tmp_path: Path) -> None:
    there = There(view("completed", output_text="x"), view("completed"), answer(b"", 204))
    run = there.run(tmp_path, ended="completed")
    await run.refresh()
    there.replies = (answer(b"", 204),)
    await run.delete()
    run.shown()
    assert Book(tmp_path).entries() == []


# -- cancelling ----------------------------------------------------------------------------------


async def test_cancelling_ends_it_and_is_noted(tmp_path: Path) -> None:
    there = There(by_path(cancel=view("cancelled"), run=view("running")))
    run = there.run(tmp_path)
    assert (await run.refresh()).status == "running"
    assert (await run.cancel()).status == "cancelled"
    assert (await run.refresh()).status == "cancelled"
    assert Book(tmp_path).entries()[0].ended == "cancelled"


async def test_what_has_ended_stays_as_it_ended(tmp_path: Path) -> None:
    there = There(by_path(cancel=view("completed", output_text="x")))
    assert (await there.run(tmp_path).cancel()).status == "completed"
