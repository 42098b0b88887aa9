"""`deep_research` as a function that a model can call: its schema, and what it called it with.

Rule: a model's arguments are as hostile as any text. They pass the contract's own check, and what
does not comes back to the model as a sentence, so that it can try again.
"""

from __future__ import annotations

import json
from typing import Any, cast

from pydantic import ValidationError

from kit.errors import InputError
from kit.relay.contracts import Format, ResearchArguments
from kit.relay.contracts_words import sentence_of

__all__ = ["NAME", "TOOL", "research_arguments"]

NAME = "deep_research"

TOOL: dict[str, Any] = {
    "type": "function",
    "name": NAME,
    "description": (
        "Deep research on the web: takes minutes, reads many sources and returns a report with "
        "citations. Call it when a question needs a thorough, sourced investigation, such as the "
        "history, background or comparison of something; not for small talk or simple facts."
    ),
    "parameters": {
        "type": "object",
        "properties": {
            "research_question": {
                "type": "string",
                "description": "The whole question, in the user's language, with all that matters.",
            },
            "deliverable_format": {
                "type": "string",
                "enum": ["markdown_brief", "markdown_report", "json_outline"],
                "description": "A page, a long report, or an outline as JSON.",
            },
            "constraints": {
                "type": "array",
                "items": {"type": "string"},
                "description": "What the answer must keep to: period, region, kinds of sources.",
            },
        },
        "required": ["research_question"],
        "additionalProperties": False,
    },
    "strict": False,
}

CHOSEN_BY_THE_MODEL = ("research_question", "deliverable_format", "constraints")
"""What spends money or gives instructions is the caller's to say, not the model's."""

LONGEST = 1_000_000


def research_arguments(raw: str, deliverable_format: Format | None = None) -> ResearchArguments:
    """The arguments of a model's call; `deliverable_format` where the model names none.

    Raises InputError with a sentence for the model.
    """
    try:
        given: Any = json.loads(raw or "{}") if len(raw) <= LONGEST else None
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise InputError("The arguments are not a JSON object.")
    chosen = {
        name: value
        for name, value in cast(dict[str, Any], given).items()
        if name in CHOSEN_BY_THE_MODEL and value is not None
    }
    if deliverable_format is not None:
        chosen.setdefault("deliverable_format", deliverable_format)
    try:
        return ResearchArguments.model_validate(chosen)
    except ValidationError as error:
        raise InputError(sentence_of(error)) from None
