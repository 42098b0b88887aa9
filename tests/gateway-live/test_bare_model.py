"""The local model's own server, with no LiteLLM before it: what it does and what it does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from kit import errors
from kit.connect import Client
from kit.gateway.events import TextDelta
from kit.settings import Endpoint

pytestmark = pytest.mark.gateway_live

PROMPT = "Say hello."
SHORT: dict[str, Any] = {"max_tokens": 4, "temperature": 0.0}


class Greeting(BaseModel):
    word: str


@pytest.fixture
def bare(small: Endpoint) -> Iterator[Client]:
    assert small.api_key is not None
    key = small.api_key.reveal()
    with Client(small.base_url, key, small.model, timeout=200, retries=0) as client:
        yield client


def test_it_answers_both_apis(bare: Client) -> None:
    assert bare.respond(PROMPT, **SHORT).text
    assert bare.chat(PROMPT, **SHORT).text


def test_its_stream_has_names_and_no_numbers(bare: Client, small: Endpoint) -> None:
    stream = bare.stream(PROMPT, **SHORT)
    events = [*stream]
    assert sum(isinstance(event, TextDelta) for event in events) > 1
    assert {event.sequence_number for event in events} == {None}
    assert small.api_key is not None
    headers = {"authorization": f"Bearer {small.api_key.reveal()}"}
    body = {"model": small.model, "input": PROMPT, "stream": True, "max_output_tokens": 2}
    with httpx.Client(trust_env=False, timeout=200, headers=headers) as http:
        assert "event: response.created" in http.post(f"{small.base_url}/responses", json=body).text


def test_a_token_limit_ends_it_completed(bare: Client) -> None:
    assert bare.respond("Count to a hundred.", **SHORT).status == "completed"


def test_an_object_has_its_form_over_chat_alone(bare: Client) -> None:
    """Over the responses API the form is dropped."""
    options = {"schema": Greeting, "max_tokens": 48, "temperature": 0.0}
    assert isinstance(bare.chat("Greet me.", **options).parsed, Greeting)
    with pytest.raises(errors.ProtocolError, match="may not support structured output"):
        bare.respond("Greet me.", **options)


def test_background_is_ignored_and_nothing_is_kept(bare: Client) -> None:
    answer = bare.submit(PROMPT, **SHORT)
    assert answer.status == "completed"
    for act in (bare.retrieve, bare.cancel, bare.delete):
        with pytest.raises(errors.NotFound):
            act(str(answer.id))


def test_an_id_is_refused(bare: Client) -> None:
    with pytest.raises(errors.BadRequest, match="previous_response_id"):
        bare.respond(PROMPT, previous_response_id="resp_1", **SHORT)


@pytest.mark.parametrize("kind", ["web_search", "web_search_preview"])
def test_a_search_is_dropped_without_a_word(kind: str, bare: Client) -> None:
    answer = bare.respond(PROMPT, tools=[{"type": kind}], **SHORT)
    assert answer.text and not answer.searches and not answer.citations


def test_a_key_that_is_wrong_is_a_401(small: Endpoint) -> None:
    with (
        Client(small.base_url, "sk-wrong", small.model, retries=0) as client,
        pytest.raises(errors.AuthenticationFailed) as caught,
    ):
        client.respond(PROMPT)
    assert caught.value.status == 401
