"""How processes tell each other which runs have changed, through the database.

Rule: ids only, for whoever wants more reads it. One connection listens for the whole process; where
it was lost, nobody knows what was missed, so once it is back everything may have changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable

from relay_lite.postgres_link import Connection, Link, failures
from relay_lite.postgres_rows import read
from relay_lite.store import StoreUnavailable
from relay_lite.supervision import supervised

__all__ = ["Listener", "notify"]

Heard = Callable[[Collection[str] | None], None]

CHANNEL = "relay_event"
PAYLOAD = 7_800
"""Bytes of a notification: PostgreSQL takes less than 8000."""

AGAIN_SECONDS = 0.2
ALIVE_SECONDS = 10.0
"""How often a silent connection is asked whether it still is one."""


async def notify(connection: Connection, ids: Iterable[str]) -> None:
    """Tell every listener of these runs (ids as columns hold them), with the transaction."""
    payload = ""
    for id in ids:
        if payload and len(payload) + len(id) >= PAYLOAD:
            await connection.execute("select pg_notify(%s, %s)", [CHANNEL, payload])
            payload = ""
        payload = f"{payload}\n{id}" if payload else id
    if payload:
        await connection.execute("select pg_notify(%s, %s)", [CHANNEL, payload])


class Listener:
    """Calls everybody who listens, in the event loop it was started in."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._ears: list[Heard] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(supervised(self._listen, "listener"), name="listens")

    async def stop(self) -> None:
        if self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.wait([task])

    def add(self, heard: Heard) -> Callable[[], None]:
        self._ears.append(heard)

        def deaf() -> None:
            if heard in self._ears:
                self._ears.remove(heard)

        return deaf

    async def _listen(self) -> None:
        while True:
            try:
                await self._hear(await self._link.alone())
            except StoreUnavailable:
                await asyncio.sleep(AGAIN_SECONDS)

    async def _hear(self, connection: Connection) -> None:
        with failures():
            async with connection:
                await connection.execute(f"listen {CHANNEL}")
                self._tell(None)
                while True:
                    async for notice in connection.notifies(timeout=ALIVE_SECONDS):
                        self._tell([read(id) for id in notice.payload.split("\n")])
                    await connection.execute("select 1")

    def _tell(self, ids: Collection[str] | None) -> None:
        for heard in list(self._ears):
            heard(ids)
