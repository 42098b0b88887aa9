"""Time that passes for the sandbox, and that no test has to wait for."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

LONG = 10_000.0


def let_time_pass(home: Path, seconds: float = LONG) -> None:
    """Every run that a sandbox has kept below `home` began so much earlier; none plays it now."""
    files = [*home.rglob("sandbox.sqlite3")]
    assert files, "no sandbox has kept anything"
    for file in files:
        with contextlib.closing(sqlite3.connect(file, timeout=60)) as db, db:
            db.execute(
                "UPDATE responses SET created = created - :seconds, finished = finished - :seconds",
                {"seconds": seconds},
            )
