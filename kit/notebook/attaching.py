"""`--image` and `--file`: names on the line become what goes along with the prompt.

Rule: what cannot go along is named with its option. A variable may hold a text that was never
meant to be seen here, so that of one no more than its beginning is repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kit.errors import InputError
from kit.notebook.arguments import near_variable

__all__ = ["file_at", "picture"]

_ADDRESSES = ("https://", "http://", "data:image/")
_SHOWN = 32
"""Characters of a text that is no picture."""


def picture(name: str, variables: Mapping[str, Any]) -> str:
    """The address of a picture, its own where it is read now: from a variable, a file or the web.

    Raises InputError for anything else.
    """
    from kit.gateway.attachments import image_part

    given = _given(name, variables)
    try:
        return image_part(given)["image_url"]
    except InputError as error:
        problem = str(error)
    raise InputError(f"--image {name}: {problem}")


def file_at(path: str, variables: Mapping[str, Any]) -> str:
    """The path of a file that is there. Raises InputError."""
    if not _is_file(path):
        raise InputError(f"--file {path}: {_no_file(path, variables)}")
    return str(Path(path).expanduser())


def _no_file(path: str, variables: Mapping[str, Any]) -> str:
    if _is(path, Path.is_dir):
        return f"{path} is a folder. Name the files in it, each with a --file of its own."
    if path in variables and isinstance(variables[path], str | Path):
        return f"{path} is a variable, and a path is written out here."
    if path in variables:
        return f"{path} is a variable: write {{{{{path}}}}} in the prompt."
    return f"there is no such file; the folder is {Path.cwd()}."


def _given(name: str, variables: Mapping[str, Any]) -> Any:
    if name in variables:
        value = variables[name]
        if isinstance(value, str) and not value.startswith(_ADDRESSES) and not _is_file(value):
            raise InputError(
                f"--image {name}: the text in it is neither an address nor a file: "
                f"{_beginning(value)!r}. Name a variable that holds a picture."
            )
        return value
    if name.startswith(_ADDRESSES) or _is_file(name):
        return name
    near = near_variable(name, variables)
    raise InputError(f"--image {name}: there is no variable and no file of that name{near}.")


def _beginning(text: str) -> str:
    words = " ".join(text[: _SHOWN * 4].split())
    whole = len(text) <= _SHOWN * 4 and len(words) <= _SHOWN
    return words if whole else words[: _SHOWN - 1] + "…"


def _is_file(path: str) -> bool:
    return _is(path, Path.is_file)


def _is(path: str, kind: Callable[[Path], bool]) -> bool:
    try:
        return kind(Path(path).expanduser())
    except (OSError, RuntimeError, ValueError):  # too long, no such home, a NUL in it
        return False
