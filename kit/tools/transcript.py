"""What was said so far, and how a next turn tells the gateway.

    keeps history    the id of the turn before, and only what is new
    unknown          everything again, with the reasoning where it can be had (encrypted)

Rule: what nobody knows of a gateway is tried in the way that works everywhere, and a gateway that
promised more than it does is asked once more in that way.
"""

from __future__ import annotations

from typing import Any

from kit import errors
from kit.gateway.answer import Answer
from kit.gateway.capabilities import keeps_history
from kit.gateway.client import AsyncClient
from kit.gateway.events import Wire
from kit.gateway.wire import Api, Input, Options, items_of

__all__ = ["Transcript"]

ENCRYPTED = "reasoning.encrypted_content"


class Transcript:
    """One conversation. `turn` gives a turn's input, `add` takes what came of it."""

    def __init__(self, client: AsyncClient, prompt: Input, options: Options, api: Api) -> None:
        self._items = [*(options.get("history") or ()), *items_of(prompt, options)]
        self._asked_for = list(options.get("include") or ())
        self._named = options.get("previous_response_id")
        self._responses = api == "responses"
        keeps = self._responses and options.get("store") is not False
        self._keeps = keeps and (bool(self._named) or bool(keeps_history(client.endpoint)))
        self._encrypted = self._responses and not self._keeps
        self._previous: str | None = None
        self._outputs: list[Wire] = []

    def turn(self) -> tuple[list[Any], dict[str, Any]]:
        """The input of the next turn, and the options that go with it."""
        include = [*self._asked_for, *([ENCRYPTED] if self._encrypted else [])]
        more: dict[str, Any] = {"include": include or None}
        if self._keeps and self._previous:
            return list(self._outputs), {**more, "previous_response_id": self._previous}
        return list(self._items), {**more, "previous_response_id": self._named}

    def add(self, answer: Answer, outputs: list[Wire]) -> None:
        """A turn is over."""
        self._previous, self._outputs = answer.id, outputs
        self._items += [*answer.items, *outputs]

    def another_way(self, error: errors.GatewayError) -> bool:
        """Whether to ask again, after this refusal, without what the gateway may not know."""
        if isinstance(error, errors.ModelUnknown):
            return False
        if self._keeps and self._previous and not self._named:
            self._keeps = False  # it took the id and forgot what was said
            return True
        if self._encrypted and isinstance(error, errors.BadRequest):
            self._encrypted = False  # refused by models without reasoning, among others
            return True
        return False
