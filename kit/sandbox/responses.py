"""`/v1/responses`: create, retrieve, resume, cancel, delete, list the input.

Thin: check the request, ask, keep, show. What a stored response looks like now is `standing`, read
off the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import anyio
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response as Answer
from starlette.routing import Route

from kit.sandbox.answering import Sandbox, Wishes, decide
from kit.sandbox.conversation import Conversation, Item, read_conversation
from kit.sandbox.faults import Fault, find_fault, refuse
from kit.sandbox.fields import invalid, parse_body
from kit.sandbox.frames import event_frame, event_stream, plain_stream, play
from kit.sandbox.model_name import read_model
from kit.sandbox.outcome import Outcome, usage_of
from kit.sandbox.problems import Refused, as_json
from kit.sandbox.response_object import ENCRYPTED, Response, response_of, shown, unfinished
from kit.sandbox.response_request import ResponseRequest, read_include, read_request
from kit.sandbox.score import Due, at_second, write_score
from kit.sandbox.steps import Ask
from kit.sandbox.store import Stored

T = TypeVar("T")

UNSTORED_SECONDS = 600
"""How long a background run with `store: false` can be fetched after its end."""


class Responses:
    """The routes of the Responses API over one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def routes(self) -> list[Route]:
        one = "/responses/{id}"
        return [
            Route("/responses", self.create, methods=["POST"]),
            Route(one, self.retrieve, methods=["GET"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/cancel", self.cancel, methods=["POST"]),
            Route(f"{one}/input_items", self.input_items, methods=["GET"]),
        ]

    async def create(self, http: Request) -> Answer:
        request = read_request(parse_body(await http.body()))
        fault = find_fault(request.model.fault)
        if refusal := refuse(fault, self.sandbox.attempts, http, request.metadata):
            return refusal
        request = _without(request, fault)
        stored = await _in_thread(self._answer, request, fault)
        if request.store or request.background:
            await _in_thread(self.sandbox.store.add, stored)
        response = shown(stored.response, request.include)
        if request.stream:
            return self._stream(stored, fault.frames(_score(stored, response), event_frame))
        await anyio.sleep(fault.delay)
        if request.background:
            return as_json(unfinished(response, "queued"))
        return as_json({**response, **(fault.changes or {})})

    async def retrieve(self, http: Request) -> Answer:
        stored = await self._find(http)
        query = http.query_params
        streaming = query.get("stream", "false").lower() == "true"
        fault = find_fault(read_model(stored.response["model"]).fault)
        if fault.retrieve:
            seen = self.sandbox.attempts[stored.id] = self.sandbox.attempts.get(stored.id, 0) + 1
            fault.retrieve(seen, streaming)
        include = read_include(tuple(query.getlist("include") + query.getlist("include[]")))
        if ENCRYPTED in include:
            message = f"'{ENCRYPTED}' can be included when a response is created, not later."
            raise Refused(400, message, param="include")
        stored = replace(stored, response=shown(stored.response, include | {*stored.include}))
        if not streaming:
            now = await _in_thread(standing, stored, self.sandbox.clock())
            return as_json(
                {**now, **(fault.changes or {})} if now["status"] == "completed" else now
            )
        return self._resume(stored, query.get("starting_after"))

    async def cancel(self, http: Request) -> Answer:
        stored = await self._find(http)
        if not stored.response["background"]:
            raise Refused(400, "Cannot cancel a synchronous response.", param="response_id")
        now = self.sandbox.clock()
        shown_now = shown(stored.response, stored.include)
        if find_fault(read_model(stored.response["model"]).fault).forgets_cancel:
            return as_json(unfinished(shown_now, "cancelled"))
        await _in_thread(self.sandbox.store.cancel, stored.id, now)
        stored = replace(await self._find(http), response=shown_now)
        return as_json(standing(stored, now))

    async def delete(self, http: Request) -> Answer:
        stored = await self._find(http)
        await _in_thread(self.sandbox.store.delete, stored.id)
        return as_json({"id": stored.id, "object": "response", "deleted": True})

    async def input_items(self, http: Request) -> Answer:
        stored = await self._find(http)
        query = http.query_params
        limit, order = query.get("limit", "20"), query.get("order", "desc")
        if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit) <= 100:
            raise invalid("limit", "expected an integer between 1 and 100")
        if order not in ("asc", "desc"):
            raise invalid("order", "expected 'asc' or 'desc'")
        rows = stored.input if order == "asc" else stored.input[::-1]
        return as_json(_page(rows, query.get("after"), int(limit)))

    async def _find(self, http: Request) -> Stored:
        wanted = http.path_params["id"]
        found = await _in_thread(self.sandbox.store.get, wanted, self.sandbox.clock())
        if found is None:
            raise Refused(404, f"Response with id '{wanted[:100]}' not found.", code="not_found")
        return found

    def _answer(self, request: ResponseRequest, fault: Fault) -> Stored:
        """The finished response, with when its reader may see the end of it."""
        history = self._history(request.previous)
        conversation = read_conversation([*history, *request.items])
        ask = ask_of(request, conversation)
        wishes = Wishes(request.reasoning_wanted, request.parallel, request.max_tool_calls)
        if script := fault.script_for(streamed=request.stream or request.background):
            outcome = script(ask)
        else:
            outcome = decide(self.sandbox, ask, conversation, wishes)
        return self._timed(request, ask, outcome)

    def _timed(self, request: ResponseRequest, ask: Ask, outcome: Outcome) -> Stored:
        read = "\n".join([ask.instructions, *(turn.text for turn in ask.turns)])
        now = self.sandbox.clock()
        response = response_of(request, outcome, usage_of(read, outcome.items), now)
        stored = Stored(
            response, list(request.items), now, now, self.sandbox.pace,
            request.model.research, request.background and request.stream, tuple(request.include),
        )  # fmt: skip
        runs = request.background or request.stream
        finished = now + (_score(stored, response)[-1].at if runs else 0.0)
        if response["completed_at"] is not None:
            response["completed_at"] = int(finished)
        expires = None if request.store else finished + UNSTORED_SECONDS
        return replace(stored, finished=finished, expires=expires)

    def _history(self, previous: str | None) -> list[Item]:
        if previous is None:
            return []
        now = self.sandbox.clock()
        chain = self.sandbox.store.chain(previous, now)
        if not chain:
            raise Refused(
                400,
                f"Previous response with id '{previous[:100]}' not found.",
                param="previous_response_id",
                code="previous_response_not_found",
            )
        items: list[Item] = []
        for stored in chain:
            response = standing(stored, now)
            if response["status"] in ("queued", "in_progress"):
                message = f"Response '{stored.id}' is not finished; continue it when it is."
                raise Refused(400, message, param="previous_response_id")
            items += [*stored.input, *response["output"]]
        return items

    def _stream(self, stored: Stored, frames: Any) -> Answer:
        async def ended() -> bool:
            return await _in_thread(self.sandbox.store.cancelled_at, stored.id) is not None

        watch = ended if stored.response["background"] else None
        return event_stream(play(frames, stored.created, self.sandbox.clock, watch))

    def _resume(self, stored: Stored, after: str | None) -> Answer:
        if not stored.response["background"]:
            message = (
                "Only a response created with both background and stream can be streamed again."
            )
            raise Refused(404, message, param="stream")
        if not stored.streamed:
            message = "This response was created without stream and cannot be streamed."
            raise Refused(400, message, param="stream")
        try:
            last = int(after) if after is not None else -1
        except ValueError:
            raise invalid("starting_after", "expected an integer") from None
        over = stored.cancelled - stored.created if stored.cancelled else float("inf")
        score = _score(stored, stored.response)
        rest = [due for due in score if due.event["sequence_number"] > last and due.at <= over]
        return self._stream(stored, plain_stream(rest))


def standing(stored: Stored, now: float) -> Response:
    """The response as it stands `now`."""
    if stored.cancelled is not None:
        elapsed = stored.cancelled - stored.created
        partial = at_second(stored.response, _score(stored, stored.response), elapsed)
        return unfinished(stored.response, "cancelled", partial["output"])
    if now >= stored.finished:
        return stored.response
    return at_second(stored.response, _score(stored, stored.response), now - stored.created)


def ask_of(request: ResponseRequest, conversation: Conversation) -> Ask:
    """The request as the mind reads it."""
    return Ask(
        turns=tuple(conversation.turns),
        instructions=request.instructions,
        web_search=request.tools.web_search or request.model.research,
        functions=request.tools.functions,
        tool_choice=request.tool_choice,
        schema=request.shape.schema,
        json_object=request.shape.json_object,
        research=request.model.research,
        max_output_tokens=request.max_output_tokens,
    )


def _score(stored: Stored, response: Response) -> tuple[Due, ...]:
    return write_score(response, stored.pace, research=stored.research)


def _without(request: ResponseRequest, fault: Fault) -> ResponseRequest:
    """The request without what a faulty gateway overlooks."""
    if "background" in fault.overlooks:
        request = replace(request, background=False)
    if "stream" in fault.overlooks:
        request = replace(request, stream=False)
    if "previous_response_id" in fault.overlooks:
        request = replace(request, previous=None)
    return request


def _page(rows: list[Item], after: str | None, limit: int) -> dict[str, Any]:
    ids = [row.get("id") for row in rows]
    start = ids.index(after) + 1 if after in ids else 0
    page = rows[start : start + limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0].get("id") if page else None,
        "last_id": page[-1].get("id") if page else None,
        "has_more": start + limit < len(rows),
    }


async def _in_thread(function: Callable[..., T], *args: Any) -> T:
    return await to_thread.run_sync(partial(function, *args))
