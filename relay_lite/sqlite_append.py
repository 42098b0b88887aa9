"""Appends of many runs, as three statements.

Each statement gives the interpreter's lock away and has to win it back, which takes 5 ms while
another thread computes. A statement for each event would make a busy kernel's relay crawl; so all
that waits is judged here, and written at once.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from relay_lite.sqlite_rows import dumped, named, names, result_text
from relay_lite.store import TERMINAL, Draft, Fenced, Progress, Result

__all__ = ["Append", "append_all"]

STATES = """
    SELECT json_group_array(json_array(id, number, epoch, last, status)) FROM run
    WHERE id IN (SELECT value FROM json_each(?))
"""
ADVANCE = """
    UPDATE run SET last = new.last, status = new.status, updated = new.at,
        progress = coalesce(new.progress, run.progress),
        finished = iif(new.over, new.at, NULL),
        owed = max(run.owed, new.owed),
        worker = iif(new.over, NULL, run.worker),
        leased = iif(new.over, NULL, run.leased)
    FROM (
        SELECT json_extract(value, '$[0]') AS number, json_extract(value, '$[1]') AS last,
            json_extract(value, '$[2]') AS status, json_extract(value, '$[3]') AS over,
            json_extract(value, '$[4]') AS progress, json_extract(value, '$[5]') AS owed, ? AS at
        FROM json_each(?)
    ) AS new
    WHERE run.number = new.number
"""
WRITE = """
    INSERT INTO event (run, sequence, type, status, data)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
        json_extract(value, '$[3]'), json_extract(value, '$[4]')
    FROM json_each(?)
"""
CONCLUDE = "INSERT OR REPLACE INTO outcome (run, result) VALUES (?, ?)"


@dataclass(frozen=True, slots=True)
class Append:
    """One call of `Store.append`."""

    id: str
    epoch: int
    events: Sequence[Draft]
    after: int
    status: str | None = None
    progress: Progress | None = None
    result: Result | None = None
    owed: bool = False


@dataclass(slots=True)
class _Run:
    """A run as it is before these appends, and then as they leave it."""

    number: int
    epoch: int
    last: int
    status: str
    progress: Progress | None = None
    owed: bool = False
    touched: bool = False


def append_all(
    db: sqlite3.Connection, appends: Sequence[Append], now: float
) -> list[Fenced | None]:
    """Write what may be written; for each append None, or why it was refused."""
    runs = _states(db, {append.id for append in appends})
    outcomes: list[Fenced | None] = []
    events: list[tuple[int, int, str, str, str]] = []
    results: list[tuple[int, str]] = []
    for append in appends:
        run = runs.get(append.id)
        if run is None or run.epoch != append.epoch:
            outcomes.append(_fenced(append))
            continue
        if append.events and run.last == append.after + len(append.events):
            outcomes.append(None)  # it has arrived before
            continue
        if run.status in TERMINAL or run.last != append.after:
            outcomes.append(_fenced(append))
            continue
        events += _lines(run, append)
        if append.result is not None:
            results.append((run.number, result_text(append.result)))
        _advance(run, append)
        outcomes.append(None)
    _write(db, runs.values(), events, results, now)
    return outcomes


def _states(db: sqlite3.Connection, ids: set[str]) -> dict[str, _Run]:
    (text,) = db.execute(STATES, (names(ids),)).fetchone()
    states = {id: _Run(*state) for id, *state in json.loads(text)}
    return {id: states[named(id)] for id in ids if named(id) in states}


def _lines(run: _Run, append: Append) -> Iterator[tuple[int, int, str, str, str]]:
    """The rows of the events. A terminal status is that of the terminal event, the last, alone."""
    status = append.status or run.status
    before = run.status if status in TERMINAL else status
    final = len(append.events) - 1
    for place, event in enumerate(append.events):
        yield (
            run.number,
            run.last + 1 + place,
            named(event.type),
            status if place == final else before,
            dumped(event.data),
        )


def _advance(run: _Run, append: Append) -> None:
    run.last += len(append.events)
    run.status = append.status or run.status
    run.progress = append.progress or run.progress
    run.owed = append.owed
    run.touched = True


def _write(
    db: sqlite3.Connection,
    runs: Iterable[_Run],
    events: Sequence[tuple[int, int, str, str, str]],
    results: Sequence[tuple[int, str]],
    now: float,
) -> None:
    rows = [
        (
            run.number,
            run.last,
            run.status,
            run.status in TERMINAL,
            None if run.progress is None else dumped(asdict(run.progress)),
            run.owed,
        )
        for run in runs
        if run.touched
    ]
    if rows:
        db.execute(ADVANCE, (now, dumped(rows)))
    if events:
        db.execute(WRITE, (dumped(events),))
    if results:
        db.executemany(CONCLUDE, results)


def _fenced(append: Append) -> Fenced:
    return Fenced(f"Run {append.id!a} is no longer held here: it was taken over, or has ended.")
