"""`%kit doctor`: its options, and how it looks while it asks.

Rule: a saved cell holds what is about to be asked, and the table. The line that says how far it is
stands where the table will, and is replaced by it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from kit.clean_terminal import passing
from kit.errors import InputError
from kit.notebook import frontend
from kit.notebook.arguments import nearest

__all__ = ["MANUAL", "consult"]

USAGE = "%kit doctor [--all] [--model NAME] [--forget]"
MANUAL = f"""\
{USAGE}
  What the gateway really does, tried out with small questions to the model of the cells.
  --all           what may cost more as well: a web search, work in the background
  --model, -m     another model than the one of the cells
  --forget        forget what it saw of this gateway, with --model of that model; asks nobody
  docs/doctor.md says how to read the table, and what is done with it."""
OPTIONS = ("--all", "--model", "--forget", "--help")


def consult(arguments: list[str]) -> str | None:
    """Do what the line says; text to print, or None where a table was shown. Raises KitError."""
    from kit.connect_doctor import doctor, forget_seen, intent
    from kit.notebook.render import plain

    if {"--help", "-h"}.intersection(arguments):
        return MANUAL
    flags, model = _options(arguments)
    if "--forget" in flags:
        return forget_seen(model)
    dear = "--all" in flags
    print(plain(intent(model, all=dear)), flush=True)  # before it is asked, and not behind it
    with _spot() as spot:
        spot.show(doctor(model, all=dear, progress=spot.say))
    return None


def _options(arguments: list[str]) -> tuple[set[str], str | None]:
    """The flags, and the model. Raises InputError."""
    flags: set[str] = set()
    model: str | None = None
    left = iter(arguments)
    for word in left:
        if word in ("--model", "-m"):
            model = next(left, None)
            if not model or model.startswith("-"):
                raise InputError(f"{word} needs the name of a model behind it: {USAGE}")
        elif word in ("--all", "--forget"):
            flags.add(word)
        else:
            raise InputError(_unknown(word))
    if len(flags) > 1:
        raise InputError("--forget asks nobody, so --all goes not with it.")
    return flags, model


def _unknown(word: str) -> str:
    near = nearest(word, OPTIONS) if word.startswith("-") else None
    asked = f" Did you mean {near}?" if near else ""
    if not word.startswith("-"):
        asked = " A model's name stands behind --model."
    return f"%kit doctor has no {word[:40]}.{asked} It is written {USAGE}"


class _Spot:
    """The one output below the first lines. `line`: where a terminal shows what passes."""

    def __init__(self, shell: Any, line: Any) -> None:
        self._publishes = shell is not None and frontend.publishes(shell)
        self._line, self._handle, self._shown = line, None, False

    def say(self, doing: str) -> None:
        from IPython.display import DisplayHandle

        if not self._publishes:
            self._line(doing)
            return
        form = {"text/plain": doing}
        if self._handle is None:
            self._handle: Any = DisplayHandle()
            self._handle.display(form, raw=True)
        else:
            self._handle.update(form, raw=True)

    def show(self, report: Any) -> None:
        from IPython.display import display

        self._shown = True
        if self._handle is None:
            self._line("")
            display(report)
        else:
            self._handle.update(report)

    def leave(self) -> None:
        """Where it was stopped, nothing is said to be going on."""
        if self._handle is not None and not self._shown:
            self._handle.update({"text/plain": ""}, raw=True)


@contextmanager
def _spot() -> Generator[_Spot]:
    from IPython.core.getipython import get_ipython

    with passing() as line:
        spot = _Spot(get_ipython(), line)
        try:
            yield spot
        finally:
            spot.leave()
