"""What is written to a terminal: the answer on stdout, everything else a line on stderr.

Rule: in a pipe text is what it was. On a terminal it cannot steer it, and where nobody reads any
more nothing fails.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import sys
from collections.abc import Callable, Generator
from typing import Any

from kit.errors import redact

__all__ = [
    "complain",
    "in_a_shell",
    "note",
    "passing",
    "shown",
    "unsteered",
    "write_anything",
    "write_nowhere",
]

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters: model text must not steer the terminal it is written to."""


def shown(text: str) -> str:
    """Untouched in a pipe; without control characters on a terminal."""
    on_a_terminal = sys.stdout is not None and sys.stdout.isatty()
    return unsteered(text) if on_a_terminal else text


def unsteered(text: str) -> str:
    """`text` without control characters."""
    return _STEERING.sub("", text)


_CELL = re.compile(r"%kit (?:use (?:sandbox|local|gateway)|login https://[^\s,.]+|[a-z]+)")
_SAME = (
    ("%kit doctor", "python -m kit --doctor"),
    ("%kit models", "python -m kit --models"),
    ("%kit model NAME", "--model NAME"),
    ("kit.runs()", "python -m kit --runs"),
)
"""What a terminal has as well, by another name."""


def in_a_shell(text: str) -> str:
    """`text` for somebody without magics: what a terminal has is named, the rest is for cells.

    That is said once.
    """
    for cell, shell in _SAME:
        text = text.replace(cell, shell)
    return _CELL.sub(r"\g<0> (in a notebook)", text, count=1)


def note(line: str) -> None:
    """A line beside the answer, for whoever watches."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):  # nobody can be told
            print(line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def passing() -> Generator[Callable[[str], None]]:
    """A line that the next one takes the place of, and that is gone at the end.

    On a terminal, and nowhere else: a file would keep all of them.
    """
    stream = sys.stderr if sys.stderr is not None and sys.stderr.isatty() else None

    def say(line: str) -> None:
        if stream is not None:
            fits = shutil.get_terminal_size().columns - 1
            with contextlib.suppress(OSError):
                stream.write(f"\r\x1b[K{unsteered(line)[:fits]}")
                stream.flush()

    try:
        yield say
    finally:
        say("")


def complain(message: str) -> None:
    """What went wrong, on one line, without anything that has the shape of a key."""
    note(f"Error: {unsteered(redact(' '.join(in_a_shell(message).split())))}")


def write_anything(stream: Any) -> None:
    """A terminal that cannot show a character gets a stand-in, not a crash."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")


def write_nowhere() -> None:
    """What is still buffered would fail once more when the interpreter flushes at its end."""
    with contextlib.suppress(OSError, AttributeError, ValueError):  # there is no such file at all
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
