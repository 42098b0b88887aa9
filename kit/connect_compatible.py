"""The names that programs of the earlier client call; each is one call of the richer client.

Rule: one implementation, and the earlier program's words for it. Calling one of the methods with
tools is a yes to research, since existing scripts rely on that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kit.connect import Client
from kit.connect_tools import tool_stream
from kit.gateway.answer import Answer, ToolCall
from kit.gateway.wire import Api
from kit.relay.contracts import Format
from kit.relay.research_tool import NAME
from kit.settings_relay import load_relay
from kit.tools.stream import ToolStream

__all__ = ["LiteLLMClient", "ToolCallingResult", "research_call", "research_stream"]


@dataclass(frozen=True, slots=True)
class ToolCallingResult:
    """What came of a prompt with `deep_research` at hand.

    response_status: of the last turn. previous_response_id: the first turn's id, also where the
    history was sent again. Without research the last six fields, but `response_id`, are None.
    """

    final_text: str
    tool_called: bool
    tool_name: str | None
    response_status: str
    research_summary: str | None = field(repr=False)
    response_id: str | None
    previous_response_id: str | None
    tool_call_id: str | None
    invocation_id: str | None
    invocation_token: str | None = field(repr=False)
    upstream_response_id: str | None


class LiteLLMClient:
    """Methods return text. base_url, api_key, model: else what is configured.

    timeout: seconds of one request to the gateway; research has its own, longer bound.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        model: str | None = None,
        timeout: float = 30.0,
    ) -> None:
        self._client = Client(base_url, api_key, model, timeout=timeout)

    def create_chat_completion(self, prompt: str) -> str:
        return self._client.chat(prompt).text

    def create_response(
        self,
        prompt: str,
        tools: Sequence[Mapping[str, Any]] | None = None,
        background: bool = False,
    ) -> str:
        """The text; with `background`, the raw JSON with its `id` and `status`."""
        if background:
            return json.dumps(self._client.submit(prompt, tools=tools).raw, ensure_ascii=False)
        return self._client.respond(prompt, tools=tools).text

    def create_response_with_tool_calling(
        self,
        prompt: str,
        relay_base_url: str | None = None,
        deliverable_format: Format | None = None,
    ) -> ToolCallingResult:
        """The model answers, and researches first where it finds that it should.

        relay_base_url: of a relay that runs; else RELAY_BASE_URL, else the one of this process.
        deliverable_format: of the report, where the model names none.
        """
        answer = self._worked("responses", prompt, relay_base_url, deliverable_format)
        call = research_call(answer)
        done = call is not None and call.error is None
        return ToolCallingResult(
            final_text=answer.text or answer.refusal,
            tool_called=call is not None,
            tool_name=call.name if call else None,
            response_status=answer.status,
            research_summary=call.output if call and done else None,
            response_id=answer.response_id,
            previous_response_id=answer.previous_response_id,
            tool_call_id=answer.tool_call_id,
            invocation_id=answer.invocation_id,
            invocation_token=answer.invocation_token,
            upstream_response_id=answer.upstream_response_id,
        )

    def create_chat_with_tool_calling(
        self, prompt: str, relay_base_url: str | None = None
    ) -> tuple[str, bool]:
        """The same over chat completions: the text, and whether research ran."""
        answer = self._worked("chat", prompt, relay_base_url, None)
        return answer.text or answer.refusal, research_call(answer) is not None

    def _worked(
        self, api: Api, prompt: str, relay_base_url: str | None, form: Format | None
    ) -> Answer:
        with research_stream(self._client, prompt, api, relay_base_url, form) as stream:
            for _ in stream:
                pass
        return stream.answer


def research_stream(
    client: Client,
    prompt: str,
    api: Api = "responses",
    relay_base_url: str | None = None,
    deliverable_format: Format | None = None,
    hosted: Sequence[Mapping[str, Any]] = (),
) -> ToolStream:
    """The loop with `deep_research`, and a yes to it. `hosted`: tools that the gateway runs."""
    inner = client.inner
    stream = tool_stream(
        inner,
        inner.settings,
        prompt,
        api=api,
        approve="always",
        deliverable_format=deliverable_format,
        relay=load_relay(relay_base_url, user_data=inner.settings.user_data),
        options={"tools": [NAME, *hosted]},
    )
    return ToolStream(stream)


def research_call(answer: Answer) -> ToolCall | None:
    """The call that started research, None where none did."""
    return next((call for call in answer.tool_calls if call.run is not None), None)
