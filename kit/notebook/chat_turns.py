"""A conversation that can be branched: what was asked and answered, and which way is shown (pure).

    None ── 1 ── 2 ── 4        the chosen way: 1, 2, 4
             └── 3             3 asks the question of 2 anew, in other words or the same

Rule: nothing is overwritten. Asking again and editing make a sibling, and every sibling can be
chosen again, with all that came after it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from kit.gateway.answer import Answer

__all__ = ["Turn", "Turns", "bundle_of_turn", "markdown_of_turns"]

MOST_KEPT = 1_000
"""Turns whose forms are kept: they are asked for at every change of the conversation."""

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")

State = Literal["running", "completed", "stopped", "failed"]


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """A prompt, and what came of it. It is itself and equals no other.

    `items`: as they were sent; `attached`: names of variables.
    """

    id: int
    parent: int | None
    prompt: str
    attached: tuple[str, ...] = ()
    items: tuple[Mapping[str, Any], ...] = ()
    state: State = "running"
    answer: Answer | None = None
    notes: tuple[str, ...] = ()
    problem: str = ""

    @property
    def text(self) -> str:
        """What the model said, as far as it came."""
        return self.answer.text or self.answer.refusal if self.answer else ""


class Turns:
    """All turns of a conversation, and the chosen way through them."""

    def __init__(self) -> None:
        self._turns: dict[int, Turn] = {}
        self._chosen: dict[int | None, int] = {}

    @property
    def latest(self) -> int:
        """The number of the newest turn, whether it is shown or not."""
        return len(self._turns)

    def __getitem__(self, number: int) -> Turn:
        return self._turns[number]

    def get(self, number: Any) -> Turn | None:
        """The turn of that number, if it is one."""
        known = isinstance(number, int) and not isinstance(number, bool)
        return self._turns.get(number) if known else None

    def add(self, prompt: str, parent: int | None, attached: tuple[str, ...] = ()) -> Turn:
        """A new turn behind `parent`, chosen at once."""
        turn = Turn(len(self._turns) + 1, parent, prompt, attached)
        self._turns[turn.id] = turn
        self._chosen[parent] = turn.id
        return turn

    def change(self, number: int, **changes: Any) -> Turn:
        """What has come of a turn."""
        turn = self._turns[number] = replace(self._turns[number], **changes)
        return turn

    def path(self) -> list[Turn]:
        """The chosen way, from the first turn to the last."""
        found: list[Turn] = []
        place: int | None = None
        while place in self._chosen:
            place = self._chosen[place]
            found.append(self._turns[place])
        return found

    def siblings(self, turn: Turn) -> list[int]:
        """The numbers of all turns in its place, itself among them."""
        return [one.id for one in self._turns.values() if one.parent == turn.parent]

    def choose(self, turn: Turn, steps: int) -> None:
        """Show the sibling that is so many steps further; none beyond the first and the last."""
        there = self.siblings(turn)
        place = min(max(there.index(turn.id) + steps, 0), len(there) - 1)
        self._chosen[turn.parent] = there[place]

    def history(self, turn: Turn) -> list[Mapping[str, Any]]:
        """What was said before it, as items to send. A turn that nothing came of is left out."""
        before: list[Turn] = []
        place = turn.parent
        while place is not None:
            before.append(self._turns[place])
            place = before[-1].parent
        items: list[Mapping[str, Any]] = []
        for one in reversed(before):
            if one.text:
                items += [*one.items, {"role": "assistant", "content": one.text}]
        return items


@lru_cache(maxsize=MOST_KEPT)
def bundle_of_turn(turn: Turn) -> Mapping[str, str]:
    """The answer as it shows itself, cleaned; {} where there is none."""
    return turn.answer._repr_mimebundle_() if turn.answer else {}


def markdown_of_turns(turns: list[Turn]) -> str:
    """The chosen way as one Markdown text, cleaned: nothing of a turn reaches into the next."""
    return "\n".join(_markdown_of(turn) for turn in turns)


@lru_cache(maxsize=MOST_KEPT)
def _markdown_of(turn: Turn) -> str:
    from kit.clean import clean_markdown
    from kit.gateway.show import markdown_of

    asked = turn.prompt + (f"\n\n(with {', '.join(turn.attached)})" if turn.attached else "")
    said = markdown_of(turn.answer) if turn.answer else f"({turn.problem or turn.state})"
    parts = (
        "## Question",
        _below(clean_markdown(asked)),
        "## Answer",
        _below(clean_markdown(said)),
    )
    return "".join(f"{part.rstrip()}\n\n" for part in parts)


def _below(markdown: str) -> str:
    """Its headings two levels down: none of them stands for a turn."""
    lines: list[str] = []
    fence = ""
    for line in markdown.split("\n"):
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence):
            fence = ""
        elif not fence and line.startswith("#"):
            line = "#" * min(len(line) - len(line.lstrip("#")) + 2, 6) + line.lstrip("#")
        lines.append(line)
    return "\n".join(lines)
