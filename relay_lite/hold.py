"""One worker's hold of one run: the only way in which it writes.

Rule: a store that is full or away makes the run pause, not fail. The worker waits here, and does
not read on from the gateway meanwhile.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

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
    """`invocation` is the run as this worker last wrote it."""

    def __init__(self, store: Store, invocation: Invocation) -> None:
        self.store = store
        self.invocation = invocation

    async def write(
        self,
        *events: Draft,
        status: str | None = None,
        progress: Progress | None = None,
        result: Result | None = None,
    ) -> None:
        """Append events, and what goes with them, durably. Raises Fenced when the hold is lost."""
        now = self.invocation
        while True:
            try:
                await self.store.append(
                    now.id,
                    now.epoch,
                    events,
                    after=now.last,
                    status=status,
                    progress=progress,
                    result=result,
                )
            except (StoreFull, StoreUnavailable):
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                break
        self.invocation = replace(
            now,
            last=now.last + len(events),
            status=status or now.status,
            progress=progress or now.progress,
            result=result or now.result,
        )

    async def text_so_far(self) -> str:
        """The text that is in the log, for a worker that takes over."""
        return await text_of(self.store, self.invocation.id)


async def text_of(store: Store, id: str) -> str:
    """The text of a run as its log has it."""
    text: list[str] = []
    last = 0
    while events := (await store.events({id: last})).get(id):
        text += [event.data["text"] for event in events if event.type == "output_text"]
        last = events[-1].sequence
    return "".join(text)
