"""What SQLite says went wrong, as the errors that a store may raise."""

from __future__ import annotations

import sqlite3

from kit.errors import ConfigError, KitError
from relay_lite.store import StoreFull, StoreUnavailable

__all__ = ["busy", "opening_failure", "store_failure", "usable_after"]

FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
AWAY = {
    *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM),
    *(sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_NOMEM),
}


def store_failure(error: BaseException) -> BaseException:
    """The store's error for one of SQLite's; any other is a bug, and stays what it is."""
    code = _code(error)
    if code in FULL:
        return StoreFull(
            "The relay's store cannot be written: its disk is full, or failing.\n"
            "Make room there, or delete runs that are no longer needed."
        )
    if code in BUSY:
        return StoreUnavailable(
            "Another process keeps the relay's store locked. Try again in a moment."
        )
    if code in AWAY:
        return StoreUnavailable(
            "The relay's store can no longer be used: its file is damaged, or not writable now."
        )
    return error


def opening_failure(error: BaseException, place: str) -> BaseException:
    """The same while the file is opened, where another place is what helps."""
    if isinstance(error, KitError):
        return error
    if isinstance(error, OSError) or _code(error) in AWAY:
        return ConfigError(
            f"The runs cannot be kept in {place}: it cannot be opened, or not be written.\n"
            "Set RELAY_STORE to a file in a folder of yours."
        )
    return store_failure(error)


def busy(error: BaseException) -> bool:
    """Whether waiting for another process was all that failed."""
    return _code(error) in BUSY


def usable_after(error: BaseException) -> bool:
    """Whether the connection is still good: the error says nothing against it."""
    code = _code(error)
    return code is None or code not in {sqlite3.SQLITE_IOERR, *AWAY}


def _code(error: BaseException) -> int | None:
    """SQLite's primary result code; the extended one has more above the lowest byte."""
    if not isinstance(error, sqlite3.Error):
        return None
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
