"""What a model says of its work while it works is no part of the report."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from kit.gateway.events import response_event
from relay_lite.research import Limits, conduct
from relay_lite.store import Draft, Progress
from relay_lite.telling import Telling
from tests.relay.research.conftest import QUICK, Desk
from tests.relay.research.scripted import TEXT, Json, Scripted, message, searched

pytestmark = pytest.mark.anyio

COMMENTARY: Json = {**message("Let me look. Aha. "), "phase": "commentary"}
ANSWER: Json = {**message(TEXT, "https://a.example/1"), "phase": "final_answer"}


@dataclass
class Commenting(Scripted):
    """A gateway whose model comments on its work, and searches, before it answers."""

    @property
    def response(self) -> Json:
        return {**super().response, "output": [COMMENTARY, searched("kimchi"), ANSWER]}

    @property
    def events(self) -> list[Json]:
        created, started, *_, ended = super().events
        told = [
            created,
            started,
            *(added(0, COMMENTARY), delta(0, "Let me look. "), done(1, searched("kimchi"))),
            *(delta(0, "Aha. "), done(0, COMMENTARY)),
            *(added(2, ANSWER), *(delta(2, piece) for piece in self.pieces), done(2, ANSWER)),
            ended,
        ]
        return [{**one, "sequence_number": at} for at, one in enumerate(told)]


def added(place: int, item: Json) -> Json:
    opened = {**item, "content": []}
    return {"type": "response.output_item.added", "output_index": place, "item": opened}


def delta(place: int, text: str) -> Json:
    return {"type": "response.output_text.delta", "output_index": place, "delta": text}


def done(place: int, item: Json) -> Json:
    return {"type": "response.output_item.done", "output_index": place, "item": item}


async def test_a_comment_is_not_in_the_report(desk: Desk) -> None:
    run = await desk.work(Commenting().upstream())
    assert (run.status, await desk.text()) == ("completed", TEXT)
    assert await desk.warnings() == []


@pytest.mark.parametrize("read", range(1, len(Commenting().events)))
async def test_a_run_taken_over_at_any_event_has_no_comment_in_its_report(
    desk: Desk, read: int
) -> None:
    """Also behind the event that says what the item is: the next worker never hears that one."""
    there = Commenting()
    await desk.order()
    first = await desk.claim("w1")
    heard = Telling().hear([response_event(one) for one in there.events[:read]])
    sent = Progress(1, upstream_id="resp_1", way="background", cursor=read - 1)
    await first.write(Draft("status", {"mode": "background"}), status="running", progress=sent)
    await first.write(*heard)
    await desk.store.release("w1")
    await conduct(await desk.claim("w2"), there.upstream(), Limits(), QUICK)
    run = await desk.now()
    assert there.resumes == [str(read - 1)]
    assert (run.status, run.result.output_text) == ("completed", TEXT)
    assert await desk.text() == TEXT
    assert await desk.said("search") == [{"queries": ["kimchi"]}]
    assert await desk.warnings() == []


async def test_an_answer_whose_beginning_nobody_heard_is_told_when_it_is_done() -> None:
    """And not only when the whole run is; its deltas alone do not say what they are."""
    events = [delta(2, TEXT), done(2, ANSWER)]
    drafts = Telling(midway=True).hear([response_event(one) for one in events])
    assert [draft.data["text"] for draft in drafts if draft.type == "output_text"] == [TEXT]
