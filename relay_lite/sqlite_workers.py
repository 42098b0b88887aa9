"""Which workers of a store's file live: each holds a lock for as long as its process does.

A cell that keeps the interpreter to itself keeps its kernel's relay from renewing its leases. What
such a worker reads of a gateway that keeps no answers is lost when another takes it over, and was
paid for: so it is left alone for a while.

Rule: who cannot be seen to live is dead. Where there are no such locks (Windows, disks of a
network) that is everyone, and so is who stood still for too long.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

from relay_lite.store import Progress

__all__ = ["STALLED_SECONDS", "Workers", "is_lost_with_its_worker"]

STALLED_SECONDS = 600.0
"""How long after its lease a worker that lives may stand still, and keeps such runs."""

_NAME = re.compile(r"[\w.-]{1,120}")


def is_lost_with_its_worker(progress: Progress) -> bool:
    """Whether nobody else can go on with the run: it is read, or sent, over a connection."""
    return progress.way == "plain" or progress.submitting


class Workers:
    """`folder` holds a file for each worker; None where locks are not to be trusted."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder if fcntl is not None else None
        self._held: dict[str, int] = {}

    def enter(self, worker: str) -> None:
        """This process works under that name, until `leave` or its end, however it ends."""
        if self._folder is None or worker in self._held or not _NAME.fullmatch(worker):
            return
        with contextlib.suppress(OSError):  # it works without, as on a disk that is full
            self._folder.mkdir(mode=0o700, exist_ok=True)
            file = os.open(self._folder / worker, os.O_RDWR | os.O_CREAT, 0o600)
            self._held[worker] = file
            _lock(file)

    def lives(self, worker: str) -> bool:
        """Whether another worker of that name lives. What a dead one has left is removed."""
        if self._folder is None or worker in self._held or not _NAME.fullmatch(worker):
            return False
        place = self._folder / worker
        try:
            file = os.open(place, os.O_RDWR)
        except OSError:
            return False
        try:
            _lock(file)
            place.unlink()
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            os.close(file)
        return False

    def leave(self) -> None:
        """Nobody works here any more."""
        for worker, file in self._held.items():
            with contextlib.suppress(OSError):
                if self._folder is not None:
                    (self._folder / worker).unlink()
            os.close(file)
        self._held.clear()


def _lock(file: int) -> None:
    """Raises BlockingIOError where another process has it."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
