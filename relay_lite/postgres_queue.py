"""Where Procrastinate's tables lie: in a schema of their own, named after their version.

Rule: the queue holds nothing that the runs' log does not. So a release of Procrastinate with other
tables gets a new, empty schema beside the old one, and during an upgrade both are served: what was
deferred in the old one and not fetched is deferred again by whoever looks after the new one.
"""

from __future__ import annotations

import functools
from pathlib import Path

import psycopg
from procrastinate.schema import SchemaManager

from kit.errors import ConfigError
from relay_lite.postgres_link import Connection
from relay_lite.postgres_schema import LOCK

__all__ = ["prepare", "queue_schema", "use"]


@functools.cache
def queue_schema() -> str:
    """The schema's name: after the newest change that Procrastinate made to its tables."""
    changes = Path(SchemaManager.get_migrations_path()).glob("*.sql")
    newest = max(change.name.partition("_")[0] for change in changes)
    return "relay_queue_" + "_".join(str(int(part)) for part in newest.split("."))


async def prepare(connection: Connection) -> None:
    """Make the tables where there are none. Raises ConfigError where this user may not."""
    schema = queue_schema()
    try:
        async with connection.transaction():
            await connection.execute("select pg_advisory_xact_lock(%s)", [LOCK])
            table = f"{schema}.procrastinate_jobs"
            there = await connection.execute("select to_regclass(%s)", [table])
            if await there.fetchone() == (None,):
                await connection.execute(f"create schema if not exists {schema}".encode())
                await connection.execute(f"set local search_path to {schema}".encode())
                await connection.execute(SchemaManager.get_schema().encode())
    except psycopg.errors.InsufficientPrivilege:
        raise ConfigError(
            "The user in RELAY_STORE may not make the tables of the relay's queue.\n"
            "Allow it with: GRANT CREATE ON DATABASE … TO …, or let its owner start a relay once."
        ) from None


async def use(connection: Connection) -> None:
    """Prepare a connection of Procrastinate's."""
    await connection.execute(f"set search_path to {queue_schema()}".encode())
    await connection.commit()
