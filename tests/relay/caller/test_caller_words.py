"""What is wrong with what a run is asked for is said in words of ours, to people and to models."""

from __future__ import annotations

import json
from typing import Any

import pytest

import kit
from kit.errors import InputError
from kit.relay.research_tool import research_arguments

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"question": ""}, "The question is empty."),
        ({"question": " \n"}, "The question is empty."),
        ({"question": 3}, "the question has to be a text."),
        ({"budget": -3}, "budget has to be above 0."),
        ({"budget": 1e9}, "budget has to be 1,000,000 at most."),
        ({"budget": float("inf")}, "NaN and infinity are no JSON numbers."),
        ({"budget": "much"}, "budget has to be a number."),
        ({"max_tool_calls": 0}, "max_tool_calls has to be 1 or more."),
        ({"max_tool_calls": 1.5}, "max_tool_calls has to be a whole number."),
        ({"model": ""}, "model has to be a text that is not empty."),
        ({"model": "m" * 201}, "model has to be 200 characters at most."),
        ({"constraints": [3]}, "constraints.0 has to be a text."),
        (
            {"format": "pdf"},
            "format has to be 'markdown_brief', 'markdown_report' or 'json_outline'.",
        ),
    ],
    ids=str,
)
def test_a_person_reads(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        kit.research(**{"question": "김치의 역사는?", **asked})
    assert str(caught.value) == says


@pytest.mark.parametrize(
    ("called", "says"),
    [
        ({}, "The question is empty."),
        ({"research_question": ""}, "The question is empty."),
        (
            {"research_question": "q", "constraints": "short"},
            "constraints has to be a list.",
        ),
    ],
    ids=str,
)
def test_a_model_reads(called: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        research_arguments(json.dumps(called))
    assert str(caught.value) == says
