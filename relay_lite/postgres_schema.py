"""The tables, and how those of an older version become those of this version.

Rule: a migration that was released never changes; a new version adds one at the end. Everything
lies in the schema `relay` of the database, and whoever makes or changes it holds one lock.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from kit.errors import ConfigError
from relay_lite.postgres_link import Connection

__all__ = ["LOCK", "MIGRATIONS", "migrate"]

LOCK = 0x72_4C69_7465  # "rLite"; the number of the lock

MIGRATIONS: Sequence[str] = (
    # JSON is kept as text that is pure ASCII: jsonb cannot hold the character U+0000.
    # last: the number of the run's last event. leased: until when `worker` holds it.
    # Times are seconds since 1970, by the clock of the database.
    """
    create table relay.run (
        id text primary key,
        caller text not null,
        gateway text not null,
        fingerprint text not null,
        mode text not null,
        arguments text not null,
        idempotency_key text,
        digest text not null,
        status text not null,
        created float8 not null,
        updated float8 not null,
        finished float8,
        last integer not null,
        epoch integer not null default 0,
        worker text,
        leased float8,
        fetched boolean not null default false,
        owed boolean not null default false,
        progress text not null default '{}',
        result text not null default '{}'
    ) with (fillfactor = 70);
    create table relay.event (
        run text not null references relay.run on delete cascade,
        sequence integer not null,
        type text not null,
        status text not null,
        data text not null,
        primary key (run, sequence)
    );
    create table relay.knowledge (
        gateway text not null,
        fingerprint text not null,
        model text not null,
        facts text not null,
        primary key (gateway, fingerprint, model)
    );
    create index run_of_caller on relay.run (caller, created, id);
    create unique index run_by_key on relay.run (caller, idempotency_key)
        where idempotency_key is not null;
    create index run_to_do on relay.run (gateway, fingerprint, created, id)
        where finished is null or owed;
    create index run_of_worker on relay.run (worker) where worker is not null;
    create index run_that_ended on relay.run (finished) where finished is not null;
    """,
)


async def migrate(connection: Connection, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Bring the database to the newest version, in one transaction that keeps all others waiting.

    Raises ConfigError for a database of a newer version, which it leaves as it is, and for one in
    which this user may not make tables.
    """
    try:
        async with connection.transaction():
            await connection.execute("select pg_advisory_xact_lock(%s)", [LOCK])
            version = await _version(connection)
            if version > len(migrations):
                raise ConfigError(
                    f"A newer version of this toolkit wrote the runs (format {version}; this one "
                    f"reads {len(migrations)}).\n"
                    "Upgrade it here too, or set RELAY_STORE to another database."
                )
            for migration in migrations[version:]:
                await connection.execute(migration.encode())
            if version < len(migrations):
                await connection.execute("delete from relay.version")
                await connection.execute("insert into relay.version values (%s)", [len(migrations)])
    except psycopg.errors.InsufficientPrivilege:
        raise ConfigError(
            "The user in RELAY_STORE may not make the relay's tables.\n"
            "Allow it with: GRANT CREATE ON DATABASE … TO …, or let its owner start a relay once."
        ) from None


async def _version(connection: Connection) -> int:
    """The version of what is there; 0 when nothing is."""
    there = await connection.execute("select to_regclass('relay.version')")
    if await there.fetchone() == (None,):
        await connection.execute("create schema if not exists relay")
        await connection.execute("create table relay.version (number integer not null)")
        return 0
    found = await (await connection.execute("select number from relay.version")).fetchone()
    return int(found[0]) if found else 0
