"""What the notebook remembers between cells: the last answer, the conversation, the models.

One per process. `-c` goes on from the last cell: from what had arrived, if it was stopped; a `-c`
cell that failed before anything came leaves the conversation to be tried again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Conversation", "Session", "current"]


@dataclass(frozen=True, slots=True)
class Conversation:
    """The turns so far as items to send again, and what the next turn inherits."""

    items: tuple[Any, ...] = ()
    system: str | None = None
    model: str | None = None


class Session:
    """The state of one process; `current` is the only one outside tests."""

    def __init__(self) -> None:
        self.last: Any = None
        """The `Answer` of the last cell, whole or partial; None before the first."""
        self.conversation: Conversation | None = None
        self.models: set[str] = set()
        """Model names seen so far: what Tab offers after -m."""
        self.told_of_key = False
        """Whether a cell has said that a key is set without an address."""


current = Session()
