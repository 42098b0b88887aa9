"""What was found out about how a gateway serves a model."""

from __future__ import annotations

import json
import sqlite3

from relay_lite.sqlite_rows import dumped, named, of_gateway
from relay_lite.store import Gateway, Json

__all__ = ["learn", "recall"]


def recall(db: sqlite3.Connection, gateway: Gateway, model: str) -> Json:
    row = db.execute(
        "SELECT facts FROM knowledge WHERE gateway = ? AND fingerprint = ? AND model = ?",
        (*of_gateway(gateway), named(model)),
    ).fetchone()
    return json.loads(row[0]) if row else {}


def learn(db: sqlite3.Connection, gateway: Gateway, model: str, facts: Json) -> None:
    """Add to what is known: two runs may each find out one thing at a time."""
    known = recall(db, gateway, model) | facts
    db.execute(
        "INSERT OR REPLACE INTO knowledge VALUES (?, ?, ?, ?)",
        (*of_gateway(gateway), named(model), dumped(known)),
    )
