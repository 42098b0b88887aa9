"""Before a run: what a small first turn would rather know, and the brief with the answers in it.

Rule: it costs two small calls and never more than three questions; whatever goes wrong in them,
the person's own question is what is researched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kit import errors
from kit.gateway.client import AsyncClient

__all__ = ["brief_of", "questions_about"]

MOST_QUESTIONS = 3
LONGEST_QUESTION = 300
LONGEST_BRIEF = 20_000
SECONDS = 60.0

QUESTIONS: dict[str, Any] = {
    "title": "Clarification",
    "type": "object",
    "properties": {
        "needs_clarification": {
            "type": "boolean",
            "description": "Whether answers would change what is researched.",
        },
        "questions": {
            "type": "array",
            "items": {"type": "string"},
            "description": "At most three short questions, in the language of the question.",
        },
    },
    "required": ["needs_clarification", "questions"],
    "additionalProperties": False,
}
BRIEF: dict[str, Any] = {
    "title": "Brief",
    "type": "object",
    "properties": {
        "brief": {
            "type": "string",
            "description": "The whole research question, in the first person, with every answer "
            "in it and nothing invented, in the language of the question.",
        }
    },
    "required": ["brief"],
    "additionalProperties": False,
}
ASK = (
    "Somebody is about to have this researched, which takes long and costs money. Decide whether "
    "a few answers of theirs would change what is to be looked for, and ask only those."
)
WRITE = (
    "Write the brief for a researcher: the question with the answers worked in. Keep all that was "
    "said, add nothing; what was left open stays open."
)


async def questions_about(client: AsyncClient, question: str) -> list[str]:
    """What to ask the person, at most three; none where nothing is, or where it cannot be had."""
    prompt = f"Research question: {question}"
    try:
        answer = await client.respond(
            prompt,
            system=ASK,
            schema=QUESTIONS,
            model=client.endpoint.chat_model,
            timeout=SECONDS,
        )
    except errors.GatewayError:
        return []
    found: dict[str, Any] | None = answer.parsed  # None where it called a function instead
    if not found or not found["needs_clarification"]:
        return []
    asked = [" ".join(str(one).split())[:LONGEST_QUESTION] for one in found["questions"]]
    return [one for one in asked if one][:MOST_QUESTIONS]


async def brief_of(client: AsyncClient, question: str, answers: Sequence[tuple[str, str]]) -> str:
    """The question with the answers in it; put together plainly where no model does it better."""
    given = "\n".join(f"Q: {asked}\nA: {said}" for asked, said in answers)
    plainly = f"{question}\n\n{given}"
    try:
        answer = await client.respond(
            f"Research question: {question}\n\n{given}\n\nWrite the whole brief.",
            system=WRITE,
            schema=BRIEF,
            model=client.endpoint.chat_model,
            timeout=SECONDS,
        )
    except errors.GatewayError:
        return plainly
    brief = str(answer.parsed["brief"]).strip() if answer.parsed else ""
    said = [words for _, words in answers]
    kept = len(brief) <= LONGEST_BRIEF and all(_shares(brief, one) for one in (question, *said))
    return brief if kept else plainly


def _shares(brief: str, text: str) -> bool:
    """Whether half of the text's words, cut to their stems, are in the brief: it is about it."""
    words = [word[: max(2, len(word) - 2)] for word in text.lower().split()]
    lowered = brief.lower()
    return 2 * sum(word in lowered for word in words) >= len(words)
