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


# -- a memory that is wrong ----------------------------------------------------------------------

NO_STREAM: dict[str, str] = {"background": "yes", "responses_stream": "no/cut"}


@pytest.mark.parametrize(
    "refusal",
    [
        refused(400, "Stream must be set to true"),
        refused(400, "Bad request"),
        refused(422, "stream: Input should be true"),
    ],
)
async def test_a_gateway_that_streams_alone_by_now_is_asked_for_a_stream(
    desk: Desk, refusal: Any
) -> None:
    there = Scripted(refusals=[refusal])
    run = await desk.work(knowing(there, **NO_STREAM))
    assert run.status == "completed" and await desk.text() == TEXT
    assert ["stream" in body for body in there.submissions] == [False, True]


@pytest.mark.parametrize(
    "refusal",
    [
        refused(400, "Deep research models run in background mode alone, not as a stream."),
        refused(400, "Invalid value: 'background' has to be true."),
        refused(400, "Bad request"),
    ],
)
async def test_a_gateway_that_wants_background_by_now_gets_it(desk: Desk, refusal: Any) -> None:
    there = Scripted(refusals=[refusal])
    run = await desk.work(knowing(there, background="no/refused"))
    assert run.status == "completed" and await desk.text() == TEXT
    assert ["background" in body for body in there.submissions] == [False, True]
    assert "stream" in there.submissions[1]


async def test_without_background_a_stream_is_asked_for_again(desk: Desk) -> None:
    """That nothing streams was only worth following while the run could be fetched."""
    there = Scripted(way="plain", refusals=[refused(400, "Unknown parameter: 'background'.")])
    run = await desk.work(knowing(there, **NO_STREAM))
    assert run.status == "completed" and await desk.text() == TEXT
    assert [("background" in one, "stream" in one) for one in there.submissions] == [
        (True, False),
        (False, True),
    ]


async def test_a_run_is_sent_once_more_for_a_memory_and_no_oftener(desk: Desk) -> None:
    there = Scripted(refusals=[refused(400, "Bad request")] * 9)
    run = await desk.work(knowing(there, background="no/refused"))
    assert run.status == "failed"
    assert ["background" in body for body in there.submissions] == [False, True]


async def test_what_a_gateway_refuses_of_both_is_left_out(desk: Desk) -> None:
    """The memory was right after all, and the refusal about something else."""
    refusals = [refused(400, "Bad request"), refused(400, "background is not supported")]
    there = Scripted(way="plain", refusals=refusals)
    run = await desk.work(knowing(there, background="no/refused"))
    assert run.status == "completed"
    assert ["background" in body for body in there.submissions] == [False, True, False]


@pytest.mark.parametrize("status", [400, 404])
async def test_a_stream_is_taken_up_where_the_run_cannot_be_fetched_by_now(
    desk: Desk, status: int
) -> None:
    """A look that is refused says that the memory is wrong, of the cursor perhaps as well."""
    there = Scripted(cuts=[5], polls=[refused(status, "no")] * 99)
    run = await desk.work(knowing(there, cursor="no/refused", retrieve="yes"))
    assert run.status == "completed" and await desk.text() == TEXT
    assert there.resumes == ["4"]


async def test_neither_fetched_nor_taken_up_it_ends_as_ever(desk: Desk) -> None:
    there = Scripted(cuts=[5], polls=[refused(404, "no")] * 99, resumes_refused=404)
    run = await desk.work(knowing(there, cursor="no/refused", retrieve="yes"))
    assert run.status == "failed"
    assert there.resumes == ["4"]


@pytest.mark.parametrize("verdict", ["no/dropped", "no/refused", "partly", "yes"])
async def test_a_search_is_asked_for_whatever_was_seen(desk: Desk, verdict: str) -> None:
    there = Scripted()
    run = await desk.work(knowing(there, web_search=verdict))
    assert run.status == "completed"
    assert there.submissions[0]["tools"] == [{"type": "web_search"}]
