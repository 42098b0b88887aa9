"""One research run from its caller's side: started once, found again, read as far as it has come.

    begin     written down, then posted; the same key again finds the same run
    follow    the events from the first to the last, over any number of broken connections
    refresh   how it stands; what has ended is not asked for twice

Rule: this side owns nothing. The run goes on without it, and every answer can be had again.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass

from kit import errors
from kit.gateway.answer import answer_of
from kit.gateway.events import Wire
from kit.relay.book import Book, Entry
from kit.relay.client import RelayClient
from kit.relay.glance import Glance, seen
from kit.relay.view import RunEvent, View
from kit.secret import Secret

__all__ = ["AsyncRun", "Desk", "begin"]

HANDED_OVER_SECONDS = 5.0
LOOK_SECONDS = 20.0
"""Of one wait at the relay: short, so that a stop is heard and a dead relay noticed."""

PATIENCE_SECONDS = 300.0
"""How long a relay may be away before somebody who follows a run is told."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0

NOT_SENT = "not sent"


@dataclass(frozen=True, slots=True)
class Desk:
    """Where runs are written down, and who talks to the relay of one."""

    book: Book
    client_for: Callable[[Entry], RelayClient]


async def begin(desk: Desk, arguments: Wire, *, relay: str, gateway: str) -> AsyncRun:
    """Start a run. `relay`, `gateway` as Entry has them. With `background` in the arguments it
    takes a moment longer: until the gateway has named the run.

    Raises ConfigError where it cannot be written down, InputError where the relay does not take
    it, GatewayError where it cannot be reached; what may have been taken stays written down.
    """
    mode = {} if arguments.get("background") else {"stream": True}
    asked = {**arguments, **mode}
    question = str(arguments.get("research_question") or "")
    entry = desk.book.write(Entry(uuid.uuid4().hex, question, asked, relay, gateway, time.time()))
    run = AsyncRun(desk, entry)
    try:
        await run.post()
    except (errors.InputError, errors.ConfigError, errors.ConnectionFailed):
        desk.book.forget(entry)  # nothing was taken
        raise
    except errors.AuthenticationFailed:
        desk.book.forget(entry)
        raise
    return run


class AsyncRun:
    """A run as its caller knows it. `entry` is what is written down of it."""

    def __init__(self, desk: Desk, entry: Entry) -> None:
        self.desk = desk
        self.entry = entry
        self.view: View | None = None
        self.glance = Glance()
        self.events: list[RunEvent] = []

    @property
    def ended(self) -> bool:
        return self.view is not None and self.view.ended

    @property
    def client(self) -> RelayClient:
        return self.desk.client_for(self.entry)

    @property
    def seconds(self) -> float | None:
        """How long it took, or has taken so far."""
        if self.view is None or self.view.created is None:
            return None
        return (self.view.finished or time.time()) - self.view.created

    async def post(self) -> View:
        """Start it, or find what was started with its key."""
        view = await self.client.start(
            self.entry.arguments, key=self.entry.key, wait=HANDED_OVER_SECONDS
        )
        self.entry = dataclasses.replace(self.entry, id=view.id, token=view.token)
        self.desk.book.write(self.entry)
        return await self._note(view)

    async def find(self) -> bool:
        """Look for a run whose kernel died before the relay's answer came; whether there is one.

        Where the relay does not say, it is posted again: the key makes sure that it runs once.
        """
        if self.entry.id is None:
            if await self.client.started(self.entry.key) is False:
                return False
            await self.post()
        return True

    async def refresh(self) -> View:
        """How it stands. Raises NotFound where the relay does not have it any more."""
        if self.view is not None and self.view.ended:
            return self.view
        id, token = self._opened()
        return await self._note(await self.client.view(id, token))

    async def catch_up(self) -> list[RunEvent]:
        """The events so far."""
        await self._read_up_to(await self.refresh())
        return self.events

    async def _read_up_to(self, view: View) -> None:
        while len(self.events) < view.last_event:
            id, token = self._opened()
            async with aclosing(self.client.events(id, token, len(self.events))) as lists:
                async for events in lists:
                    self._take(events)
                    if len(self.events) >= view.last_event:
                        break
                else:
                    break

    async def follow(self, after: int = 0) -> AsyncGenerator[Sequence[RunEvent], None]:
        """The events behind number `after` until the last, as they come."""
        place, away, pause = after, 0.0, FIRST_PAUSE
        while True:
            if place < len(self.events):
                news, place = self.events[place:], len(self.events)
                yield news
            if self.events and self.events[-1].ends:
                await self.refresh()
                return
            began = time.monotonic()
            try:
                async with aclosing(self._new_events()) as lists:
                    async for _ in lists:
                        away, pause = 0.0, FIRST_PAUSE
                        news, place = self.events[place:], len(self.events)
                        if news:
                            yield news
                if not (self.events and self.events[-1].ends):
                    return  # the relay says that there is no more
            except (errors.ConnectionBroken, errors.ConnectionFailed, errors.ServerFailed):
                away += time.monotonic() - began + pause
                if away > PATIENCE_SECONDS:
                    raise
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    async def wait(self, seconds: float | None = None) -> View:
        """The run when it has ended, or as it stands after `seconds`."""
        id, token = self._opened()
        until = None if seconds is None else time.monotonic() + seconds
        view = await self.refresh()
        while not view.ended:
            left = LOOK_SECONDS if until is None else until - time.monotonic()
            if left <= 0:
                break
            view = await self._note(await self.client.wait(id, token, min(left, LOOK_SECONDS)))
        return view

    async def cancel(self) -> View:
        """End it; what has ended stays as it ended."""
        id, token = self._opened()
        return await self._note(await self.client.cancel(id, token))

    async def delete(self) -> None:
        """Remove it, at the relay and from what is written down here."""
        if self.entry.id is not None and self.entry.token is not None:
            with suppress(errors.NotFound):
                await self.client.delete(self.entry.id, self.entry.token)
        self.desk.book.forget(self.entry)

    def shown(self) -> None:
        """Note that the user has seen how it ended."""
        if self.ended and not self.entry.seen:
            self.entry = self.desk.book.write(dataclasses.replace(self.entry, seen=True))

    def _opened(self) -> tuple[str, Secret]:
        if self.entry.id is None or self.entry.token is None:
            raise errors.NotFound(
                "This run was written down, and the relay has none of it: the kernel ended before "
                "it was sent. run.retry() starts it."
            )
        return self.entry.id, self.entry.token

    async def _new_events(self) -> AsyncGenerator[None, None]:
        id, token = self._opened()
        async with aclosing(self.client.events(id, token, len(self.events))) as lists:
            async for events in lists:
                self._take(events)
                yield

    def _take(self, events: Sequence[RunEvent]) -> None:
        """Keep what is new: several readers of one run share what each has read."""
        for event in events:
            if event.number == len(self.events) + 1:
                self.events.append(event)
                self.glance = seen(self.glance, event, time.time())

    async def _note(self, view: View) -> View:
        if not self.ended:  # it ends once
            self.view = view
        if view.ended and self.entry.ended is None:
            await self._read_up_to(view)  # its last events say what it has cost
            cost = _cost(self.glance, view)
            self.entry = dataclasses.replace(self.entry, ended=view.status, cost=cost)
            self.desk.book.write(self.entry)
        return view


def _cost(glance: Glance, view: View) -> float | None:
    if glance.cost is not None:
        return glance.cost
    return answer_of(view.response).cost if view.response else None
