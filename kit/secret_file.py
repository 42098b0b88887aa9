"""Private files (0600): what only this user may read, and secrets made where first needed.

Rule: a file appears whole or not at all. Of a secret the first process that makes it wins, so that
all of a user's processes have the same one whenever they start.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from kit.errors import ConfigError
from kit.secret import Secret

__all__ = ["kept", "write_private"]

LONGEST = 4096  # bytes
_WHOLE = re.compile(r"[0-9a-f]{64}")


def kept(file: Path) -> Secret:
    """What `file` keeps, 64 letters; made where there is none.

    Raises ConfigError where it can be neither read nor made, or holds something else.
    """
    try:
        if not file.exists():
            _make(file)
        with file.open("rb") as stream:
            text = stream.read(LONGEST).decode("ascii", "replace").strip()
        if os.name == "posix" and file.stat().st_mode & 0o077:
            file.chmod(0o600)
    except OSError as error:
        raise ConfigError(
            f"The secret in {file} can be neither read nor made: {error.strerror}."
        ) from None
    if not _WHOLE.fullmatch(text):
        raise ConfigError(f"{file} is damaged. Delete it: a new one is made.")
    return Secret(text)


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
