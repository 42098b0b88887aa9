"""What is shown while a model works with functions: a card for each call, and one quiet line.

Rule: it only listens. Whatever order things come in, a card has what is known of its call.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from kit.gateway.card import Card, call_card, lasted, told_arguments
from kit.notebook.board import Facts
from kit.notebook.progress import Progress
from kit.relay.glance import Glance, glance_line, money, seen
from kit.relay.view import RunEvent
from kit.tools.happenings import (
    CallAsked,
    CallBegan,
    CallEnded,
    CallStarted,
    CallTold,
    LimitReached,
    TurnBegan,
)

__all__ = ["Workbench"]

LONGEST_WHY = 200
_PHASES = {"running": "runs", "waiting": "waits", "waiting for a yes": "waits for a yes"}


@dataclasses.dataclass(slots=True)
class _Call:
    call: Any
    began: float
    why: str = ""
    glance: Glance | None = None
    asked: bool = False

    @property
    def state(self) -> str:
        """How it stands, as long as it has not ended."""
        if self.call.started:
            return "running"
        return "waiting for a yes" if self.asked else "waiting"


class Workbench:
    """Takes what happens in; `cards` and `line` say how it stands."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._progress = Progress(started)
        self.diary = self._progress.diary
        self._calls: list[_Call] = []
        self._limit = ""
        self.urgent = False
        """A call begins: what it does may keep this thread busy, and it is shown before."""

    def note(self, happening: Any) -> None:
        """Take a happening in."""
        match happening:
            case TurnBegan():
                self._progress = Progress(time.monotonic(), self._progress)
            case CallBegan(call, why):
                self.urgent = True
                self._calls.append(_Call(call, time.monotonic(), " ".join(why.split())))
                self._write_down(self._calls[-1])
            case CallAsked(call):
                self._asked(self._find(call))
            case CallStarted(call):
                self._asked(None)
                if (known := self._find(call)) is not None:
                    known.call = call
                    self._write_down(known)
            case CallTold(call, RunEvent() as event):
                self._told(call, event)
            case CallEnded(call):
                if (known := self._find(call)) is not None:
                    known.call = call
                    self._write_down(known, _outcome(call))
            case LimitReached(reason):
                self._limit = reason
                self.diary.warn(reason)
            case _:
                self._progress.note(happening)

    def line(self, now: float) -> str:
        """What the model does at the moment; "" while a call is under way or text arrives."""
        if any(one.call.seconds is None for one in self._calls):
            return ""
        return self._progress.line(now)

    def facts(self, now: float) -> Facts:
        """How it stands, for a live card: what is called is what it does."""
        facts = dataclasses.replace(
            self._progress.facts(now), seconds=now - self._started, spend=self._spend()
        )
        pending = [one for one in self._calls if one.call.seconds is None]
        if not pending:
            return facts
        one = max(reversed(pending), key=lambda one: (one.call.started, one.asked))
        phase, silent = f"{one.call.name} {_PHASES[one.state]}", facts.silent
        if one.glance:
            phase = f"{one.call.name}: {one.glance.doing or one.glance.status}"
            silent = max(time.time() - (one.glance.heard or time.time()), 0.0)
        return dataclasses.replace(facts, phase=phase, silent=silent)

    def _spend(self) -> str:
        """What the calls have cost so far: an estimate while one of them runs."""
        costs = [one.call.cost for one in self._calls if one.call.seconds is not None]
        running = [one.glance for one in self._calls if one.call.seconds is None and one.glance]
        known = [cost for cost in [*costs, *(glance.cost for glance in running)] if cost]
        return money(sum(known) or None, estimate=any(glance.estimate for glance in running))

    def cards(self) -> list[Card]:
        """One for each call so far."""
        self.urgent = False
        cards = [_card(one) for one in self._calls]
        return [*cards, Card("limit", self._limit)] if self._limit else cards

    def _asked(self, asked: _Call | None) -> None:
        """Somebody has to say yes to this one now: for what was asked before it they have."""
        self.urgent = True
        for one in self._calls:
            if one.call.seconds is None and one.asked is not (one is asked):
                one.asked = one is asked
                self._write_down(one)

    def _told(self, call: Any, event: RunEvent) -> None:
        known = self._find(call)
        if known is not None:
            known.call = call  # by now it may have a run
            known.glance = seen(known.glance or Glance(), event, time.time())
            self.diary.note(event)
            if known.glance.doing:
                self._write_down(known, known.glance.status)

    def _write_down(self, known: _Call, state: str = "") -> None:
        state = state or known.state
        place = next(place for place, one in enumerate(self._calls) if one is known)
        self.diary.call(place, known.call.name, told_arguments(known.call.arguments), state)

    def _find(self, call: Any) -> _Call | None:
        """The call itself: a gateway may give two of them one id."""
        same = [one for one in self._calls if one.call.call_id == call.call_id]
        waiting = [one for one in same if one.call.seconds is None]
        return next(iter(waiting or same), None)


def _outcome(call: Any) -> str:
    """One word or two for how it ended, and how long it took."""
    how = call.error.replace("_", " ") if call.error else "done"
    return f"{how}, {lasted(call.seconds)}" if (call.seconds or 0) >= 1 else how


def _card(known: _Call) -> Card:
    card = call_card(known.call)
    if known.call.seconds is not None:
        return card
    seconds = time.monotonic() - known.began
    why = f"why: {known.why[:LONGEST_WHY]}" if known.why else ""
    doing = glance_line(known.glance, seconds, time.time()) if known.glance else known.state
    lines = (why, doing, *card.lines)
    return dataclasses.replace(card, lines=tuple(one for one in lines if one))
