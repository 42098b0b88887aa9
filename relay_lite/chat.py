"""A message in, an answer out, and research in between where the model asks for it.

    turn 1     the message, with the function `deep_research`
    research   a run for each of its calls; every call gets an output, also a wrong one
    turn 2     everything again, with the outputs: the gateway is not asked to remember

Rule: what goes wrong at the gateway is an answer too, in a sentence of ours. And research that
outlasts its time is not lost: the answer says under which id it goes on.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from kit import errors
from kit.gateway.answer import Answer
from kit.relay.contracts import ChatRequest, ResearchArguments
from kit.relay.contracts_answers import ChatAnswer, ChatRun
from kit.relay.research_tool import NAME, TOOL, research_arguments
from kit.settings_relay import RelaySettings
from relay_lite.engine import Engine
from relay_lite.store import Invocation, StoreError

__all__ = ["Submit", "answered"]

Json = dict[str, Any]
Submit = Callable[[ResearchArguments], Awaitable[Invocation]]

MOST_CALLS = 4
"""Runs for one message: each of them costs money."""

LONGEST_OUTPUT = 200_000
"""Characters of a report that the second turn reads."""

ROLES = frozenset({"user", "assistant", "system", "developer"})

FAILED: tuple[tuple[type[errors.KitError], str], ...] = (
    (errors.ModelMissing, "The relay has no model for this: set LITELLM_MODEL where it runs."),
    (errors.ModelUnknown, "The gateway does not have the model that the relay uses."),
    (errors.AuthenticationFailed, "The gateway did not accept the relay's key."),
    (errors.QuotaExceeded, "The budget at the gateway is used up."),
    (errors.RateLimited, "The gateway takes no more requests just now. Try again in a moment."),
    (errors.TimedOut, "The model took too long to answer (RELAY_TIMEOUT_SECONDS). Try again."),
    (errors.ConnectionFailed, "The gateway cannot be reached now. Try again in a moment."),
    (errors.BadRequest, "The gateway refused the request."),
)


@dataclass(frozen=True, slots=True)
class _Done:
    """What became of one call: the output for the model, and the run, where there was one."""

    call_id: str
    output: str
    run: Invocation | None = None

    @property
    def report(self) -> str | None:
        complete = self.run is not None and self.run.status == "completed"
        return self.run.result.output_text if complete and self.run else None

    @property
    def item(self) -> Json:
        output = self.output[:LONGEST_OUTPUT]
        return {"type": "function_call_output", "call_id": self.call_id, "output": output}


async def answered(
    asked: ChatRequest, engine: Engine, settings: RelaySettings, submit: Submit
) -> ChatAnswer:
    """The answer. `submit` writes a run down and lets it begin; it raises what stores raise."""
    chat = _Chat(asked, engine, settings, submit)
    try:
        first = await chat.turn(chat.items, "auto" if asked.auto_tool_call else None)
    except errors.KitError as error:
        return ChatAnswer(content=_safe(error))
    if not first.function_calls:
        return ChatAnswer(content=_said(first))
    done = await chat.researched(first.function_calls)
    return await chat.concluded(first, done)


class _Chat:
    """One message on its way."""

    def __init__(
        self, asked: ChatRequest, engine: Engine, settings: RelaySettings, submit: Submit
    ) -> None:
        self.asked = asked
        self.engine = engine
        self.settings = settings
        self.submit = submit
        self.runs = 0
        message = {"role": "user", "content": asked.message}
        self.items: list[Json] = [*map(_earlier, asked.context), message]

    async def turn(self, items: list[Json], choice: str | None) -> Answer:
        """One answer of the chat model; `choice` of the tool, None: it is not offered."""
        client = self.engine.upstream.client
        return await client.respond(
            items,
            model=client.endpoint.chat_model,
            system=self.asked.system_prompt,
            tools=[TOOL] if choice else None,
            tool_choice=choice if choice != "auto" else None,
            timeout=self.settings.turn_seconds,
        )

    async def researched(self, calls: tuple[Mapping[str, Any], ...]) -> list[_Done]:
        """Every call with its output; the runs go on at the same time."""
        runs = await asyncio.gather(*(self.call(call) for call in calls), return_exceptions=True)
        failed = [run for run in runs if isinstance(run, BaseException)]
        fatal = [run for run in failed if not isinstance(run, StoreError)]
        if fatal or (failed and len(failed) == len(runs)):
            raise (fatal or failed)[0]
        none = "Error: the relay takes no more runs now."  # those that it took are told of
        return [
            _Done(str(call.get("call_id") or ""), none) if isinstance(run, BaseException) else run
            for call, run in zip(calls, runs, strict=True)
        ]

    async def call(self, call: Mapping[str, Any]) -> _Done:
        id = str(call.get("call_id") or "")
        if call.get("name") != NAME:
            return _Done(id, f"Error: there is no such function; {NAME} is the only one.")
        try:
            raw = str(call.get("arguments") or "")
            arguments = research_arguments(raw, self.asked.deliverable_format)
        except errors.InputError as error:
            return _Done(id, f"Error: {error}")
        self.runs += 1
        if self.runs > MOST_CALLS:
            return _Done(id, f"Error: at most {MOST_CALLS} calls are made for one message.")
        return await self.run(id, arguments)

    async def run(self, id: str, arguments: ResearchArguments) -> _Done:
        run = await self.submit(arguments)
        run = await self.engine.wait(run.id, self.settings.research_seconds) or run
        if run.status == "completed":
            return _Done(id, run.result.output_text or "", run)
        if run.ended:
            return _Done(id, f"Error: {run.result.error_message or 'It was cancelled.'}", run)
        return _Done(id, "The research still goes on; there is no report yet.", run)

    async def concluded(self, first: Answer, done: list[_Done]) -> ChatAnswer:
        """The second turn, where there is something to tell; else why there is not."""
        runs = [one.run for one in done if one.run is not None]
        reports = [one.report for one in done if one.report is not None]
        answer = ChatAnswer(
            content="",
            tool_called=bool(runs),
            tool_name=NAME if runs else None,
            research_summary="\n\n".join(reports) or None,
            invocation_id=_told(runs),
            invocations=[ChatRun(invocation_id=run.id) for run in runs],
        )
        if runs and not reports:
            answer.content = _unfinished(runs[0])
            return answer
        try:
            items = [*self.items, *first.items, *(one.item for one in done)]
            answer.content = _said(await self.turn(items, "none")) or "\n\n".join(reports)
        except errors.KitError as error:
            told = " The report is in `research_summary`." if reports else ""
            answer.content = _safe(error) + told
        await self.read(runs)
        return answer

    async def read(self, runs: list[Invocation]) -> None:
        """Note that the reports of these runs have been read."""
        for run in runs:
            if run.status == "completed":
                await self.engine.store.fetched(run.id)


def _told(runs: list[Invocation]) -> str | None:
    """The run to name: one that goes on, else the first."""
    return next((run.id for run in runs if not run.ended), runs[0].id if runs else None)


def _unfinished(run: Invocation) -> str:
    if run.ended:
        return run.result.error_message or "The research was cancelled."
    return (
        f"The research takes longer than this answer can wait. It goes on as {run.id}: "
        f"GET /api/v1/tool-invocations/{run.id}/wait, with its token, gives the report."
    )


def _earlier(entry: Any) -> Json:
    """An entry of the context as a message; what is none is the user's material."""
    if isinstance(entry, dict):
        message = cast(Json, entry)
        role, content = message.get("role"), message.get("content")
        if isinstance(role, str) and role in ROLES and isinstance(content, str | list):
            return {"role": role, "content": content}
    text = entry if isinstance(entry, str) else _as_text(entry)
    return {"role": "user", "content": text}


def _as_text(entry: Any) -> str:
    return json.dumps(entry, ensure_ascii=False)


def _said(answer: Answer) -> str:
    return answer.text or answer.refusal


def _safe(error: errors.KitError) -> str:
    """A sentence of ours: what the gateway says may name its hosts."""
    for kind, sentence in FAILED:
        if isinstance(error, kind):
            return sentence
    return "The gateway could not answer. Try again in a moment."
