"""The magic line, read: words become a `Command`, or one line that says what there is.

An abbreviated option is refused, because a new option could change what it means.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from kit.errors import InputError
from kit.notebook.options import OPTIONS, Api, Magic, Option, known_options, options_of
from kit.notebook.splitting import Word, split_assignment, split_words

__all__ = [
    "Command",
    "Commission",
    "manual",
    "near_variable",
    "nearest",
    "parse",
    "parse_research",
    "spare_modules",
]


@dataclass(frozen=True, slots=True)
class Command:
    """What a magic line asks for; the fields are those of the option table."""

    api: Api
    model: str | None = None
    system: str | None = None
    continues: bool = False
    web_search: bool = False
    auto_tool_call: bool = False
    tools: tuple[str, ...] = ()
    budget: float | None = None
    yes: bool = False
    background: bool = False
    out: str | None = None
    schema: str | None = None
    images: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    effort: str | None = None
    max_tokens: int | None = None
    timeout: float | None = None
    no_stream: bool = False
    format: str = "markdown"
    quiet: bool = False
    help: bool = False
    assigned: str | None = None
    """The name in front of `<<`; `quiet` says whether the answer is shown as well."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """The variables that get the Answer."""
        return tuple(name for name in (self.out, self.assigned) if name)

    @property
    def works(self) -> bool:
        """Whether the model may call functions."""
        return self.auto_tool_call or bool(self.tools)


@dataclass(frozen=True, slots=True)
class Commission:
    """What the line of `%%research` asks for; the fields are those of the option table."""

    model: str | None = None
    system: str | None = None
    budget: float | None = None
    out: str | None = None
    contexts: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    max_tool_calls: int | None = None
    clarify: bool = False
    wait: bool = False
    format: str = "markdown_brief"
    quiet: bool = False
    help: bool = False
    assigned: str | None = None

    @property
    def outputs(self) -> tuple[str, ...]:
        """The variables that get the Run."""
        return tuple(name for name in (self.out, self.assigned) if name)


def spare_modules(command: Command | Commission, variables: Mapping[str, Any]) -> None:
    """Raises InputError where the answer would take the place of a module."""
    for where, name in (("-o", command.out), ("<<", command.assigned)):
        if name is not None and isinstance(variables.get(name), ModuleType):
            raise InputError(
                f"{where}: {name} is the name of a module you imported; choose another name."
            )


def parse_research(line: str) -> Commission:
    """The commission on the line after `%%research`. Raises InputError."""
    values = _values("research", line)
    return Commission(help=True) if values.get("help") else Commission(**values)


def parse(api: Api, line: str) -> Command:
    """The command on the line after `%%chat` or `%%responses`. Raises InputError."""
    values = _values(api, line)
    if values.get("help"):
        return Command(api, help=True)
    command = Command(api, **values)
    if command.works and (command.background or command.no_stream):
        other = "--background" if command.background else "--no-stream"
        tools = "--auto-tool-call" if command.auto_tool_call else "--tools"
        raise InputError(f"{other} and {tools} exclude each other; leave one of them out.")
    if (command.budget is not None or command.yes) and not command.works:
        given = "--yes" if command.yes else "--budget"
        raise InputError(f"{given} is for a model that calls functions: add --auto-tool-call.")
    if command.background and command.format in ("json", "code"):
        raise InputError(
            f"--background returns before there is an answer, so -f {command.format} has nothing "
            "to show; leave one of them out."
        )
    return command


def _values(magic: Magic, line: str) -> dict[str, Any]:
    assignment, rest = split_assignment(line)
    values = _read(magic, split_words(rest))
    if assignment:
        values["assigned"] = assignment.name
        values["quiet"] = assignment.silent or values.get("quiet", False)
    return values


def _read(api: Magic, words: list[Word]) -> dict[str, Any]:
    options = known_options(api)
    values: dict[str, Any] = {}
    waiting = iter(words)
    last: Option | None = None
    for word in waiting:
        name, _, attached = word.text.partition("=") if _is_long(word) else (word.text, "", None)
        option = None if word.quoted else options.get(name)
        if option is None:
            if last is not None and last.lists and _is_list_of_names(word):
                names = ",".join([*values[last.field], *_rest_of_names(word, waiting)])
                raise InputError(
                    f"names are separated by commas, without blanks: {last.long} {names}"
                )
            raise InputError(_complaint(api, word, name))
        last = option
        if option.read is None:
            if attached:
                raise InputError(f"{name} is a switch and takes no value.")
            values[option.field] = True
            continue
        if "=" not in word.text:
            attached = _value(name, option, next(waiting, None), options)
        value = option.read(attached or "", name)
        values[option.field] = (*values.get(option.field, ()), value) if option.repeats else value
    return values


def _is_list_of_names(word: Word) -> bool:
    return not word.quoted and all(name.isidentifier() for name in word.text.split(",") if name)


def _rest_of_names(first: Word, waiting: Iterator[Word]) -> list[str]:
    """The names of a list that was written with blanks, up to the next option."""
    words = [first, *itertools.takewhile(_is_list_of_names, waiting)]
    return [name for word in words for name in word.text.split(",") if name]


def _is_long(word: Word) -> bool:
    return word.text.startswith("--") and not word.quoted


def _value(name: str, option: Option, word: Word | None, options: dict[str, Option]) -> str:
    if word is None or (not word.quoted and word.text.partition("=")[0] in options):
        raise InputError(f"{name} needs a value: {name} {option.value}")
    return word.text


def _complaint(api: Magic, word: Word, name: str) -> str:
    """What to say about a word that is no option of this magic."""
    magic = f"%%{api}"
    if word.quoted or not name.startswith("-"):
        if name == "<<":
            return f"`<<` stands in front: {magic} answer << -m NAME"
        return (
            f"{magic} does not know what to do with {_short(word.text)!r} on its first line: "
            "the prompt goes on the lines below, and a value with spaces in it into quotes."
        )
    elsewhere = next((option for option in OPTIONS if name in option.names), None)
    if elsewhere is not None:
        return f"{name} is an option of %%{elsewhere.magics[0]}; {magic} does not take it."
    near = nearest(name, known_options(api))
    suggestion = f"did you mean {near}? " if near else ""
    taken = " ".join(option.names[0] for option in options_of(api))
    return f"unknown option {_short(name)}; {suggestion}{magic} takes: {taken}"


def nearest(name: str, names: Any) -> str | None:
    """The one of `names` that `name` was probably meant to be, or None."""
    names = list(names)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return near[0]
    starting = [one for one in names if len(name) > 2 and one.startswith(name)]
    return starting[0] if starting else None


def near_variable(name: str, variables: Mapping[str, Any]) -> str:
    """The end of a sentence about a variable that is not there; empty where none is like it."""
    near = nearest(name, [one for one in variables if not one.startswith("_")])
    return f"; did you mean {near}?" if near else ""


def _short(text: str, limit: int = 40) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _help(option: Option) -> str:
    return f"{option.help}: {' | '.join(option.choices)}" if option.choices else option.help


def manual(api: Magic) -> str:
    """The help of a magic, as plain text."""
    rows = [
        (", ".join(option.names) + (f" {option.value}" if option.value else ""), _help(option))
        for option in options_of(api)
    ]
    width = max(len(left) for left, _ in rows)
    name, kind = ("run", "Run") if api == "research" else ("answer", "Answer")
    return "\n".join(
        [
            f"%%{api} [options]",
            "the prompt, on the lines below",
            "",
            *_ABOUT[api],
            "",
            *(f"  {left:<{width}}  {right}" for left, right in rows),
            "",
            f"  %%{api} {name} <<     puts the {kind} into `{name}` and shows nothing",
            f"  %%{api} {name} = <<   puts it there and shows it",
            "  {{name}} in the prompt   the variable's value; \\{{ sends the braces as they are",
        ]
    )


_ABOUT: dict[Magic, tuple[str, ...]] = {
    "chat": (
        "Asks the model through the chat completions API and shows its answer as it comes.",
        "`_` and `kit.last` hold the Answer.",
    ),
    "responses": (
        "Asks the model through the responses API and shows its answer as it comes.",
        "`_` and `kit.last` hold the Answer.",
    ),
    "research": (
        "Starts a research run and gives the cell back at once; the card goes on by itself.",
        "The run goes on whatever happens to this notebook. `_` holds the Run.",
        "%research list | show ID | resume ID | cancel ID | delete ID",
    ),
}
