"""What takes several statements of one transaction: a run's creation, its cancelling, its debts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from relay_lite.postgres_link import Connection
from relay_lite.postgres_listen import notify
from relay_lite.postgres_rows import COLUMNS, inked, invocation_of, json_of
from relay_lite.store import Conflict, Invocation, Order, TooMany

__all__ = ["cancelled", "created", "deleted", "settled"]

AT_ONCE = 100
"""Runs that all replicas together may be creating at a time: so near the limit they queue up."""

LAST_PLACES = 0x72_4C69_7466  # the number of that lock

INSERT = f"""
    insert into relay.run (id, caller, gateway, fingerprint, mode, arguments, idempotency_key,
        digest, status, created, updated, last)
    values (%s, %s, %s, %s, %s, %s, %s, %s, 'pending', extract(epoch from clock_timestamp()),
        extract(epoch from clock_timestamp()), 1)
    on conflict do nothing returning {COLUMNS}
"""

EVENT = "insert into relay.event (run, sequence, type, status, data) values (%s, %s, %s, %s, %s)"

MADE_BEFORE = f"""
    select {COLUMNS}, digest from relay.run where id = %s
    union all
    select {COLUMNS}, digest from relay.run where caller = %s and idempotency_key = %s
    limit 1
"""

OLDEST = """
    delete from relay.run where id in (
        select id from relay.run where finished is not null and fetched
        order by owed, created, id limit %s for update skip locked
    )
    returning id
"""

CANCEL = f"""
    update relay.run set status = 'cancelled', epoch = epoch + 1, last = last + 1, owed = %s,
        finished = extract(epoch from clock_timestamp()), worker = null, leased = null,
        updated = extract(epoch from clock_timestamp())
    where id = %s returning {COLUMNS}
"""

SETTLE = """
    update relay.run set owed = %(owed)s, progress = %(progress)s,
        worker = case when %(owed)s then worker end, leased = case when %(owed)s then leased end,
        updated = extract(epoch from clock_timestamp())
    where id = %(id)s
"""


async def created(connection: Connection, order: Order, limit: int) -> tuple[Invocation, bool]:
    """Write an order down, or find what it made before. Raises Conflict, TooMany."""
    while True:
        async with connection.transaction():
            if (before := await _made_before(connection, order)) is not None:
                return before, False
            await _make_room(connection, limit)
            if (fresh := await _inserted(connection, order)) is not None:
                return fresh, True
        # another call with the same key was quicker: now it can be seen


async def _made_before(connection: Connection, order: Order) -> Invocation | None:
    """The run that the same order made; a key, or an id, that another one has is a conflict."""
    caller = inked(order.caller)
    key = None if order.idempotency_key is None else inked(order.idempotency_key)
    found = await connection.execute(MADE_BEFORE, [inked(order.id), caller, key])
    row = await found.fetchone()
    if row is None:
        return None
    invocation, digest = invocation_of(row[:-1]), row[-1]
    if (invocation.caller, digest) != (order.caller, inked(order.digest)):
        raise Conflict("This idempotency key was used before, with another request.")
    return invocation


async def _make_room(connection: Connection, limit: int) -> None:
    """For one more: the oldest that ended and were read go, last those an upstream waits for."""
    kept = await _kept(connection)
    if kept + AT_ONCE <= limit:
        return
    await connection.execute("select pg_advisory_xact_lock(%s)", [LAST_PLACES])
    kept = await _kept(connection)
    over = kept + 1 - limit
    if over <= 0:
        return
    gone = await (await connection.execute(OLDEST, [over])).fetchall()
    if len(gone) < over:
        raise TooMany(
            f"{kept} runs are kept, as many as may be, and too few of them have ended and been "
            "read.\nRead or delete some, or raise RELAY_MAX_INVOCATIONS."
        )
    await notify(connection, [id for (id,) in gone])


async def _kept(connection: Connection) -> int:
    row = await (await connection.execute("select count(*) from relay.run")).fetchone()
    return int(row[0]) if row else 0


async def _inserted(connection: Connection, order: Order) -> Invocation | None:
    id, key = inked(order.id), order.idempotency_key
    values: list[Any] = [
        *(id, inked(order.caller)),
        *(inked(order.gateway.identity), inked(order.gateway.fingerprint)),
        *(inked(order.mode), json_of(order.arguments), None if key is None else inked(key)),
        inked(order.digest),
    ]
    row = await (await connection.execute(INSERT, values)).fetchone()
    if row is None:
        return None
    first = [id, 1, "status", "pending", json_of({"mode": order.mode})]
    await connection.execute(EVENT, first)
    await notify(connection, [id])
    return invocation_of(row)


async def cancelled(connection: Connection, id: str) -> Invocation | None:
    """End a run that has not ended; the run as it is then."""
    async with connection.transaction():
        run = await _locked(connection, id)
        if run is None or run.ended:
            return run
        owed = run.progress.upstream_id is not None or run.progress.submitting
        row = await (await connection.execute(CANCEL, [owed, inked(id)])).fetchone()
        message = json_of({"message": "The run was cancelled."})
        event = [inked(id), run.last + 1, "cancelled", "cancelled", message]
        await connection.execute(EVENT, event)
        await notify(connection, [inked(id)])
        return None if row is None else invocation_of(row)


async def settled(connection: Connection, id: str, upstream_id: str | None, owed: bool) -> None:
    """Note what the upstream of a run that was cancelled, or is owed, is called, and whether it
    still has to be told."""
    async with connection.transaction():
        run = await _locked(connection, id)
        if run is None or not (run.status == "cancelled" or run.owed):
            return
        progress = run.progress
        if upstream_id is not None:
            progress = replace(progress, upstream_id=upstream_id, submitting=False)
        values = {"id": inked(id), "owed": owed, "progress": json_of(progress)}
        await connection.execute(SETTLE, values)
        await notify(connection, [inked(id)])


async def deleted(connection: Connection, command: str, values: list[Any]) -> int:
    """Run a command that deletes runs and returns their ids, and tell of it; how many."""
    async with connection.transaction():
        rows = await (await connection.execute(command.encode(), values)).fetchall()
        await notify(connection, [id for (id,) in rows])
    return len(rows)


async def _locked(connection: Connection, id: str) -> Invocation | None:
    command = f"select {COLUMNS} from relay.run where id = %s for update"
    row = await (await connection.execute(command, [inked(id)])).fetchone()
    return None if row is None else invocation_of(row)
