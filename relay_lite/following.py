"""Following a run that the gateway has taken, until it has ended there.

Rules: the cursor and the events it stands for are written in one append. A stream that breaks is
taken up again at the cursor, twice without progress, and then the response is fetched again and
again. What is fetched is the truth, so a run whose time is over is looked at before it is given up.
A run whose id is saved is never submitted again, except a plain stream at a gateway that costs
nothing.
"""

from __future__ import annotations

import asyncio
import time

from kit import errors
from kit.gateway.answer import Answer
from kit.gateway.events import Event, Failure, Snapshot
from kit.gateway.following import PENDING
from kit.gateway.stream import AsyncStream
from relay_lite.course import Course
from relay_lite.ending import Failed, failure_of
from relay_lite.submitting import MOST_ATTEMPTS, reset_uncertain, submit

__all__ = ["followed", "look"]

MOST_RESUMES = 2
MOST_RESUMES_IN_ALL = 20
"""Even with progress: a gateway that cuts every stream is quicker asked for the whole."""
MOST_REFUSALS = 3
"""Looks in a row that are refused before the run is given up."""
MOST_RESTARTS = 3
"""Of one worker."""


async def followed(course: Course) -> Answer:
    """The response as it ended, from wherever the log says the run stands."""
    try:
        return await _followed(course)
    except Failed as end:
        answer = await _ended_anyway(course) if end.code == "timed_out" else None
        if answer is None:
            raise
        return answer


async def _followed(course: Course) -> Answer:
    taken_over = course.progress.way is not None
    restarts = 0
    while True:
        step = course.progress
        if step.submitting:
            await reset_uncertain(course)
        elif step.way is None:
            answer = await _submitted(course)
            if answer is not None:
                return answer
        elif step.way == "plain":
            if (answer := await _ended_anyway(course)) is not None:
                return answer
            restarts += 1
            await _restart(course, taken_over, restarts)
        else:
            return await _background(course)
        taken_over = False


async def look(course: Course) -> Answer:
    """The response as the gateway has it now. Raises GatewayError."""
    return await _look(course, min(course.pace.call, course.allowance))


async def _look(course: Course, seconds: float) -> Answer:
    answer = await course.upstream.client.retrieve(course.seen_id or "", timeout=seconds)
    if not answer.raw.keys() & {"id", "status", "output"}:
        raise errors.ProtocolError("The gateway's answer is no response.")
    return answer


async def _ended_anyway(course: Course) -> Answer | None:
    """What the gateway has of a run that is followed no more, if it has ended there.

    Of a plain stream only what ended well: there the end of our reading may have been its failure.
    """
    if course.seen_id is None:
        return None
    try:
        answer = await _look(course, course.pace.call)
    except errors.KitError:
        return None
    if course.way == "plain":
        good = answer.status in ("completed", "incomplete") and answer.text
        return answer if good else None
    return None if answer.status in PENDING else answer


async def _submitted(course: Course) -> Answer | None:
    """Submit, and read what comes; None where it broke off and has to be taken up."""
    stream = await submit(course)
    try:
        answer = await _read(course, stream)
    except (errors.ConnectionBroken, errors.TimedOut, errors.StreamInterrupted):
        return None
    except errors.GatewayError:
        if course.progress.way == "plain":
            raise
        return None
    if answer.status in PENDING:
        return None
    return answer if _is_whole(course, answer) else await _truth(course, answer)


def _is_whole(course: Course, streamed: Answer) -> bool:
    """Whether nothing is missing that the response itself might have; a plain one has no other.

    LiteLLM loses citations, and the output, of streams: BerriAI/litellm#20002, #32724.
    """
    if course.progress.way != "background":
        return True
    cited = streamed.citations or not course.assignment.citations
    return bool(cited and streamed.usage and course.cursor is not None)


async def _read(course: Course, stream: AsyncStream, *, resumed: bool = False) -> Answer:
    """Write down what a stream says until its end. Raises what ended it instead."""
    background = course.progress.way == "background"
    async with stream:
        batches = stream.batches()
        while True:
            try:
                async with asyncio.timeout(course.pace.silence if background else None):
                    events = await anext(batches)
            except StopAsyncIteration:
                return stream.answer
            except TimeoutError:
                raise errors.TimedOut("The stream fell silent.") from None
            if resumed and any(one.sequence_number is None for one in events if _counts(one)):
                raise errors.ProtocolError("A stream that was taken up has no numbers.")
            drafts = course.telling.hear(course.follow(events, resumed=resumed))
            if not any(map(_is_queued, events)):
                drafts = [*course.runs(), *drafts]
            if drafts:
                steps = {"cursor": course.cursor} if background else {}
                await course.log(drafts, "running", **steps)


def _counts(event: Event) -> bool:
    return not isinstance(event, Failure)


def _is_queued(event: Event) -> bool:
    return isinstance(event, Snapshot) and event.response.get("status") == "queued"


# -- background ----------------------------------------------------------------------------------


async def _background(course: Course) -> Answer:
    if course.progress.way == "background":
        answer = await _resumed(course)
        if answer is not None:
            return answer
        await course.log([], way="poll")
    return await _polled(course)


async def _resumed(course: Course) -> Answer | None:
    """Take the stream up at the cursor; None when it is better to fetch the response."""
    resumes = 0
    if await _is_better_fetched(course):
        return None
    for _ in range(MOST_RESUMES_IN_ALL):
        if course.cursor is None or resumes >= MOST_RESUMES:
            break
        before = course.cursor
        stream = course.upstream.client.resume(
            course.seen_id or "",
            starting_after=before,
            timeout=course.allowance,
            idle=course.pace.silence,
        )
        try:
            answer = await _read(course, stream, resumed=True)
        except (errors.NotFound, errors.BadRequest, errors.ProtocolError):
            return None
        except errors.GatewayError:
            course.check()
            resumes = resumes + 1 if course.cursor == before else 0
            await asyncio.sleep(min(course.pace.first_look, 1.0))
        else:
            return None if answer.status in PENDING else await _truth(course, answer)
    return None


async def _is_better_fetched(course: Course) -> bool:
    """Whether it cannot be taken up and can be fetched, as was seen; and the latter still holds."""
    seen = course.seen
    if seen.verdict("cursor") != "no" or seen.verdict("retrieve") != "yes":
        return False
    try:
        await look(course)
    except (errors.NotFound, errors.BadRequest):
        return False
    except errors.GatewayError:
        pass  # it is looked at again
    return True


async def _truth(course: Course, streamed: Answer) -> Answer:
    """The response itself, unless it holds less than what was assembled from the stream."""
    try:
        whole = await look(course)
    except errors.KitError:
        return streamed
    lost = (streamed.text and not whole.text) or len(whole.citations) < len(streamed.citations)
    return streamed if lost or whole.status in PENDING else whole


async def _polled(course: Course) -> Answer:
    pause = course.pace.first_look
    refused = 0
    unanswered: float | None = None
    while True:
        wait = pause
        try:
            answer = await look(course)
        except (errors.NotFound, errors.BadRequest) as error:
            if not _is_young(course):
                refused += 1
            if refused >= MOST_REFUSALS:
                raise _given_up(error) from None
        except (errors.AuthenticationFailed, errors.ProtocolError, errors.ResponseFailed) as error:
            unanswered = unanswered or time.monotonic()
            if time.monotonic() - unanswered > course.pace.unanswered:
                raise _given_up(error) from None
        except errors.GatewayError as error:
            wait = max(pause, min(error.retry_after or 0.0, course.pace.longest_wait))
        else:
            if answer.status not in PENDING:
                return answer
            refused, unanswered = 0, None
            await _tell_progress(course, answer)
        course.check()
        await asyncio.sleep(min(wait, max(course.left, 0.0)))
        course.check()
        pause = min(pause * 1.4, course.pace.longest_look)


async def _tell_progress(course: Course, answer: Answer) -> None:
    drafts = course.telling.read(answer)
    if answer.status == "in_progress":
        drafts = [*course.runs(), *drafts]
    if drafts:
        await course.log(drafts, "running")


def _is_young(course: Course) -> bool:
    """Whether the id may be too new to be known: gateways write it down behind their answer."""
    return course.age is not None and course.age < course.pace.young


def _given_up(error: errors.GatewayError) -> Failed:
    if isinstance(error, errors.AuthenticationFailed):
        return failure_of(error)
    if isinstance(error, errors.NotFound):
        return Failed("expired", "The gateway no longer knows the run; what had come is kept.")
    if isinstance(error, errors.BadRequest):
        return Failed("upstream_refused", "The gateway does not give the run out again.")
    return Failed(
        "upstream_error", "The gateway's answers about the run are none: what had come is kept."
    )


# -- plain streams -------------------------------------------------------------------------------


async def _restart(course: Course, taken_over: bool, restarts: int) -> None:
    """Begin a plain stream anew, where that costs nothing. Raises Failed elsewhere."""
    tried = course.progress.attempt >= MOST_ATTEMPTS or restarts >= MOST_RESTARTS
    if tried or not course.upstream.free:
        if taken_over:
            raise Failed(
                "worker_lost",
                "The relay that read the answer ended, and the gateway does not keep answers. "
                "What had come is kept; send the run again for the rest.",
            )
        raise Failed(
            "upstream_error", "The gateway's stream broke off before its end; what came is kept."
        )
    course.restart()
    await course.log(
        course.telling.warn("restarted", "The stream had broken off; the run was begun anew."),
        upstream_id=None,
        way=None,
        cursor=None,
        submitted=None,
    )
