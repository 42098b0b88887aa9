"""What a call leads to: a function of the user's, or a tool of the toolkit's own.

Rule: the loop knows this interface alone. A tool says how it is offered, reads what the model
wrote, says whether it needs a yes, and runs.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from kit.gateway.answer import ToolCall
from kit.gateway.events import Wire
from kit.tools.happenings import CallAsked, CallTold, Errand, Tell
from kit.tools.outputs import exception_output, result_output
from kit.tools.schema import Tool

__all__ = ["Function", "Ongoing", "Outcome", "Work"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call: `output` for the model; the others as ToolCall has them."""

    output: str
    error: str | None = None
    cost: float | None = None
    note: str = ""


class Ongoing:
    """A call while it runs, as its tool sees it."""

    def __init__(self, call: ToolCall, tell: Tell, begun: Callable[[Any], None]) -> None:
        self.call = call
        self._tell = tell
        self._begun = begun

    def begun(self, run: Any) -> None:
        """Note a research run as soon as there is one: a stop must not lose it."""
        self.call = dataclasses.replace(self.call, run=run)
        self._begun(run)

    def asked(self) -> None:
        """Tell that somebody has to say yes now."""
        self._tell(CallAsked(self.call))

    def news(self, what: Any) -> None:
        """Tell whoever watches."""
        self._tell(CallTold(self.call, what))

    async def here(self, act: Callable[[], Any]) -> Any:
        """What `act` gives in the caller's own thread."""
        errand = Errand(act)
        self._tell(errand)
        return await errand.outcome()


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


class Function:
    """A user's function. A plain one runs in the caller's thread, an async one beside others."""

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
            given = await ongoing.here(lambda: _called(call))
            if isinstance(given, Outcome):
                return given
            call = functools.partial(_itself, given)  # it handed out something to await
        async with asyncio.timeout(self._seconds):
            return await _awaited(call)


def _called(call: Callable[[], Any]) -> Any:
    """What came of a plain function, or what it wants to have awaited."""
    try:
        value = call()
    except SystemExit as error:
        return _exited(error)
    return value if inspect.isawaitable(value) else Outcome(result_output(value))


async def _awaited(call: Callable[[], Awaitable[Any]]) -> Outcome:
    try:
        return Outcome(result_output(await call()))
    except SystemExit as error:
        return _exited(error)


def _itself(value: Any) -> Any:
    return value


def _exited(error: SystemExit) -> Outcome:
    """A function that exits, as a command line inside of it does, has failed; nobody else has."""
    return Outcome(exception_output(error), "SystemExit")
