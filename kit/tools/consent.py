"""Who says yes before a tool runs.

    approve      a function's call                    a call that costs money
    None         runs                                 a person is asked
    "ask"        a person is asked                    a person is asked
    "always"     runs                                 runs
    "never"      is declined                          is declined
    a callable   is asked: True, False, or why not    is asked

Rule: a person is asked with `input()`, in the notebook and in a terminal, because a widget cannot
answer while a cell blocks. Where nobody can be asked, that is an error and never a silent yes.
"""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from kit.errors import ConsentMissing, InputError
from kit.gateway.answer import ToolCall
from kit.tools.apart import apart
from kit.tools.work import Ongoing

__all__ = ["Approve", "AskHere", "ask_person", "checked_approve", "decision"]


@dataclass(frozen=True, slots=True)
class AskHere:
    """Asks what `None` asks, in another way than with `input()`: `ask(call, paid)` is a yes."""

    ask: Callable[[ToolCall, str], bool]


Approve = Callable[[ToolCall], Any] | Literal["ask", "always", "never"] | AskHere | None
"""Who says yes. A callable gets the `ToolCall`, and may be `async`. It is called in the thread
that reads the stream; from asynchronous code in a worker thread, where nobody can type."""

LONGEST_SHOWN = 1_000
LONGEST_TAIL = 300

HOW_TO_CONSENT = (
    "{name} costs money and needs a yes, and nobody can be asked here.\n"
    'Give it beforehand: --yes in a cell, %config KitMagics.approve = "always" in a notebook, '
    'approve="always" in code;\nor --budget 2 (budget=2), where the gateway names its prices.'
)
HOW_TO_APPROVE = (
    "{name} needs a yes, and nobody can be asked here.\n"
    'Give it beforehand: --yes in a cell, %config KitMagics.approve = "always" in a notebook,\n'
    'approve="always", or a function that decides, in code.'
)


def checked_approve(approve: Any) -> Approve:
    """`approve` as it may be. Raises InputError."""
    if approve is None or isinstance(approve, AskHere) or callable(approve):
        return approve
    if approve in ("ask", "always", "never"):
        return approve
    raise InputError('`approve` is a function, "ask", "always", "never" or None.')


async def decision(approve: Approve, paid: str | None, ongoing: Ongoing) -> str | None:
    """None for a yes; else why not, as a sentence for the model.

    `paid` is what a call that costs money asks. Raises ConsentMissing where nobody can be asked.
    """
    asks_for_money = approve is None or isinstance(approve, AskHere)
    if approve == "always" or (asks_for_money and paid is None):
        return None
    if approve == "never":
        return "The user allows no calls."
    ongoing.asked()
    if isinstance(approve, AskHere):
        said = await ongoing.here(lambda: approve.ask(ongoing.call, paid or ""))
    elif callable(approve):
        said = await ongoing.here(lambda: approve(ongoing.call))
        if inspect.isawaitable(said):
            awaited = said
            said = await apart(lambda: awaited)
    else:
        said = await ongoing.here(lambda: ask_person(ongoing.call, paid))
    if said is True:
        return None
    return said if isinstance(said, str) and said else "The user declined this call."


def ask_person(call: ToolCall, paid: str | None) -> bool:
    """Show what is asked, and read a yes or a no. Raises ConsentMissing where nobody types."""
    shown = paid or f"The model wants to call {call.name} with\n{_readable(call.arguments)}"
    how = (HOW_TO_CONSENT if paid else HOW_TO_APPROVE).format(name=call.name)
    if threading.current_thread() is not threading.main_thread():  # a kernel hears only that one
        raise ConsentMissing(how)
    try:
        typed = input(f"{plain(shown)}\nGo on? [y/N] ")
    except (EOFError, OSError, RuntimeError):
        # ipykernel's StdinNotImplementedError is a RuntimeError: no front end can type.
        raise ConsentMissing(how) from None
    return typed.strip().lower() in ("y", "yes", "j", "ja", "예", "네", "ㅇ", "ㅇㅇ")


def plain(text: str) -> str:
    """Model text that a person is shown beside our own question: it must not steer the terminal,
    nor hide in a long text what it wants."""
    if (more := len(text) - LONGEST_SHOWN) > 0:
        head, tail = text[: LONGEST_SHOWN - LONGEST_TAIL], text[-LONGEST_TAIL:]
        text = f"{head}\n… {more:,} more characters …\n{tail}"
    return "".join(one for one in text if one.isprintable() or one == "\n")


def _readable(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments or "{}"), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return arguments
