"""A message in, an answer out, and research in between where the model asks for it.

    turn 1     the message, with the function `deep_research`
    research   a run for each of its calls; every call gets an output, also a wrong one
    turn 2     everything again, with the outputs: the gateway is not asked to remember

Rule: the loop is the toolkit's own, with one tool and one round. What goes wrong at the gateway is
an answer too, in a sentence of ours. And research that outlasts its time is not lost: the answer
says under which id it goes on.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, cast

from kit import errors
from kit.gateway.answer import Answer
from kit.gateway.wire import Options
from kit.relay.contracts import ChatRequest, Format, ResearchArguments
from kit.relay.contracts_answers import ChatAnswer, ChatRun
from kit.relay.research_tool import NAME, TOOL, research_arguments
from kit.settings_relay import RelaySettings
from kit.tools.happenings import LimitReached
from kit.tools.limits import Limits
from kit.tools.loop import Loop, Terms
from kit.tools.outputs import error_output
from kit.tools.work import Ongoing, Outcome
from relay_lite.engine import Engine
from relay_lite.store import Invocation, StoreError

__all__ = ["Submit", "answered"]

Json = dict[str, Any]
Submit = Callable[[ResearchArguments], Awaitable[Invocation]]

MOST_RUNS = 4
"""For one message: each of them costs money."""

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


class _Research:
    """`deep_research` of one message, as work of the loop: a run is submitted and waited for."""

    name = NAME
    definition = TOOL
    once = True

    def __init__(
        self, engine: Engine, seconds: float, submit: Submit, deliverable_format: Format | None
    ) -> None:
        self._engine = engine
        self._seconds = seconds
        self._submit = submit
        self._format: Format | None = deliverable_format
        self._runs: dict[str, Invocation] = {}
        self._begun = 0
        self.full: StoreError | None = None

    def arguments(self, raw: str) -> ResearchArguments:
        return research_arguments(raw, self._format)

    async def question(self, arguments: ResearchArguments) -> None:
        """Whoever posts to a chat has said yes."""

    async def run(self, arguments: ResearchArguments, ongoing: Ongoing) -> Outcome:
        self._begun += 1
        if self._begun > MOST_RUNS:
            said = f"At most {MOST_RUNS} runs are started for one message."
            return Outcome(error_output("limit", said), "limit")
        try:
            run = await self._submit(arguments)
        except StoreError as error:  # those that it took are told of
            self.full = error
            return Outcome(error_output("limit", "The relay takes no more runs now."), "limit")
        ongoing.begun(run)
        run = await self._engine.wait(run.id, self._seconds) or run
        self._runs[run.id] = run
        if run.status == "completed":
            return Outcome((run.result.output_text or "")[:LONGEST_OUTPUT])
        if run.ended:
            said = run.result.error_message or "It was cancelled."
            return Outcome(error_output("research_failed", said), "research_failed")
        return Outcome("The research still goes on; there is no report yet.")

    def runs_of(self, loop: Loop) -> list[Invocation]:
        """All runs as they stand, in the order of the calls; calls that are the same share one."""
        begun: dict[str, Invocation] = {
            call.run.id: call.run for call in loop.calls if call.run is not None
        }
        return [self._runs.get(id, run) for id, run in begun.items()]


async def answered(
    asked: ChatRequest, engine: Engine, settings: RelaySettings, submit: Submit
) -> ChatAnswer:
    """The answer. `submit` writes a run down and lets it begin; it raises what stores raise."""
    client = engine.upstream.client
    work = _Research(engine, settings.research_seconds, submit, asked.deliverable_format)
    limits = Limits(rounds=1, repeats=MOST_RUNS)
    options: Options = {
        "model": client.endpoint.chat_model,
        "system": asked.system_prompt,
        "timeout": settings.turn_seconds,
    }
    message = {"role": "user", "content": asked.message}
    items = [*map(_earlier, asked.context), message]
    terms = Terms([work] if asked.auto_tool_call else [], limits=limits)
    loop = Loop(client, items, options, terms)
    problem = await _problem(loop, work)
    runs = work.runs_of(loop)
    if not runs and work.full is not None:
        raise work.full
    answer = _concluded(runs, loop.answer, problem)
    await _read(engine, runs)
    return answer


async def _problem(loop: Loop, work: _Research) -> errors.KitError | None:
    """Let the loop run; what it failed with. It ends early where there is nothing to tell."""
    try:
        async with aclosing(loop.run()) as happenings:
            async for batch in happenings:
                last = any(isinstance(one, LimitReached) for one in batch)
                runs = work.runs_of(loop)
                if last and not _reports(runs) and (runs or work.full is not None):
                    break
    except errors.KitError as error:
        return error
    return None


def _concluded(
    runs: list[Invocation], said: Answer | None, problem: errors.KitError | None
) -> ChatAnswer:
    """What the model said, else why it said nothing."""
    reports = _reports(runs)
    answer = ChatAnswer(
        content="",
        tool_called=bool(runs),
        tool_name=NAME if runs else None,
        research_summary="\n\n".join(reports) or None,
        invocation_id=_told(runs),
        invocations=[ChatRun(invocation_id=run.id) for run in runs],
    )
    if problem is not None:
        told = " The report is in `research_summary`." if reports else ""
        answer.content = _safe(problem) + told
    elif runs and not reports:
        answer.content = _unfinished(runs[0])
    elif said is not None:
        answer.content = said.text or said.refusal or "\n\n".join(reports)
    return answer


def _reports(runs: list[Invocation]) -> list[str]:
    return [run.result.output_text or "" for run in runs if run.status == "completed"]


async def _read(engine: Engine, runs: list[Invocation]) -> None:
    """Note that the reports of these runs have been read."""
    if _reports(runs):
        for run in runs:
            if run.status == "completed":
                await engine.store.fetched(run.id)


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


def _safe(error: errors.KitError) -> str:
    """A sentence of ours: what the gateway says may name its hosts."""
    for kind, sentence in FAILED:
        if isinstance(error, kind):
            return sentence
    return "The gateway could not answer. Try again in a moment."
