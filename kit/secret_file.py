"""Private files (0600): what only this user may read, and secrets made where first needed.

Rules: a file appears whole or not at all. Of a secret the first process that makes it wins, so that
all of a user's processes have the same one whenever they start. Whatever lies in a file's place,
nobody waits for it: no pipe, no device, no lock of a process that was stopped.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Generator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

from kit.errors import ConfigError
from kit.secret import Secret

__all__ = ["alone", "kept", "read_private", "sweep", "write_private"]

LONGEST = 4096  # bytes
LOCK_SECONDS = 5.0
"""How long another process may take to write, before it is not waited for any more."""
UNFINISHED_SECONDS = 3_600.0
"""No process writes that long: who left an unfinished file so old was killed."""

_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{16}", re.DOTALL)
_WHOLE = re.compile(r"[0-9a-f]{64}")


def kept(file: Path) -> Secret:
    """What `file` keeps, 64 letters; made where there is none.

    Raises ConfigError where it can be neither read nor made, or holds something else.
    """
    try:
        if not file.exists():
            _make(file)
        text = read_private(file, LONGEST, foreign=True).decode("ascii", "replace").strip()
        if os.name == "posix" and file.stat().st_mode & 0o077:
            file.chmod(0o600)
    except OSError as error:
        raise ConfigError(
            f"The secret in {file} can be neither read nor made: {error.strerror}."
        ) from None
    if not _WHOLE.fullmatch(text):
        raise ConfigError(f"{file} is damaged. Delete it: a new one is made.")
    return Secret(text)


def read_private(file: Path, most: int, *, foreign: bool = False) -> bytes:
    """The first `most` bytes of what `file` holds. Raises OSError, also where it is no file.

    foreign: also a link, another user's file, or one that others may write; a secret may be
    mounted. Without it nobody but this user can have written what is read.
    """
    handle = os.open(file, os.O_RDONLY | _NO_WAITING | (0 if foreign else _NO_LINK))
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no file", str(file))
        if os.name == "posix" and not foreign:
            writable = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            if writable or found.st_uid != os.geteuid():
                raise PermissionError(errno.EPERM, "others may have written it", str(file))
        with open(handle, "rb", closefd=False) as stream:
            return stream.read(most)
    finally:
        os.close(handle)


_NO_LINK: int = getattr(os, "O_NOFOLLOW", 0)
_NO_WAITING: int = sum(
    getattr(os, name, 0) for name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY")
)
"""Opening a pipe waits for whoever writes it, without."""


@contextlib.contextmanager
def alone(folder: Path) -> Generator[None]:
    """While it lasts, no other process or thread of this user is in it for the same folder.

    It ends with the process that is in it. Who has waited long enough goes on all the same, and so
    does everybody where folders cannot be locked (Windows, some network disks): what is written is
    whole even so. Raises OSError where the folder cannot be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = None
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | _NO_WAITING)
    try:
        if handle is not None:
            _lock(handle)
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _lock(handle: int) -> None:
    late, pause = time.monotonic() + LOCK_SECONDS, 0.001
    while fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= late:
                return
            time.sleep(pause)
            pause = min(pause * 2, 0.05)
        except OSError:
            return
        else:
            return


def sweep(folder: Path) -> None:
    """Delete what processes were writing in it when they were killed; it may hold secrets."""
    with contextlib.suppress(OSError):
        for file in [*folder.iterdir()]:
            with contextlib.suppress(OSError):
                old = _UNFINISHED.fullmatch(file.name) and _age(file) > UNFINISHED_SECONDS
                if old:
                    file.unlink(missing_ok=True)


def _age(file: Path) -> float:
    return time.time() - file.lstat().st_mtime


def write_private(file: Path, text: str) -> None:
    """Let `file` hold `text` and nothing else, for this user alone. Raises OSError."""
    unfinished = _written(file, text)
    try:
        os.replace(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)


def _make(file: Path) -> None:
    unfinished = _written(file, secrets.token_hex(32) + "\n")
    try:
        _name(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)


def _written(file: Path, text: str) -> Path:
    """A file with `text` beside `file`, to be given its name: nobody can read half of it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return unfinished


def _name(unfinished: Path, file: Path) -> None:
    """Give it the name unless somebody was quicker: theirs counts."""
    try:
        os.link(unfinished, file)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        os.rename(unfinished, file)
