"""What the client makes of a LiteLLM's answers: passed through, or translated by its bridge."""

from __future__ import annotations

import pytest

from living import NewClient

pytestmark = [pytest.mark.gateway_live, pytest.mark.timeout(300)]

WAYS = ("native", "bridged")
QUESTION = "What is kimchi?"


@pytest.mark.parametrize("model", WAYS)
def test_a_question_is_answered(model: str, client: NewClient) -> None:
    answer = client(model).respond(QUESTION)
    assert (answer.status, answer.model) == ("completed", model)
    assert "kimchi" in answer.text.lower()
    assert answer.usage is not None and answer.usage.output_tokens > 0
