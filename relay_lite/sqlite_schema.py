"""The tables, and how a file of an older version becomes one of this version.

Rule: a migration that was released never changes; a new version adds one at the end. What is
written with every event (`run`) is small and apart from what is written once (`request`,
`outcome`): SQLite rewrites a row as a whole.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from kit.errors import ConfigError

__all__ = ["APPLICATION", "MIGRATIONS", "VERSION", "migrate"]

APPLICATION = 0x724C6974  # "rLit": tells our files from those of other programs

Migration = Sequence[str]

MIGRATIONS: tuple[Migration, ...] = (
    (
        # last: the number of the run's last event. leased: until when `worker` holds it.
        """CREATE TABLE run (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            caller TEXT NOT NULL,
            gateway TEXT NOT NULL,
            fingerprint TEXT NOT NULL,
            mode TEXT NOT NULL,
            idempotency_key TEXT,
            digest TEXT NOT NULL,
            created REAL NOT NULL,
            status TEXT NOT NULL,
            updated REAL NOT NULL,
            finished REAL,
            last INTEGER NOT NULL,
            epoch INTEGER NOT NULL DEFAULT 0,
            worker TEXT,
            leased REAL,
            fetched INTEGER NOT NULL DEFAULT 0,
            owed INTEGER NOT NULL DEFAULT 0,
            progress TEXT NOT NULL DEFAULT '{}'
        )""",
        "CREATE TABLE request (run INTEGER PRIMARY KEY, arguments TEXT NOT NULL)",
        "CREATE TABLE outcome (run INTEGER PRIMARY KEY, result TEXT NOT NULL)",
        """CREATE TABLE event (
            run INTEGER NOT NULL,
            sequence INTEGER NOT NULL,
            type TEXT NOT NULL,
            status TEXT NOT NULL,
            data TEXT NOT NULL,
            PRIMARY KEY (run, sequence)
        ) WITHOUT ROWID""",
        """CREATE TABLE knowledge (
            gateway TEXT NOT NULL,
            fingerprint TEXT NOT NULL,
            model TEXT NOT NULL,
            facts TEXT NOT NULL,
            PRIMARY KEY (gateway, fingerprint, model)
        ) WITHOUT ROWID""",
        "CREATE INDEX run_of_caller ON run (caller, created, id)",
        """CREATE UNIQUE INDEX run_by_key ON run (caller, idempotency_key)
            WHERE idempotency_key IS NOT NULL""",
        # What somebody still has work with, oldest first.
        """CREATE INDEX run_to_do ON run (gateway, fingerprint, created, number)
            WHERE finished IS NULL OR owed = 1""",
        "CREATE INDEX run_of_worker ON run (worker) WHERE worker IS NOT NULL",
        "CREATE INDEX run_that_ended ON run (finished) WHERE finished IS NOT NULL",
    ),
)

VERSION = len(MIGRATIONS)


def migrate(db: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the file to the newest version, in one transaction that shuts all others out.

    Raises ConfigError for a file of a newer version, which it leaves as it is.
    """
    if version_of(db) == len(migrations):
        return
    db.execute("BEGIN EXCLUSIVE")
    try:
        version = version_of(db)  # another process may have been first
        if version > len(migrations):
            raise ConfigError(
                f"A newer version of this toolkit wrote the runs (format {version}; this one reads "
                f"{len(migrations)}).\nUpgrade it here too, or set RELAY_STORE to another file."
            )
        for migration in migrations[version:]:
            for statement in migration:
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION}")
        db.execute(f"PRAGMA user_version = {len(migrations)}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def version_of(db: sqlite3.Connection) -> int:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return int(version)
