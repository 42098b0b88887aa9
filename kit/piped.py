"""What is piped in: text that follows the prompt of a command line, or is all of it.

Rule: a terminal, a closed stdin and an empty one stay out of it, and a pipe that a script has only
inherited does not keep it waiting. Nobody can see whether such a pipe will ever be written to;
so the first byte is waited for, for a moment, and what follows it to its end.
"""

from __future__ import annotations

import contextlib
import os
import select
import stat
import sys

from kit.errors import InputError

__all__ = ["as_typed", "piped", "piped_beside"]

PATIENCE = 2.0
"""Seconds until a pipe has to have begun, where there is a prompt without it."""


def as_typed(argument: str) -> str:
    """The argument as UTF-8, whatever the locale made of its bytes."""
    if argument.isascii():
        return argument
    try:
        return os.fsencode(argument).decode("utf-8", errors="replace")
    except UnicodeEncodeError:
        return argument


def piped(*, typed: bool = False) -> str:
    """All of stdin, however long it takes; what is `typed` at a terminal only where it is wanted.

    Raises InputError for what is no UTF-8.
    """
    if sys.stdin is None or sys.stdin.closed or (sys.stdin.isatty() and not typed):
        return ""
    return _text(sys.stdin.buffer.read())


def piped_beside(patience: float = PATIENCE) -> str | None:
    """What is piped in beside a prompt; None for a pipe that did not begin in `patience` seconds.

    Raises InputError for what is no UTF-8.
    """
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return ""
    try:
        number = sys.stdin.fileno()
        kind = os.fstat(number).st_mode
    except OSError:  # a program's own, such as text in memory
        with contextlib.suppress(OSError):
            return piped()
        return ""
    if stat.S_ISREG(kind):
        return piped()
    if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):  # a device, such as /dev/null
        return ""
    return piped() if _begins(number, patience) else None


def _begins(number: int, patience: float) -> bool:
    """Whether there is something to read, the end included."""
    try:
        return bool(select.select([number], [], [], patience)[0])
    except (OSError, ValueError):  # Windows waits for sockets alone
        return False


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(
            "what is piped in is no UTF-8 text; convert it first, as in: "
            "iconv -f EUC-KR -t UTF-8 FILE | python -m kit"
        ) from None
