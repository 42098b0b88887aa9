"""`deep_research` as a tool of the loop: the model asks, a run begins, its report goes back.

Rule: the run belongs to the relay and to the person, not to the conversation: when that is
stopped, the run goes on and can be found. What spends money is said by the caller, never by the
model.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from kit import errors
from kit.gateway.events import Wire
from kit.relay.contracts import Format, ResearchArguments
from kit.relay.glance import glance_line
from kit.relay.handle import NOT_TAKEN, AsyncRun
from kit.relay.research_tool import NAME, TOOL, research_arguments
from kit.relay.run import Run
from kit.tools.outputs import error_output
from kit.tools.work import Ongoing, Outcome

__all__ = ["ResearchWork"]

SMALLEST_BUDGET = 0.01
"""US dollars; with less a run would end before its first search."""

LONGEST_REPORT = 200_000
"""Characters of a report that the model reads."""


class ResearchWork:
    """`start` begins a run from its arguments; `quote` is what to ask before it, None for free.

    budget: US dollars of all runs together. Under one they go one after the other, each with what
    the ones before have left: of one that may have begun and whose cost is not known, nothing.
    """

    def __init__(
        self,
        start: Callable[[Wire], Awaitable[AsyncRun]],
        quote: Callable[[Wire], Awaitable[str | None]],
        *,
        deliverable_format: Format | None = None,
        budget: float | None = None,
    ) -> None:
        self._start = start
        self._quote = quote
        self._format: Format | None = deliverable_format
        self._left = budget
        self._turn = asyncio.Lock()

    name = NAME
    definition = TOOL
    once = True

    def arguments(self, raw: str) -> ResearchArguments:
        return research_arguments(raw, self._format)

    async def question(self, arguments: ResearchArguments) -> str | None:
        return await self._quote(arguments.document())

    async def run(self, arguments: ResearchArguments, ongoing: Ongoing) -> Outcome:
        if self._left is None:
            ongoing.starts()
            return await self._see_through(await self._begin(arguments.document()), ongoing)
        async with self._turn:
            if self._left < SMALLEST_BUDGET:
                said = "The budget is used up. Answer with what you have."
                return Outcome(error_output("limit", said), "limit")
            ongoing.starts()
            given, self._left = self._left, 0.0  # a start that fails may have begun all the same
            try:
                inner = await self._begin({**arguments.document(), "budget_usd": given})
            except NOT_TAKEN:
                self._left = given
                raise
            outcome = await self._see_through(inner, ongoing)
            self._left = 0.0 if outcome.cost is None else given - outcome.cost
            return outcome

    async def _begin(self, arguments: Wire) -> AsyncRun:
        try:
            return await self._start(arguments)
        except errors.InputError as error:  # the model's part was checked: this is the caller's
            raise errors.ConfigError(_of_the_caller(str(error))) from None

    async def _see_through(self, inner: AsyncRun, ongoing: Ongoing) -> Outcome:
        ongoing.begun(Run(inner))
        async with aclosing(inner.follow()) as lists:
            async for events in lists:
                for event in events:
                    ongoing.news(event)
        view = await inner.refresh()
        inner.shown()
        cost, note = inner.entry.cost, glance_line(inner.glance, inner.seconds, time.time())
        if view.status == "completed":
            return Outcome((view.text or "")[:LONGEST_REPORT], cost=cost, note=note)
        said = view.error_message or f"The research was {view.status}."
        return Outcome(error_output("research_failed", said), "research_failed", cost, note)


def _of_the_caller(refusal: str) -> str:
    """A refusal, with what the caller can say instead of what the relay is told."""
    if "budget_usd" not in refusal:
        return refusal
    return (
        "The budget cannot be kept: the gateway does not say what its research model costs.\n"
        'Say yes without one: --yes in a cell, approve="always" in code.'
    )
