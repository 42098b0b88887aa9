"""Secrets that are kept in a private file (0600), each made where it is first needed.

Rule: the file appears whole or not at all, and the first process that makes it wins, so that all
of a user's processes have the same one whenever they start.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from kit.errors import ConfigError
from kit.secret import Secret

__all__ = ["kept"]

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


def _make(file: Path) -> None:
    """Written beside it, then given its name: nobody can read half of it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(32) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        _name(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)


def _name(unfinished: Path, file: Path) -> None:
    """Give it the name unless somebody was quicker: theirs counts."""
    try:
        os.link(unfinished, file)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        os.rename(unfinished, file)
