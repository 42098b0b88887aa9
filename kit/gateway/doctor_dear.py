"""The dear probes: a search on the web, and responses that go on in the background.

Rule: they run when somebody asks for them, since what they take is not known before. What was
begun in the background is cancelled, whatever came of it.
"""

from __future__ import annotations

import asyncio
import contextlib

from kit import errors
from kit.gateway import doctor_verdicts as verdicts
from kit.gateway.answer import Answer, answer_of
from kit.gateway.capabilities import Seen
from kit.gateway.doctor_examination import Examination
from kit.gateway.doctor_tidy import begun
from kit.gateway.events import Event, Finished, Snapshot, Wire
from kit.gateway.following import PENDING
from kit.gateway.wire import body_of

__all__ = ["DEAR"]

QUESTION = "Search the web: in which year was the first version of Python released? Answer briefly."
LONG = "Count from 1 to 80, one number on each line, and write nothing else."
SEARCH_TOKENS, LONG_TOKENS = 400, 400
ENOUGH_EVENTS = 6


async def search(at: Examination) -> None:
    """One streamed answer tells of both: whether a search was done, and how its sources come."""
    answer, events = await at.listen(
        "responses", QUESTION, web_search=True, max_tokens=SEARCH_TOKENS
    )
    at.note("web search", verdicts.searched(answer))
    at.note("citations", verdicts.citations(answer, events))


async def background(at: Examination) -> None:
    """Sent as the relay sends it: in the background, and streamed."""
    body = body_of("responses", LONG, at.model, {"max_tokens": LONG_TOKENS})
    body |= {"background": True, "stream": True}
    try:
        events = await begun(at, _events(at, body))
    except errors.BadRequest:  # perhaps of both together
        del body["stream"]
        events = await begun(at, _events(at, body))
    first = next((one for one in events if isinstance(one, Snapshot | Finished)), None)
    if first is None:
        raise errors.StreamInterrupted("The stream did not say what it is of.")
    response = answer_of(first.response)
    if first.raw is first.response and isinstance(first, Snapshot):  # JSON instead of a stream
        at.note("background", Seen("partly", "polled"))
        at.note("cursor", Seen("no", "polled"))
    elif first.response.get("background") is True:
        fetched = await _is_fetched(at, response.id)
        at.note("background", Seen("yes") if fetched else Seen("no", "unfetchable"))
        if fetched:
            await _cursor(at, response, events)
    else:
        at.note("background", Seen("no", "ignored"))


async def _is_fetched(at: Examination, id: str | None) -> bool:
    """Whether it is there after we have hung up: some gateways only repeat the word."""
    if not id:
        return False
    for pause in (0.0, at.patience.look, 2 * at.patience.look):
        await asyncio.sleep(pause)
        try:
            await at.client.retrieve(id, timeout=at.patience.probe)
        except (errors.NotFound, errors.BadRequest):
            continue  # gateways write an id down behind their answer
        return True
    return False


async def _events(at: Examination, body: Wire) -> list[Event]:
    """The first events of a response; JSON is one event."""
    stream = at.client.create(body, timeout=at.patience.dear, idle=at.patience.idle)
    events: list[Event] = []
    async with stream:
        async for batch in stream.batches():
            events += batch
            _note_running(at, batch)
            if len(events) >= ENOUGH_EVENTS:
                break
    at.count([stream.partial])
    return events


def _note_running(at: Examination, events: list[Event]) -> None:
    for one in events:
        if isinstance(one, Snapshot | Finished) and isinstance(id := one.response.get("id"), str):
            at.running[id] = at.stored[id] = None


async def _submitted(at: Examination) -> Answer:
    answer = await at.client.submit(LONG, model=at.model, max_tokens=LONG_TOKENS)
    if answer.id:
        at.stored[answer.id] = None
        if answer.status in PENDING:
            at.running[answer.id] = None
    return answer


async def _cursor(at: Examination, response: Answer, events: list[Event]) -> None:
    """Take the stream up again behind its first event; what comes has to follow that one."""
    numbers = [one.sequence_number for one in events if one.sequence_number is not None]
    if not response.id or not numbers:
        at.note("cursor", Seen("no", "unnumbered"))
        return
    stream = at.client.resume(
        response.id, starting_after=numbers[0], timeout=at.patience.probe, idle=at.patience.idle
    )
    try:
        async with stream:
            event = await anext(aiter(stream), None)
    except errors.KitError as error:
        seen = verdicts.of_error(error)
        at.note("cursor", seen if seen.how != "broken" else Seen("no", "broken"))
        return
    follows = event is not None and event.sequence_number == numbers[0] + 1
    at.note("cursor", Seen("yes") if follows else Seen("no", "elsewhere"))


async def cancel(at: Examination) -> None:
    """Cancel at once, and look again some seconds later: some gateways only say so."""
    first = await begun(at, _submitted(at))
    at.count([first])
    if first.status not in PENDING or not first.id:
        at.note("cancel", Seen("unknown", "ended"))
        return
    at_once = await at.client.cancel(first.id, timeout=at.patience.probe)
    await asyncio.sleep(at.patience.later)
    later: Answer | None = None
    polled = at.seen["background"].seen.how == "polled"
    with contextlib.suppress(errors.GatewayError):
        later = await at.client.retrieve(first.id, timeout=at.patience.probe)
        at.count([later])
    at.note("cancel", verdicts.after_cancel(at_once, later, polled=polled))


DEAR = (
    (search, ("web search", "citations"), "responses"),
    (background, ("background", "cursor"), "responses"),
    (cancel, ("cancel",), "background"),
)
"""Each with what it finds out, and what has to be there for it."""
