"""A conversation as a file: a new one beside the notebook, or where a person says."""

from __future__ import annotations

import time
from pathlib import Path

from kit.errors import InputError

__all__ = ["write_conversation"]

MOST_NAMES = 100


def write_conversation(markdown: str, path: str | Path | None) -> Path:
    """Write it; without a path to a file that is not there yet. Raises InputError."""
    target = Path(path).expanduser() if path else None
    try:
        if target is None:
            return _write_new(markdown)
        target.write_text(markdown, "utf-8")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(f"{target or 'The conversation'} cannot be written: {reason}.") from None
    return target


def _write_new(markdown: str) -> Path:
    stem = time.strftime("chat-%Y%m%d-%H%M%S")
    for number in range(1, MOST_NAMES):
        place = Path(f"{stem}.md" if number == 1 else f"{stem}-{number}.md")
        try:
            with place.open("x", encoding="utf-8") as file:
                file.write(markdown)
        except FileExistsError:
            continue
        return place
    raise InputError(f"There are {MOST_NAMES} files called {stem} here: delete some.")
