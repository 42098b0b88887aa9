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
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from kit import errors
from kit.gateway.answer import Answer, ToolCall, Usage
from kit.gateway.client import AsyncClient
from kit.gateway.events import ArgumentsDelta, Event, Wire
from kit.gateway.stream import AsyncStream
from kit.gateway.wire import Api, Input, Options
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
from kit.tools.outputs import error_output, exception_output
from kit.tools.transcript import Transcript
from kit.tools.work import Ongoing, Outcome, Work

__all__ = ["Loop", "Terms"]

LONGEST_ARGUMENTS = 1_000_000
"""Characters that one turn may write as arguments; a model that does not end is stopped there."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for one conversation. `hosted` are tools that the gateway runs itself."""

    works: Sequence[Work]
    api: Api = "responses"
    approve: Approve = None
    limits: Limits = field(default_factory=Limits)
    hosted: Sequence[Wire] = ()


@dataclass(frozen=True, slots=True)
class _Planned:
    """A call that was read: `work` with its `arguments`, or the `refusal` it is answered with."""

    call: ToolCall
    work: Work | None = None
    arguments: Any = None
    refusal: Outcome | None = None


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
        self._answers: list[Answer] = []
        self.calls: list[ToolCall] = []
        self.stream: AsyncStream | None = None
        self.answer: Answer | None = None

    @property
    def partial(self) -> Answer | None:
        """The answer as far as it has come, with the calls so far; None before the first turn."""
        now = self.stream.partial if self.stream else None
        last = now or (self._answers[-1] if self._answers else None)
        return self._with_calls(last) if last else None

    async def run(self) -> AsyncGenerator[list[Happening], None]:
        """Everything that happens, what came together together. Raises KitError; its `.answer`
        has the calls so far."""
        try:
            async with aclosing(self._turns()) as turns:
                async for happenings in turns:
                    yield happenings
        except errors.KitError as error:
            error.answer = self._with_calls(error.answer) if error.answer else self.partial
            raise

    async def _turns(self) -> AsyncGenerator[list[Happening], None]:
        reason: str | None = None
        while True:
            yield [TurnBegan(len(self._answers) + 1, last=reason is not None)]
            async with aclosing(self._turn(last=reason is not None)) as turn:
                async for events in turn:
                    yield events
            answer = self._answers[-1]
            if reason is not None or not answer.function_calls:
                break
            self._tally.rounds += 1
            planned = [self._planned(call) for call in answer.function_calls]
            async with aclosing(
                _merged(lambda tell, p=planned: self._carried_out(p, tell))
            ) as news:
                async for happenings in news:
                    yield happenings
            if (reason := self._why_last(planned)) is not None:
                yield [LimitReached(reason)]
        self.answer = self._concluded(answer, reason)

    def _why_last(self, planned: list[_Planned]) -> str | None:
        """Why the next turn has to be the last, as a sentence; None where it has not."""
        if all(one.refusal and one.refusal.error == "repeated" for one in planned):
            return "The model makes the same call again and again."
        return self._tally.last_round()

    # -- the model's turn --------------------------------------------------------------------

    async def _turn(self, *, last: bool) -> AsyncGenerator[list[Happening], None]:
        """One turn; asked once more in another way where the gateway refuses the first."""
        while True:
            try:
                async with aclosing(self._asked(last)) as asked:
                    async for events in asked:
                        yield [*events]
                break
            except (errors.BadRequest, errors.NotFound) as error:
                if error.answer is not None or not self._history.another_way(error):
                    raise
        assert self.stream is not None
        self._answers.append(self.stream.answer)
        self._tally.spend(self.stream.answer.cost)

    async def _asked(self, last: bool) -> AsyncGenerator[list[Event], None]:
        stream = self.stream = self._open(last)
        written = 0
        try:
            async for events in stream.batches():
                written += sum(len(one.text) for one in events if isinstance(one, ArgumentsDelta))
                if written > LONGEST_ARGUMENTS:
                    raise _endless()
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

    def _planned(self, item: Wire) -> _Planned:
        """One call, read and checked; nothing of it has run."""
        name, raw = str(item.get("name") or ""), item.get("arguments")
        raw = raw if isinstance(raw, str) else ""
        call = ToolCall(name[:200], raw[:LONGEST_ARGUMENTS], str(item.get("call_id") or ""))
        work = self._works.get(name)
        if work is None:
            said = f"There is no such function. There are: {', '.join(self._works)}"
            return _refused(call, "unknown_tool", said)
        if (reason := self._tally.used_up()) is not None:
            return _refused(call, "limit", f"{reason} Answer with what you have.")
        if self._tally.repeats(name, raw):
            said = "This very call was made before; its output is above. Answer with it."
            return _refused(call, "repeated", said)
        self._tally.calls += 1
        try:
            return _Planned(call, work, work.arguments(raw))
        except errors.InputError as error:
            return _refused(call, "invalid_arguments", str(error))

    async def _carried_out(self, planned: list[_Planned], tell: Tell) -> None:
        """All calls of a turn: first every question, then all at the same time."""
        answer, place = self._answers[-1], len(self.calls)
        self.calls += [one.call for one in planned]
        for one in planned:
            tell(CallBegan(one.call, answer.text))
        ready = [await self._with_consent(one, tell) for one in planned]
        await asyncio.gather(*(self._one(one, place + at, tell) for at, one in enumerate(ready)))
        self._history.add(answer, [_output_item(call) for call in self.calls[place:]])

    async def _with_consent(self, planned: _Planned, tell: Tell) -> _Planned:
        if planned.work is None:
            return planned
        paid = await planned.work.question(planned.arguments)
        ongoing = Ongoing(planned.call, tell, lambda run: None)
        no = await decision(self._terms.approve, paid, ongoing)
        return planned if no is None else _refused(planned.call, "declined", no)

    async def _one(self, planned: _Planned, place: int, tell: Tell) -> None:
        """One call to its end; what is known of it stands in `calls` at any time."""
        call, began = planned.call, time.monotonic()

        def begun(run: Any) -> None:
            self.calls[place] = dataclasses.replace(call, run=run)

        outcome = planned.refusal or await _outcome(planned, Ongoing(call, tell, begun))
        self._tally.spend(outcome.cost)
        ended = self.calls[place] = dataclasses.replace(
            self.calls[place],
            output=outcome.output,
            error=outcome.error,
            seconds=time.monotonic() - began,
            cost=outcome.cost,
            note=outcome.note,
        )
        tell(CallEnded(ended))

    # -- the end -----------------------------------------------------------------------------

    def _concluded(self, answer: Answer, reason: str | None) -> Answer:
        answer = self._with_calls(answer)
        if reason is not None and not answer.text and not answer.refusal:
            return dataclasses.replace(answer, status="incomplete", incomplete=reason.rstrip("."))
        return answer

    def _with_calls(self, answer: Answer) -> Answer:
        """The answer of the last turn as the answer to the whole."""
        before = [one for one in self._answers if one is not answer]
        costs = [one.cost for one in (*before, answer, *self.calls)]
        known = [cost for cost in costs if cost is not None]
        return dataclasses.replace(
            answer,
            tool_calls=tuple(self.calls),
            previous_response_id=self._answers[0].id if self.calls and self._answers else None,
            usage=_together([*before, answer]),
            cost=sum(known) if known else None,
            seconds=time.monotonic() - self._began,
        )


_FIRST_ONLY = frozenset({"history", "images", "files", "tools", "tool_choice", "include"})


async def _merged(
    work: Callable[[Tell], Awaitable[None]],
) -> AsyncGenerator[list[Happening], None]:
    """What `work(tell)` tells while it runs. Raises what it raises."""
    queue: asyncio.Queue[Happening | None] = asyncio.Queue()
    task = asyncio.ensure_future(work(queue.put_nowait))
    task.add_done_callback(lambda _: queue.put_nowait(None))
    try:
        ended = False
        while not ended:
            batch = [await queue.get()]
            while not queue.empty():
                batch.append(queue.get_nowait())
            ended = batch[-1] is None
            if happenings := [one for one in batch if one is not None]:
                yield happenings
        task.result()
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _outcome(planned: _Planned, ongoing: Ongoing) -> Outcome:
    assert planned.work is not None
    try:
        return await planned.work.run(planned.arguments, ongoing)
    except TimeoutError:
        return Outcome(error_output("timed_out", "The function took too long."), "timed_out")
    except (errors.ConfigError, errors.ConsentMissing):
        raise  # the person's to mend, not the model's
    except Exception as error:
        return Outcome(exception_output(error), type(error).__name__[:60])


def _refused(call: ToolCall, kind: str, message: str) -> _Planned:
    return _Planned(call, refusal=Outcome(error_output(kind, message), kind))


def _output_item(call: ToolCall) -> Wire:
    return {"type": "function_call_output", "call_id": call.call_id, "output": call.output}


def _together(answers: Sequence[Answer]) -> Usage | None:
    """The tokens of all turns; None where no turn says."""
    said = [answer.usage for answer in answers if answer.usage is not None]
    if not said:
        return None
    names = [field.name for field in dataclasses.fields(Usage)]
    return Usage(**{name: sum(getattr(one, name) for one in said) for name in names})


def _endless() -> errors.ProtocolError:
    return errors.ProtocolError(
        f"The model wrote more than {LONGEST_ARGUMENTS:,} characters of arguments for a function "
        "and did not end; the stream was closed. Ask again, or ask another model."
    )
