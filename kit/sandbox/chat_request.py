"""`POST /v1/chat/completions`: the body, checked, as one value.

Messages become the same items that Responses has, so that both speak to the mind in one way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kit.sandbox.conversation import Item
from kit.sandbox.fields import Fields, invalid, listed, missing, wrong_type
from kit.sandbox.model_name import ModelName, read_model
from kit.sandbox.offer import Shape, Tools, read_choice, read_shape, read_tools

ROLES = ("system", "developer", "user", "assistant", "tool")
PARTS = ("text", "image_url", "input_audio", "file", "refusal")


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A checked request for a completion."""

    model: ModelName
    items: tuple[Item, ...]
    stream: bool
    include_usage: bool
    tools: Tools
    web_search: bool
    tool_choice: str
    shape: Shape
    max_tokens: int | None
    parallel: bool
    metadata: Mapping[str, Any]


def read_chat(body: Fields) -> ChatRequest:
    """Check `body`; raises `Refused` with the field that is wrong."""
    model = read_model(body.required_text("model"))
    if body.values.get("messages") is None:
        raise missing("messages")
    rows = body.rows("messages")
    if not rows:
        raise invalid("messages", "it is empty")
    if (body.whole("n", 1) or 1) != 1:
        raise invalid("n", "the sandbox has one answer to a question")
    options, metadata = body.within("stream_options"), body.within("metadata")
    choice, tools = read_choice(body, read_tools(body.rows("tools"), nested=True))
    limit = body.whole("max_completion_tokens", 1) or body.whole("max_tokens", 1)
    return ChatRequest(
        model=model,
        items=tuple(item for row in rows for item in _items(row)),
        stream=body.flag("stream", False),
        include_usage=options.flag("include_usage", False) if options else False,
        tools=tools,
        web_search=model.research or body.within("web_search_options") is not None,
        tool_choice=choice,
        shape=read_shape(body.within("response_format"), nested=True),
        max_tokens=limit,
        parallel=body.flag("parallel_tool_calls", True),
        metadata=metadata.values if metadata else {},
    )


def _items(row: Fields) -> list[Item]:
    """One message as items: an assistant's tool calls are items of their own."""
    row.required_text("role")
    role = row.choice("role", ROLES) or "user"
    content = _content(row)
    if role == "tool":
        call = row.required_text("tool_call_id")
        text = "\n".join(str(part.get("text", "")) for part in content)
        return [{"type": "function_call_output", "call_id": call, "output": text}]
    calls = [_call(call) for call in row.rows("tool_calls")] if role == "assistant" else []
    if role == "assistant":
        content = [{**part, "type": "output_text"} for part in content if "text" in part]
    elif row.values.get("content") is None:
        raise missing(row.path("content"))
    message: Item = {"type": "message", "role": role, "content": content}
    return [message, *calls] if content or not calls else calls


def _call(row: Fields) -> Item:
    function = row.within("function")
    if function is None:
        raise missing(row.path("function"))
    return {
        "type": "function_call",
        "call_id": row.required_text("id"),
        "name": function.required_text("name"),
        "arguments": function.text("arguments") or "",
    }


def _content(row: Fields) -> list[Item]:
    content = row.values.get("content")
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "input_text", "text": content}]
    if not isinstance(content, list):
        raise wrong_type(row.path("content"), list, content)
    return [_part(part) for part in row.rows("content")]


def _part(part: Fields) -> Item:
    kind = part.required_text("type")
    if kind in ("text", "refusal"):
        text = part.text(kind)
        if text is None:
            raise missing(part.path(kind))
        return {"type": "input_text", "text": text}
    if kind == "image_url":
        return {"type": "input_image"}
    if kind == "file":
        file = part.within("file")
        return {"type": "input_file", **(file.values if file else {})}
    if kind == "input_audio":
        return {"type": "input_audio"}
    raise invalid(part.path("type"), f"'{kind[:80]}' is none of {listed(PARTS)}")
