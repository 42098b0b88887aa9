"""Stored responses, in one SQLite file that several processes may share.

A row holds a finished response and the moment its reader may see the end of it. Nothing runs:
whether a background run is queued, under way or done is read off the clock, so a run outlives every
process that serves it.

The file is opened at first use. Where that fails (a read-only home, a damaged file) the store lives
in memory instead and says why in `note`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = 1
KEPT = 2000
KEPT_BYTES = 256 * 1024 * 1024
CHAIN_LIMIT = 500

TABLES = """
CREATE TABLE responses (
    id TEXT PRIMARY KEY,
    created REAL NOT NULL,
    finished REAL NOT NULL,
    expires REAL,
    cancelled REAL,
    previous TEXT,
    size INTEGER NOT NULL,
    run TEXT NOT NULL,
    input TEXT NOT NULL,
    response TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX by_age ON responses (created, finished, size);
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A response with what its next reader needs. Times are seconds since the epoch."""

    response: dict[str, Any]
    input: list[dict[str, Any]]
    created: float
    finished: float
    pace: float = 0.0
    research: bool = False
    streamed: bool = False
    include: tuple[str, ...] = ()
    expires: float | None = None
    cancelled: float | None = None

    @property
    def id(self) -> str:
        return str(self.response["id"])


class Store:
    """Responses by id. Every method is one short transaction; call them from worker threads."""

    def __init__(
        self, path: Path | None = None, *, kept: int = KEPT, kept_bytes: int = KEPT_BYTES
    ) -> None:
        self.note: str | None = None
        self._path = path
        self._kept = kept
        self._kept_bytes = kept_bytes
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def add(self, stored: Stored) -> None:
        """Keep a response; the oldest finished ones make room."""
        run = {"pace": stored.pace, "research": stored.research, "streamed": stored.streamed,
               "include": stored.include}  # fmt: skip
        texts = [_dump(run), _dump(stored.input), _dump(stored.response)]
        row = (stored.id, stored.created, stored.finished, stored.expires,
               stored.response["previous_response_id"], sum(map(len, texts)), *texts)  # fmt: skip
        with self._transaction() as db:
            db.execute(
                "INSERT INTO responses (id, created, finished, expires, previous, size, run, input,"
                " response) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
            self._make_room(db, stored.created)

    def get(self, response_id: str, now: float) -> Stored | None:
        """The response of that id, unless there is none or its time is over."""
        with self._transaction("DEFERRED") as db:
            row = db.execute(
                "SELECT created, finished, expires, cancelled, run, input, response FROM responses"
                " WHERE id = ? AND (expires IS NULL OR expires > ?)",
                (response_id, now),
            ).fetchone()
        if row is None:
            return None
        created, finished, expires, cancelled, run, given, response = row
        run = json.loads(run)
        return Stored(
            json.loads(response), json.loads(given), created, finished, run["pace"],
            run["research"], run["streamed"], tuple(run["include"]), expires, cancelled,
        )  # fmt: skip

    def cancelled_at(self, response_id: str) -> float | None:
        """When it was cancelled, or None."""
        with self._transaction("DEFERRED") as db:
            row = db.execute(
                "SELECT cancelled FROM responses WHERE id = ?", (response_id,)
            ).fetchone()
        return row[0] if row else None

    def cancel(self, response_id: str, now: float) -> None:
        """Cancel a run that is not over; anything else stays as it is."""
        with self._transaction() as db:
            db.execute(
                "UPDATE responses SET cancelled = ?"
                " WHERE id = ? AND cancelled IS NULL AND finished > ?",
                (now, response_id, now),
            )

    def delete(self, response_id: str) -> bool:
        """Forget a response; whether there was one."""
        with self._transaction() as db:
            done = db.execute("DELETE FROM responses WHERE id = ?", (response_id,))
            return done.rowcount > 0

    def chain(self, response_id: str, now: float) -> list[Stored]:
        """The response of that id and all it continues, oldest first; empty when it is unknown.

        Older parts of a long conversation may have made room; what is left of it is what counts.
        """
        found: list[Stored] = []
        following: str | None = response_id
        while following and len(found) < CHAIN_LIMIT:
            stored = self.get(following, now)
            if stored is None:
                break
            found.append(stored)
            following = stored.response["previous_response_id"]
        return found[::-1]

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def _make_room(self, db: sqlite3.Connection, now: float) -> None:
        db.execute("DELETE FROM responses WHERE expires <= ?", (now,))
        db.execute(
            "DELETE FROM responses WHERE finished <= ? AND id IN (SELECT id FROM ("
            " SELECT id, ROW_NUMBER() OVER newest AS place, SUM(size) OVER newest AS weight"
            " FROM responses WINDOW newest AS (ORDER BY created DESC, id))"
            " WHERE place > ? OR (weight > ? AND place > 1))",
            (now, self._kept, self._kept_bytes),
        )

    @contextlib.contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Generator[sqlite3.Connection]:
        with self._lock:
            if self._connection is None:
                self._connection = self._open()
            db = self._connection
            db.execute(f"BEGIN {kind}")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def _open(self) -> sqlite3.Connection:
        if self._path is not None:
            try:
                return _open_file(self._path)
            except (OSError, sqlite3.Error, _OtherVersion) as error:
                self.note = f"{self._path} cannot be used ({error}); responses are kept in memory."
        return _prepare(_connect(":memory:"))


class _OtherVersion(Exception):
    """The file was written by another version of the toolkit."""


def _open_file(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # private before anything is in it
    db = _connect(str(path))
    try:
        _refuse_other_version(db)  # before anything is written into a file that is not ours
        _write_ahead(db)
        return _prepare(db)
    except BaseException:
        db.close()
        raise


def _write_ahead(db: sqlite3.Connection) -> None:
    """Let readers go on while another process writes."""
    for last in (False,) * 100 + (True,):
        try:
            db.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError:  # two at a new file: this switch does not wait its turn
            if last:
                raise
            time.sleep(0.02)
    db.execute("PRAGMA synchronous = NORMAL")


def _refuse_other_version(db: sqlite3.Connection) -> int:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version not in (0, VERSION):
        raise _OtherVersion(f"it has format {version}, this version writes {VERSION}")
    return int(version)


def _connect(name: str) -> sqlite3.Connection:
    # Used by one thread at a time (the lock), but not always by the same one.
    return sqlite3.connect(name, timeout=10, isolation_level=None, check_same_thread=False)


def _prepare(db: sqlite3.Connection) -> sqlite3.Connection:
    """Make the table in a new file, in one transaction: another process may be doing the same."""
    db.execute("BEGIN IMMEDIATE")
    if _refuse_other_version(db) == 0:
        for statement in TABLES.strip().split(";\n"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")
    return db


def _dump(value: object) -> str:
    return (
        json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        .encode("utf-8", "replace")
        .decode()
    )
