"""One examination: the client it asks with, what has been found, and what it has taken.

Rule: every probe has a time, every answer a length, and all together a sum of tokens. What is not
noted when they are used up was not asked.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import httpx

from kit import errors
from kit.gateway.answer import Answer
from kit.gateway.capabilities import Capabilities, Seen
from kit.gateway.client import AsyncClient
from kit.gateway.doctor_failures import strange
from kit.gateway.doctor_tap import Heard, Tap
from kit.gateway.doctor_verdicts import is_short
from kit.gateway.doctor_words import Told
from kit.gateway.events import Event
from kit.gateway.ledger import Ledger
from kit.gateway.request import headers_for, secrets_in
from kit.gateway.wire import Api, Input
from kit.settings import Endpoint

__all__ = ["APIS", "Examination", "Patience", "Spent"]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, in seconds, and how many tokens may go. Only tests want others.

    probe, dear: for one probe. first: for the first answer of a model, which may have to be loaded
    before. idle: of a stream's silence. later: before a cancelled response is looked at again,
    look: one that was just begun.
    cheap_all, dear_all: for all of a kind. tokens, dear_tokens: after which nothing more is
    asked.
    """

    probe: float = 30.0
    first: float = 120.0
    dear: float = 60.0
    idle: float = 20.0
    later: float = 3.0
    look: float = 1.0
    cheap_all: float = 300.0
    dear_all: float = 180.0
    tokens: int = 2_000
    dear_tokens: int = 40_000

    def at_most(self, *, dear: bool) -> float:
        """Seconds that all of it may take."""
        return 1.5 * self.probe + self.cheap_all + (self.dear_all if dear else 0.0)


APIS: tuple[Api, ...] = ("chat", "responses")

ROOM_TOKENS = 512
"""For a model that thinks before its answer, where less was refused."""


class Spent(Exception):
    """The answers so far have taken more tokens than all may take."""


@dataclass
class Examination:
    """`note` keeps what a probe found. `model` is known once the models were listed."""

    endpoint: Endpoint
    transport: httpx.AsyncBaseTransport
    model: str
    patience: Patience
    ledger: Ledger | None = None
    heed: Callable[[str], None] = lambda name: None  # told the name of what is asked now
    seen: dict[str, Told] = field(default_factory=dict[str, Told])
    strange: dict[str, Heard] = field(default_factory=dict[str, Heard])  # what no gateway sends
    listed: bool = False  # the models were
    tokens: int = 0
    costs: dict[str, float | None] = field(default_factory=dict[str, float | None])
    most: int = 0
    running: dict[str, None] = field(default_factory=dict[str, None])  # goes on: ids
    asking: set[asyncio.Future[Any]] = field(default_factory=set[asyncio.Future[Any]])
    stored: dict[str, None] = field(default_factory=dict[str, None])
    remembered: Answer | None = None  # the response whose word the next turn is asked for
    marker: str = field(default_factory=lambda: f"{random.choice(_WORDS)}{random.randint(10, 99)}")

    def __post_init__(self) -> None:
        self._room = 0
        self.tap = Tap(self.transport)
        self.most = self.patience.tokens
        self.secrets = secrets_in(headers_for(self.endpoint, self.endpoint.headers))
        self.client = AsyncClient(
            self.endpoint,
            timeout=max(self.patience.first, self.patience.dear),  # each probe has its own bound
            idle_timeout=self.patience.idle,
            retries=1,
            transport=self.tap,
            ledger=self.ledger,
            capabilities=lambda model: self.known,
        )

    def note(self, name: str, seen: Seen, detail: str = "") -> None:
        """Keep a finding."""
        self.seen[name] = Told(replace(seen, at=time.time()), detail)

    def says(self, name: str) -> str:
        """The verdict so far."""
        return self.seen[name].seen.verdict if name in self.seen else "unknown"

    def holds(self, name: str) -> bool:
        """Whether it works, be it in part."""
        return self.says(name) in ("yes", "partly")

    @property
    def known(self) -> Capabilities:
        """What was found of the APIs themselves, for the client: some are to be asked for streams.

        Nothing more, so that each probe still asks for what it is about.
        """
        return Capabilities({api: self.seen[api].seen for api in APIS if api in self.seen})

    def hear(self, name: str, *, listing: bool = False) -> str:
        """Keep what answered that probe, where no gateway would send it; what it is."""
        what = strange(self.tap.last, listing=listing)
        if what and self.tap.last is not None:
            self.strange[name] = self.tap.last
        return what

    async def ask(self, api: Api, prompt: Input, **options: Any) -> Answer:
        """One answer, as short as it may be."""
        self._check()
        method = self.client.chat if api == "chat" else self.client.respond
        try:
            answer = await method(prompt, model=self.model, **self._roomy(options))
        except errors.KitError as error:
            self._count(error.answer, "whole")
            if self._gives_room(error):
                return await self.ask(api, prompt, **options)
            raise
        return self._count(answer, "whole")

    async def listen(self, api: Api, prompt: Input, **options: Any) -> tuple[Answer, list[Event]]:
        """The same as a stream, and its events."""
        self._check()
        events: list[Event] = []
        stream = self.client.stream(prompt, api=api, model=self.model, **self._roomy(options))
        try:
            async with stream:
                async for batch in stream.batches():
                    events += batch
        except errors.BadRequest as error:
            if self._gives_room(error):
                return await self.listen(api, prompt, **options)
            raise
        finally:
            self._count(stream.partial, "streamed")
        return stream.answer, events

    def _roomy(self, options: dict[str, Any]) -> dict[str, Any]:
        return {**options, "max_tokens": max(options["max_tokens"], self._room)}

    def _gives_room(self, error: BaseException) -> bool:
        """Whether it is worth another try, since from now on answers may be longer."""
        if self._room or not is_short(error):
            return False
        self._room = ROOM_TOKENS
        return True

    async def turn(self, api: Api, prompt: Input, **options: Any) -> Answer:
        """One answer in the way that the tool loop asks for it."""
        if self.says(f"{api} stream") == "no":
            return await self.ask(api, prompt, **options)
        return (await self.listen(api, prompt, **options))[0]

    def count(self, answers: Sequence[Answer]) -> None:
        """Add what answers took that were asked for in another way."""
        for answer in answers:
            self._count(answer, "")

    def _check(self) -> None:
        if self.tokens > self.most:
            raise Spent

    def _count(self, answer: Any, way: Literal["whole", "streamed", ""]) -> Any:
        if isinstance(answer, Answer):
            self.tokens += answer.usage.total_tokens if answer.usage else 0
            if answer.id and answer.raw.get("object") == "response":
                self.stored[answer.id] = None
            if way and answer.output:
                self.costs[way] = self.costs.get(way) or answer.cost
        return answer


_WORDS = (
    *("amber", "basil", "cedar", "delta", "ember", "fable", "garnet", "harbor", "island", "jasper"),
    *("kettle", "lantern", "maple", "nectar", "olive", "pepper", "quartz", "ribbon", "saddle"),
    *("tulip", "umber", "velvet", "willow", "yarrow", "zephyr"),
)
