"""One research run, from its arguments to its last event.

Rule: whatever happens, the run either ends here with a terminal event, or is left as the log says
it stands, for the next worker to go on from there.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time

from kit import errors
from kit.errors import KitError
from relay_lite.course import Course, Limits, Pace, lasting
from relay_lite.ending import Failed, failure_of
from relay_lite.finishing import finish
from relay_lite.following import followed
from relay_lite.hold import Hold
from relay_lite.store import (
    Draft,
    Event,
    Fenced,
    Invocation,
    Result,
    Store,
    StoreFull,
    StoreUnavailable,
)
from relay_lite.submitting import UNHEARD_SECONDS
from relay_lite.telling import Telling
from relay_lite.upstream import Upstream

__all__ = ["Limits", "Pace", "conduct", "settle_cancelled"]


async def conduct(hold: Hold, upstream: Upstream, limits: Limits, pace: Pace | None = None) -> None:
    """Work on the run until it has a terminal event.

    Raises Fenced when the hold is lost; by then a gateway whose run was cancelled has been told,
    where it could be. Cancelled (the relay stops) it writes nothing more, but a submission that
    is under way is waited for, ten seconds at most, so that its id is saved. Of a run that was
    cancelled it is waited for longer, until this is cancelled once more.
    """
    course = await _open(hold, upstream, limits, pace or Pace())
    try:
        try:
            await finish(course, await followed(course))
        except (Fenced, StoreFull, StoreUnavailable):
            raise
        except KitError as error:
            await _fail(course, failure_of(error))
    except Fenced:
        await _tell(course)
        raise
    except asyncio.CancelledError:
        if course.fenced:
            await _tell(course)
        raise


async def settle_cancelled(store: Store, upstream: Upstream, invocation: Invocation) -> bool:
    """Tell the gateway that a run we ended, cancelled or stopped, is not wanted any more.

    True: there is nothing left to tell, and the store knows. False: it could not be told now.
    """
    step = invocation.progress
    if step.upstream_id is None and step.submitting and _just_ended(invocation):
        return False  # it is on its way out, and whoever sent it still has its id to tell
    hears = step.upstream_id is not None and step.way != "plain"  # a plain stream ended with us
    if hears and not await _heard(upstream, step.upstream_id or "", Pace().call):
        return False
    await lasting(lambda: store.settle(invocation.id, upstream_id=step.upstream_id, owed=False))
    return True


async def _heard(upstream: Upstream, id: str, seconds: float) -> bool:
    """Cancel it at the gateway; whether there is nothing more to tell it."""
    try:
        await upstream.client.cancel(id, timeout=seconds)
    except (errors.NotFound, errors.BadRequest, errors.InputError):
        pass  # it is over there, or cannot be cancelled
    except KitError:
        return False
    return True


def _just_ended(invocation: Invocation) -> bool:
    return time.time() - (invocation.finished or 0.0) < UNHEARD_SECONDS


async def _open(hold: Hold, upstream: Upstream, limits: Limits, pace: Pace) -> Course:
    """The run with what its log says, and what is known of its gateway."""
    log: list[Event] = []
    run = hold.invocation
    while len(log) < run.last:
        last = log[-1].sequence if log else 0
        found = await lasting(lambda last=last: hold.store.events({run.id: last}))
        if not found.get(run.id):
            break
        log += found[run.id]
    midway = run.progress.cursor is not None
    telling = Telling(log, limit=limits.max_stream_bytes, midway=midway)
    course = Course(hold, upstream, limits, pace, telling)
    with contextlib.suppress(KitError):  # a submission asks again, and waits
        course.model = await upstream.model(course.assignment.model)
        await course.recall()
        if course.seen_id is not None:
            await course.price()
            if course.assignment.budget is not None and course.prices is None:
                await course.log(
                    telling.warn(
                        "budget_unwatched",
                        "The gateway does not say now what the model costs: the budget is not "
                        "watched until it does.",
                    )
                )
    return course


async def _fail(course: Course, end: Failed) -> None:
    """End the run as failed, with what it has.

    A gateway that cannot be told to stop is owed that: it would go on, and spend.
    """
    owed = False
    if end.stops and course.seen_id is not None:
        owed = not await _heard(course.upstream, course.seen_id, course.pace.drain)
    step = course.progress
    uncertain = step.uncertain or end.uncertain
    await course.hold.write(
        course.usage(end.spent or course.spent),
        Draft("error", {"message": str(end), "code": end.code}),
        status="failed",
        progress=dataclasses.replace(step, submitting=False, uncertain=uncertain),
        result=Result(response=end.response, error_message=str(end), error_code=end.code),
        owed=owed,
    )


async def _tell(course: Course) -> None:
    """The hold is lost. If that is because the run was cancelled, the gateway is told."""
    now = await lasting(lambda: course.hold.store.get(course.hold.invocation.id))
    if now is None or now.status != "cancelled" or course.seen_id is None:
        return
    way = course.way or now.progress.way
    step = dataclasses.replace(now.progress, upstream_id=course.seen_id, way=way)
    known = dataclasses.replace(now, progress=step)
    if not await settle_cancelled(course.hold.store, course.upstream, known):
        await lasting(
            lambda: course.hold.store.settle(now.id, upstream_id=course.seen_id, owed=True)
        )
