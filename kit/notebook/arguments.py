"""The magic line, read: words become a `Command`, or one line that says what there is.

An abbreviated option is refused, because a new option could change what it means.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from kit.errors import InputError
from kit.notebook.options import OPTIONS, Api, Option, known_options, options_of
from kit.notebook.splitting import Word, split_assignment, split_words

__all__ = ["Command", "manual", "nearest", "parse"]


@dataclass(frozen=True, slots=True)
class Command:
    """What a magic line asks for; the fields are those of the option table."""

    api: Api
    model: str | None = None
    system: str | None = None
    continues: bool = False
    web_search: bool = False
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


def parse(api: Api, line: str) -> Command:
    """The command on the line after `%%chat` or `%%responses`. Raises InputError."""
    assignment, rest = split_assignment(line)
    values = _read(api, split_words(rest))
    if values.get("help"):
        return Command(api, help=True)
    if assignment:
        values["assigned"] = assignment.name
        values["quiet"] = assignment.silent or values.get("quiet", False)
    command = Command(api, **values)
    if command.background and command.format in ("json", "code"):
        raise InputError(
            f"--background returns before there is an answer, so -f {command.format} has nothing "
            "to show; leave one of them out."
        )
    return command


def _read(api: Api, words: list[Word]) -> dict[str, Any]:
    options = known_options(api)
    values: dict[str, Any] = {}
    waiting = iter(words)
    for word in waiting:
        name, _, attached = word.text.partition("=") if _is_long(word) else (word.text, "", None)
        option = None if word.quoted else options.get(name)
        if option is None:
            raise InputError(_complaint(api, word, name))
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


def _is_long(word: Word) -> bool:
    return word.text.startswith("--") and not word.quoted


def _value(name: str, option: Option, word: Word | None, options: dict[str, Option]) -> str:
    if word is None or (not word.quoted and word.text.partition("=")[0] in options):
        raise InputError(f"{name} needs a value: {name} {option.value}")
    return word.text


def _complaint(api: Api, word: Word, name: str) -> str:
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
        return f"{name} is an option of %%{elsewhere.apis[0]}; {magic} does not take it."
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


def _short(text: str, limit: int = 40) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def manual(api: Api) -> str:
    """The help of a magic, as plain text."""
    rows = [
        (", ".join(option.names) + (f" {option.value}" if option.value else ""), option.help)
        for option in options_of(api)
    ]
    width = max(len(left) for left, _ in rows)
    asks = "the chat completions API" if api == "chat" else "the responses API"
    return "\n".join(
        [
            f"%%{api} [options]",
            "the prompt, on the lines below",
            "",
            f"Asks the model through {asks} and shows its answer as it comes.",
            "`_` and `kit.last` hold the Answer.",
            "",
            *(f"  {left:<{width}}  {right}" for left, right in rows),
            "",
            f"  %%{api} answer <<     puts the Answer into `answer` and shows nothing",
            f"  %%{api} answer = <<   puts it there and shows it",
            "  {{name}} in the prompt   the variable's value; \\{{ sends the braces as they are",
        ]
    )
