"""What a relay writes down, and what a store promises of it.

Three promises carry the rest. An event is numbered and durable before anyone sees it. A worker
writes only while it holds the run: each claim raises the run's `epoch`, and whatever carries an
older one is refused, so a worker that was thought dead and wakes up late changes nothing. And a
run ends once: nothing is appended after its terminal event.

Two stores keep them: `sqlite` for one machine, `postgres` for a team. The same tests hold both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from kit.errors import KitError

__all__ = [
    "TERMINAL",
    "Conflict",
    "Draft",
    "Event",
    "Fenced",
    "Gateway",
    "Invocation",
    "Order",
    "Progress",
    "Result",
    "Store",
    "StoreError",
    "StoreFull",
    "StoreUnavailable",
    "TooMany",
]

Json = dict[str, Any]

TERMINAL = frozenset({"completed", "failed", "cancelled"})
"""The statuses a run ends in. The others: `pending` (accepted), `queued` (handed to the gateway, or
about to be), `running`."""
OWED_SECONDS = 3600.0
"""How long a gateway that does not answer, or whose key is another now, is still to be told of a
run that we ended."""


class StoreError(KitError):
    """The store did not do what was asked."""


class StoreFull(StoreError):
    """No room on the disk, or in the limit set for the store. Nothing was written."""


class StoreUnavailable(StoreError):
    """The store cannot be reached now (a database that restarts). Trying again may work."""


class Fenced(StoreError):
    """The writer no longer holds the run: another took it over, or it has ended."""


class Conflict(StoreError):
    """The idempotency key was used before, with another request."""


class TooMany(StoreError):
    """The store keeps as many runs as it may, and none of them can go."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """Whose run it is: only a relay with the same gateway and key may take it over.

    `identity` is the normalised address, or `sandbox`, `local`; `fingerprint` of the key, "" for
    the two that cost nothing.
    """

    identity: str
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """A run that somebody asks for. `digest` is of the request, for its idempotency key."""

    id: str
    gateway: Gateway
    mode: str
    arguments: Json
    caller: str = ""
    idempotency_key: str | None = None
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that has no number yet."""

    type: str
    data: Json = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a run's log. `sequence` counts from 1 without a gap; `status` is the run's."""

    sequence: int
    type: str
    status: str
    data: Json


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a worker has come, for the one that takes over.

    attempt: submissions so far; `submitting`: one went out whose outcome is not written down.
    way: how the run is followed, `background`, `poll` or `plain` (a stream that ends with us).
    cursor: the upstream's number of the last event that is in our log; None: cannot resume.
    submitted: seconds since 1970, when the upstream took it.
    uncertain: the upstream may have run, or be running, a submission we know no id of.
    """

    attempt: int = 0
    submitting: bool = False
    uncertain: bool = False
    upstream_id: str | None = None
    way: str | None = None
    cursor: int | None = None
    submitted: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a run ended with. `output_text` of None: what the log has is all there is."""

    output_text: str | None = None
    response: Json | None = None
    error_message: str | None = None
    error_code: str | None = None


@dataclass(frozen=True, slots=True)
class Invocation:
    """One run as it stands. Times are seconds since 1970.

    last: the number of its last event. fetched: somebody has read how it ended.
    owed: it was cancelled, or stopped by us, and the upstream has not been told yet.
    """

    id: str
    caller: str
    gateway: Gateway
    mode: str
    arguments: Json
    status: str
    created: float
    updated: float
    finished: float | None = None
    last: int = 0
    epoch: int = 0
    worker: str | None = None
    fetched: bool = False
    owed: bool = False
    progress: Progress = Progress()
    result: Result = Result()

    @property
    def ended(self) -> bool:
        return self.status in TERMINAL


class Store(Protocol):
    """The log of all runs. Every method may raise StoreUnavailable, every writing one StoreFull.

    `note`: what a person should know of where it lies (a network folder), else None.
    """

    note: str | None

    async def open(self) -> None:
        """Make or migrate what is there. Raises ConfigError for a store of a newer version."""
        ...

    async def aclose(self) -> None: ...

    def listen(self, heard: Callable[[Collection[str] | None], None]) -> Callable[[], None]:
        """Call `heard(ids)` in the event loop after a commit, of any process, that changed these
        runs; None: any may have changed. Returns what ends it."""
        ...

    # -- callers ---------------------------------------------------------------------------

    async def create(self, order: Order, *, limit: int) -> tuple[Invocation, bool]:
        """Write the run down, `pending`, with its first event (`status`, `{"mode": …}`).

        The bool is False for a replay: the same caller and key, the same digest, and the run that
        it made. Where `limit` runs are kept, the oldest that ended and were fetched go. Raises
        Conflict, TooMany.
        """
        ...

    async def get(self, id: str) -> Invocation | None: ...

    async def listing(
        self,
        caller: str,
        *,
        before: tuple[float, str] | None = None,
        limit: int = 100,
        key: str | None = None,
    ) -> list[Invocation]:
        """The caller's runs, newest first; `before` is `(created, id)` of the last one seen.

        key: only the run that was ordered with this idempotency key.
        """
        ...

    async def events(
        self, after: Mapping[str, int], *, limit: int = 1000
    ) -> dict[str, list[Event]]:
        """The events of several runs that follow the given numbers, at most `limit` of each.

        A run without news is absent.
        """
        ...

    async def fetched(self, id: str) -> None:
        """Somebody has read how the run ended."""
        ...

    async def cancel(self, id: str) -> Invocation | None:
        """End the run now, with the event `cancelled`, and fence whoever works on it.

        `owed` is set where an upstream run may exist. One that has ended stays as it ended.
        """
        ...

    async def delete(self, id: str, *, owing: float = OWED_SECONDS) -> bool:
        """Remove a run that has ended, and its events; False for any other.

        One that is `owed` stays until the upstream was told, for `owing` seconds at most.
        """
        ...

    async def purge(
        self, *, before: float, unread: bool = False, owing: float = OWED_SECONDS
    ) -> int:
        """Delete runs that ended before then, and were fetched unless `unread`; how many.

        One that is `owed` stays until the upstream was told, for `owing` seconds at most.
        """
        ...

    # -- workers ---------------------------------------------------------------------------

    async def claim(
        self,
        worker: str,
        gateway: Gateway,
        *,
        lease: float,
        limit: int,
        ids: Collection[str] | None = None,
        working: Collection[str] = (),
    ) -> list[Invocation]:
        """Take runs of this gateway that nobody holds and that have not ended, or are `owed`.

        Oldest first, of `ids` alone where given. Each comes back with a higher epoch, this worker
        and a lease of so many seconds. working: runs that this worker has in hand; those that it
        holds stay as they are though their lease ran out, since it would only fence itself.
        """
        ...

    async def renew(self, worker: str, *, lease: float) -> set[str]:
        """Prolong all leases of this worker; the ids it holds."""
        ...

    async def release(self, worker: str, ids: Collection[str] | None = None) -> None:
        """Give runs back, for anybody to take at once; all of this worker's without `ids`."""
        ...

    async def waiting(self, gateway: Gateway) -> list[str]:
        """Ids that `claim` would take now."""
        ...

    async def unfinished(self, gateway: Gateway) -> int:
        """How many runs of this gateway have not ended, whoever holds them."""
        ...

    async def append(
        self,
        id: str,
        epoch: int,
        events: Sequence[Draft],
        *,
        after: int,
        status: str | None = None,
        progress: Progress | None = None,
        result: Result | None = None,
        owed: bool = False,
    ) -> None:
        """Write events and what goes with them, in one transaction.

        `after` is the number of the last event the writer knows: where the log is just as much
        longer as `events` are, they have arrived before (the connection was lost behind the
        commit), and nothing is written twice. A terminal `status` ends the run and gives it back;
        `owed` with it: the upstream may go on, and has still to be told that it is over.
        Raises Fenced, also for a run that has ended.
        """
        ...

    async def settle(self, id: str, *, upstream_id: str | None = None, owed: bool) -> None:
        """Of a run that was cancelled, or is `owed`: note the upstream's id, and whether it still
        has to be told. Any other is left as it is.

        No epoch: what an upstream run is called is true whoever says it.
        """
        ...

    # -- what was found out of a gateway ---------------------------------------------------

    async def knowledge(self, gateway: Gateway, model: str) -> Json:
        """What `learn` kept; {} when nothing."""
        ...

    async def learn(self, gateway: Gateway, model: str, facts: Json) -> None:
        """Keep what was found out about how this gateway serves this model."""
        ...
