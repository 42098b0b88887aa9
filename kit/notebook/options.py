"""The options of `%%chat`, `%%responses` and `%%research`, as one table.

Parsing, help and Tab completion all read this table, so none of them can fall behind.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from kit.errors import InputError
from kit.notebook.splitting import variable_name, writable_name

__all__ = ["FORMATS", "OPTIONS", "Api", "Magic", "Option", "known_options", "options_of"]

Api = Literal["chat", "responses"]
Magic = Literal["chat", "responses", "research"]

FORMATS = ("markdown", "text", "json", "code")
REPORTS = ("markdown_brief", "markdown_report", "json_outline")
LEVELS = ("none", "minimal", "low", "medium", "high", "xhigh")
ASKING: tuple[Magic, ...] = ("chat", "responses")
RESEARCH: tuple[Magic, ...] = ("research",)
EVERY: tuple[Magic, ...] = (*ASKING, *RESEARCH)


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
    lists: bool = False  # one word holds several names
    magics: tuple[Magic, ...] = ASKING

    @property
    def long(self) -> str:
        return self.names[-1]


def _text(word: str, option: str) -> str:
    if not word.strip():
        raise InputError(f"{option} needs a value that is not empty.")
    return word


def _one_of(words: tuple[str, ...]) -> Callable[[str, str], str]:
    def read(word: str, option: str) -> str:
        if word not in words:
            there = ", ".join(words)
            raise InputError(f"{option}: there is no format {word!r}; there are {there}.")
        return word

    return read


def _level(word: str, option: str) -> str:
    """Any word, since gateways know levels of their own; but none that is a slip of a finger.

    `xlow` and `higher` hold a level and are no slip; `hgih` and `medum` are.
    """
    word = _text(word, option)
    near = difflib.get_close_matches(word.lower(), LEVELS, n=1, cutoff=0.75)
    if word not in LEVELS and near and (near[0] not in word.lower() or near[0] == word.lower()):
        raise InputError(f"{option} {word}: did you mean {near[0]}?")
    return word


def _names(word: str, option: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in word.split(",") if name.strip())
    if not names:
        raise InputError(f"{option} needs the names of functions, like {option} weather,population")
    return names


def _dollars(word: str, option: str) -> float:
    try:
        dollars = float(word.removeprefix("$"))
    except ValueError:
        dollars = 0.0
    if not (math.isfinite(dollars) and dollars > 0):
        raise InputError(f"{option} needs US dollars above 0, like {option} 2, not {word!r}.")
    return dollars


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
    Option(
        ("-m", "--model"),
        "model",
        "the model that answers",
        "NAME",
        _text,
        completes="models",
        magics=EVERY,
    ),
    Option(
        ("-s", "--system"),
        "system",
        "how to answer: the system prompt",
        "TEXT",
        _text,
        magics=EVERY,
    ),
    Option(("-c", "--continue"), "continues", "go on with the last cell's conversation"),
    Option(("--web-search",), "web_search", "let the model search the web", magics=("responses",)),
    Option(
        ("--auto-tool-call",),
        "auto_tool_call",
        "let the model call your functions (see kit.tool), and research where it finds it needs to",
    ),
    Option(
        ("--tools",),
        "tools",
        "these functions alone, and deep_research where it is named; implies --auto-tool-call",
        "A,B",
        _names,
        completes="tools",
        lists=True,
    ),
    Option(
        ("--budget",),
        "budget",
        "the most it may cost, in US dollars; also the yes to research that costs money",
        "USD",
        _dollars,
        magics=EVERY,
    ),
    Option(("--yes",), "yes", "yes to every call, whatever it costs"),
    Option(
        ("--background",),
        "background",
        "start it and return at once; fetch it later by its id",
        magics=("responses",),
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
        ("-o", "--out"),
        "out",
        "put the Run into this variable",
        "NAME",
        writable_name,
        completes="variables",
        magics=RESEARCH,
    ),
    Option(
        ("--context",),
        "contexts",
        "a variable with what is known already; may be given several times",
        "NAME",
        variable_name,
        completes="variables",
        repeats=True,
        magics=RESEARCH,
    ),
    Option(
        ("--constraint",),
        "constraints",
        "what the report has to keep to; may be given several times",
        "TEXT",
        _text,
        repeats=True,
        magics=RESEARCH,
    ),
    Option(
        ("--max-tool-calls",),
        "max_tool_calls",
        "a bound on searches",
        "COUNT",
        _count,
        magics=RESEARCH,
    ),
    Option(("--clarify",), "clarify", "be asked at most three questions first", magics=RESEARCH),
    Option(("--wait",), "wait", "wait for the report: the cell stays busy", magics=RESEARCH),
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
        "how hard a reasoning model thinks; gateways may know more levels",
        "LEVEL",
        _level,
        choices=LEVELS,
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
        _one_of(FORMATS),
        choices=FORMATS,
        completes="choices",
    ),
    Option(
        ("-f", "--format"),
        "format",
        "a page, a long report, or an outline as JSON",
        "FORMAT",
        _one_of(REPORTS),
        choices=REPORTS,
        completes="choices",
        magics=RESEARCH,
    ),
    Option(("-q", "--quiet"), "quiet", "show nothing", magics=EVERY),
    Option(("-h", "--help"), "help", "show this help", magics=EVERY),
)


def options_of(magic: Magic) -> tuple[Option, ...]:
    """The options that this magic takes."""
    return tuple(option for option in OPTIONS if magic in option.magics)


def known_options(magic: Magic) -> dict[str, Option]:
    """The options that this magic takes, by each of their names."""
    return {name: option for option in options_of(magic) for name in option.names}
