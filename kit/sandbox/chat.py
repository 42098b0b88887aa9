"""`/v1/chat/completions`: the same outcomes as Responses, in the shape of chat.

Citations are nested here (`{"type": "url_citation", "url_citation": {…}}`), tool calls are part of
the message, and a stream is chunks without names.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from functools import partial
from typing import Any

import anyio
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response as Answer
from starlette.routing import Route

from kit.sandbox.answering import Sandbox, Wishes, decide
from kit.sandbox.chat_request import ChatRequest, read_chat
from kit.sandbox.conversation import read_conversation
from kit.sandbox.faults import Fault, find_fault, refuse
from kit.sandbox.fields import parse_body
from kit.sandbox.frames import data_frame, event_stream, play
from kit.sandbox.outcome import Outcome, text_of, usage_of
from kit.sandbox.problems import Refused, as_json
from kit.sandbox.score import Due, pieces
from kit.sandbox.steps import Ask

Chunk = dict[str, Any]

SECONDS_A_DELTA = 1 / 60
REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}


class Chat:
    """The route of chat completions over one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def routes(self) -> list[Route]:
        return [Route("/chat/completions", self.create, methods=["POST"])]

    async def create(self, http: Request) -> Answer:
        request = read_chat(parse_body(await http.body()))
        fault = find_fault(request.model.fault)
        if refusal := refuse(fault, self.sandbox.attempts, http, request.metadata):
            return refusal
        outcome, usage = await to_thread.run_sync(partial(self._answer, request, fault))
        if outcome.error and not request.stream:
            raise Refused(500, outcome.error["message"], kind="server_error")
        envelope = _envelope(request, self.sandbox.clock())
        if _streams(request, fault):
            score = self._score(request, envelope, outcome, usage)
            frames = fault.frames(score, data_frame)
            return event_stream(play(frames, self.sandbox.clock(), self.sandbox.clock))
        await anyio.sleep(fault.delay)
        return as_json(completion(envelope, outcome, usage))

    def _answer(self, request: ChatRequest, fault: Fault) -> tuple[Outcome, dict[str, int]]:
        conversation = read_conversation(request.items, "messages")
        ask = Ask(
            turns=tuple(conversation.turns),
            web_search=request.web_search,
            functions=request.tools.functions,
            tool_choice=request.tool_choice,
            schema=request.shape.schema,
            json_object=request.shape.json_object,
            research=request.model.research,
            max_output_tokens=request.max_tokens,
        )
        if script := fault.script_for(streamed=_streams(request, fault)):
            outcome = script(ask)
        else:
            wishes = Wishes(parallel=request.parallel)
            outcome = decide(self.sandbox, ask, conversation, wishes)
        read = "\n".join(turn.text for turn in ask.turns)
        return outcome, _chat_usage(usage_of(read, outcome.items))

    def _score(
        self, request: ChatRequest, envelope: Chunk, outcome: Outcome, usage: dict[str, int]
    ) -> tuple[Due, ...]:
        base = {**envelope, "object": "chat.completion.chunk"}
        if request.include_usage:
            base["usage"] = None
        chunks = [{**base, "choices": [_choice(*pair)]} for pair in _deltas(outcome)]
        if request.include_usage:
            chunks.append({**base, "choices": [], "usage": usage})
        tempo = SECONDS_A_DELTA * self.sandbox.pace
        return tuple(Due(place * tempo, chunk) for place, chunk in enumerate(chunks))


def _streams(request: ChatRequest, fault: Fault) -> bool:
    return request.stream and "stream" not in fault.overlooks


def _envelope(request: ChatRequest, now: float) -> Chunk:
    return {
        "id": f"chatcmpl-{secrets.token_hex(16)}",
        "object": "chat.completion",
        "created": int(now),
        "model": request.model.name,
        "service_tier": "default",
        "system_fingerprint": "sandbox-no-language-model",
    }


def completion(envelope: Chunk, outcome: Outcome, usage: dict[str, int]) -> Chunk:
    """The completion of an outcome, in one piece."""
    calls, notes, refusal = tool_calls(outcome), nested_citations(outcome), _refusal(outcome)
    text = text_of(outcome.items)
    message = {
        "role": "assistant",
        "content": text if text or not (calls or refusal) else None,
        "refusal": refusal,
        "annotations": notes,
        **({"tool_calls": calls} if calls else {}),
    }
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(outcome)}
    return {**envelope, "choices": [choice], "usage": usage}


def tool_calls(outcome: Outcome) -> list[Chunk]:
    return [
        {
            "id": item["call_id"],
            "type": "function",
            "function": {"name": item["name"], "arguments": item["arguments"]},
        }
        for item in outcome.items
        if item["type"] == "function_call"
    ]


def nested_citations(outcome: Outcome) -> list[Chunk]:
    """The citations, nested; offsets count from the start of all text."""
    found: list[Chunk] = []
    before = 0
    messages = (item for item in outcome.items if item["type"] == "message")
    for part in (part for item in messages for part in item["content"]):
        for note in part.get("annotations", []):
            cited = {key: value for key, value in note.items() if key != "type"}
            cited["start_index"] += before
            cited["end_index"] += before
            found.append({"type": "url_citation", "url_citation": cited})
        before += len(part.get("text", ""))
    return found


def _refusal(outcome: Outcome) -> str | None:
    parts = (part for item in outcome.items for part in item.get("content", ()))
    return next((str(part["refusal"]) for part in parts if part["type"] == "refusal"), None)


def _reason(outcome: Outcome) -> str:
    if outcome.reason:
        return REASONS[outcome.reason]
    return "tool_calls" if tool_calls(outcome) else "stop"


def _choice(delta: Chunk, reason: str | None) -> Chunk:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}


def _deltas(outcome: Outcome) -> Iterator[tuple[Chunk, str | None]]:
    """The deltas of a stream, each with its finish reason."""
    calls, refusal = tool_calls(outcome), _refusal(outcome)
    opening = None if calls or refusal else ""
    yield {"role": "assistant", "content": opening, "refusal": None}, None
    for piece in pieces(text_of(outcome.items)):
        yield {"content": piece}, None
    for piece in pieces(refusal or ""):
        yield {"refusal": piece}, None
    if notes := nested_citations(outcome):
        yield {"annotations": notes}, None
    for index, call in enumerate(calls):
        yield from ((delta, None) for delta in _call_deltas(index, call))
    yield {}, _reason(outcome)


def _call_deltas(index: int, call: Chunk) -> Iterator[Chunk]:
    opened = {**call, "function": {**call["function"], "arguments": ""}}
    yield {"tool_calls": [{"index": index, **opened}]}
    for piece in pieces(call["function"]["arguments"]):
        yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _chat_usage(usage: dict[str, Any]) -> dict[str, Any]:
    return {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "total_tokens": usage["total_tokens"],
        "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "completion_tokens_details": usage["output_tokens_details"],
    }
