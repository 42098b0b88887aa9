"""From a response that has ended to the end of the run.

Rules: the response as it ended is the truth, and the log is brought up to it. What is missing of
what was asked for is said in a warning; an answer that is none is a failure. Time and money are
bounds of a run that goes on: a complete answer is kept though it took more.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses

from kit.errors import KitError
from kit.gateway.answer import Answer
from kit.gateway.checking import is_hollow
from relay_lite.course import Course
from relay_lite.ending import Failed, failed_response, kept_response
from relay_lite.following import look
from relay_lite.outline import REPAIRED, json_object, repair_prompt
from relay_lite.spending import Spent, cost_of
from relay_lite.store import Draft, Result
from relay_lite.text import storable

__all__ = ["finish"]

REPAIR_SECONDS = 120.0


async def finish(course: Course, answer: Answer) -> None:
    """Write the end of the run. Raises Failed where the response is none."""
    course.over = True
    answer = await _not_hollow(course, answer)
    response = kept_response(answer.raw)
    if drafts := course.telling.read(answer):
        # not by course.log: the gateway is done and has to be paid, so there is nothing to stop
        await course.hold.write(*drafts, status="running")
    spent = _spent(course, answer)  # with the searches that were read just now
    if answer.status in ("failed", "cancelled"):
        raise _with(failed_response(answer.raw), response, spent)
    try:
        text, spent = await _text(course, answer, spent)
    except Failed as end:
        raise _with(end, response, spent) from None
    warnings = _warnings(course, answer, text)
    await course.hold.write(
        *warnings,
        course.usage(spent),
        Draft("completed", {"output_text": text}),
        status="completed",
        result=Result(output_text=text, response=response),
    )


async def _not_hollow(course: Course, answer: Answer) -> Answer:
    """The response, after one more look at one that says `completed` and holds nothing."""
    if not is_hollow(answer):
        return answer
    if course.seen_id is not None:
        await asyncio.sleep(course.pace.first_look)
        with contextlib.suppress(KitError):
            answer = await look(course)
    if is_hollow(answer):
        raise _with(
            Failed("upstream_error", "The gateway says the run is completed and gives no result."),
            kept_response(answer.raw),
            course.spent,
        )
    return answer


async def _text(course: Course, answer: Answer, spent: Spent) -> tuple[str, Spent]:
    """The text the run ends with, and what it cost with it."""
    text = storable(answer.text or answer.refusal)
    if not text:
        raise Failed("upstream_error", _textless(answer))
    if len(text.encode()) > course.limits.max_stream_bytes:
        raise Failed("too_large", "The text is longer than the relay keeps; what it has is kept.")
    if not course.assignment.wants_json:
        return text, spent
    if not answer.text:
        raise Failed("invalid_json", "The model gave no text that JSON could be made of.")
    outline = json_object(text)
    if outline is None:
        outline, spent = await _repaired(course, text, spent)
    if len(outline.encode()) > course.limits.max_stream_bytes:
        raise Failed("too_large", "The outline is longer than the relay keeps.")
    return outline, spent


async def _repaired(course: Course, text: str, spent: Spent) -> tuple[str, Spent]:
    """The outline out of one call of the chat model. Raises Failed when that gives none."""
    client = course.upstream.client
    model = client.endpoint.chat_model or client.endpoint.model or course.model
    schema = (course.assignment.text_format or {}).get("schema") or REPAIRED
    try:
        answer = await client.respond(
            repair_prompt(text), model=model, schema=schema, timeout=REPAIR_SECONDS
        )
    except KitError:
        answer = None
    outline = json_object(storable(answer.text)) if answer is not None else None
    if answer is None or outline is None:
        raise Failed(
            "invalid_json",
            "The model's answer is no valid JSON, and could not be repaired; its text is kept.",
        )
    return outline, spent.plus(answer)


def _spent(course: Course, answer: Answer) -> Spent:
    if answer.usage is not None:
        return cost_of(answer.usage, answer.cost, course.prices, course.telling.searches)
    if answer.cost is None:
        return course.spent
    return dataclasses.replace(course.spent, cost=answer.cost, estimate=False)


def _warnings(course: Course, answer: Answer, text: str) -> list[Draft]:
    """What the caller should know of an answer that is one."""
    warn = course.telling.warn
    found: list[Draft] = []
    if answer.status == "incomplete":
        found += warn("incomplete", _incomplete(answer.incomplete))
    if answer.refusal and not answer.text:
        found += warn("refused", "The model declined to answer.")
    if str(course.telling.text) != text:
        found += warn(
            "text_replaced", "The final text differs from what was told so far; it alone counts."
        )
    searched = course.telling.searches or answer.searches
    cited = course.telling.sources or (course.assignment.wants_json and "http" in text)
    if course.assignment.citations and not cited:
        if not searched:
            found += warn("no_search", "Nothing was looked up: no search was reported.")
        found += warn("no_citations", "The answer cites no sources, though citations were wanted.")
    return found


def _textless(answer: Answer) -> str:
    if answer.status == "completed":
        return "The gateway completed the run without any text."
    if answer.incomplete == "max_output_tokens":
        return "The model reached its limit of output tokens before it wrote any text."
    return f"{_incomplete(answer.incomplete)} There is no text."


def _incomplete(reason: str | None) -> str:
    known = {
        "max_output_tokens": "at the model's limit of output",
        "content_filter": "by the content filter",
    }.get(reason or "", "before its end")
    return f"The answer was cut off {known}."


def _with(end: Failed, response: dict[str, object] | None, spent: Spent) -> Failed:
    end.response, end.spent = response, spent
    return end
