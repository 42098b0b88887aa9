"""What is read of runs, as the last commit left them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence

from relay_lite.sqlite_rows import dumped, event_of, invocation_of, name, named, of_gateway
from relay_lite.store import Event, Gateway, Invocation

__all__ = ["FREE", "events", "find", "invocations", "listing", "unfinished", "waiting"]

COLUMNS = """
    run.id, caller, gateway, fingerprint, mode, arguments, run.status, created, updated, finished,
    last, epoch, worker, fetched, owed, progress, result
"""
SOURCE = """
    FROM run JOIN request ON request.run = run.number
    LEFT JOIN outcome ON outcome.run = run.number
"""
# Of a gateway, now: what nobody holds, and still is work.
FREE = """
    gateway = ? AND fingerprint = ? AND (finished IS NULL OR owed = 1)
    AND (worker IS NULL OR leased < ?)
"""
# One row whatever it holds: each row would give the interpreter's lock away and win it back.
EVENTS = """
    SELECT json_group_array(json_array(run.id, sequence, event.type, event.status, data))
    FROM json_each(?) AS wanted
    JOIN run ON run.id = json_extract(wanted.value, '$[0]')
    JOIN event ON event.run = run.number
        AND sequence > json_extract(wanted.value, '$[1]')
        AND sequence <= json_extract(wanted.value, '$[1]') + ?
"""


def invocations(
    db: sqlite3.Connection, rest: str, parameters: Sequence[object]
) -> list[Invocation]:
    """The runs that `rest` of the statement selects, WHERE and ORDER BY included."""
    rows = db.execute(f"SELECT {COLUMNS} {SOURCE} {rest}", parameters).fetchall()
    return [invocation_of(row) for row in rows]


def find(db: sqlite3.Connection, id: str) -> Invocation | None:
    found = invocations(db, "WHERE run.id = ?", (named(id),))
    return found[0] if found else None


def listing(
    db: sqlite3.Connection,
    caller: str,
    before: tuple[float, str] | None,
    limit: int,
    key: str | None,
) -> list[Invocation]:
    older, seen = ("", ()) if before is None else ("AND (created, run.id) < (?, ?)", before)
    only, keys = ("", ()) if key is None else ("AND idempotency_key = ?", (key,))
    given = (caller, *keys, *seen)
    return invocations(
        db,
        f"WHERE caller = ? {only} {older} ORDER BY created DESC, run.id DESC LIMIT ?",
        (*(named(one) if isinstance(one, str) else one for one in given), limit),
    )


def events(db: sqlite3.Connection, after: Mapping[str, int], limit: int) -> dict[str, list[Event]]:
    wanted = dumped([[named(id), last] for id, last in after.items()])
    (text,) = db.execute(EVENTS, (wanted, limit)).fetchone()
    found: dict[str, list[Event]] = {}
    for id, *line in sorted(json.loads(text)):
        found.setdefault(name(id), []).append(event_of(line))
    return found


def waiting(db: sqlite3.Connection, gateway: Gateway, now: float) -> list[str]:
    rows = db.execute(
        f"SELECT id FROM run WHERE {FREE} ORDER BY created, number", (*of_gateway(gateway), now)
    ).fetchall()
    return [name(id) for (id,) in rows]


def unfinished(db: sqlite3.Connection, gateway: Gateway) -> int:
    (count,) = db.execute(
        "SELECT count(*) FROM run WHERE gateway = ? AND fingerprint = ? AND finished IS NULL",
        of_gateway(gateway),
    ).fetchone()
    return count
