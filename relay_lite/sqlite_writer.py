"""How jobs are done: what waits to be written is committed together, and what changed is told.

A transaction costs a wait for the disk, whatever is in it. So all that has come while the last one
was written goes into the next. A job that is refused wrote nothing; one that fails takes the
transaction with it, and the others are then done one by one.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection
from itertools import groupby

from relay_lite.sqlite_append import Append, append_all
from relay_lite.sqlite_desk import Job
from relay_lite.sqlite_failures import busy, store_failure, usable_after
from relay_lite.sqlite_file import Place, connect, identity_of
from relay_lite.sqlite_schema import VERSION
from relay_lite.store import StoreError, StoreUnavailable

__all__ = ["Connection", "Reader", "Writer"]

# Read on the connection that writes, `data_version` changes by what others commit alone.
LOOK = "SELECT user_version, data_version FROM pragma_user_version, pragma_data_version"


class Connection:
    """A connection that is opened when it is needed, and anew after it failed: the same file."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    def get(self) -> sqlite3.Connection:
        if self._db is None:
            self._file = self._file or identity_of(self._place.path)
            self.check()
            self._db = connect(self._place)
        return self._db

    def check(self) -> None:
        """Raises StoreUnavailable where another process would not find what is written here."""
        if self._file is None or identity_of(self._place.path) != self._file:
            raise StoreUnavailable(
                "The relay's store can no longer be used: its file was moved or deleted.\n"
                "Put it back, or start the relay again, which makes a new one."
            )

    def recover(self, error: Exception) -> bool:
        """Leave the transaction that failed; whether this needed another connection."""
        db = self._db
        if db is None:
            return True
        try:
            if db.in_transaction:
                db.execute("ROLLBACK")
            if usable_after(error):
                return False
        except sqlite3.Error:
            pass
        self.close()
        return True

    def close(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            db.close()


class Reader:
    """Does each job by itself; it sees what is committed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def serve(self, jobs: list[Job]) -> None:
        for job in jobs:
            try:
                job.value = job.task(self._connection.get())
            except Exception as error:
                self._connection.recover(error)
                job.error = store_failure(error)


class Writer:
    """`changed` is told what was committed: ids, or None for what another process wrote."""

    def __init__(
        self, connection: Connection, changed: Callable[[Collection[str] | None], None]
    ) -> None:
        self._connection = connection
        self._changed = changed
        self._seen: int | None = None

    def serve(self, jobs: list[Job]) -> None:
        """Do all of them in one transaction, else each in its own."""
        try:
            self._commit(jobs)
        except Exception as error:
            self._give_up(error)
            if busy(error) or len(jobs) == 1 or isinstance(error, StoreError):
                raise store_failure(error) from None
            for job in jobs:
                self._alone(job)
        self._tell(jobs)

    def look(self) -> None:
        """Tell what other processes have committed since the last look."""
        try:
            self._note(self._connection.get())
        except Exception as error:
            self._give_up(error)

    def _alone(self, job: Job) -> None:
        try:
            self._commit([job])
        except Exception as error:
            self._give_up(error)
            job.error = store_failure(error)

    def _commit(self, jobs: list[Job]) -> None:
        db = self._connection.get()
        db.execute("BEGIN IMMEDIATE")
        self._note(db)
        for kind, some in groupby(jobs, lambda job: isinstance(job.task, Append)):
            if kind:
                _append(db, list(some))
            else:
                for job in some:
                    _perform(db, job)
        self._connection.check()
        db.execute("COMMIT")

    def _note(self, db: sqlite3.Connection) -> None:
        version, data = db.execute(LOOK).fetchone()
        if data != self._seen:
            if self._seen is not None:
                self._changed(None)
            self._seen = data
        if version != VERSION:
            raise StoreUnavailable(
                "A newer version of this toolkit has taken over the relay's store.\n"
                "Start this one again, upgraded."
            )

    def _tell(self, jobs: list[Job]) -> None:
        done = [job.ids for job in jobs if job.error is None]
        if None in done:
            self._changed(None)
        elif ids := {id for some in done for id in some or ()}:
            self._changed(ids)

    def _give_up(self, error: Exception) -> None:
        if self._connection.recover(error):
            self._seen = None
            self._changed(None)  # what others wrote meanwhile went unseen


def _append(db: sqlite3.Connection, jobs: list[Job]) -> None:
    refusals = append_all(db, [job.task for job in jobs], time.time())
    for job, refusal in zip(jobs, refusals, strict=True):
        job.error = refusal


def _perform(db: sqlite3.Connection, job: Job) -> None:
    job.error = None
    try:
        job.value = job.task(db)
    except StoreError as refusal:
        job.error = refusal
