"""The file of the SQLite store: private, ours, and fit for the disk that it lies on.

Write-ahead logging shares memory between processes, which no network file system does: there the
rollback journal serves, slower, and `note` says so. Either way a commit has reached the disk when
it returns: a run that was accepted survives a power cut.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from kit.errors import ConfigError
from relay_lite.sqlite_schema import APPLICATION, migrate

__all__ = ["Place", "connect", "identity_of", "network_folder", "place_of", "prepare"]

BUSY_SECONDS = 5.0
SWITCH_SECONDS = 5.0

# What Linux calls the file systems that other hosts share.
NETWORK = frozenset(
    (
        *("9p", "afs", "beegfs", "ceph", "cifs", "davfs", "gfs2", "glusterfs", "gpfs", "lustre"),
        *("ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "smb2", "smb3", "smbfs"),
        *("fuse.ceph", "fuse.davfs2", "fuse.gcsfuse", "fuse.glusterfs", "fuse.rclone"),
        *("fuse.s3fs", "fuse.sshfs"),
    )
)

_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class Place:
    """Where the runs lie. `shared`: on a network file system."""

    path: Path
    shared: bool = False
    page_limit: int | None = None

    @property
    def note(self) -> str | None:
        if not self.shared:
            return None
        return (
            f"The runs are kept on a network file system ({self.path.parent}), where writing is "
            "slow; set RELAY_STORE to a file on a local disk to make it fast."
        )


def place_of(path: Path, page_limit: int | None = None) -> Place:
    return Place(path, network_folder(path, _mounts()), page_limit)


def network_folder(path: Path, mounts: str) -> bool:
    """Whether `path` lies on a network file system, by the text of Linux's /proc/mounts."""
    resolved = path.expanduser().resolve()
    kind, depth = "", -1
    for line in mounts.splitlines():
        words = line.split(" ")
        if len(words) < 3:
            continue
        mounted = Path(_unescaped(words[1]))
        # A later mount hides an earlier one at the same place.
        if resolved.is_relative_to(mounted) and len(mounted.parts) >= depth:
            kind, depth = words[2], len(mounted.parts)
    return kind in NETWORK


def prepare(place: Place) -> None:
    """Make or migrate the file. Raises ConfigError for what is not ours, and leaves it alone."""
    with _one_at_a_time:
        _make(place.path)
        _refuse_foreign(place.path)
        _make_private(place.path)
    db = connect(place)
    try:
        migrate(db)
        _switch_journal(db, "DELETE" if place.shared else "WAL")
    finally:
        db.close()


def connect(place: Place) -> sqlite3.Connection:
    """A connection to a prepared file, without transactions of Python's own making.

    One that is gone is not made anew: it would be empty.
    """
    address = _address(place.path, "rw")
    db = sqlite3.connect(address, timeout=BUSY_SECONDS, isolation_level=None, uri=True)
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA journal_size_limit = 16777216")  # bytes; after a rush the log shrinks again
    if place.page_limit is not None:
        db.execute(f"PRAGMA max_page_count = {int(place.page_limit)}")
    return db


def identity_of(path: Path) -> tuple[int, int] | None:
    """Which file lies there, None for none: an open one may be moved, deleted or replaced.

    The same for all where the system lets nobody do that.
    """
    if os.name != "posix":
        return (0, 0)
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _make(path: Path) -> None:
    """Make the file, private before anything is in it; SQLite gives its other two this mode.

    One that is there is never opened but by SQLite: closing a descriptor of it would take away
    the locks of every connection that this process has.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _make_private(path: Path) -> None:
    if path.stat().st_mode & 0o077:
        with contextlib.suppress(PermissionError):  # not our own file; its owner decides
            path.chmod(0o600)


def _refuse_foreign(path: Path) -> None:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):  # whose rights would be changed, and which nothing keeps
        raise ConfigError(
            f"{path} is no file, and was left as it is.\n"
            "Set RELAY_STORE to a file; one that does not exist yet is made."
        )
    if found.st_size == 0:
        return
    try:
        application = _application(path, "ro")
    except sqlite3.OperationalError:  # a journal must be played back first, after a crash
        application = _application(path, "rw")
    except sqlite3.DatabaseError:
        application = None
    if application != APPLICATION:
        raise ConfigError(
            f"{path} was not made by the relay, and was left as it is.\n"
            "Set RELAY_STORE to another file; one that does not exist yet is made."
        )


def _application(path: Path, mode: str) -> int:
    address = _address(path, mode)
    with contextlib.closing(sqlite3.connect(address, timeout=BUSY_SECONDS, uri=True)) as db:
        (application,) = db.execute("PRAGMA application_id").fetchone()
        return int(application)


def _address(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"


def _switch_journal(db: sqlite3.Connection, mode: str) -> None:
    """Set the journal. This switch does not wait its turn where two processes open a new file."""
    deadline = time.monotonic() + SWITCH_SECONDS
    while True:
        try:
            db.execute(f"PRAGMA journal_mode = {mode}").fetchone()
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _mounts() -> str:
    """What is mounted; elsewhere than on Linux everything counts as local."""
    if not sys.platform.startswith("linux"):
        return ""
    try:
        return Path("/proc/self/mounts").read_text("utf-8", "surrogateescape")
    except OSError:
        return ""


def _unescaped(text: str) -> str:
    """A mount point as the kernel lists it: blanks and backslashes in octal."""
    for escape, letter in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        text = text.replace(escape, letter)
    return text
