"""Whether what a gateway calls an answer is one.

Rule: a call returns an answer or raises. A response that failed, one that is empty without a
reason, and one that misses its schema are errors, with what there is on them.
"""

from __future__ import annotations

import dataclasses

from kit import errors
from kit.gateway import failures
from kit.gateway.answer import Answer
from kit.gateway.completion import finish_of, is_completion
from kit.gateway.events import error_of, first_choice
from kit.gateway.refusal import shown
from kit.gateway.schemas import Schema
from kit.gateway.structured import parse

__all__ = ["checked", "is_hollow"]


def checked(answer: Answer, schema: Schema | None, secrets: tuple[str, ...]) -> Answer:
    """The answer, with `parsed` where a schema asked for it. Raises KitError with `.answer`."""
    try:
        _check(answer, secrets)
        if schema is None or answer.function_calls:
            return answer  # what is said beside a call is not the object yet
        if answer.refusal and not answer.text:
            raise errors.ResponseFailed(f"The model refused: {shown(answer.refusal)}")
        if answer.status == "incomplete":
            raise errors.ProtocolError(_cut_off(answer.incomplete))
        if not answer.text:
            raise errors.ProtocolError("The model sent no text where an object was asked for.")
        return dataclasses.replace(answer, parsed=parse(answer.text, schema))
    except errors.KitError as error:
        error.answer = answer
        raise


def is_hollow(answer: Answer) -> bool:
    """Whether it says `completed` and holds neither output nor usage: gateways lose answers so."""
    return answer.status == "completed" and not answer.output and answer.usage is None


def _check(answer: Answer, secrets: tuple[str, ...]) -> None:
    if answer.status == "failed":
        raise failures.error_from(error_of(answer.raw), *secrets)
    if answer.status == "cancelled":
        raise errors.ResponseFailed("The response was cancelled.")
    if _is_unfinished_chat(answer):
        raise errors.ProtocolError("The gateway's answer is empty and does not say why; ask again.")
    if is_hollow(answer):
        raise errors.ProtocolError(
            "The gateway says `completed` but sent no answer and no usage; ask again, and "
            "tell whoever runs the gateway."
        )


def _is_unfinished_chat(answer: Answer) -> bool:
    """Whether a completion has neither content nor a `finish_reason`, or no choice at all."""
    unsaid = is_completion(answer.raw) and finish_of(first_choice(answer.raw)) is None
    return unsaid and not answer.text and not answer.refusal and not answer.function_calls


def _cut_off(reason: str | None) -> str:
    cure = {"max_output_tokens": "; raise max_tokens", None: ""}.get(reason, "")
    told = shown(reason or "no reason given").replace("_", " ")
    return f"The answer was cut off ({told}), so it does not satisfy the schema{cure}."
