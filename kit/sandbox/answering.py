"""From a checked request to its outcome: the mind is asked, and its steps are made to fit.

The mind does not know what the caller does not want (reasoning that nobody asked for, parallel
calls) nor what was attached and cannot be seen (pictures). That is settled here, for both APIs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.sandbox.attached import on_a_shelf, with_text
from kit.sandbox.conversation import Conversation
from kit.sandbox.outcome import Outcome, outcome_of
from kit.sandbox.steps import Ask, Call, FindInPage, OpenPage, Say, Search, Step, Think
from kit.sandbox.store import Store

if TYPE_CHECKING:
    from kit.sandbox.library import Library

Answerer = Callable[[Ask, "Library"], Sequence[Step]]
Lender = Callable[[Sequence[Path]], AbstractContextManager["Library"]]


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What every request needs. `library` lends the library, opened at the first question; it is
    given the folders of this question alone, mostly none.
    """

    answer: Answerer
    library: Lender
    store: Store
    pace: float = 1.0
    clock: Callable[[], float] = time.time
    attempts: dict[Any, int] = field(default_factory=dict[Any, int])
    """How often a fault has met a caller; for faults that come and go."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What of the mind's steps the caller wants to have."""

    reasoning: bool = False
    parallel: bool = True
    max_tool_calls: int | None = None


def decide(sandbox: Sandbox, ask: Ask, conversation: Conversation, wishes: Wishes) -> Outcome:
    """Ask the mind. May take a moment; call it from a worker thread."""
    files = conversation.files
    with on_a_shelf(files) as folders, sandbox.library(folders) as library:
        steps = sandbox.answer(with_text(ask, files), library)
    steps = _fitting(steps, wishes)
    if conversation.unread and ask.schema is None and not ask.json_object:
        steps = _admit(steps, conversation.unread)
    return outcome_of(steps)


def _fitting(steps: Iterable[Step], wishes: Wishes) -> list[Step]:
    fitting: list[Step] = []
    calls = hosted = 0
    for step in steps:
        if isinstance(step, Call):
            calls += 1
        elif isinstance(step, Search | OpenPage | FindInPage):
            hosted += 1
        unwanted = (
            (isinstance(step, Think) and not wishes.reasoning)
            or (isinstance(step, Call) and calls > 1 and not wishes.parallel)
            or (isinstance(step, Search | OpenPage | FindInPage)
                and wishes.max_tool_calls is not None and hosted > wishes.max_tool_calls)
        )  # fmt: skip
        if not unwanted:
            fitting.append(step)
    return fitting


def _admit(steps: Iterable[Step], unread: Sequence[str]) -> list[Step]:
    """Say at the end of the answer what was attached and could not be read."""
    names = ", ".join(dict.fromkeys(unread))
    note = (
        f"\n\n(Not looked at: {names}. This sandbox has no model that could; it reads text only.)"
    )
    return [
        replace(step, text=step.text + note) if isinstance(step, Say) else step for step in steps
    ]
