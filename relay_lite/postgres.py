"""The store of a team: one PostgreSQL that any number of replicas and workers share.

Rule: the clock is the database's, so those of the hosts do not matter; a row's lock decides who
was first; and what all must hear of is told by the commit itself.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from relay_lite.postgres_append import Append, Appender
from relay_lite.postgres_link import Connection, Link, failures
from relay_lite.postgres_listen import Listener
from relay_lite.postgres_rows import COLUMNS, Row, event_of, inked, invocation_of, json_of, read
from relay_lite.postgres_runs import cancelled, created, deleted, settled
from relay_lite.postgres_schema import migrate
from relay_lite.store import (
    OWED_SECONDS,
    Draft,
    Event,
    Gateway,
    Invocation,
    Order,
    Progress,
    Result,
    StoreUnavailable,
)

__all__ = ["PostgresStore"]

Json = dict[str, Any]

POOL = 8
"""Connections of one process, beside the one that listens."""

TO_DO = """
    gateway = %(gateway)s and fingerprint = %(fingerprint)s and (finished is null or owed)
    and (worker is null or leased < extract(epoch from clock_timestamp()))
"""

CLAIM = f"""
    update relay.run set worker = %(worker)s, epoch = epoch + 1,
        leased = extract(epoch from clock_timestamp()) + %(lease)s
    where id in (
        select id from relay.run where {TO_DO} and (%(ids)s::text[] is null or id = any(%(ids)s))
        and (worker is distinct from %(worker)s or id <> all(%(working)s::text[]))
        order by created, id limit %(limit)s for update skip locked
    )
    returning {COLUMNS}
"""

RENEW = """
    update relay.run set leased = extract(epoch from clock_timestamp()) + %s
    where worker = %s returning id
"""

NEWS = """
    select place.run, event.sequence, event.type, event.status, event.data
    from unnest(%s::text[], %s::integer[]) as place (run, last) cross join lateral (
        select * from relay.event
        where event.run = place.run and event.sequence > place.last
        order by event.sequence limit %s
    ) as event
"""

OF_MODEL = "gateway = %(gateway)s and fingerprint = %(fingerprint)s and model = %(model)s"

FIRST = """
    insert into relay.knowledge (gateway, fingerprint, model, facts)
    values (%(gateway)s, %(fingerprint)s, %(model)s, '{}') on conflict do nothing
"""
KNOWN = f"select facts from relay.knowledge where {OF_MODEL} for update"
LEARN = f"update relay.knowledge set facts = %(facts)s where {OF_MODEL}"


class PostgresStore:
    """Keeps the promises of `relay_lite.store.Store` in the database at `address`.

    Its tables lie in the schema `relay` there. The address may hold a password: nothing shows it.
    Raises ConfigError for what is no `postgresql://` address.
    """

    note: str | None = None

    def __init__(self, address: str) -> None:
        self._link = Link(address, POOL)
        self._appender = Appender(self._link)
        self._listener = Listener(self._link)
        self._given: set[str] = set()  # ids that a claim here has returned, and that are held
        self._doubted = False

    async def open(self) -> None:
        connection = await self._link.alone()
        async with connection:
            with failures():
                await migrate(connection)
        await self._link.open()
        self._appender.start()
        self._listener.start()

    async def aclose(self) -> None:
        await self._appender.stop()
        await self._listener.stop()
        await self._link.close()

    def listen(self, heard: Callable[[Collection[str] | None], None]) -> Callable[[], None]:
        return self._listener.add(heard)

    # -- callers ---------------------------------------------------------------------------

    async def create(self, order: Order, *, limit: int) -> tuple[Invocation, bool]:
        tries = 0

        async def create(connection: Connection) -> tuple[Invocation, bool]:
            nonlocal tries
            tries += 1
            invocation, fresh = await created(connection, order, limit)
            # found by its id at a second try: the first one wrote it, its answer was lost
            return invocation, fresh or (tries > 1 and invocation.id == order.id)

        return await self._link.surely(create)

    async def get(self, id: str) -> Invocation | None:
        rows = await self._rows(f"select {COLUMNS} from relay.run where id = %s", [inked(id)])
        return invocation_of(rows[0]) if rows else None

    async def listing(
        self,
        caller: str,
        *,
        before: tuple[float, str] | None = None,
        limit: int = 100,
        key: str | None = None,
    ) -> list[Invocation]:
        created, id = before or (float("inf"), "")
        only, keys = ("", []) if key is None else ("and idempotency_key = %s", [inked(key)])
        rows = await self._rows(
            f"select {COLUMNS} from relay.run where caller = %s {only} and (created, id) < (%s, %s)"
            " order by created desc, id desc limit %s",
            [inked(caller), *keys, created, inked(id), limit],
        )
        return [invocation_of(row) for row in rows]

    async def events(
        self, after: Mapping[str, int], *, limit: int = 1000
    ) -> dict[str, list[Event]]:
        places = [[inked(id) for id in after], list(after.values()), limit]
        found: dict[str, list[Event]] = {}
        for run, *event in await self._rows(NEWS, places):
            found.setdefault(read(run), []).append(event_of(*event))
        return found

    async def fetched(self, id: str) -> None:
        command = "update relay.run set fetched = true where id = %s and finished is not null"
        await self._rows(f"{command} and not fetched returning 1", [inked(id)])

    async def cancel(self, id: str) -> Invocation | None:
        return await self._link.surely(lambda connection: cancelled(connection, id))

    async def delete(self, id: str, *, owing: float = OWED_SECONDS) -> bool:
        command = (
            "delete from relay.run where id = %s and finished is not null"
            " and (not owed or finished <= %s) returning id"
        )
        values = [inked(id), time.time() - owing]
        return bool(await self._link.once(lambda link: deleted(link, command, values)))

    async def purge(
        self, *, before: float, unread: bool = False, owing: float = OWED_SECONDS
    ) -> int:
        command = (
            "delete from relay.run where finished < %s and (not owed or finished <= %s)"
            " and (fetched or %s) returning id"
        )
        values = [before, time.time() - owing, unread]
        return await self._link.once(lambda link: deleted(link, command, values))

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
        wanted = None if ids is None else [inked(id) for id in ids]
        values = {"worker": inked(worker), "lease": lease, "limit": limit, "ids": wanted}
        values["working"] = [inked(id) for id in working]
        try:
            rows = await self._rows(CLAIM, {**values, **_of(gateway)}, again=False)
        except StoreUnavailable:
            self._doubted = True  # it may have been done all the same
            raise
        runs = sorted(map(invocation_of, rows), key=lambda run: (run.created, run.id))
        self._given |= {run.id for run in runs}
        return runs

    async def renew(self, worker: str, *, lease: float) -> set[str]:
        given, doubted = set(self._given), self._doubted
        held = {read(id) for (id,) in await self._rows(RENEW, [lease, inked(worker)])}
        if doubted and (strange := held - self._given):
            await self.release(worker, strange)  # claimed by a call that never heard of it
            held -= strange
        self._doubted = self._doubted and not doubted
        self._given -= given - held
        return held

    async def release(self, worker: str, ids: Collection[str] | None = None) -> None:
        wanted = None if ids is None else [inked(id) for id in ids]
        await self._rows(
            "update relay.run set worker = null, leased = null where worker = %s "
            "and (%s::text[] is null or id = any(%s)) returning 1",
            [inked(worker), wanted, wanted],
        )

    async def waiting(self, gateway: Gateway) -> list[str]:
        command = f"select id from relay.run where {TO_DO} order by created, id"
        return [read(id) for (id,) in await self._rows(command, _of(gateway))]

    async def unfinished(self, gateway: Gateway) -> int:
        command = "select count(*) from relay.run where finished is null and gateway = "
        command += "%(gateway)s and fingerprint = %(fingerprint)s"
        ((number,),) = await self._rows(command, _of(gateway))
        return int(number)

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
        append = Append(
            inked(id),
            epoch,
            [(inked(event.type), json_of(event.data)) for event in events],
            after,
            status,
            None if progress is None else json_of(progress),
            None if result is None else json_of(result),
            owed,
        )
        await self._appender.add(append)

    async def settle(self, id: str, *, upstream_id: str | None = None, owed: bool) -> None:
        await self._link.surely(lambda connection: settled(connection, id, upstream_id, owed))

    # -- what was found out of a gateway ---------------------------------------------------

    async def knowledge(self, gateway: Gateway, model: str) -> Json:
        command = f"select facts from relay.knowledge where {OF_MODEL}"
        rows = await self._rows(command, {**_of(gateway), "model": inked(model)})
        return dict(json.loads(rows[0][0])) if rows else {}

    async def learn(self, gateway: Gateway, model: str, facts: Json) -> None:
        values = {**_of(gateway), "model": inked(model)}

        async def add(connection: Connection) -> None:
            async with connection.transaction():
                await connection.execute(FIRST, values)  # so that there is a row to lock
                row = await (await connection.execute(KNOWN, values)).fetchone()
                known: Json = json.loads(row[0]) if row else {}
                await connection.execute(LEARN, {**values, "facts": json_of(known | facts)})

        await self._link.surely(add)

    async def _rows(
        self, command: str, values: Sequence[Any] | Mapping[str, Any], *, again: bool = True
    ) -> list[Row]:
        """What one statement gives; `again`: it may be done twice."""

        async def rows(connection: Connection) -> list[Row]:
            return await (await connection.execute(command.encode(), values)).fetchall()

        return await (self._link.surely(rows) if again else self._link.once(rows))


def _of(gateway: Gateway) -> dict[str, Any]:
    return {"gateway": inked(gateway.identity), "fingerprint": inked(gateway.fingerprint)}
