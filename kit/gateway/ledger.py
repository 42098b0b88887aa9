"""What has been asked and what it took: numbers alone, for as long as the process lives.

Rule: a response counts once, whoever waits for it and however often it is fetched. Nothing of a
prompt, an answer or a key is kept, and never more than the last `most` calls.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Literal, TypeVar

from kit.gateway.answer import Answer, Usage
from kit.gateway.card import printable
from kit.gateway.following import PENDING

__all__ = ["Call", "Ledger"]

MOST_KEPT = 10_000
LONGEST_NAME = 100
MOST_DOLLARS = 1e12
"""Of one call. What a gateway makes up beyond is no price, and its sum would be no number."""

What = Literal["chat", "responses", "research"]
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was answered. `asked`: seconds since 1970; None is what nobody has said.

    gateway: as `Endpoint.identity` has it. cost: US dollars. model: "" where it is not known.
    """

    what: What
    asked: float
    gateway: str
    model: str = ""
    seconds: float | None = None
    usage: Usage | None = None
    searches: int | None = None
    cost: float | None = None


class Ledger:
    """The calls since `began` (seconds since 1970), from any number of clients and threads."""

    def __init__(self, began: float, most: int = MOST_KEPT) -> None:
        self.began = began
        self._most = most
        self._lock = threading.Lock()
        self._calls: deque[Call] = deque(maxlen=most)
        self._begun: dict[int, tuple[float, str]] = {}  # runs in the background: since when, model
        self._counted: dict[int, bool] = {}  # whether it was counted when it was fetched

    def calls(self) -> list[Call]:
        """The calls so far, in the order of their ends."""
        with self._lock:
            return [*self._calls]

    def note(
        self,
        answer: Answer,
        what: What,
        gateway: str,
        *,
        now: float,
        model: str = "",
        fetched: bool = False,
    ) -> None:
        """Count what was answered; what is still running is counted when its end is fetched.

        model: what was asked for, where the answer names none. fetched: it was not asked for just
        now. Then it counts if it ran in the background or was begun here, and not yet counted.
        """
        key = hash((gateway, answer.id)) if answer.id else None  # ids can be long, and hostile
        with self._lock:
            begun = self._begun.get(key) if key is not None else None
            if fetched and key in self._counted:
                return
            if fetched and begun is None and answer.raw.get("background") is not True:
                return
            if key is not None and not fetched and self._counted.get(key):
                return  # delivered by the call that waited for it
            asked, model = begun or (now - (0.0 if fetched else answer.seconds or 0.0), model)
            if answer.status in PENDING:
                _remember(self._begun, key, (asked, model), self._most)
            elif _is_worth_it(answer):
                _remember(self._counted, key, fetched, self._most)
                self._calls.append(_call(answer, what, gateway, asked, model, fetched))


def _remember(known: dict[int, _V], key: int | None, value: _V, most: int) -> None:
    if key is not None:
        known[key] = value
    while len(known) > most:
        del known[next(iter(known))]


def _is_worth_it(answer: Answer) -> bool:
    """Whether it was answered; a call that failed was where it says what it took."""
    failed = answer.status in ("failed", "cancelled")
    return answer.usage is not None or (bool(answer.output) and not failed)


def _call(
    answer: Answer, what: What, gateway: str, asked: float, model: str, fetched: bool
) -> Call:
    name = answer.model or model
    return Call(
        what=what,
        asked=asked,
        gateway=gateway,
        model=printable(name[: 4 * LONGEST_NAME])[:LONGEST_NAME],
        seconds=_ran(answer) if fetched else answer.seconds,
        usage=answer.usage,
        searches=len(answer.searches),
        cost=answer.cost if (answer.cost or 0.0) < MOST_DOLLARS else None,
    )


def _ran(answer: Answer) -> float | None:
    """How long a response that was fetched had run, where it says so."""
    began, ended = answer.raw.get("created_at"), answer.raw.get("completed_at")
    if not isinstance(began, int | float) or not isinstance(ended, int | float):
        return None
    return float(ended - began) if 0 <= began <= ended < 2**53 else None
