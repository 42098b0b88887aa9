"""Background responses: the upstream's own, ignored by the bridge, and kept in Redis."""

from __future__ import annotations

import json

import pytest

from kit import errors
from kit.connect import Client
from kit.gateway.answer import Answer
from kit.gateway.events import Snapshot
from living import NewClient, Proxy, Upstream
from tests.waiting import until

pytestmark = pytest.mark.gateway_live

QUESTION = "What is kimchi?"
PENDING = ("queued", "in_progress")


def ended(client: Client, id: str | None) -> Answer:
    assert id is not None
    return until(lambda: now if (now := client.retrieve(id)).status not in PENDING else None)


def cancelled(client: Client, id: str | None, upstream: Upstream) -> Answer:
    """In the middle, which lasts as long as it takes to get there.

    A polling proxy reads a response, adds to it and writes it back: a cancel in between is lost,
    and asked for again.
    """
    assert id is not None
    until(lambda: client.retrieve(id).status == "in_progress", passing=upstream.clock.passes)
    return until(lambda: now if (now := client.cancel(id)).status == "cancelled" else None)


# -- the upstream's own --------------------------------------------------------------------------


def test_a_response_runs_at_the_upstream_until_it_has_ended(client: NewClient) -> None:
    one = client("native-research")
    begun = one.submit(QUESTION)
    assert begun.status in PENDING
    answer = ended(one, begun.id)
    assert answer.status == "completed" and answer.text and answer.searches
    assert begun.id is not None and one.delete(begun.id)
    with pytest.raises(errors.NotFound):
        client("native-research").retrieve(begun.id)


def test_an_id_is_long_and_another_at_every_look(client: NewClient) -> None:
    """So the id of the create is kept, and none is compared."""
    one = client("native-research")
    begun = one.submit(QUESTION)
    ids = [begun.id, *(ended(one, begun.id).id for _ in range(2))]
    assert len({*ids}) == 3
    assert all(id is not None and len(id) > 255 for id in ids)


def test_a_cancel_reaches_the_upstream(client: NewClient, slow: Upstream) -> None:
    one = client("native-slow-research")
    before = len(slow.cancels())
    with slow.clock.standing():
        begun = one.submit(QUESTION)
        assert cancelled(one, begun.id, slow).id
    assert len(slow.cancels()) == before + 1
    assert ended(one, begun.id).status == "cancelled"


def test_a_stream_cannot_be_taken_up_again(plain: Proxy, client: NewClient) -> None:
    """`stream` and `starting_after` of a GET are dropped: JSON comes."""
    begun = client("native-research").submit(QUESTION)
    looked = plain.ask("GET", f"/responses/{begun.id}?stream=true&starting_after=2")
    assert looked.headers["content-type"] == "application/json"


# -- ignored by the bridge -----------------------------------------------------------------------


def test_the_bridge_ignores_background(client: NewClient, quick: Upstream) -> None:
    question = f"{QUESTION} (in the background of the bridge)"
    answer = client("bridged").submit(question)
    assert answer.status == "completed" and answer.text
    (sent,) = quick.submissions(question)
    assert "background" not in sent.body


@pytest.mark.parametrize("model", ["bridged", "openai-as-chat"])
@pytest.mark.parametrize("act", ["retrieve", "cancel", "delete"])
def test_what_the_bridge_answered_is_gone(act: str, model: str, client: NewClient) -> None:
    """LiteLLM says no by itself, or asks a provider that has never heard of it."""
    one = client(model)
    answer = one.submit(QUESTION)
    with pytest.raises(errors.NotFound):
        getattr(one, act)(answer.id)


# -- kept in Redis -------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["native-research", "bridged"])
def test_a_polled_response_runs_until_it_has_ended(
    model: str, polling: Proxy, client: NewClient
) -> None:
    one = client(model, at=polling.base_url)
    begun = one.submit(QUESTION)
    assert begun.status == "queued" and (begun.id or "").startswith("litellm_poll_")
    answer = ended(one, begun.id)
    assert answer.status == "completed" and answer.text and answer.usage is not None
    assert answer.id == begun.id
    assert begun.id is not None and one.delete(begun.id)


def test_json_comes_where_a_stream_was_asked_for(polling: Proxy, client: NewClient) -> None:
    body = {"model": "native", "input": QUESTION, "background": True, "stream": True}
    raw = polling.ask("POST", "/responses", body)
    assert raw.headers["content-type"] == "application/json"
    one = client("native", at=polling.base_url)
    stream = one.stream(QUESTION, extra={"background": True})
    assert [type(event) for event in stream] == [Snapshot]
    assert stream.answer.status == "queued"
    assert ended(one, stream.answer.id).status == "completed"


def test_a_cancel_is_only_written_down(polling: Proxy, client: NewClient, slow: Upstream) -> None:
    """The upstream is not told, and goes on to its end."""
    question = f"{QUESTION} (cancelled in Redis)"
    one = client("native-slow-research", at=polling.base_url)
    before = len(slow.cancels())
    with slow.clock.standing():
        cancelled(one, one.submit(question).id, slow)
        (sent,) = slow.submissions(question)
        assert not sent.ended
    until(lambda: sent.ended)
    assert len(slow.cancels()) == before


def test_a_cancelled_response_may_be_completed_after_all(
    polling: Proxy, client: NewClient, slow: Upstream
) -> None:
    """The last word of the upstream is written over it."""
    one = client("bridged-slow-research", at=polling.base_url)
    with slow.clock.standing():
        begun = one.submit(QUESTION)
        cancelled(one, begun.id, slow)
    until(lambda: one.retrieve(str(begun.id)).status == "completed")


def test_an_id_that_is_gone_is_not_known(polling: Proxy, client: NewClient) -> None:
    unknown = "litellm_poll_00000000-0000-0000-0000-000000000000"
    raw = polling.ask("GET", f"/responses/{unknown}")
    assert raw.status_code == 404 and [*raw.json()] == ["detail"]
    with pytest.raises(errors.NotFound, match="no longer keeps it"):
        client("native", at=polling.base_url).retrieve(unknown)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("429", "Rate limit reached"),
        ("429-quota", "exceeded your current quota"),
        ("400-context", "exceeds the context window"),
        ("failed", "failed while it was answering"),
        ("cut", "before any terminal event"),
    ],
)
def test_what_the_upstream_refuses_is_a_response_that_failed(
    fault: str, said: str, polling: Proxy, client: NewClient
) -> None:
    """HTTP says 200, and the reason is text in another's words."""
    one = client(f"native:{fault}", at=polling.base_url)
    answer = ended(one, one.submit(QUESTION).id)
    assert answer.status == "failed"
    assert answer.error is not None and said in answer.error
    assert "litellm" not in answer.error.lower() and "{" not in answer.error


def test_a_polled_answer_is_whole_where_its_end_was_empty(
    polling: Proxy, client: NewClient
) -> None:
    """This version writes down what the stream had."""
    one = client("native:empty-output", at=polling.base_url)
    assert "kimchi" in ended(one, one.submit(QUESTION).id).text.lower()


def test_a_polled_response_says_its_cost(polling: Proxy, client: NewClient) -> None:
    one = client("priced", at=polling.base_url)
    assert (ended(one, one.submit(QUESTION).id).cost or 0) > 0


@pytest.mark.parametrize("model", ["native", "bridged"])
def test_an_object_is_polled(model: str, polling: Proxy, client: NewClient) -> None:
    one = client(model, at=polling.base_url)
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    assert '"name"' in ended(one, one.submit(QUESTION, schema=schema).id).text


def test_a_polled_id_cannot_be_gone_on_from(polling: Proxy, client: NewClient) -> None:
    one = client("native", at=polling.base_url)
    answer = ended(one, one.submit(QUESTION).id)
    with pytest.raises(errors.BadRequest, match="not found"):
        one.respond("And then?", previous_response_id=answer.id)


def test_nothing_is_kept_of_what_was_not_polled(polling: Proxy, client: NewClient) -> None:
    """Without `background` this proxy answers as the other does."""
    answer = client("native", at=polling.base_url).respond(QUESTION)
    assert answer.status == "completed"
    assert "litellm_poll_" not in json.dumps(answer.raw)
