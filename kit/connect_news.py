"""What has become of this user's runs, without asking anybody: read off their files.

Rule: it is called while a notebook loads, so it opens the book and the relay's own file, and starts
nothing. What lies at a relay elsewhere counts as going on until somebody asks there, or a day has
passed: that relay may be gone for good.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

from kit.relay.book import Book
from kit.relay.view import ENDED
from kit.settings_relay import load_relay

__all__ = ["counts"]

MOST_LOOKED_UP = 200
A_DAY = 86_400.0


def counts(folder: Path) -> tuple[int, int]:
    """How many runs go on, and how many have ended without their user having been told.

    One whose sending nobody saw the end of counts as going on.
    """
    unseen = Book(folder).open_entries()[:MOST_LOOKED_UP]
    asked = [one.id for one in unseen if one.id and one.ended is None and not one.relay]
    known = _statuses(asked) if asked else {}
    ended = going_on = 0
    for entry in unseen:
        own = entry.id in asked and known is not None
        if entry.ended or (own and known and known.get(entry.id or "") in ENDED):
            ended += 1
        elif entry.relay:
            going_on += time.time() - entry.asked < A_DAY
        elif not own or (known and entry.id in known):  # else it was deleted
            going_on += 1
    return going_on, ended


def _statuses(ids: list[str]) -> dict[str, str] | None:
    """The status of each of the runs in the relay's file of this user; None where it has none."""
    store = load_relay().store
    if not isinstance(store, Path):
        return None  # a database is not asked while a notebook loads
    if not store.is_file():
        return {}
    places = ", ".join("?" * len(ids))
    address = f"{store.absolute().as_uri()}?mode=rw"  # reading alone could not use its journal
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=0.2)) as db:
        rows = db.execute(f"SELECT id, status FROM run WHERE id IN ({places})", ids).fetchall()
    return dict(rows)
