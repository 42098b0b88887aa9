"""What the client makes of a LiteLLM's answers: passed through, or translated by its bridge."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from kit import errors
from kit.gateway.answer import Answer
from kit.gateway.events import CitationAdded, TextDelta
from living import NewClient, Proxy, Upstream

pytestmark = pytest.mark.gateway_live

WAYS = ("native", "bridged")
MODELS = ("native-model", "bridged-model")
QUESTION = "What is kimchi?"


class Food(BaseModel):
    name: str


def events_of(proxy: Proxy, model: str, **more: Any) -> tuple[list[dict[str, Any]], str]:
    """The events of a stream as they come over the wire, and its text."""
    body = {"model": model, "input": QUESTION, "stream": True, **more}
    text = proxy.ask("POST", "/responses", body).text
    lines = [line for line in text.splitlines() if line.startswith("data: {")]
    return [json.loads(line.removeprefix("data: ")) for line in lines], text


# -- asking --------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", WAYS)
def test_a_question_is_answered(model: str, client: NewClient) -> None:
    answer = client(model).respond(QUESTION)
    assert (answer.status, answer.model) == ("completed", model)
    assert "kimchi" in answer.text.lower()
    assert answer.usage is not None and answer.usage.output_tokens > 0


@pytest.mark.parametrize("model", WAYS)
def test_a_chat_is_answered(model: str, client: NewClient) -> None:
    answer = client(model).chat(QUESTION)
    assert (answer.status, answer.model) == ("completed", model)
    assert "kimchi" in answer.text.lower()


@pytest.mark.parametrize("model", WAYS)
def test_a_stream_says_what_its_answer_says(model: str, client: NewClient) -> None:
    stream = client(model).stream(QUESTION)
    said = [event.text for event in stream if isinstance(event, TextDelta)]
    assert len(said) > 3
    assert "".join(said) == stream.answer.text
    assert stream.answer.status == "completed" and stream.answer.usage is not None


@pytest.mark.parametrize("model", WAYS)
def test_a_chat_stream_says_what_its_answer_says(model: str, client: NewClient) -> None:
    stream = client(model).stream(QUESTION, api="chat")
    said = [event.text for event in stream if isinstance(event, TextDelta)]
    assert len(said) > 3 and "".join(said) == stream.answer.text


@pytest.mark.parametrize("model", MODELS)
def test_a_real_model_streams_its_tokens(model: str, client: NewClient) -> None:
    stream = client(model, timeout=200).stream("Say hello.", max_tokens=16, temperature=0.0)
    said = [event.text for event in stream if isinstance(event, TextDelta)]
    assert len(said) > 1 and "".join(said) == stream.answer.text
    assert stream.answer.usage is not None and stream.answer.usage.output_tokens <= 16


def test_a_real_model_answers_a_chat(client: NewClient) -> None:
    answer = client("native-model", timeout=200).chat("Say hello.", max_tokens=4)
    assert answer.text and answer.model == "native-model"


@pytest.mark.parametrize("model", WAYS)
def test_an_object_is_checked(model: str, client: NewClient) -> None:
    answer = client(model).respond(QUESTION, schema=Food)
    assert isinstance(answer.parsed, Food)
    stream = client(model).stream(QUESTION, schema=Food)
    assert [*stream] and isinstance(stream.answer.parsed, Food)


def test_an_object_is_checked_over_chat(client: NewClient) -> None:
    assert isinstance(client("native").chat(QUESTION, schema=Food).parsed, Food)


def test_the_models_are_listed(client: NewClient) -> None:
    assert {*WAYS, *MODELS} <= {*client("native").models()}


# -- what the wire lacks -------------------------------------------------------------------------


def test_events_have_no_names_and_end_with_done(plain: Proxy) -> None:
    for model in WAYS:
        events, text = events_of(plain, model)
        assert "event:" not in text and text.rstrip().endswith("data: [DONE]")
        assert {event["model"] for event in events} == {model}, "the alias, in every event"


def test_numbers_are_missing_on_the_bridge_and_of_the_local_model(plain: Proxy) -> None:
    for model, more in (("bridged", {}), ("native-model", {"max_output_tokens": 4})):
        events, _ = events_of(plain, model, **more)
        numbered = [event for event in events if event.get("sequence_number") is not None]
        assert len(numbered) < len(events)
    events, _ = events_of(plain, "native-model", max_output_tokens=4)
    assert all(event.get("output_index") is None for event in events)


def test_nulls_are_left_out(plain: Proxy) -> None:
    events, _ = events_of(plain, "native")
    assert None not in events[-1]["response"].values()


def test_a_token_limit_ends_the_bridge_incomplete_and_the_local_model_completed(
    client: NewClient,
) -> None:
    def ended(model: str) -> Answer:
        return client(model, timeout=200).respond("Count to a hundred.", max_tokens=4)

    bridged = ended("bridged-model")
    assert (bridged.status, bridged.incomplete) == ("incomplete", "max_output_tokens")
    assert ended("native-model").status == "completed"
    assert client("native").respond(QUESTION, max_tokens=16).status == "incomplete"


def test_the_local_model_refuses_an_id(client: NewClient) -> None:
    with pytest.raises(errors.BadRequest, match="previous_response_id"):
        client("native-model").respond("Say hello.", previous_response_id="resp_1", max_tokens=4)


def test_a_token_limit_of_less_than_16_becomes_16(client: NewClient, quick: Upstream) -> None:
    question = f"{QUESTION} (in four tokens)"
    client("native").respond(question, max_tokens=4)
    (sent,) = quick.submissions(question)
    assert sent.body["max_output_tokens"] == 16


# -- searching -----------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
def test_a_search_is_reported_where_the_upstream_searches(
    streamed: bool, client: NewClient
) -> None:
    if streamed:
        stream = client("native").stream(QUESTION, web_search=True)
        assert any([isinstance(event, CitationAdded) for event in stream])
        answer = stream.answer
    else:
        answer = client("native").respond(QUESTION, web_search=True)
    assert answer.searches and answer.citations
    for one in answer.citations:
        assert answer.text[one.start : one.end]


def test_a_search_on_the_bridge_is_not_reported(client: NewClient, quick: Upstream) -> None:
    """It goes on as `web_search_options`; what comes back are citations at the most."""
    question = f"{QUESTION} (searched on the bridge)"
    answer = client("bridged").respond(question, web_search=True)
    (sent,) = quick.submissions(question)
    assert "tools" not in sent.body and "web_search_options" in sent.body
    assert not answer.searches


@pytest.mark.parametrize("model", MODELS)
def test_a_search_that_nobody_can_do_is_dropped_without_a_word(
    model: str, client: NewClient
) -> None:
    tool = {"type": "web_search_preview"}
    answer = client(model, timeout=200).respond("Say hello.", tools=[tool], max_tokens=4)
    assert answer.text
    assert not answer.searches and not answer.citations


# -- money ---------------------------------------------------------------------------------------


def test_the_cost_is_known_in_one_piece_and_in_a_stream(client: NewClient) -> None:
    """A header says it, and at the end of a stream its usage."""
    whole = client("priced").respond(QUESTION)
    assert whole.cost is not None and whole.cost > 0
    stream = client("priced").stream(QUESTION)
    assert [*stream] and stream.answer.cost == pytest.approx(whole.cost)


def test_a_chat_says_its_cost_in_one_piece(client: NewClient) -> None:
    answer = client("priced").chat(QUESTION)
    assert answer.cost is not None and answer.cost > 0
