"""Orders and drafts as these tests need them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from relay_lite.store import Draft, Event, Gateway, Invocation, Order, Store

GATEWAY = Gateway("https://gateway.example/v1", "a1b2")
LEASE = 5.0

_numbers = itertools.count(1)


def order(id: str | None = None, **changes: Any) -> Order:
    """An order with an id of its own."""
    given: dict[str, Any] = {
        "gateway": GATEWAY,
        "mode": "background",
        "arguments": {"research_question": "왜 하늘은 파란가?"},
        "caller": "alice",
        "digest": "d1",
    }
    return Order(id=id or f"inv_{next(_numbers):032x}", **{**given, **changes})


async def create(store: Store, id: str | None = None, **changes: Any) -> Invocation:
    invocation, fresh = await store.create(order(id, **changes), limit=1000)
    assert fresh
    return invocation


async def held(
    store: Store, id: str | None = None, *, worker: str = "worker-1", **changes: Any
) -> Invocation:
    """A run that `worker` has just claimed."""
    made = await create(store, id, **changes)
    (claimed,) = await store.claim(worker, made.gateway, lease=LEASE, limit=1, ids=[made.id])
    return claimed


async def finish(store: Store, run: Invocation, status: str = "completed") -> None:
    """End a run that was just claimed."""
    event = Draft("completed" if status == "completed" else "error", {"message": "over"})
    await store.append(run.id, run.epoch, [event], after=run.last, status=status)


async def ended(store: Store, id: str | None = None, **changes: Any) -> Invocation:
    run = await held(store, id, **changes)
    await finish(store, run)
    return run


async def log(store: Store, id: str, after: int = 0) -> list[Event]:
    return (await store.events({id: after})).get(id, [])


async def state(store: Store, id: str) -> Invocation:
    found = await store.get(id)
    assert found is not None
    return found


def deltas(*texts: str) -> Sequence[Draft]:
    return [Draft("output_text", {"text": text}) for text in texts]
