"""What has become of this user's runs, without asking anybody: read off their files.

Rule: it is called while a notebook loads, so it opens the book and the relay's own file, and starts
nothing. What lies at a relay elsewhere counts as going on until somebody asks there.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from kit.relay.book import Book
from kit.relay.view import ENDED
from kit.settings_relay import load_relay

__all__ = ["counts"]

MOST_LOOKED_UP = 200


def counts(folder: Path) -> tuple[int, int]:
    """How many runs go on, and how many have ended without their user having been shown it."""
    unseen = [entry for entry in Book(folder).open_entries() if entry.id is not None]
    unseen = unseen[:MOST_LOOKED_UP]
    if not unseen:
        return 0, 0
    asked = [entry.id for entry in unseen if entry.ended is None and not entry.relay and entry.id]
    known = _statuses(asked) if asked else {}
    ended = [entry for entry in unseen if entry.ended or known.get(entry.id or "", "") in ENDED]
    gone = [entry for entry in unseen if entry.id in asked and entry.id not in known]
    return len(unseen) - len(ended) - len(gone), len(ended)


def _statuses(ids: list[str]) -> dict[str, str]:
    """The status of each of the runs that lies in the relay's file of this user."""
    store = load_relay().store
    if not isinstance(store, Path) or not store.is_file():
        return {}
    places = ", ".join("?" * len(ids))
    address = f"{store.absolute().as_uri()}?mode=rw"  # reading alone could not use its journal
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=0.2)) as db:
        rows = db.execute(f"SELECT id, status FROM run WHERE id IN ({places})", ids).fetchall()
    return dict(rows)
