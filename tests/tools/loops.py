"""The tool loop against a scripted gateway: turns written once, said in either API.

    played = play(opened, [call("weather", city="Seoul")], [text("Fine.")], tools=[weather])
    played.answer, played.happenings, played.bodies      what came of it, and what was sent

A turn is a list of items, or a reply of the gateway's own, such as a refusal. The loop is read by
either face; both close what they opened, and leave no task.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kit import blocking
from kit.gateway.answer import Answer
from kit.gateway.capabilities import NOTHING, Capabilities
from kit.gateway.client import AsyncClient
from kit.gateway.events import Wire
from kit.settings import Endpoint, Secret
from kit.tools.happenings import CallBegan, CallEnded, Happening, LimitReached, TurnBegan
from kit.tools.limits import Limits
from kit.tools.loop import Loop, Terms
from kit.tools.schema import tool_of
from kit.tools.stream import AsyncToolStream, ToolStream
from kit.tools.work import Function
from tests.gateway.gateways import KEY, Gateway, Reply, json_reply, stream_reply

APIS = ["responses", "chat"]
FACES = ["blocking", "async"]
LONGEST_WAIT = 120.0


# -- what a model says -------------------------------------------------------------------------


def text(said: str, **more: Any) -> Wire:
    part = {"type": "output_text", "text": said, "annotations": []}
    return {"type": "message", "role": "assistant", "content": [part], **more}


def call(name: Any, raw: Any = None, /, *, call_id: Any = "call_1", **arguments: Any) -> Wire:
    """A function call; `raw` is its arguments as they are, else the keywords as JSON."""
    written = json.dumps(arguments) if raw is None else raw
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": written}


def thought(encrypted: str | None = None, id: str = "rs_1") -> Wire:
    hidden = {} if encrypted is None else {"encrypted_content": encrypted}
    summary = [{"type": "summary_text", "text": "Hm."}]
    return {"type": "reasoning", "id": id, "summary": summary, **hidden}


@dataclass(frozen=True)
class Turn:
    """Items with what goes around them. `pauses`: seconds before the end of the stream."""

    items: Sequence[Wire]
    id: str | None = None
    status: str = "completed"
    reason: str | None = None
    usage: Wire | None = None
    headers: tuple[str, ...] = ()
    pause: float | None = None

    def reply(self, api: str, number: int) -> Reply:
        id = self.id or f"resp_{number}"
        frames = self._response(id) if api == "responses" else self._chunks(id)
        if self.pause is not None:
            frames.insert(-1, self.pause)
        escaped = [one if isinstance(one, float) else json.dumps(one) for one in frames]
        head, *rest = stream_reply(*escaped, "[DONE]")
        more = "".join(f"{one}\r\n" for one in self.headers).encode()
        assert isinstance(head, bytes)
        return [head.replace(b"\r\n\r\n", b"\r\n" + more + b"\r\n"), *rest]

    def _response(self, id: str) -> list[Any]:
        head = {"id": id, "object": "response", "model": "m"}
        frames: list[Any] = [
            {"type": "response.created", "response": {**head, "status": "in_progress"}}
        ]
        for index, item in enumerate(self.items):
            frames += _item_frames(index, item)
        details = {"incomplete_details": {"reason": self.reason}} if self.reason else {}
        whole = {**head, "status": self.status, "output": list(self.items), "usage": self.usage}
        frames.append({"type": f"response.{self.status}", "response": {**whole, **details}})
        return frames

    def _chunks(self, id: str) -> list[Any]:
        deltas: list[Wire] = []
        calls = [item for item in self.items if item["type"] == "function_call"]
        for item in self.items:
            if item["type"] == "message":
                deltas.append({"content": "".join(part["text"] for part in item["content"])})
        for index, item in enumerate(calls):
            function = {"name": item["name"], "arguments": item["arguments"]}
            one = {"index": index, "id": item["call_id"], "type": "function", "function": function}
            deltas.append({"tool_calls": [one]})
        finish = {"max_output_tokens": "length", "content_filter": "content_filter"}
        ended = finish.get(self.reason or "", "tool_calls" if calls else "stop")
        choices: list[Any] = [{"index": 0, "delta": delta} for delta in deltas]
        choices.append({"index": 0, "delta": {}, "finish_reason": ended})
        head = {"id": id, "object": "chat.completion.chunk", "model": "m"}
        last = [{**head, "choices": [], "usage": self.usage}] if self.usage else []
        return [*({**head, "choices": [choice]} for choice in choices), *last]


def _item_frames(index: int, item: Wire) -> list[Wire]:
    opened = {**item, "arguments": ""} if item["type"] == "function_call" else item
    frames: list[Wire] = [
        {"type": "response.output_item.added", "output_index": index, "item": opened}
    ]
    written = item.get("arguments")
    if isinstance(written, str) and written:
        kind = "response.function_call_arguments.delta"
        frames.append({"type": kind, "output_index": index, "delta": written})
    for place, part in enumerate(item.get("content", ())):
        where = {"output_index": index, "content_index": place}
        frames.append(
            {"type": "response.output_text.delta", **where, "delta": part.get("text", "")}
        )
    frames.append({"type": "response.output_item.done", "output_index": index, "item": item})
    return frames


def refused(message: str, status: str = "400 Bad Request", **error: Any) -> bytes:
    return json_reply({"error": {"message": message, **error}}, status=status)


Said = Sequence[Wire] | Turn | Reply


def replies(turns: Sequence[Said], api: str) -> list[Reply]:
    """The turns as the gateway says them; the ids count the answers."""
    return [_reply(one, api, number) for number, one in enumerate(turns, 1)]


def _reply(one: Any, api: str, number: int) -> Reply:
    if isinstance(one, list) and all(isinstance(item, dict) for item in one):
        one = Turn(one)
    return one.reply(api, number) if isinstance(one, Turn) else one


# -- what comes of it --------------------------------------------------------------------------


@dataclass
class Played:
    """A conversation that is over: with its answer, or with what it raised."""

    there: Gateway
    happenings: list[Happening] = field(default_factory=list[Happening])
    answer: Answer | None = None
    error: BaseException | None = None

    @property
    def bodies(self) -> list[Any]:
        return [one.body for one in self.there.requests]

    @property
    def told(self) -> list[str]:
        """What the model was told of each call, in the order of the last request."""
        return [output for _, output in outputs_in(self.bodies[-1])]

    @property
    def calls(self) -> tuple[Any, ...]:
        assert self.answer is not None
        return self.answer.tool_calls

    @property
    def kinds(self) -> list[str]:
        """The happenings that are the loop's own."""
        own = (TurnBegan, CallBegan, CallEnded, LimitReached)
        return [type(one).__name__ for one in self.happenings if isinstance(one, own)]


def outputs_in(body: Any) -> list[tuple[str, str]]:
    """The call ids and outputs in a request of either API."""
    if "messages" in body:
        tools = [one for one in body["messages"] if one["role"] == "tool"]
        return [(one["tool_call_id"], one["content"]) for one in tools]
    items = [one for one in body["input"] if one.get("type") == "function_call_output"]
    return [(one["call_id"], one["output"]) for one in items]


def error_in(output: str) -> tuple[str, str]:
    """The type and the message of an error that a model was told."""
    error = json.loads(output)["error"]
    return error["type"], error["message"]


def client_of(there: Gateway, *, identity: str = "gateway", **more: Any) -> AsyncClient:
    return AsyncClient(Endpoint(there.url, Secret(KEY), "m", identity=identity), retries=0, **more)


def loop_of(
    client: AsyncClient,
    prompt: Any = "hi",
    *,
    tools: Sequence[Any] = (),
    works: Sequence[Any] = (),
    api: Any = "responses",
    approve: Any = None,
    limits: Limits | None = None,
    hosted: Sequence[Wire] = (),
    **options: Any,
) -> AsyncToolStream:
    limits = limits or Limits()
    functions = [Function(tool_of(one), limits.call_seconds) for one in tools]
    terms = Terms([*functions, *works], api, approve, limits, hosted)
    return AsyncToolStream(Loop(client, prompt, options, terms))  # type: ignore[arg-type]


def play(
    opened: Callable[..., Gateway],
    *turns: Said,
    api: str = "responses",
    face: str = "blocking",
    identity: str = "gateway",
    known: Capabilities = NOTHING,
    **given: Any,
) -> Played:
    """One conversation, read to its end by that face. `known`: of the gateway's model."""
    there = opened(*replies(turns, api))
    played = Played(there)
    act = _blocking if face == "blocking" else _async
    try:
        about = {"identity": identity, "capabilities": lambda model: known}
        act(lambda: client_of(there, **about), {"api": api, **given}, played)
    except BaseException as error:
        played.error = error
    return played


def _blocking(client_for: Callable[[], AsyncClient], given: Any, played: Played) -> None:
    client = client_for()
    try:
        with ToolStream(loop_of(client, **given)) as stream:
            for one in stream:
                played.happenings.append(one)
        played.answer = stream.answer
    finally:
        blocking.run(client.aclose)
        blocking.run(no_task)


def _async(client_for: Callable[[], AsyncClient], given: Any, played: Played) -> None:
    async def conversation() -> None:
        try:
            async with asyncio.timeout(LONGEST_WAIT), client_for() as client:
                stream = loop_of(client, **given)
                async for one in stream:
                    played.happenings.append(one)
                played.answer = stream.answer
        finally:
            await no_task()

    asyncio.run(conversation())


async def no_task() -> None:
    """Nothing goes on beside whoever asks. Raises AssertionError."""
    for _ in range(3):  # connections end within a turn or two
        await asyncio.sleep(0)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not others, others
