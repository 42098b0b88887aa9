"""How much a model may do with tools before it has to answer (pure).

Rule: a bound never loses an answer. Whatever runs out, the calls that are not carried out are
answered with the reason, and the model gets one last turn without tools.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from kit.errors import InputError

__all__ = ["Limits", "Tally"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one conversation with tools; None is no bound.

    rounds: turns of the model that may call. calls: in all of them. repeats: how often one and
    the same call is carried out with no other in between. seconds: after which no further call
    begins. call_seconds: of one async function; a plain one runs in your thread and ends when it
    ends. budget: US dollars of turns and tools together, as far as the gateway says what they cost.
    """

    rounds: int = 8
    calls: int = 32
    repeats: int = 2
    seconds: float | None = None
    call_seconds: float | None = 300.0
    budget: float | None = None

    def __post_init__(self) -> None:
        for name in ("rounds", "calls", "repeats"):
            if not _is_whole(getattr(self, name)):
                raise InputError(f"`{name}` is a whole number above zero.")
        for name in ("seconds", "call_seconds", "budget"):
            value = getattr(self, name)
            if value is not None and not _is_positive(value):
                raise InputError(f"`{name}` is a number above zero, or None.")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_positive(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value > 0


class Tally:
    """What has been used of the limits."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.rounds = self.calls = 0
        self.cost: float | None = None
        self._began = time.monotonic()
        self._made: Counter[tuple[str, str]] = Counter()

    def spend(self, cost: float | None) -> None:
        """Add what something cost, in US dollars; None where nobody knows."""
        if cost is not None:
            self.cost = (self.cost or 0.0) + cost

    def repeats(self, name: str, arguments: str) -> bool:
        """Note a call; whether it was made as often as it may be with no other in between."""
        key = (name, _canonical(arguments))
        self._made[key] += 1
        return self._made[key] > self.limits.repeats

    def carry_out(self, name: str, arguments: str) -> None:
        """Note that the call is carried out: every other one may give something else now."""
        key = (name, _canonical(arguments))
        self._made = Counter({key: self._made[key]})

    def used_up(self) -> str | None:
        """Why no further call may begin, as a sentence; None while it may."""
        limits = self.limits
        if self.calls >= limits.calls:
            return f"{limits.calls} calls were made, as many as may be."
        if limits.seconds is not None and time.monotonic() - self._began >= limits.seconds:
            return f"The {limits.seconds:g} s for tools are over."
        if limits.budget is not None and (self.cost or 0.0) >= limits.budget:
            return f"The budget of {_dollars(limits.budget)} is used up."
        return None

    def last_round(self) -> str | None:
        """Why the next turn has to be the last, as a sentence; None while it has not."""
        if self.rounds >= self.limits.rounds:
            return f"{self.limits.rounds} rounds of calls were made, as many as may be."
        return self.used_up()


def _canonical(arguments: str) -> str:
    """The same text for the same arguments, in all the ways in which they are read."""
    try:
        found = json.loads(arguments.strip() or "{}")
        if isinstance(found, str):
            found = json.loads(found)
        return json.dumps(found, sort_keys=True)
    except (ValueError, RecursionError):
        return arguments


def _dollars(amount: float) -> str:
    cents = f"{amount:.2f}"
    return f"${cents if float(cents) == amount else f'{amount:g}'}"
