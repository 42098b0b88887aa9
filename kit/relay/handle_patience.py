"""How long somebody who waits for a run bears with its relay.

Rule: a relay that is away is waited for, a while and more and more seldom; one that answers is not
away, however little it has to say.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from kit import errors
from kit.relay.client import Pace

__all__ = ["AWAY", "Patience"]

MOST_FRUITLESS = 3

AWAY = (errors.ConnectionBroken, errors.ConnectionFailed, errors.ServerFailed)


class Patience:
    """Of one who waits; for `seconds` at most, where that is given."""

    def __init__(self, pace: Pace, seconds: float | None = None) -> None:
        self._pace = pace
        self._until = None if seconds is None else time.monotonic() + seconds
        self._away_since: float | None = None
        self._next = pace.pause
        self._in_vain = 0

    @property
    def left(self) -> float | None:
        """Seconds; None: as long as it takes."""
        return None if self._until is None else max(self._until - time.monotonic(), 0.0)

    @property
    def over(self) -> bool:
        return self.left == 0.0

    @property
    def look(self) -> float:
        """How long the next look at the relay may take."""
        return self._pace.look if self.left is None else min(self.left, self._pace.look)

    @asynccontextmanager
    async def noticing(self, look: float) -> AsyncGenerator[None]:
        """A look of so many seconds; ConnectionBroken where the relay takes far longer."""
        try:
            async with asyncio.timeout(look + self._pace.late):
                yield
        except TimeoutError:
            raise errors.ConnectionBroken("The relay does not answer.") from None

    def answered(self) -> None:
        """The relay is there."""
        self._away_since = None

    def visited(self, news: bool, seconds: float) -> None:
        """It was read for so long, as far as it gave something, which was something new or not."""
        self._in_vain = 0 if news else self._in_vain + 1
        if news or seconds > self._pace.longest_pause:
            self._next = self._pace.pause

    @property
    def fruitless(self) -> bool:
        """Whether one visit after the other gave nothing."""
        return self._in_vain >= MOST_FRUITLESS

    async def bear(self, error: errors.GatewayError) -> None:
        """Wait a little for a relay that is away; raise `error` when that has lasted too long."""
        now = time.monotonic()
        self._away_since = self._away_since or now
        if self.over or now - self._away_since > self._pace.patience:
            raise error
        await self.pause()

    async def pause(self) -> None:
        """Between two visits: longer each time, as long as they end at once with nothing new."""
        await asyncio.sleep(self._next if self.left is None else min(self._next, self.left))
        self._next = min(self._next * 2, self._pace.longest_pause)
