"""New events of runs, for any number of readers in this process.

Rule: subscribe first, then replay, then live, so nothing falls between. What is new is fetched
once a tick for everybody and kept for a while; a reader that is slower than that reads the store
for itself, and holds nobody up. Nothing here knows what an event means but whether it is the last.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Collection, Generator

from relay_lite.store import Event, Store, StoreUnavailable
from relay_lite.supervision import heard, supervised

__all__ = ["Feed"]

LAST_TYPES = frozenset({"completed", "error", "cancelled"})
SWEEP_SECONDS = 2.0
"""How long a notification that was lost can go unnoticed."""

PAGE = 500
KEPT_EVENTS, KEPT_CHARACTERS = 256, 256_000


class Feed:
    """`read` gives the events of one run; `news` waits for any change of one."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.ended = asyncio.Event()
        self._watched: dict[str, _Watch] = {}
        self._dirty: set[str] = set()
        self._woken = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None
        self._deaf = lambda: None

    def start(self) -> None:
        self._deaf = self.store.listen(self._heard)
        self._pump = asyncio.create_task(supervised(self._pump_on, "feed"))

    async def stop(self) -> None:
        """End every reader, where it stands."""
        self.ended.set()
        self._deaf()
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait([self._pump])
        for watch in self._watched.values():
            watch.stir()

    async def read(self, id: str, after: int) -> AsyncGenerator[list[Event]]:
        """The events of a run after the given number, as they come.

        Ends behind the terminal event, and without one when the feed stops or the run is deleted.
        """
        with self._watching(id) as watch:
            while not self.ended.is_set():
                news = watch.news
                events = watch.since(after)
                if events is None:
                    events = (await self.store.events({id: after}, limit=PAGE)).get(id, [])
                    if len(events) < PAGE:  # else there is more, and the place is not known
                        watch.reached(events[-1].sequence if events else after)
                    if news.is_set():  # something came while the store was read
                        self._heard([id])
                if events:
                    yield events
                    after = events[-1].sequence
                    if events[-1].type in LAST_TYPES:
                        return
                    continue
                await news.wait()
                if not watch.is_ahead_of(after):
                    now = await self.store.get(id)
                    if now is None:
                        return
                    if now.last > after:  # it came before anybody knew from where to fetch
                        self._heard([id])

    async def news(self, id: str, seconds: float) -> AsyncGenerator[None]:
        """Something to loop over: once at first, then at each change, until the time is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        with self._watching(id) as watch:
            while True:
                news = watch.news
                yield
                left = deadline - loop.time()
                if left <= 0 or self.ended.is_set():
                    return
                # looked at now and then even without news: a progress has no event to sweep for
                await heard(news, min(left, SWEEP_SECONDS))

    @contextlib.contextmanager
    def _watching(self, id: str) -> Generator[_Watch]:
        watch = self._watched.setdefault(id, _Watch())
        watch.readers += 1
        try:
            yield watch
        finally:
            watch.readers -= 1
            if not watch.readers and self._watched.get(id) is watch:
                del self._watched[id]

    def _heard(self, ids: Collection[str] | None) -> None:
        fresh = self._watched.keys() if ids is None else self._watched.keys() & set(ids)
        if fresh:
            self._dirty |= fresh
            self._woken.set()

    async def _pump_on(self) -> None:
        while not self.ended.is_set():
            swept = not await heard(self._woken, SWEEP_SECONDS)
            self._woken.clear()
            dirty, self._dirty = self._dirty, set()
            try:
                await self._fetch(set(self._watched) if swept else dirty)
            except StoreUnavailable:
                self._dirty |= dirty  # the sweep comes back to them
            for id in dirty & self._watched.keys():
                self._watched[id].stir()

    async def _fetch(self, ids: set[str]) -> None:
        """Bring what is new of these runs to their readers."""
        places = {
            id: watch.last
            for id in ids
            if (watch := self._watched.get(id)) is not None and watch.last is not None
        }
        found = await self.store.events(places, limit=PAGE) if places else {}
        for id, events in found.items():
            if (watch := self._watched.get(id)) is not None:
                watch.take(events)
                watch.stir()
            if len(events) == PAGE:
                self._heard([id])


class _Watch:
    """What this process knows of one run: how far its log goes, and its latest events.

    `last` is None until a reader has caught up: before that, nobody can be told "from here on".
    """

    def __init__(self) -> None:
        self.readers = 0
        self.last: int | None = None
        self.news = asyncio.Event()
        self._tail: deque[Event] = deque()
        self._size = 0

    def stir(self) -> None:
        """Wake everybody who waits."""
        old, self.news = self.news, asyncio.Event()
        old.set()

    def is_ahead_of(self, after: int) -> bool:
        return self.last is not None and self.last > after

    def since(self, after: int) -> list[Event] | None:
        """The events after the given number; None when only the store has them."""
        if self.last is None or after > self.last:
            return None
        if after == self.last:
            return []
        if not self._tail or self._tail[0].sequence > after + 1:
            return None
        return [event for event in self._tail if event.sequence > after]

    def reached(self, last: int) -> None:
        """A reader found in the store that the log goes up to here."""
        if self.last is None or last > self.last:
            self.last = last
            self._tail.clear()
            self._size = 0

    def take(self, events: list[Event]) -> None:
        for event in events:
            if self.last is not None and event.sequence == self.last + 1:
                self._tail.append(event)
                self._size += _size(event)
                self.last = event.sequence
        while len(self._tail) > KEPT_EVENTS or self._size > KEPT_CHARACTERS:
            self._size -= _size(self._tail.popleft())


def _size(event: Event) -> int:
    """About how large it is: only text is ever long."""
    return 100 + sum(len(value) for value in event.data.values() if isinstance(value, str))
