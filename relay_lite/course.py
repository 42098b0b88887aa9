"""One run while it is worked on: what it may take, what it has said, what it has cost.

Rules: a bound is looked at whenever something was written down, and whoever passes it ends the run.
The wall clock is asked once, for how old a run is that another worker began: it can be set.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from kit import errors
from kit.gateway.capabilities import Capabilities
from kit.gateway.events import Event, Finished
from relay_lite.brief import Assignment
from relay_lite.ending import Failed
from relay_lite.hold import Hold
from relay_lite.spending import Prices, Spent, estimate
from relay_lite.store import Draft, Progress, StoreFull, StoreUnavailable
from relay_lite.telling import Telling
from relay_lite.upstream import Upstream

__all__ = ["Course", "Limits", "Pace", "lasting"]

LARGEST_NUMBER = 2**53
KNOWN_SECONDS = 7 * 86_400.0
"""How long what was found out about a gateway is believed: gateways are upgraded."""
STORE_SECONDS = 0.5
LEAST_SECONDS = 1.0
"""Of a call to the gateway, also where no time is left: what it says then decides the end."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may take. `resubmit`: send anew what may have been sent (at least once).

    run_seconds: from the submission to the end. max_stream_bytes: of text, as UTF-8.
    """

    run_seconds: float = 10_800.0
    max_stream_bytes: int = 1_000_000
    resubmit: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the relay waits for what, in seconds. Only tests want others.

    drain: for a submission under way, when the relay stops. silence: of a stream that can be
    taken up again; plain_silence: of one that cannot. first_look, longest_look: between two looks
    at a run. young: how long a new id may be unknown. unanswered: how long its key may be refused,
    or its answers be none, while a run is followed. first_wait, longest_wait: before a refused
    submission is tried again; the longest is also what a gateway may ask for between two looks,
    which cost nothing. grace: what a worker that takes a run over has at least. call: for a call
    that is no run.
    """

    drain: float = 10.0
    silence: float = 90.0
    plain_silence: float = 600.0
    first_look: float = 2.0
    longest_look: float = 15.0
    young: float = 10.0
    unanswered: float = 600.0
    first_wait: float = 2.0
    longest_wait: float = 60.0
    grace: float = 60.0
    call: float = 30.0
    prices_again: float = 5.0


class Course:
    """What the steps of a run share. `seen_id`: of the gateway, as soon as it is known."""

    def __init__(
        self,
        hold: Hold,
        upstream: Upstream,
        limits: Limits,
        pace: Pace,
        telling: Telling,
    ) -> None:
        self.hold, self.upstream, self.limits, self.pace = hold, upstream, limits, pace
        self.assignment = Assignment.of(hold.invocation.arguments)
        self.telling = telling
        self.known: dict[str, Any] = {}
        self.facts: dict[str, Any] = {}
        self.way = self.progress.way
        self.model = ""
        self.prices: Prices | None = None
        self.cursor = self.progress.cursor
        self.seen_id = self.progress.upstream_id
        self.fenced = False  # found out by a submission that nobody waited for
        self.resubmissions = 0
        self.began = time.monotonic()
        self.over = False  # the response has ended: neither time nor money bounds it now
        submitted = self.progress.submitted
        self._taken = None if submitted is None else self.began - max(time.time() - submitted, 0.0)
        self._asked = self.began  # for prices, the last time
        self._numbered = True

    @property
    def progress(self) -> Progress:
        return self.hold.progress

    @property
    def mode(self) -> str:
        return self.hold.invocation.mode

    @property
    def seen(self) -> Capabilities:
        """What the doctor has seen of the model."""
        return self.upstream.client.known(self.model)

    @property
    def age(self) -> float | None:
        """Seconds since the gateway took the run; None where it has not."""
        return None if self._taken is None else time.monotonic() - self._taken

    @property
    def left(self) -> float:
        """Seconds until the run's time is over; at least the grace, for one just taken over."""
        passed = time.monotonic() - self.began
        if self.age is None:
            return self.limits.run_seconds - passed
        grace = min(self.pace.grace, self.limits.run_seconds) - passed
        return max(self.limits.run_seconds - self.age, grace)

    @property
    def allowance(self) -> float:
        """Seconds that a call for the run may take: all that is left, and never none."""
        return max(self.left, LEAST_SECONDS)

    @property
    def spent(self) -> Spent:
        """An estimate, while the gateway has not said."""
        return estimate(
            self.prices,
            prompt=len(self.assignment.question) + sum(map(len, self.assignment.context)),
            text=self.telling.text.length,
            searches=self.telling.searches,
            pages=self.telling.pages,
        )

    async def log(self, drafts: Sequence[Draft], status: str | None = None, **steps: Any) -> None:
        """Write events, and with them the fields of Progress in `steps`; then look at the bounds.

        Nothing is written where there is nothing to write. Raises Failed, Fenced.
        """
        progress = dataclasses.replace(self.progress, **steps) if steps else None
        if drafts or progress or status:
            await self.hold.write(*drafts, status=status, progress=progress)
        await self._watch_budget()
        self.check()

    async def _watch_budget(self) -> None:
        """Ask again for prices that could not be had when the run was taken over."""
        if self.assignment.budget is None or self.prices is not None or self.seen_id is None:
            return
        if time.monotonic() - self._asked > self.pace.prices_again:
            await self.price()

    def follow(self, events: Sequence[Event], *, resumed: bool = False) -> Sequence[Event]:
        """Keep the number of the last event, for resuming; those of `events` that are new.

        With the response's end among them nothing is left to be stopped, or to be spent.
        Numbers that are missing, or go back, are of no use: there is no cursor then.
        """
        fresh: list[Event] = []
        for event in events:
            number = event.sequence_number
            if number is None or not 0 <= number <= LARGEST_NUMBER or not self._numbered:
                self._numbered, self.cursor = False, None
            elif self.cursor is None or number > self.cursor:
                self.cursor = number
            elif resumed:
                continue
            else:
                self._numbered, self.cursor = False, None
            fresh.append(event)
            self.over = self.over or isinstance(event, Finished)
        return fresh

    def runs(self) -> list[Draft]:
        """The event of a run that has begun to run, if it had not."""
        running = self.hold.status == "running"
        return [] if running else [Draft("status", {"mode": self.mode})]

    def taken(self) -> float:
        """The gateway has taken the run, now: when, by the wall clock, for the log."""
        self._taken = time.monotonic()
        return time.time()

    def restart(self) -> None:
        """The gateway begins anew."""
        self._taken = None
        self.cursor, self._numbered = None, True
        self.seen_id = self.way = None
        self.telling.restart()

    async def recall(self) -> None:
        """What earlier runs found out about the gateway, where it is not old: it may be new."""
        gateway = self.hold.invocation.gateway
        known = await lasting(lambda: self.hold.store.knowledge(gateway, self.model))
        at = known.get("at")
        if isinstance(at, int | float) and time.time() - at < KNOWN_SECONDS:
            self.known = self.facts = known

    async def learn(self, way: str) -> None:
        """Keep what was found out about the gateway, where it is news."""
        self.facts = {**self.facts, "way": way}
        if {**self.facts, "at": None} != {**self.known, "at": None}:
            facts = {**self.facts, "at": time.time()}
            gateway = self.hold.invocation.gateway
            await lasting(lambda: self.hold.store.learn(gateway, self.model, facts))
            self.known = self.facts = facts

    def check(self) -> None:
        """Raises Failed for a run that has taken more than it may."""
        if self.telling.text.full:
            raise Failed(
                "too_large",
                f"The text is longer than the {self.limits.max_stream_bytes:,} bytes the relay "
                "keeps; what it has is kept.",
                stops=True,
            )
        if self.over:
            return
        if self.left <= 0:
            raise Failed(
                "timed_out",
                f"The run took longer than its {self.limits.run_seconds:,.0f} s; "
                "what had come is kept.",
                stops=True,
            )
        if (budget := self.assignment.budget) is None:
            return
        cost = self.spent.cost
        if cost is not None and cost > budget:
            raise Failed(
                "budget_exceeded",
                f"The run was stopped at about ${cost:.2f}, over its budget of ${budget:.2f}; "
                "what had come is kept.",
                stops=True,
            )

    def usage(self, spent: Spent) -> Draft:
        """The event of what the run has used."""
        return Draft(
            "usage",
            {
                "input_tokens": spent.input_tokens,
                "output_tokens": spent.output_tokens,
                "searches": spent.searches,
                "cost_usd": spent.cost,
                "estimate": spent.estimate,
            },
        )

    async def price(self) -> None:
        """Learn what the model costs. Raises Failed where a budget cannot be watched."""
        bounded = self.assignment.budget is not None and self.seen_id is None
        self._asked = time.monotonic()
        try:
            self.prices = await self.upstream.prices(self.model)
        except errors.GatewayError:
            if bounded:
                raise
            self.prices = None  # a figure less; only a budget cannot do without
        if self.prices is None and bounded:
            raise Failed(
                "budget_exceeded",
                "The gateway does not say what the model costs, so a budget cannot be watched; "
                "nothing was submitted. Send the run without budget_usd.",
            )


async def lasting(act: Callable[[], Awaitable[T]]) -> T:
    """What the store gives, however long it is full or away."""
    while True:
        try:
            return await act()
        except (StoreFull, StoreUnavailable):
            await asyncio.sleep(STORE_SECONDS)
