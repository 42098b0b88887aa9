"""Connections to PostgreSQL, and what its failures mean to a store.

Rule: whatever shows that the database is away is StoreUnavailable, and nothing that libpq says of
an address goes into a message. An operation that may be done twice is done again for a while,
because a database that restarts is back within a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeAlias, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import DiskFull, ReadOnlySqlTransaction
from psycopg_pool import AsyncConnectionPool

from kit.errors import ConfigError
from relay_lite.store import StoreFull, StoreUnavailable

__all__ = ["Connection", "Link", "connection_settings", "failures"]

Connection: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]
T = TypeVar("T")

AGAIN_SECONDS, AGAIN_FOR_SECONDS = 0.1, 4.0
WAIT_SECONDS = 3.0
"""How long an operation waits for a connection before the database counts as away."""

# A database that vanishes without a word is noticed within some ten seconds.
NOTICING = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "application_name": "responses-kit relay",
}

# A process that is stopped within a transaction must not keep its runs from others for long.
LIMITS = (
    "set statement_timeout = '20s'; set idle_in_transaction_session_timeout = '4s';"
    "set client_encoding = 'utf8'"
)

logging.getLogger("psycopg.pool").setLevel(
    logging.ERROR
)  # its warnings name hosts, again and again


def connection_settings(address: str) -> str:
    """What libpq is given for a `postgresql://` address; what the address says wins.

    Raises ConfigError for what is no such address.
    """
    try:
        return make_conninfo("", **{**NOTICING, **conninfo_to_dict(address)})
    except psycopg.Error:
        raise ConfigError(
            "RELAY_STORE is no address of a PostgreSQL database. Write it as "
            "postgresql://NAME:PASSWORD@HOST:5432/DATABASE,\nwith special characters of the "
            "password as %XX."
        ) from None


@contextlib.contextmanager
def failures() -> Generator[None]:
    """Turn what PostgreSQL says went wrong into the errors that a store may raise."""
    try:
        yield
    except DiskFull:
        raise StoreFull(
            "The relay's database has no room on its disk.\n"
            "Make room there, or delete runs that are no longer needed."
        ) from None
    except (psycopg.OperationalError, psycopg.InterfaceError, ReadOnlySqlTransaction, OSError):
        raise StoreUnavailable(
            "The relay's database cannot be reached, or refuses the name or password in "
            "RELAY_STORE.\nTry again in a moment."
        ) from None


class Link:
    """At most `size` connections to one database, opened when they are needed."""

    def __init__(self, address: str, size: int) -> None:
        self._settings = connection_settings(address)
        self._size = size
        self._pool: AsyncConnectionPool[Connection] | None = None

    async def open(self) -> None:
        if self._pool is None:
            self._pool = AsyncConnectionPool(
                self._settings,
                kwargs={"autocommit": True},
                min_size=1,
                max_size=self._size,
                open=False,
                configure=_configure,
                check=AsyncConnectionPool.check_connection,  # else each one fails after a restart
                timeout=WAIT_SECONDS,
                reconnect_timeout=2.0,  # its pauses double; then the next caller begins anew
                max_idle=120.0,
            )
            await self._pool.open()

    async def close(self) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await pool.close()

    async def once(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do something with a connection. Raises StoreFull, StoreUnavailable."""
        if self._pool is None:
            raise StoreUnavailable("The relay's store is not open.")
        with failures():
            async with self._pool.connection() as connection:
                return await work(connection)

    async def surely(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """The same, again and again for a while: for what does no harm when it is done twice."""
        loop = asyncio.get_running_loop()
        end = loop.time() + AGAIN_FOR_SECONDS
        while True:
            try:
                return await self.once(work)
            except StoreUnavailable:
                if self._pool is None or loop.time() > end:
                    raise
            await asyncio.sleep(AGAIN_SECONDS)

    async def alone(self) -> Connection:
        """A connection of its own, beside the pool: whoever asked for it closes it."""
        with failures():
            return await psycopg.AsyncConnection.connect(self._settings, autocommit=True)


async def _configure(connection: Connection) -> None:
    await connection.execute(LIMITS)
