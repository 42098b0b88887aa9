"""Calls that cost money: the same one is carried out once in a conversation.

Rule: the same are calls of one tool whose checked arguments are equal. They get what the first one
gave, also while that is still at work, and nobody is asked again. A first one that was declined, or
failed before it began anything, has spent nothing: in a later turn it may be made again.
"""

from __future__ import annotations

import asyncio
import dataclasses

from kit.gateway.answer import ToolCall
from kit.tools.calls import Planned

__all__ = ["Sharing", "with_outcome_of"]


class Sharing:
    """The first calls of one conversation, and what became of each."""

    def __init__(self) -> None:
        self._firsts: list[tuple[Planned, asyncio.Future[ToolCall]]] = []

    def first_of(self, planned: Planned) -> asyncio.Future[ToolCall] | None:
        """What the same call gave or will give; None where this is the first, and is noted."""
        if planned.work is None or not planned.work.once:
            return None
        for made, ended in self._firsts:
            same = made.call.name == planned.call.name and made.arguments == planned.arguments
            if same and not (ended.done() and _spent_nothing(ended.result())):
                return ended
        self._firsts.append((planned, asyncio.get_running_loop().create_future()))
        return None

    def end(self, planned: ToolCall, call: ToolCall) -> None:
        """The call that was `planned` has ended: whoever waits for the same one has it now.

        It is known by itself: some gateways give every turn's calls the same ids.
        """
        for made, ended in self._firsts:
            if made.call is planned and not ended.done():
                ended.set_result(call)


def with_outcome_of(first: ToolCall, call: ToolCall) -> ToolCall:
    """`call` with what the same one gave, and with no cost of its own."""
    return dataclasses.replace(
        call,
        output=first.output,
        error=first.error,
        run=first.run,
        cost=0.0,
        note="the same as above",
    )


def _spent_nothing(call: ToolCall) -> bool:
    return call.error is not None and call.run is None
