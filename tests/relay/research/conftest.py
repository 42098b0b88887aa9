"""Runs on a store of their own, worked on by nobody but the test."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from relay_lite.hold import Hold, text_of
from relay_lite.research import Limits, Pace, conduct
from relay_lite.sqlite import SqliteStore
from relay_lite.store import Event, Invocation, Order, Store
from relay_lite.upstream import Upstream
from tests.relay.research.scripted import GATEWAY

QUICK = Pace(
    drain=0.5,
    silence=0.1,
    plain_silence=0.3,
    first_look=0.01,
    longest_look=0.02,
    young=0.3,
    unanswered=0.05,
    first_wait=0.01,
    longest_wait=0.02,
    grace=0.5,
    call=1.0,
)
ARGUMENTS = {"research_question": "What is kimchi? 김치란?"}


@dataclass
class Desk:
    """A store, and what to do with runs in it."""

    store: Store
    run: str = "inv_1"

    async def order(self, **arguments: Any) -> Invocation:
        order = Order(self.run, GATEWAY, "background", {**ARGUMENTS, **arguments})
        invocation, _ = await self.store.create(order, limit=100)
        return invocation

    async def claim(self, worker: str, store: Store | None = None) -> Hold:
        """The run in this worker's hands, whoever had it."""
        held = await self.store.claim(worker, GATEWAY, lease=60, limit=1, ids=[self.run])
        return Hold(store or self.store, held[0])

    async def work(
        self, upstream: Upstream, limits: Limits | None = None, **arguments: Any
    ) -> Invocation:
        """A whole run, from its order to its end."""
        await self.order(**arguments)
        await conduct(await self.claim("w1"), upstream, limits or Limits(), QUICK)
        return await self.now()

    async def now(self) -> Invocation:
        found = await self.store.get(self.run)
        assert found is not None
        return found

    async def log(self) -> list[Event]:
        """The events; their numbers have no gap, and only the last one is terminal."""
        events = (await self.store.events({self.run: 0}))[self.run]
        assert [one.sequence for one in events] == list(range(1, len(events) + 1))
        terminal = [one for one in events if one.type in ("completed", "error", "cancelled")]
        assert terminal in ([], [events[-1]])
        return events

    async def said(self, kind: str) -> list[dict[str, Any]]:
        return [one.data for one in await self.log() if one.type == kind]

    async def warnings(self) -> list[str]:
        return [one["code"] for one in await self.said("warning")]

    async def text(self) -> str:
        return await text_of(self.store, self.run)


@pytest.fixture
def desk(sqlite_store: SqliteStore) -> Desk:
    return Desk(sqlite_store)


@pytest.fixture
def desks(sqlite_store: SqliteStore) -> Callable[[], Desk]:
    """As many runs as a test wants, one after the other."""
    numbers = itertools.count()
    return lambda: Desk(sqlite_store, f"inv_{next(numbers)}")
