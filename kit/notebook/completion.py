"""Tab on a magic's first line: options, their choices, variables, models already seen.

Never asks a gateway. In the prompt below, `{{` completes names of variables.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

from kit.notebook.options import Option, known_options, options_of
from kit.notebook.session import Session

__all__ = ["matcher_for", "offers"]

_FIRST_LINE = re.compile(r"\s*%%(chat|responses|research)\s(.*)", re.S)
_CONTROL_LINE = re.compile(r"\s*%(kit|research)\s+(.*)", re.S)
_HOLE = re.compile(r"\{\{\s*(\w*)$")

MOST_IDS = 50

Offers = tuple[str, list[str]]
"""What is completed (the text before the cursor), and what with."""


def matcher_for(shell: Any, session: Session) -> Callable[[Any], Any]:
    """A matcher for IPython's completer."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    @context_matcher()  # type: ignore[misc]
    def kit_matcher(context: Any) -> Any:
        found = offers(
            context.full_text, context.cursor_line, context.cursor_position, shell.user_ns, session
        )
        if found is None:
            return {"completions": []}
        fragment, words = found
        return {
            "completions": [SimpleCompletion(text=word, type="kit") for word in words],
            "matched_fragment": fragment,
            "suppress": True,
        }

    return kit_matcher


def offers(
    text: str, line_number: int, column: int, variables: Iterable[str], session: Session
) -> Offers | None:
    """What Tab offers at this place; None where another completer knows better."""
    lines = text.split("\n")
    before = lines[line_number][:column]
    if line_number == 0 or not text.lstrip().startswith("%%"):
        if (match := _FIRST_LINE.match(before)) is not None:
            return _on_first_line(match[1], match[2], variables, session)
        if (match := _CONTROL_LINE.match(before)) is not None:
            return _on_control_line(match[1], match[2], variables, session)
        return None
    hole = _HOLE.search(before)
    if hole is None or _FIRST_LINE.match(f"{lines[0]} ") is None:
        return None
    return hole[1], _starting(hole[1], _public(variables))


def _on_first_line(
    api: Any, line: str, variables: Iterable[str], session: Session
) -> Offers | None:
    words = line.split()
    current = words.pop() if words and not line[-1:].isspace() else ""
    options = known_options(api)
    option = options.get(words[-1]) if words else None
    name, equals, value = current.partition("=")
    if equals and name in options:
        option, current = options[name], value
    if option is not None and option.read is not None:
        values = _values(option, variables, session)
        return None if values is None else (current, _starting(current, values))
    if current and not current.startswith("-"):
        return None
    names = [name for one in options_of(api) for name in one.names if name.startswith("--")]
    short = [name for one in options_of(api) for name in one.names if not name.startswith("--")]
    return current, _starting(current, [*names, *(short if current == "-" else [])])


def _values(option: Option, variables: Iterable[str], session: Session) -> list[str] | None:
    match option.completes:
        case "choices":
            return list(option.choices)
        case "models":
            return sorted(session.models)
        case "variables":
            return _public(variables)
        case "tools":
            return ["deep_research", *_tools()]
        case _:
            return None


def _tools() -> list[str]:
    schema = sys.modules.get("kit.tools.schema")  # nothing is registered before it was loaded
    return [tool.name for tool in schema.registered()] if schema else []


def _on_control_line(
    magic: str, line: str, variables: Iterable[str], session: Session
) -> Offers | None:
    if magic == "research":
        return _on_research_line(line, variables)
    from kit.notebook.control import SUBCOMMANDS

    words = line.split()
    current = words.pop() if words and not line[-1:].isspace() else ""
    match words:
        case []:
            return current, _starting(current, list(SUBCOMMANDS))
        case ["use"]:
            return current, _starting(current, ["sandbox", "local", "gateway"])
        case ["model"]:
            return current, _starting(current, sorted(session.models))
        case _:
            return None


def _on_research_line(line: str, variables: Iterable[str]) -> Offers | None:
    """A command, then an id: of the runs that are written down, or a variable."""
    from kit.notebook.research import COMMANDS

    words = line.split()
    current = words.pop() if words and not line[-1:].isspace() else ""
    match words:
        case []:
            return current, _starting(current, COMMANDS)
        case ["show" | "resume" | "cancel" | "delete"]:
            return current, _starting(current, [*_ids(), *_public(variables)])
        case _:
            return None


def _ids() -> list[str]:
    from kit.relay.book import Book
    from kit.sources import user_folder

    return [entry.name for entry in Book(user_folder() / "runs").entries()[:MOST_IDS]]


def _public(variables: Iterable[str]) -> list[str]:
    return sorted(name for name in variables if not name.startswith("_"))


def _starting(start: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(start)]
