"""One research run from its caller's side: started once, found again, read as far as it has come.

    begin     written down, then posted; the same key again finds the same run
    follow    the events from the first to the last, over any number of broken connections
    wait      until it has ended; a relay that is away for a while is waited for
    refresh   how it stands; what has ended is not asked for twice

Rule: this side owns nothing. The run goes on without it, and every answer can be had again. What is
known of a run only grows, whoever reads it, in however many threads and event loops.
"""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from kit import errors
from kit.gateway.events import Wire
from kit.relay.book import Book, Entry
from kit.relay.client import RelayClient
from kit.relay.glance import Glance, seen
from kit.relay.handle_patience import AWAY, Patience
from kit.relay.spent import spent
from kit.relay.view import RunEvent, View
from kit.secret import Secret

__all__ = ["NOT_SENT", "NOT_TAKEN", "AsyncRun", "Desk", "begin", "not_sent"]

HANDED_OVER_SECONDS = 5.0
NOT_SENT = "not sent"


@dataclass(frozen=True, slots=True)
class Desk:
    """Where runs are written down, and who talks to the relay of one.

    gateway: whom the user's own relay asks, as `Endpoint.identity`; "" where that is not known.
    """

    book: Book
    client_for: Callable[[Entry], RelayClient]
    gateway: str = ""


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
    except NOT_TAKEN:
        desk.book.forget(entry)
        raise
    except errors.GatewayError as error:
        again = "It may have begun all the same: kit.runs() shows it."
        raise type(error)(f"{error}\n{again}", status=error.status) from None
    return run


NOT_TAKEN = (
    *(errors.InputError, errors.ConfigError),
    *(errors.ConnectionFailed, errors.AuthenticationFailed),
)
"""Errors of a start behind which no run can exist."""


class AsyncRun:
    """A run as its caller knows it. `entry` is what is written down of it."""

    def __init__(self, desk: Desk, entry: Entry) -> None:
        self.desk = desk
        self.entry = entry
        self.view: View | None = None
        self.glance = Glance()
        self.events: list[RunEvent] = []
        self._lock = threading.Lock()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("A run is not pickled: its token does not belong into a file.")

    @property
    def ended(self) -> bool:
        return self.view is not None and self.view.ended

    async def reached(self) -> RelayClient:
        """Who talks to its relay, which may have to be started first: not in an event loop."""
        return await asyncio.to_thread(self.desk.client_for, self.entry)

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is a run for another gateway, which the user's own relay does not ask now."""
        return not self.entry.relay and self.desk.gateway not in ("", self.entry.gateway)

    @property
    def seconds(self) -> float | None:
        """How long it took, or has taken so far."""
        if self.view is None or self.view.created is None:
            return None
        return max((self.view.finished or time.time()) - self.view.created, 0.0)

    async def post(self) -> View:
        """Start it, or find what was started with its key."""
        relay, entry = await self.reached(), self.entry
        view = await relay.start(entry.arguments, key=entry.key, wait=HANDED_OVER_SECONDS)
        self._keep(id=view.id, token=view.token)
        return await self._note(view)

    async def find(self) -> bool:
        """Look for a run whose kernel died before the relay's answer came; whether there is one.

        Looking starts nothing: where the relay keeps no list, `run.retry()` asks with the same key.
        """
        if self.entry.id is None:
            if not await (await self.reached()).started(self.entry.key):
                return False
            await self.post()  # gives the run that is there, and its token
        return True

    async def refresh(self) -> View:
        """How it stands. Raises NotFound where the relay does not have it any more."""
        if self.view is not None and self.view.ended:
            return self.view
        id, token = self._opened()
        return await self._note(await (await self.reached()).view(id, token))

    async def catch_up(self) -> list[RunEvent]:
        """The events so far."""
        await self._read_up_to(await self.refresh())
        return self.events

    async def follow(self, after: int = 0) -> AsyncGenerator[Sequence[RunEvent], None]:
        """The events behind number `after` until the last, as they come.

        Ends behind the terminal event, or where the run has ended and the relay tells no more.
        """
        place, patience = after, Patience((await self.reached()).pace)
        while True:
            known, more, began = len(self.events), False, time.monotonic()
            if news := self.events[place:]:
                place += len(news)
                yield news
            try:
                async with aclosing(self._visit()) as visit:
                    async for _ in visit:
                        more = True  # for all we know: a stream that is cut looks like this
                        patience.answered()
                        if news := self.events[place:]:
                            place += len(news)
                            yield news
                view = await self.refresh()
            except AWAY as error:
                await patience.bear(error)
                continue
            patience.visited(len(self.events) > known, time.monotonic() - began)
            if self._told_its_end or (view.ended and (not more or patience.fruitless)):
                if place >= len(self.events):
                    return
                continue
            await patience.pause()

    async def wait(self, seconds: float | None = None) -> View:
        """The run when it has ended, or as it stands after `seconds`; it is looked at once."""
        patience = Patience((await self.reached()).pace, seconds)
        while True:
            look, began = patience.look, time.monotonic()
            try:
                async with patience.noticing(look):
                    view = await self._look(look)
            except AWAY as error:
                await patience.bear(error)
                continue
            patience.answered()
            if view.ended or patience.over:
                return view
            if time.monotonic() - began < look / 2:  # an older relay, or a status nobody knows
                await patience.pause()

    async def still_going(self) -> str:
        """That it has not ended, and what keeps it from that, as far as is known."""
        if self.is_elsewhere:
            return (
                f"{self.entry.id} is for {self.entry.gateway}, and {self.desk.gateway} is in use "
                "here: only a kernel or relay that uses the other goes on with it.\n"
                "Choose that gateway with %kit use; run.wait() waits again."
            )
        with suppress(errors.KitError):
            await self.catch_up()
        warned = [one.data for one in self.events[-1:] if one.type == "warning"]
        said = "".join(f" {data.get('message') or ''}" for data in warned)
        return f"It still goes on as {self.entry.id}.{said}\nrun.wait() waits again."

    async def cancel(self) -> View:
        """End it; what has ended stays as it ended."""
        id, token = self._opened()
        return await self._note(await (await self.reached()).cancel(id, token))

    async def delete(self) -> None:
        """Remove it, at the relay and from what is written down here."""
        relay = await self.reached()
        if self.entry.id is None and await relay.started(self.entry.key):
            await self.post()
        if self.entry.id is not None and self.entry.token is not None:
            with suppress(errors.NotFound):
                await relay.delete(self.entry.id, self.entry.token)
        self.desk.book.forget(self.entry)

    def told(self) -> None:
        """Note that the user has been told that it ended."""
        if self.entry.ended and not self.entry.told:
            self._keep(told=True)

    def shown(self) -> None:
        """Note that the user has seen how it ended."""
        if self.ended and not self.entry.seen:
            self._keep(seen=True)

    def _opened(self) -> tuple[str, Secret]:
        if self.entry.id is None or self.entry.token is None:
            raise not_sent()
        return self.entry.id, self.entry.token

    # -- what is known -----------------------------------------------------------------------

    @property
    def _told_its_end(self) -> bool:
        return bool(self.events) and self.events[-1].ends

    async def _look(self, seconds: float) -> View:
        if self.view is not None and self.view.ended:
            return self.view
        id, token = self._opened()
        return await self._note(await (await self.reached()).wait(id, token, seconds))

    async def _visit(self) -> AsyncGenerator[None, None]:
        """Read what is new of the events, as long as the relay gives them in order.

        Yields at each list of them; never where the relay says that there are no more.
        """
        if self._told_its_end:
            return
        id, token = self._opened()
        relay = await self.reached()
        async with aclosing(relay.events(id, token, len(self.events))) as lists:
            async for events in lists:
                whole = self._take(events)
                yield
                if not whole:
                    return

    def _take(self, events: Sequence[RunEvent]) -> bool:
        """Keep what is new; False where something before it is missing.

        Several readers of one run share what each has read.
        """
        with self._lock:
            for event in events:
                if event.number == len(self.events) + 1:
                    self.events.append(event)
                    self.glance = seen(self.glance, event, time.time())
            return all(event.number <= len(self.events) for event in events)

    async def _read_up_to(self, view: View) -> None:
        """Read what there was when the run was seen so; less where the relay does not give it."""
        seconds = (await self.reached()).pace.answer
        while (known := len(self.events)) < view.last_event:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds), aclosing(self._visit()) as visit:
                    async for _ in visit:
                        if len(self.events) >= view.last_event:
                            break
            if len(self.events) == known:
                return

    async def _note(self, view: View) -> View:
        """Take in how it stands; the newest that is known."""
        with self._lock:
            now = self.view
            if now is None or (not now.ended and (view.ended or view.last_event >= now.last_event)):
                self.view = view
            view = self.view or view
        if view.ended and self.entry.ended is None:
            with suppress(errors.GatewayError):
                await self._read_up_to(view)  # its last events say what it has cost
            self._keep(ended=view.status, **spent(view, self.glance, self.seconds))
        return view

    def _keep(self, **changes: Any) -> None:
        with self._lock:
            self.entry = dataclasses.replace(self.entry, **changes)
            self.desk.book.update(self.entry, **changes)


def not_sent() -> errors.NotFound:
    return errors.NotFound(
        "This run was written down, and its kernel ended before it was sent. run.retry() sends it."
    )
