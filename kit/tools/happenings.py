"""What happens while a model works with tools, one value for each thing a person may want to see.

    TurnBegan        the model is asked, or asked again
      (events)       what it says, as `kit.gateway.events` has it
    CallBegan        it calls a function; the arguments are checked
      CallAsked      a person or a function is asked whether it may run
      CallStarted    it runs from now on: it may take effect
      CallTold       what the function itself tells while it runs, such as a search
    CallEnded        with its output, or why it did not run
    LimitReached     no more calls are carried out: one last turn without tools

Between them stand errands: what only the caller's own thread can do. The faces of the loop carry
them out and do not pass them on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kit.gateway.answer import ToolCall
from kit.gateway.events import Event

__all__ = [
    "CallAsked",
    "CallBegan",
    "CallEnded",
    "CallStarted",
    "CallTold",
    "Errand",
    "Happening",
    "LimitReached",
    "Tell",
    "TurnBegan",
]


@dataclass(frozen=True, slots=True)
class TurnBegan:
    """`number` counts from 1; `last`: the model may call nothing any more."""

    number: int
    last: bool = False


@dataclass(frozen=True, slots=True)
class CallBegan:
    """`why` is what the model said before it called, "" where it said nothing."""

    call: ToolCall
    why: str = ""


@dataclass(frozen=True, slots=True)
class CallAsked:
    """Somebody has to say yes first."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class CallStarted:
    """It runs from now on; whoever had to say yes has."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class CallTold:
    """News of a call that runs; `what` is the tool's own, for research a `RunEvent`."""

    call: ToolCall
    what: Any


@dataclass(frozen=True, slots=True)
class CallEnded:
    call: ToolCall


@dataclass(frozen=True, slots=True)
class LimitReached:
    """`reason` is a sentence that can be shown."""

    reason: str


class Errand:
    """Something to do in the caller's thread: call a plain function, ask a person.

    A plain function may hold a database connection of that thread or draw a figure there, `input`
    works only there, and a stop (■) reaches only what runs there.

    call: what it carries out, None for a question; begins: called just before `act`.
    """

    def __init__(
        self,
        act: Callable[[], Any],
        call: ToolCall | None = None,
        begins: Callable[[], object] = lambda: None,
    ) -> None:
        self._act = act
        self.call = call
        self.begins = begins
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[tuple[Any, BaseException | None]] = self._loop.create_future()

    def carry_out(self) -> None:
        """Do it, here and now, if anybody waits for it still. Raises nothing but a stop."""
        if self._done.done():
            return
        self.begins()
        try:
            outcome = self._act(), None
        except KeyboardInterrupt:  # `Interrupted` is an Exception too
            raise
        except (Exception, asyncio.CancelledError) as error:  # what was cancelled is its own
            outcome = None, error
        self._loop.call_soon_threadsafe(self._note, outcome)

    async def outcome(self) -> Any:
        """What came of it; raises what it raised."""
        value, error = await self._done
        if error is not None:
            raise error
        return value

    def _note(self, outcome: tuple[Any, BaseException | None]) -> None:
        if not self._done.done():  # whoever waited may have left
            self._done.set_result(outcome)


Happening = (
    Event
    | TurnBegan
    | CallBegan
    | CallAsked
    | CallStarted
    | CallTold
    | CallEnded
    | LimitReached
    | Errand
)
Tell = Callable[[Happening], None]
