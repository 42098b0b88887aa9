"""What a call leads to: a function of the user's, or a tool of the toolkit's own.

Rule: the loop knows this interface alone. A tool says how it is offered, reads what the model
wrote, says whether it needs a yes, and runs. What it raises is its outcome, in words for the model.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from kit import errors
from kit.gateway.answer import ToolCall
from kit.gateway.events import Wire
from kit.tools.apart import LeftBehind, apart
from kit.tools.happenings import CallAsked, CallStarted, CallTold, Errand, Tell
from kit.tools.outputs import error_output, exception_output, result_output
from kit.tools.schema import Tool

__all__ = ["Function", "Ongoing", "Outcome", "Work", "outcome_of"]


_GOING_ON = "asked to stop, and may go on"
_LEFT_BEHIND = "The function took too long. It could not be stopped, and may still do its work."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call: `output` for the model; the others as ToolCall has them."""

    output: str
    error: str | None = None
    cost: float | None = None
    note: str = ""


class Ongoing:
    """A call while it runs, as its tool sees it."""

    def __init__(self, call: ToolCall, tell: Tell, keep: Callable[[ToolCall], None]) -> None:
        self.call = call
        self._tell = tell
        self._keep = keep

    def starts(self) -> None:
        """Tell that it runs from now on, whatever becomes of it."""
        self._keep_with(started=True)
        self._tell(CallStarted(self.call))

    def begun(self, run: Any) -> None:
        """Note a research run as soon as there is one: a stop must not lose it."""
        self._keep_with(run=run)

    def going_on(self, goes_on: bool) -> None:
        """Note whether it goes on although it was asked to end."""
        self._keep_with(note=_GOING_ON if goes_on else "")

    def asked(self) -> None:
        """Tell that somebody has to say yes now."""
        self._tell(CallAsked(self.call))

    def news(self, what: Any) -> None:
        """Tell whoever watches."""
        self._tell(CallTold(self.call, what))

    async def here(self, act: Callable[[], Any]) -> Any:
        """What `act` gives in the caller's own thread: a question."""
        return await self._carried_out(Errand(act))

    async def run_here(self, act: Callable[[], Any]) -> Any:
        """The same of the call itself, which starts when that thread gets to it."""
        self._tell(CallStarted(dataclasses.replace(self.call, started=True)))
        begins = functools.partial(self._keep_with, started=True)
        return await self._carried_out(Errand(act, self.call, begins))

    async def _carried_out(self, errand: Errand) -> Any:
        self._tell(errand)
        return await errand.outcome()

    def _keep_with(self, **changes: Any) -> None:
        self.call = dataclasses.replace(self.call, **changes)
        self._keep(self.call)


class Work(Protocol):
    """One tool, as the loop needs it."""

    @property
    def name(self) -> str: ...

    @property
    def definition(self) -> Wire:
        """The function tool as the responses API has it."""
        ...

    @property
    def once(self) -> bool:
        """Whether it costs money: the same call then gets what the first of a conversation gave."""
        ...

    def arguments(self, raw: str) -> Any:
        """What the model wrote, checked. Raises InputError with a sentence for the model."""
        ...

    async def question(self, arguments: Any) -> str | None:
        """What to ask a person before it runs: arguments and price; None where nothing is."""
        ...

    async def run(self, arguments: Any, ongoing: Ongoing) -> Outcome:
        """Do it. What it raises, the loop puts into words for the model."""
        ...


async def outcome_of(work: Work, arguments: Any, ongoing: Ongoing) -> Outcome:
    """What came of a call. Raises only what is not the model's to mend."""
    try:
        return await work.run(arguments, ongoing)
    except TimeoutError as error:
        if error.args:  # the function's own, with its own words
            return _failed(error)
        return Outcome(error_output("timed_out", "The function took too long."), "timed_out")
    except (errors.ConfigError, errors.ConsentMissing, errors.Interrupted):
        raise  # the person's
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return _failed(error)  # something inside was cancelled, and not this conversation
    except Exception as error:
        return _failed(error)


class Function:
    """A user's function. A plain one runs in the caller's thread, an async one beside others.

    `seconds` bounds what is awaited. In a loop of the caller's own it cannot end what blocks.
    """

    def __init__(self, tool: Tool, seconds: float | None) -> None:
        self._tool = tool
        self._seconds = seconds

    once = False

    @property
    def name(self) -> str:
        return self._tool.name

    @property
    def definition(self) -> Wire:
        return self._tool.definition

    def arguments(self, raw: str) -> dict[str, Any]:
        return self._tool.arguments(raw)

    async def question(self, arguments: Any) -> str | None:
        return None

    async def run(self, arguments: dict[str, Any], ongoing: Ongoing) -> Outcome:
        call = functools.partial(self._tool.function, **arguments)
        if not self._tool.is_async:
            given = await ongoing.run_here(lambda: _called(call))
            if isinstance(given, Outcome):
                return given
            call = functools.partial(_itself, given)  # it handed out something to await
        else:
            ongoing.starts()
        try:
            return await apart(functools.partial(_awaited, call), self._seconds, ongoing.going_on)
        except LeftBehind:
            return Outcome(error_output("timed_out", _LEFT_BEHIND), "timed_out", note=_GOING_ON)


def _called(call: Callable[[], Any]) -> Any:
    """What came of a plain function, or what it wants to have awaited."""
    try:
        value = call()
    except SystemExit as error:  # of a command line inside of it: it has failed, and nobody else
        return _failed(error)
    return value if inspect.isawaitable(value) else Outcome(result_output(value))


async def _awaited(call: Callable[[], Awaitable[Any]]) -> Outcome:
    try:
        return Outcome(result_output(await call()))
    except SystemExit as error:
        return _failed(error)


def _itself(value: Any) -> Any:
    return value


def _failed(error: BaseException) -> Outcome:
    return Outcome(exception_output(error), type(error).__name__[:60])
