"""The edge of a magic: whatever happens within, its cell ends in an answer or in a few lines.

A stop becomes `Interrupted`. An error that nobody foresaw becomes a `KitError` that says where,
because a traceback in the notebook could show the keys that are in its variables.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from kit.errors import ConfigError, Interrupted, KitError
from kit.notebook.session import Session

__all__ = ["at_the_edge", "unforeseen"]

_KIT = Path(__file__).parent.parent


def at_the_edge(run: Callable[[], None], session: Session) -> None:
    """Run a magic. Raises KitError, Interrupted among them, and nothing else but SystemExit."""
    before = session.last
    try:
        run()
        return
    except KitError:
        raise
    except KeyboardInterrupt:
        problem: KitError = _stopped(session, before)
    except Exception as error:
        problem = unforeseen(error)
    # Out here the problem has no context, so that nothing can lead from it to the variables.
    raise problem


def _stopped(session: Session, before: object) -> Interrupted:
    if session.last is before or session.last is None:
        return Interrupted("Stopped before anything had arrived.")
    stop = Interrupted("Stopped; what had arrived is in kit.last.")
    stop.answer = session.last
    return stop


def unforeseen(error: Exception) -> KitError:
    """What to say about an error that no part of the toolkit foresaw; not what it says itself."""
    try:
        os.getcwd()
    except OSError:
        return ConfigError("The working folder is gone: change to another one and try again.")
    if isinstance(error, ModuleNotFoundError) and error.name:
        return ConfigError(
            f"This Python ({sys.executable}) has no package {error.name[:60]!r}, which the "
            "toolkit needs.\nInstall the toolkit into it (docs/install.md), or choose the Python "
            "that has it."
        )
    return KitError(
        f"This is a bug in the toolkit ({type(error).__name__[:60]}{_place(error)}); "
        "please report it, with this line."
    )


def _place(error: Exception) -> str:
    """The last place in the toolkit that the error came through; nothing of what it says."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if file.is_relative_to(_KIT):
            return f", kit/{file.relative_to(_KIT).as_posix()}:{frame.lineno}"
    return ""
