"""What is shown while a model works with functions: a card for each call, and one quiet line.

Rule: it only listens. Whatever order things come in, a card has what is known of its call.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from kit.gateway.card import Card, call_card
from kit.notebook.progress import Progress
from kit.relay.glance import Glance, glance_line, seen
from kit.relay.view import RunEvent
from kit.tools.happenings import (
    CallAsked,
    CallBegan,
    CallEnded,
    CallTold,
    LimitReached,
    TurnBegan,
)

__all__ = ["Workbench"]

LONGEST_WHY = 200


@dataclasses.dataclass(slots=True)
class _Call:
    call: Any
    began: float
    why: str = ""
    glance: Glance | None = None
    asked: bool = False


class Workbench:
    """Takes what happens in; `cards` and `line` say how it stands."""

    def __init__(self, started: float) -> None:
        self._progress = Progress(started)
        self._calls: list[_Call] = []
        self._limit = ""
        self.urgent = False
        """A call has begun: what it does may keep this thread busy, and it is shown before."""

    def note(self, happening: Any) -> None:
        """Take a happening in."""
        match happening:
            case TurnBegan():
                self._progress = Progress(time.monotonic())
            case CallBegan(call, why):
                self.urgent = True
                self._calls.append(_Call(call, time.monotonic(), " ".join(why.split())))
            case CallAsked(call):
                self.urgent = True
                if (known := self._find(call)) is not None:
                    known.asked = True
            case CallTold(call, RunEvent() as event):
                self._told(call, event)
            case CallEnded(call):
                if (known := self._find(call)) is not None:
                    known.call = call
            case LimitReached(reason):
                self._limit = reason
            case _:
                self._progress.note(happening)

    def line(self, now: float) -> str:
        """What the model does at the moment; "" while a call is under way or text arrives."""
        if any(one.call.seconds is None for one in self._calls):
            return ""
        return self._progress.line(now)

    def cards(self) -> list[Card]:
        """One for each call so far."""
        self.urgent = False
        cards = [_card(one) for one in self._calls]
        return [*cards, Card("limit", self._limit)] if self._limit else cards

    def _told(self, call: Any, event: RunEvent) -> None:
        known = self._find(call)
        if known is not None:
            known.call = call  # by now it may have a run
            known.glance = seen(known.glance or Glance(), event, time.time())

    def _find(self, call: Any) -> _Call | None:
        """The call itself: a gateway may give two of them one id."""
        same = [one for one in self._calls if one.call.call_id == call.call_id]
        waiting = [one for one in same if one.call.seconds is None]
        return next(iter(waiting or same), None)


def _card(known: _Call) -> Card:
    card = call_card(known.call)
    if known.call.seconds is not None:
        return card
    seconds = time.monotonic() - known.began
    why = f"why: {known.why[:LONGEST_WHY]}" if known.why else ""
    doing = "waiting for a yes" if known.asked else "running"
    if known.glance:
        doing = glance_line(known.glance, seconds, time.time())
    lines = (why, doing, *card.lines)
    return dataclasses.replace(card, lines=tuple(one for one in lines if one))
