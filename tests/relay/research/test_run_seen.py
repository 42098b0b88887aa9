"""What the doctor has seen of a gateway, used by a run: one way less that is tried in vain."""

from __future__ import annotations

from typing import Any

import pytest

from kit.gateway.capabilities import Capabilities, Seen
from kit.gateway.client import AsyncClient
from kit.settings import Endpoint, Secret
from relay_lite.brief import Assignment, fitted, shortfalls
from relay_lite.upstream import Upstream
from tests.relay.research.conftest import Desk
from tests.relay.research.scripted import GATEWAY, KEY, TEXT, Scripted, refused

pytestmark = [pytest.mark.once, pytest.mark.anyio]

BODY = {"model": "deep", "input": "hi", "background": True, "stream": True, "store": True}


def seen(**verdicts: str) -> Capabilities:
    named = {name.replace("_", " "): one.split("/") for name, one in verdicts.items()}
    return Capabilities({name: Seen(*one) for name, one in named.items()})  # type: ignore[arg-type]


def knowing(there: Scripted, **verdicts: str) -> Upstream:
    endpoint = Endpoint("https://gateway.example/v1", Secret(KEY), "deep", chat_model="small")
    known = seen(**verdicts)
    client = AsyncClient(endpoint, transport=there, retries=0, capabilities=lambda model: known)
    return Upstream(client, GATEWAY, free=False)


@pytest.mark.parametrize(
    ("verdicts", "facts", "gone"),
    [
        ({}, {}, None),
        ({"background": "yes"}, {}, None),
        ({"background": "no/ignored"}, {}, None),
        ({"background": "partly/polled"}, {}, None),
        ({"background": "unknown/late"}, {}, None),
        ({"background": "no/refused"}, {}, "background"),
        ({"background": "no/refused"}, {"way": "plain"}, "background"),
        ({"background": "no/refused"}, {"way": "background"}, None),
        ({"background": "no/refused"}, {"way": "poll"}, None),
        ({"background": "yes", "responses_stream": "no/cut"}, {}, "stream"),
        ({"background": "partly/polled", "responses_stream": "no/cut"}, {}, "stream"),
        ({"responses_stream": "no/cut"}, {}, None),
        ({"background": "no/refused", "responses_stream": "no/cut"}, {}, None),
    ],
)
def test_what_was_refused_is_left_out_where_the_run_goes_on(
    verdicts: dict[str, str], facts: dict[str, Any], gone: str | None
) -> None:
    """Never both: a run without stream and without background hangs on one long request."""
    kept = {name: one for name, one in BODY.items() if name != gone}
    assert fitted(BODY, seen(**verdicts), facts) == kept


async def test_a_gateway_that_refuses_background_is_asked_once(desk: Desk) -> None:
    there = Scripted(way="plain")
    run = await desk.work(knowing(there, background="no/refused"))
    assert run.status == "completed" and await desk.text() == TEXT
    assert ["background" in body for body in there.submissions] == [False]


async def test_a_gateway_without_streams_is_polled(desk: Desk) -> None:
    there = Scripted(way="poll", looks=1)
    run = await desk.work(knowing(there, background="yes", responses_stream="no/cut"))
    assert run.status == "completed" and await desk.text() == TEXT
    assert "stream" not in there.submissions[0] and there.submissions[0]["background"]


async def test_a_stream_that_cannot_be_taken_up_again_is_not_asked_for(desk: Desk) -> None:
    there = Scripted(cuts=[5], looks=1)
    run = await desk.work(knowing(there, cursor="no/refused", retrieve="yes"))
    assert run.status == "completed" and await desk.text() == TEXT
    assert there.resumes == [] and there.gets


@pytest.mark.parametrize("retrieve", ["no/refused", "unknown/late"])
async def test_it_is_asked_for_where_nothing_else_is_known_to_work(
    desk: Desk, retrieve: str
) -> None:
    there = Scripted(cuts=[5])
    run = await desk.work(knowing(there, cursor="no/refused", retrieve=retrieve))
    assert run.status == "completed" and await desk.text() == TEXT
    assert there.resumes


@pytest.mark.parametrize("way", ["background", "plain", "poll", "json"])
@pytest.mark.parametrize(
    "verdicts",
    [
        {"background": "no/refused"},
        {"background": "no/ignored", "cursor": "no/no background"},
        {"background": "yes", "cursor": "no/refused", "retrieve": "yes"},
        {"background": "partly/polled", "responses_stream": "no/cut"},
        {"background": "yes", "cursor": "yes", "responses stream": "yes"},
    ],
)
async def test_a_run_ends_well_however_wrong_it_is(
    desk: Desk, way: str, verdicts: dict[str, str]
) -> None:
    """The gateway has changed since it was examined, in any direction."""
    run = await desk.work(knowing(Scripted(way=way), **verdicts))
    assert run.status == "completed" and await desk.text() == TEXT


async def test_a_refusal_of_something_else_is_still_adapted_to(desk: Desk) -> None:
    there = Scripted(way="plain", refusals=[refused(400, "Unknown parameter: 'metadata'.")])
    run = await desk.work(knowing(there, background="no/refused"))
    assert run.status == "completed"
    assert ["metadata" in body for body in there.submissions] == [True, False]
    assert not any("background" in body for body in there.submissions)


def test_a_search_that_was_seen_dropped_is_warned_of() -> None:
    assignment = Assignment("why?")
    (warning,) = shortfalls(assignment, {}, seen(web_search="no/dropped"))
    assert warning[0] == "no_web_search"
    for verdict in ("yes", "no/refused", "unknown"):
        assert shortfalls(assignment, {}, seen(web_search=verdict)) == []
