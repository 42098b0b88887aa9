"""One worker's hold of one run: the only way in which it writes.

Rule: a store that is full or away makes the run pause, not fail. The worker waits here, and does
not read on from the gateway meanwhile.
"""

from __future__ import annotations

import asyncio

from relay_lite.store import (
    Draft,
    Invocation,
    Progress,
    Result,
    Store,
    StoreFull,
    StoreUnavailable,
)

__all__ = ["Hold", "text_of"]

AGAIN_SECONDS = 0.5


class Hold:
    """`invocation` is the run as it was claimed; `last`, `status`, `progress` as last written."""

    def __init__(self, store: Store, invocation: Invocation) -> None:
        self.store = store
        self.invocation = invocation
        self.last = invocation.last
        self.status = invocation.status
        self.progress = invocation.progress

    async def write(
        self,
        *events: Draft,
        status: str | None = None,
        progress: Progress | None = None,
        result: Result | None = None,
        owed: bool = False,
    ) -> None:
        """Append events, and what goes with them, durably. Raises Fenced when the hold is lost."""
        run = self.invocation
        while True:
            try:
                await self.store.append(
                    run.id,
                    run.epoch,
                    events,
                    after=self.last,
                    status=status,
                    progress=progress,
                    result=result,
                    owed=owed,
                )
            except (StoreFull, StoreUnavailable):
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                break
        self.last += len(events)
        self.status = status or self.status
        self.progress = progress or self.progress


async def text_of(store: Store, id: str) -> str:
    """The text of a run as its log has it."""
    text: list[str] = []
    last = 0
    while events := (await store.events({id: last})).get(id):
        text += [event.data["text"] for event in events if event.type == "output_text"]
        last = events[-1].sequence
    return "".join(text)
