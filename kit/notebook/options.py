"""The options of `%%chat` and `%%responses`, as one table.

Parsing, help and Tab completion all read this table, so none of them can fall behind.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from kit.errors import InputError
from kit.notebook.splitting import variable_name, writable_name

__all__ = ["FORMATS", "OPTIONS", "Api", "Option", "known_options", "options_of"]

Api = Literal["chat", "responses"]

FORMATS = ("markdown", "text", "json", "code")


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `read` turns its word into a value; without it the option is a switch.

    `completes` says what Tab offers for the value: the `choices`, "variables", "models", "paths".
    """

    names: tuple[str, ...]
    field: str
    help: str
    value: str = ""
    read: Callable[[str, str], Any] | None = None
    choices: tuple[str, ...] = ()
    completes: str = ""
    repeats: bool = False
    apis: tuple[Api, ...] = ("chat", "responses")

    @property
    def long(self) -> str:
        return self.names[-1]


def _text(word: str, option: str) -> str:
    if not word.strip():
        raise InputError(f"{option} needs a value that is not empty.")
    return word


def _format(word: str, option: str) -> str:
    if word not in FORMATS:
        raise InputError(f"{option}: there is no format {word!r}; there are {', '.join(FORMATS)}.")
    return word


def _count(word: str, option: str) -> int:
    try:
        count = int(word)
    except ValueError:
        count = 0
    if count < 1:
        raise InputError(f"{option} needs a whole number above 0, not {word!r}.")
    return count


def _seconds(word: str, option: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = 0.0
    if not (math.isfinite(seconds) and seconds > 0):
        raise InputError(f"{option} needs a number of seconds above 0, not {word!r}.")
    return seconds


OPTIONS = (
    Option(("-m", "--model"), "model", "the model that answers", "NAME", _text, completes="models"),
    Option(("-s", "--system"), "system", "how to answer: the system prompt", "TEXT", _text),
    Option(("-c", "--continue"), "continues", "go on with the last cell's conversation"),
    Option(("--web-search",), "web_search", "let the model search the web", apis=("responses",)),
    Option(
        ("--background",),
        "background",
        "start it and return at once; fetch it later by its id",
        apis=("responses",),
    ),
    Option(
        ("-o", "--out"),
        "out",
        "put the Answer into this variable",
        "NAME",
        writable_name,
        completes="variables",
    ),
    Option(
        ("--schema",),
        "schema",
        "a variable with a pydantic model or a JSON schema; the Answer's .parsed is the object",
        "NAME",
        variable_name,
        completes="variables",
    ),
    Option(
        ("--image",),
        "images",
        "a variable with an image, or a path; may be given several times",
        "NAME",
        _text,
        completes="variables",
        repeats=True,
    ),
    Option(
        ("--file",),
        "files",
        "a file to send along; may be given several times",
        "PATH",
        _text,
        completes="paths",
        repeats=True,
    ),
    Option(
        ("--effort",),
        "effort",
        "how hard a reasoning model thinks",
        "LEVEL",
        _text,
        # Only offered by Tab: gateways know levels of their own.
        choices=("none", "minimal", "low", "medium", "high", "xhigh"),
        completes="choices",
    ),
    Option(("--max-tokens",), "max_tokens", "the longest answer, in tokens", "COUNT", _count),
    Option(("--timeout",), "timeout", "how long the whole call may take", "SECONDS", _seconds),
    Option(("--no-stream",), "no_stream", "ask for the answer in one piece"),
    Option(
        ("-f", "--format"),
        "format",
        "how the answer is shown; code also goes into the next cell",
        "FORMAT",
        _format,
        choices=FORMATS,
        completes="choices",
    ),
    Option(("-q", "--quiet"), "quiet", "show nothing"),
    Option(("-h", "--help"), "help", "show this help"),
)


def options_of(api: Api) -> tuple[Option, ...]:
    """The options that this magic takes."""
    return tuple(option for option in OPTIONS if api in option.apis)


def known_options(api: Api) -> dict[str, Option]:
    """The options that this magic takes, by each of their names."""
    return {name: option for option in options_of(api) for name in option.names}
