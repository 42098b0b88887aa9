"""The tool loop: a model is asked, calls functions, reads what they returned, and is asked again.

    turn       the model's answer, event by event
    calls      every call gets exactly one output, in the order of the calls, also a wrong one
    turn       with the outputs; until the model calls nothing, or a limit is reached
    last turn  without tools: whatever ran out, there is an answer

Rule: what goes wrong in a call is told to the model, and what goes wrong at the gateway to the
caller. Where the gateway is known to keep responses, a turn names the one before; elsewhere
everything is sent again, reasoning included where it can be had (encrypted).
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from kit import errors
from kit.gateway.answer import Answer, ToolCall, Usage
from kit.gateway.client import AsyncClient
from kit.gateway.events import ArgumentsDelta, Event, Wire
from kit.gateway.stream import AsyncStream
from kit.gateway.wire import Api, Input, Options
from kit.tools.calls import LONGEST_ARGUMENTS, Planned, endless, plan, refused
from kit.tools.consent import Approve, decision
from kit.tools.happenings import (
    CallBegan,
    CallEnded,
    Happening,
    LimitReached,
    Tell,
    TurnBegan,
)
from kit.tools.limits import Limits, Tally
from kit.tools.sharing import Sharing, with_outcome_of
from kit.tools.transcript import Transcript
from kit.tools.work import Ongoing, Work, outcome_of

__all__ = ["Loop", "Terms"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for one conversation. `hosted` are tools that the gateway runs itself."""

    works: Sequence[Work]
    api: Api = "responses"
    approve: Approve = None
    limits: Limits = field(default_factory=Limits)
    hosted: Sequence[Wire] = ()


class Loop:
    """One conversation. `run` is everything that happens; afterwards `answer` is there."""

    def __init__(self, client: AsyncClient, prompt: Input, options: Options, terms: Terms) -> None:
        self._client = client
        self._terms = terms
        self._works = {work.name: work for work in terms.works}
        self._tally = Tally(terms.limits)
        self._began = time.monotonic()
        self._options = options
        self._history = Transcript(client, prompt, options, terms.api)
        self._sharing = Sharing()
        self._answers: list[Answer] = []
        self._at_work: asyncio.Task[None] | None = None
        self._stopped = False
        self.calls: list[ToolCall] = []
        self.stream: AsyncStream | None = None
        self.answer: Answer | None = None

    @property
    def partial(self) -> Answer | None:
        """The answer as far as it has come, with the calls so far; None before anything has."""
        now = self.stream.partial if self.stream else None
        if now is None or not (now.id or now.output):
            now = self._answers[-1] if self._answers else None
        return self._with_calls(now) if now else None

    async def run(self) -> AsyncGenerator[list[Happening], None]:
        """Everything that happens, what came together together. Raises KitError; its `.answer`
        has the calls so far."""
        try:
            async with aclosing(self._turns()) as turns:
                async for happenings in turns:
                    yield happenings
        except errors.KitError as error:
            # what a function raised may hold the answer of a conversation of its own
            said = error.answer if isinstance(error, errors.GatewayError) else None
            error.answer = self._with_calls(said) if said else self.partial
            raise

    async def stop(self) -> None:
        """End it from beside whoever reads: the connection, and what is at work."""
        self._stopped = True
        if self._at_work is not None:
            self._at_work.cancel()
        if self.stream is not None:
            await self.stream.aclose()

    async def _turns(self) -> AsyncGenerator[list[Happening], None]:
        reason: str | None = None
        while not self._stopped:
            last = reason is not None
            yield [TurnBegan(len(self._answers) + 1, last)]
            async with aclosing(self._turn(last)) as turn:
                async for events in turn:
                    yield events
            if self._stopped:
                return
            answer = self._answers[-1]
            if last or not answer.function_calls:
                self.answer = self._concluded(answer, reason)
                return
            self._tally.rounds += 1
            planned = plan(answer, self._works, self._tally, (one.call_id for one in self.calls))
            async with aclosing(self._told(planned)) as told:
                async for happenings in told:
                    yield happenings
            if not self._stopped and (reason := self._why_last(planned)) is not None:
                yield [LimitReached(reason)]

    def _why_last(self, planned: list[Planned]) -> str | None:
        """Why the next turn has to be the last, as a sentence; None where it has not."""
        if all(one.refusal and one.refusal.error == "repeated" for one in planned):
            return "The model makes the same call again and again."
        return self._tally.last_round()

    # -- the model's turn --------------------------------------------------------------------

    async def _turn(self, last: bool) -> AsyncGenerator[list[Happening], None]:
        """One turn; asked once more in another way where the gateway refuses the first."""
        while True:
            try:
                async with aclosing(self._asked(last)) as asked:
                    async for events in asked:
                        yield [*events]
                break
            except errors.GatewayError as error:
                if _has_begun(error.answer) or not self._history.another_way(error):
                    raise
        assert self.stream is not None
        if not self._stopped:
            self._answers.append(self.stream.answer)
            self._tally.spend(self.stream.answer.cost)

    async def _asked(self, last: bool) -> AsyncGenerator[list[Event], None]:
        stream = self.stream = self._open(last)
        written = 0
        try:
            async for events in stream.batches():
                if self._stopped:  # before the gateway had answered: now it has
                    return
                written += sum(len(one.text) for one in events if isinstance(one, ArgumentsDelta))
                if written > LONGEST_ARGUMENTS:
                    raise endless()
                yield events
        finally:
            await stream.aclose()

    def _open(self, last: bool) -> AsyncStream:
        items, more = self._history.turn()
        tools = [*(work.definition for work in self._works.values()), *self._terms.hosted]
        kept: Any = {name: one for name, one in self._options.items() if name not in _FIRST_ONLY}
        choice = "none" if last else None if self._answers else self._options.get("tool_choice")
        options: Any = {**kept, **more, "tools": tools or None}
        options["tool_choice"] = choice if tools else None
        return self._client.stream(items, api=self._terms.api, **options)

    # -- the calls ---------------------------------------------------------------------------

    async def _told(self, planned: list[Planned]) -> AsyncGenerator[list[Happening], None]:
        """What the calls tell while they are carried out, by a task beside whoever reads."""
        queue: asyncio.Queue[Happening | None] = asyncio.Queue()
        task = asyncio.ensure_future(self._carried_out(planned, queue.put_nowait))
        task.add_done_callback(lambda _: queue.put_nowait(None))
        self._at_work = task
        try:
            ended = False
            while not ended:
                batch = [await queue.get()]
                while not queue.empty():
                    batch.append(queue.get_nowait())
                ended = None in batch
                if happenings := [one for one in batch if one is not None]:
                    yield happenings
            if not self._stopped:
                task.result()
        finally:
            task.cancel()
            await asyncio.wait([task])
            _ = task.cancelled() or task.exception()  # or asyncio complains that nobody looked

    async def _carried_out(self, planned: list[Planned], tell: Tell) -> None:
        """All calls of a turn: first every question, then all at the same time."""
        answer, place = self._answers[-1], len(self.calls)
        self.calls += [one.call for one in planned]
        for one in planned:
            tell(CallBegan(one.call, answer.text))
        firsts = [self._sharing.first_of(one) for one in planned]
        ready = [
            one if first else await self._with_consent(one, tell)
            for one, first in zip(planned, firsts, strict=True)
        ]
        failed: Exception | None = None
        try:
            async with asyncio.TaskGroup() as group:
                for at, (one, first) in enumerate(zip(ready, firsts, strict=True), place):
                    group.create_task(self._one(one, at, tell, first))
        except ExceptionGroup as raised:  # the others have ended by now
            failed = raised.exceptions[0]
        if failed is not None:  # outside: IPython shows no short form of what came from a group
            raise failed
        self._history.add(answer, self.calls[place:])

    async def _with_consent(self, planned: Planned, tell: Tell) -> Planned:
        if planned.work is None:
            return planned
        paid = await planned.work.question(planned.arguments)
        ongoing = Ongoing(planned.call, tell, lambda call: None)
        no = await decision(self._terms.approve, paid, ongoing)
        return planned if no is None else refused(planned.call, "declined", no)

    async def _one(
        self, planned: Planned, place: int, tell: Tell, first: asyncio.Future[ToolCall] | None
    ) -> None:
        """One call to its end; what is known of it stands in `calls` at any time."""
        began = time.monotonic()
        if first is None:
            ended = await self._made(planned, place, tell)
        else:
            ended = with_outcome_of(await first, planned.call)
        ended = self.calls[place] = dataclasses.replace(ended, seconds=time.monotonic() - began)
        self._sharing.end(planned.call, ended)
        tell(CallEnded(ended))

    async def _made(self, planned: Planned, place: int, tell: Tell) -> ToolCall:
        if (outcome := planned.refusal) is None:
            assert planned.work is not None
            keep = functools.partial(self.calls.__setitem__, place)
            ongoing = Ongoing(planned.call, tell, keep)
            outcome = await outcome_of(planned.work, planned.arguments, ongoing)
        self._tally.spend(outcome.cost)
        return dataclasses.replace(
            self.calls[place],
            output=outcome.output,
            error=outcome.error,
            cost=outcome.cost,
            note=outcome.note,
        )

    # -- the end -----------------------------------------------------------------------------

    def _concluded(self, answer: Answer, reason: str | None) -> Answer:
        answer = self._with_calls(answer)
        if reason is not None and not answer.text and not answer.refusal:
            return dataclasses.replace(answer, status="incomplete", incomplete=reason.rstrip("."))
        return answer

    def _with_calls(self, answer: Answer) -> Answer:
        """The answer of the last turn as the answer to the whole."""
        before = [one for one in self._answers if one is not answer]
        turns = [one.cost for one in (*before, answer)]
        runs = [call.cost for call in self.calls if call.run is not None or call.cost]
        return dataclasses.replace(
            answer,
            tool_calls=tuple(self.calls),
            previous_response_id=self._answers[0].id if self.calls and self._answers else None,
            usage=_together([*before, answer]),
            cost=_sum([*turns, *runs]),
            seconds=time.monotonic() - self._began,
        )


def _has_begun(answer: Answer | None) -> bool:
    """Whether something of it was shown. A response that fails at once is there, and empty."""
    return answer is not None and bool(answer.output)


def _sum(costs: Sequence[float | None]) -> float | None:
    """What is known of the costs. That research was free says nothing of turns nobody prices."""
    known = [cost for cost in costs if cost is not None]
    return sum(known) if any(known) or (known and len(known) == len(costs)) else None


_FIRST_ONLY = frozenset({"history", "images", "files", "tools", "tool_choice", "include"})


def _together(answers: Sequence[Answer]) -> Usage | None:
    """The tokens of all turns; None where no turn says."""
    said = [answer.usage for answer in answers if answer.usage is not None]
    if not said:
        return None
    names = [field.name for field in dataclasses.fields(Usage)]
    return Usage(**{name: sum(getattr(one, name) for one in said) for name in names})
