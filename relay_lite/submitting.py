"""Getting a run to the gateway: once, or not at all.

Rule: that something is about to be sent is written down before it is sent, and what it is called
as soon as the gateway says so. In between lies the one gap that no log closes, so what falls into
it is never sent again by itself, except where that costs nothing or the relay was told to.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from kit import errors
from kit.gateway.events import Event, Failure, Finished, Snapshot
from kit.gateway.failures import is_providers_time
from kit.gateway.stream import AsyncStream
from relay_lite.brief import adapted, body_of, fitted, shortfalls, unfitted
from relay_lite.course import Course
from relay_lite.ending import Failed, failure_of
from relay_lite.store import Draft, Fenced, StoreError

__all__ = ["MOST_ATTEMPTS", "UNHEARD_SECONDS", "reset_uncertain", "submit"]

MOST_RESUBMISSIONS = 3
"""Of one worker, of what may have been taken."""
MOST_ATTEMPTS = 100
"""Of all workers: a run that ends each of them is given up."""
LONGEST_ID = 4_096
UNHEARD_SECONDS = 120.0
"""How long a submission of a cancelled run may still come back with an id."""

T = TypeVar("T")


async def submit(course: Course) -> AsyncStream:
    """Send the run until the gateway has taken it; the stream, its first events written down.

    Raises Failed when it refuses, or when it may have taken it and nobody knows.
    """
    await _patiently(course, lambda: _prepare(course))
    body = fitted(_whole(course), course.seen, course.facts)
    told: list[dict[str, Any]] = []
    while True:
        try:
            return await _patiently(course, lambda body=body: _drained(course, body, told))
        except errors.GatewayError as error:
            step = unfitted(error, body, _whole(course), course.facts)
            step = step or adapted(error, body, course.facts)
            if step is not None:
                body, course.facts = step
                await course.log([], submitting=False)
            elif not _may_have_taken(error):
                end = failure_of(error)
                end.uncertain = isinstance(error, errors.ServerFailed)
                raise end from None
            else:
                await reset_uncertain(course)


def _whole(course: Course) -> dict[str, Any]:
    """The request by what runs have met, without what the doctor saw."""
    return body_of(course.assignment, course.model, course.facts, course.hold.invocation.id)


async def reset_uncertain(course: Course) -> None:
    """After a submission nobody knows the outcome of: prepare another, or raise Failed."""
    course.resubmissions += 1
    tried = course.progress.attempt >= MOST_ATTEMPTS or course.resubmissions > MOST_RESUBMISSIONS
    if tried or not (course.upstream.free or course.limits.resubmit):
        raise Failed(
            "submission_uncertain",
            "The gateway may or may not have taken the run, and its id is not known. It was not "
            "sent again, because it may be running; send it anew if a second run does no harm.",
            uncertain=True,
        )
    drafts: list[Draft] = []
    if not course.upstream.free:
        drafts = course.telling.warn(
            "resubmitted", "It was sent again; the gateway may be running it twice."
        )
    uncertain = not course.upstream.free
    await course.log(drafts, submitting=False, uncertain=uncertain)


async def _prepare(course: Course) -> None:
    if not course.model:
        course.model = await course.upstream.model(course.assignment.model)
        await course.recall()
    await course.price()


# -- waiting -------------------------------------------------------------------------------------


async def _patiently(course: Course, act: Callable[[], Awaitable[T]]) -> T:
    """What `act` gives, tried again as long as the gateway says that it takes nothing now."""
    pause = course.pace.first_wait
    while True:
        try:
            return await act()
        except errors.GatewayError as error:
            if not _says_later(error):
                raise
            away = isinstance(error, errors.ConnectionFailed)
            warning = course.telling.warn("waiting", _AWAY if away else _BUSY)
            await course.log(warning, **_not_submitting(course))
            wait = max(error.retry_after or 0.0, pause)
            if wait >= course.left:
                raise
            await asyncio.sleep(wait)
            course.check()
        pause = min(pause * 2, course.pace.longest_wait)


_BUSY = "The gateway takes no more requests now; the run waits for it."
_AWAY = (
    "The gateway does not answer now; the run waits for it. Check that it runs, and its address."
)


def _not_submitting(course: Course) -> dict[str, Any]:
    return {"submitting": False} if course.progress.submitting else {}


def _says_later(error: errors.GatewayError) -> bool:
    """Whether nothing was taken, and another time it may be."""
    if isinstance(error, errors.QuotaExceeded) or is_providers_time(error):
        return False
    return isinstance(error, errors.ConnectionFailed) or error.status in (408, 409, 429, 503, 529)


def _may_have_taken(error: errors.GatewayError) -> bool:
    """Whether the gateway may run it although it did not say so."""
    unheard = (errors.ConnectionBroken, errors.TimedOut, errors.StreamInterrupted)
    return is_providers_time(error) or (isinstance(error, unheard) and error.status is None)


def _surely_not_taken(error: BaseException | None) -> bool:
    """Whether the gateway runs nothing of it. A failure of its own says no such thing."""
    if not isinstance(error, errors.GatewayError) or is_providers_time(error):
        return False
    return _says_later(error) or (error.status is not None and 400 <= error.status < 500)


# -- one submission ------------------------------------------------------------------------------


async def _drained(course: Course, body: dict[str, Any], told: list[dict[str, Any]]) -> AsyncStream:
    """One submission. A relay that stops waits for its id for a while, and lets nothing else on."""
    task = asyncio.ensure_future(_send(course, body, told))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await _hear_out(course, task, background=bool(body.get("background")))
        if not task.cancelled():
            await _put_down(course, task)
        raise


async def _hear_out(course: Course, task: asyncio.Task[AsyncStream], *, background: bool) -> None:
    """Wait for what a submission comes to; then, or cancelled once more, break it off.

    One that a caller has cancelled is heard out for longer: the gateway would go on with it, and
    without its id could not be told. Without `background` it ends with its connection.
    """
    try:
        await asyncio.wait({task}, timeout=course.pace.drain)
        if not task.done() and background and await _is_cancelled(course):
            await asyncio.wait({task}, timeout=UNHEARD_SECONDS - course.pace.drain)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


async def _is_cancelled(course: Course) -> bool:
    """Whether a caller has cancelled the run; False where the store cannot say."""
    try:
        run = await course.hold.store.get(course.hold.invocation.id)
    except StoreError:
        return False
    return run is not None and run.status == "cancelled"


async def _put_down(course: Course, task: asyncio.Task[AsyncStream]) -> None:
    """What a submission came to that nobody waits for any more, for the next worker."""
    try:
        if (error := task.exception()) is None:
            await task.result().aclose()
        elif isinstance(error, Fenced):
            raise error
        elif course.progress.submitting and _surely_not_taken(error):
            # Not by the course, which looks at bounds: whoever goes on does that.
            step = dataclasses.replace(course.progress, submitting=False)
            await course.hold.write(progress=step)
    except Fenced:
        course.fenced = True


async def _send(course: Course, body: dict[str, Any], told: list[dict[str, Any]]) -> AsyncStream:
    """`told` are the bodies that stand in the log: one that is sent again is not told again."""
    attempt = course.progress.attempt + 1
    drafts = [] if told[-1:] == [body] else [Draft("request", {"body": body})]
    await course.log(drafts, attempt=attempt, submitting=True)
    told += [body] if drafts else []
    streamed = bool(body.get("stream"))
    stream = course.upstream.client.create(
        body,
        headers={"Idempotency-Key": f"{course.hold.invocation.id}-{attempt}"},
        timeout=course.allowance,
        idle=course.pace.plain_silence if streamed else course.allowance,
    )
    try:
        async for events in stream.batches():
            if any(map(_is_taken, events)):
                await _accept(course, events)
                return stream
    except BaseException:
        await stream.aclose()
        raise
    raise errors.StreamInterrupted("The stream had no event.")


def _is_taken(event: Event) -> bool:
    """Whether it says that the run was taken: a failure does not, nor what is of no known kind."""
    return type(event) not in (Event, Failure)


async def _accept(course: Course, events: list[Event]) -> None:
    """The gateway has taken the run: write down what it is called, and what came with that."""
    first = next((one for one in events if isinstance(one, Snapshot | Finished)), None)
    response = first.response if first else {}
    id = response.get("id")
    id = id if isinstance(id, str) and 0 < len(id) <= LONGEST_ID else None
    way = _way(first) if id is not None else "plain"
    course.seen_id, course.way = id, way
    drafts = [Draft("status", {"mode": course.mode, "upstream_response_id": id})]
    for code, message in shortfalls(course.assignment, course.facts, course.seen):
        drafts += course.telling.warn(code, message)
    drafts += course.telling.hear(course.follow(events))
    await course.log(
        drafts,
        "queued" if response.get("status") == "queued" else "running",
        submitting=False,
        upstream_id=id,
        way=way,
        submitted=course.taken(),
        cursor=course.cursor if way == "background" else None,
    )
    await course.learn(way)


def _way(first: Snapshot | Finished | None) -> str:
    """How the run is followed. A gateway that knows no background says nothing of it, or null."""
    if first is None:
        return "plain"
    if first.raw is first.response:  # JSON instead of a stream
        return "poll" if isinstance(first, Snapshot) else "plain"
    return "background" if first.response.get("background") is True else "plain"
