"""What is done to runs, each as a few statements inside a transaction of somebody else.

Rule: an operation refuses before it writes. Several share one transaction, and one that is refused
must leave nothing behind in it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice

from relay_lite.sqlite_reads import FREE, find, invocations
from relay_lite.sqlite_rows import dumped, name, named, names, of_gateway, progress_of
from relay_lite.sqlite_workers import STALLED_SECONDS, is_lost_with_its_worker
from relay_lite.store import Conflict, Gateway, Invocation, Order, TooMany

__all__ = [
    "Claim",
    "cancel",
    "claim",
    "create",
    "delete",
    "fetched",
    "purge",
    "release",
    "renew",
    "settle",
]

EVENT = "INSERT INTO event (run, sequence, type, status, data) VALUES (?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Claim:
    """Who wants which runs; the fields are those of `Store.claim`.

    lives: whether another worker, by its name, is only slow.
    """

    worker: str
    gateway: Gateway
    lease: float
    limit: int
    ids: Collection[str] | None
    working: Collection[str]
    lives: Callable[[str], bool]


def create(db: sqlite3.Connection, order: Order, limit: int, now: float) -> tuple[Invocation, bool]:
    made = _made_before(db, order)
    if made is not None:
        return made, False
    _make_room(db, limit)
    cursor = db.execute(
        "INSERT INTO run (id, caller, gateway, fingerprint, mode, idempotency_key, digest, created,"
        " status, updated, last) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, 1)",
        (
            *(named(order.id), named(order.caller), *of_gateway(order.gateway), named(order.mode)),
            None if order.idempotency_key is None else named(order.idempotency_key),
            *(named(order.digest), now, now),
        ),
    )
    number = cursor.lastrowid
    db.execute("INSERT INTO request VALUES (?, ?)", (number, dumped(order.arguments)))
    db.execute(EVENT, (number, 1, "status", "pending", dumped({"mode": order.mode})))
    (invocation,) = invocations(db, "WHERE run.number = ?", (number,))
    return invocation, True


def _made_before(db: sqlite3.Connection, order: Order) -> Invocation | None:
    """The run that the same order made; a key, or an id, that another one has is a conflict."""
    row = db.execute(
        "SELECT id, caller, digest FROM run WHERE id = ?"
        " UNION ALL SELECT id, caller, digest FROM run WHERE caller = ? AND idempotency_key = ?",
        (
            named(order.id),
            named(order.caller),
            None if order.idempotency_key is None else named(order.idempotency_key),
        ),
    ).fetchone()
    if row is None:
        return None
    id, caller, digest = row
    if (caller, digest) != (named(order.caller), named(order.digest)):
        raise Conflict("This idempotency key was used before, with another request.")
    (invocation,) = invocations(db, "WHERE run.id = ?", (id,))
    return invocation


def _make_room(db: sqlite3.Connection, limit: int) -> None:
    """For one more: the oldest that ended and were read go, last those an upstream waits for."""
    (kept,) = db.execute("SELECT count(*) FROM run").fetchone()
    over = kept + 1 - limit
    if over <= 0:
        return
    rows = db.execute(
        "SELECT number FROM run WHERE finished IS NOT NULL AND fetched = 1"
        " ORDER BY owed, created, number LIMIT ?",
        (over,),
    ).fetchall()
    if len(rows) < over:
        raise TooMany(
            f"{kept} runs are kept, as many as may be, and too few of them have ended and been "
            "read.\nRead or delete some, or raise RELAY_MAX_INVOCATIONS."
        )
    _remove(db, [number for (number,) in rows])


def cancel(db: sqlite3.Connection, id: str, now: float) -> Invocation | None:
    run = find(db, id)
    if run is None or run.ended:
        return run
    owed = run.progress.upstream_id is not None or run.progress.submitting
    db.execute(
        "UPDATE run SET status = 'cancelled', epoch = epoch + 1, last = last + 1, updated = ?,"
        " finished = ?, worker = NULL, leased = NULL, owed = ? WHERE id = ?",
        (now, now, owed, named(id)),
    )
    (number,) = db.execute("SELECT number FROM run WHERE id = ?", (named(id),)).fetchone()
    data = dumped({"message": "The run was cancelled."})
    db.execute(EVENT, (number, run.last + 1, "cancelled", "cancelled", data))
    return find(db, id)


def settle(
    db: sqlite3.Connection, id: str, upstream_id: str | None, owed: bool, now: float
) -> None:
    row = db.execute(
        "SELECT number, progress FROM run WHERE id = ? AND (status = 'cancelled' OR owed = 1)",
        (named(id),),
    ).fetchone()
    if row is None:
        return
    number, column = row
    progress = progress_of(column)
    if upstream_id is not None:
        progress = replace(progress, upstream_id=upstream_id, submitting=False)
    db.execute(
        "UPDATE run SET owed = ?, progress = ?, updated = ?, worker = iif(?, worker, NULL),"
        " leased = iif(?, leased, NULL) WHERE number = ?",
        (owed, dumped(asdict(progress)), now, owed, owed, number),
    )


def fetched(db: sqlite3.Connection, id: str) -> None:
    db.execute(
        "UPDATE run SET fetched = 1 WHERE id = ? AND finished IS NOT NULL AND fetched = 0",
        (named(id),),
    )


def delete(db: sqlite3.Connection, id: str, told: float) -> bool:
    """`told`: when what ended before is owed to nobody any more."""
    row = db.execute(
        "SELECT number FROM run WHERE id = ? AND finished IS NOT NULL"
        " AND (owed = 0 OR finished <= ?)",
        (named(id), told),
    ).fetchone()
    if row is None:
        return False
    _remove(db, [row[0]])
    return True


def purge(db: sqlite3.Connection, before: float, unread: bool, told: float) -> int:
    rows = db.execute(
        "SELECT number FROM run WHERE finished < ? AND (owed = 0 OR finished <= ?)"
        " AND (fetched = 1 OR ?)",
        (before, told, unread),
    ).fetchall()
    _remove(db, [number for (number,) in rows])
    return len(rows)


def _remove(db: sqlite3.Connection, numbers: Sequence[int]) -> None:
    for source in ("event WHERE run", "request WHERE run", "outcome WHERE run", "run WHERE number"):
        db.execute(f"DELETE FROM {source} IN (SELECT value FROM json_each(?))", (dumped(numbers),))


def claim(db: sqlite3.Connection, claim: Claim, now: float) -> list[Invocation]:
    chosen = "" if claim.ids is None else "AND id IN (SELECT value FROM json_each(?))"
    wanted = () if claim.ids is None else (names(claim.ids),)
    worker = named(claim.worker)
    rows = db.execute(
        f"SELECT number, worker, leased, progress FROM run WHERE {FREE} {chosen} AND"
        " (worker IS NOT ? OR id NOT IN (SELECT value FROM json_each(?)))"
        " ORDER BY created, number",
        (*of_gateway(claim.gateway), now, *wanted, worker, names(claim.working)),
    )
    free = (number for number, *held in rows if not _is_kept(claim, now, *held))
    found = list(islice(free, claim.limit))
    if not found:
        return []
    numbers = dumped(found)
    db.execute(
        "UPDATE run SET worker = ?, leased = ?, epoch = epoch + 1"
        " WHERE number IN (SELECT value FROM json_each(?))",
        (worker, now + claim.lease, numbers),
    )
    return invocations(
        db,
        "WHERE run.number IN (SELECT value FROM json_each(?)) ORDER BY created, number",
        (numbers,),
    )


def _is_kept(claim: Claim, now: float, worker: str | None, leased: float, progress: str) -> bool:
    """Whether its worker only stands still, and a takeover would lose what it reads."""
    return (
        worker is not None
        and now - leased < STALLED_SECONDS
        and is_lost_with_its_worker(progress_of(progress))
        and claim.lives(name(worker))
    )


def renew(db: sqlite3.Connection, worker: str, lease: float, now: float) -> set[str]:
    rows = db.execute("SELECT id FROM run WHERE worker = ?", (named(worker),)).fetchall()
    if rows:
        db.execute("UPDATE run SET leased = ? WHERE worker = ?", (now + lease, named(worker)))
    return {name(id) for (id,) in rows}


def release(db: sqlite3.Connection, worker: str, ids: Collection[str] | None) -> None:
    chosen = "" if ids is None else "AND id IN (SELECT value FROM json_each(?))"
    wanted = () if ids is None else (names(ids),)
    db.execute(
        f"UPDATE run SET worker = NULL, leased = NULL WHERE worker = ? {chosen}",
        (named(worker), *wanted),
    )
