"""What was said so far, and how a next turn tells the gateway.

    keeps history    the id of the turn before, and only what is new
    unknown          everything again, with the reasoning where it can be had (encrypted)

Rule: what nobody knows of a gateway is tried in the way that works everywhere, and a gateway that
promised more than it does is asked once more in that way. That a caller names a response says
nothing of a gateway: LiteLLM's bridge takes any id and forgets even the question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from kit import errors
from kit.gateway.answer import Answer, ToolCall
from kit.gateway.capabilities import keeps_history
from kit.gateway.client import AsyncClient
from kit.gateway.events import Wire
from kit.gateway.wire import Api, Input, Options, items_of

__all__ = ["Transcript"]

ENCRYPTED = "reasoning.encrypted_content"
LONGEST_NAME = 64

_FORGOTTEN = re.compile(
    r"(?i)previous[ _]response|no tool call found|tool_call_ids?\b"
    r"|role\W{1,4}tool\b.{0,80}\b(?:must|preceding)"
)
_NO_NAME = re.compile(r"[^a-zA-Z0-9_-]")


class Transcript:
    """One conversation. `turn` gives a turn's input, `add` takes what came of it."""

    def __init__(self, client: AsyncClient, prompt: Input, options: Options, api: Api) -> None:
        self._items = [*(options.get("history") or ()), *items_of(prompt, options)]
        self._asked_for = list(options.get("include") or ())
        self._named = options.get("previous_response_id")
        self._responses = api == "responses"
        keeps = self._responses and options.get("store") is not False
        known = client.known(options.get("model"))
        self._keeps = keeps and bool(keeps_history(client.endpoint, known))
        self._may_ask = not known.refuses("encrypted")
        self._encrypted = self._responses and not self._keeps and self._may_ask
        self._refused_reasoning = False
        self._previous: str | None = None
        self._outputs: list[Wire] = []

    def turn(self) -> tuple[list[Any], dict[str, Any]]:
        """The input of the next turn, and the options that go with it."""
        wanted = [ENCRYPTED] if self._encrypted and ENCRYPTED not in self._asked_for else []
        more: dict[str, Any] = {"include": [*self._asked_for, *wanted] or None}
        if self._keeps and self._previous:
            return list(self._outputs), {**more, "previous_response_id": self._previous}
        return list(self._items), {**more, "previous_response_id": self._named}

    def add(self, answer: Answer, calls: Sequence[ToolCall]) -> None:
        """A turn is over, and its calls, in their order, have their outputs."""
        asked = [str(item.get("call_id") or "") for item in answer.function_calls]
        self._previous = answer.id
        self._outputs = [
            _output(theirs or call.call_id, call) for theirs, call in zip(asked, calls, strict=True)
        ]
        items = _with_calls(answer.items, calls)
        self._items += [*items, *(_output(call.call_id, call) for call in calls)]
        if self._refused_reasoning:
            self._leave_reasoning_out()

    def another_way(self, error: errors.GatewayError) -> bool:
        """Whether to ask again, after this refusal, without what the gateway may not know."""
        refused = isinstance(error, errors.BadRequest | errors.NotFound)
        if isinstance(error, errors.ModelUnknown):
            return False
        if self._keeps and self._previous and (refused or _has_forgotten(error)):
            self._keeps, self._encrypted = False, self._may_ask
            return True
        if isinstance(error, errors.BadRequest) and (self._encrypted or self._has_reasoning):
            # by models without reasoning, and by a deployment that cannot read another's
            self._encrypted, self._refused_reasoning = False, True
            self._leave_reasoning_out()
            return True
        return False

    @property
    def _has_reasoning(self) -> bool:
        return self._responses and any(one.get("type") == "reasoning" for one in self._items)

    def _leave_reasoning_out(self) -> None:
        self._items = [item for item in self._items if item.get("type") != "reasoning"]


def _has_forgotten(error: errors.GatewayError) -> bool:
    """Whether a failure says so: bridges pass on the provider's refusal as one of their own."""
    failed = isinstance(error, errors.ServerFailed | errors.ResponseFailed)
    return failed and bool(_FORGOTTEN.search(str(error)))


def _with_calls(items: Sequence[Wire], calls: Sequence[ToolCall]) -> Iterator[Wire]:
    """A turn as it is said again: every call with the id of its output, and a name that gateways
    take back; they refuse a slip like `functions.weather` in the next request."""
    left = iter(calls)
    for item in items:
        if item.get("type") == "function_call":
            call = next(left)
            name = _NO_NAME.sub("_", call.name)[:LONGEST_NAME] or "_"
            said = {"call_id": call.call_id, "name": name, "arguments": call.arguments}
            item = {**item, **said}
        yield item


def _output(call_id: str, call: ToolCall) -> Wire:
    return {"type": "function_call_output", "call_id": call_id, "output": call.output}
