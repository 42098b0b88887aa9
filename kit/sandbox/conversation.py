"""Input items: checked, given ids, and read as the turns of a conversation.

Pictures and binary files cannot be read without a model that sees; they are named, so that the
answer can say so.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from kit.sandbox.attached import Attached, read_file
from kit.sandbox.fields import Fields, as_fields, invalid, listed, missing, wrong_type
from kit.sandbox.problems import Refused
from kit.sandbox.steps import Turn

Item = dict[str, Any]

ROLES = ("user", "assistant", "system", "developer")
ASKING_PARTS = ("input_text", "input_image", "input_file", "input_audio")
ANSWERING_PARTS = ("output_text", "refusal")
CARRIED_ITEMS = (
    "code_interpreter_call",
    "compaction",
    "custom_tool_call",
    "custom_tool_call_output",
    "file_search_call",
    "image_generation_call",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "mcp_list_tools",
    "reasoning",
    "web_search_call",
)
"""Items that are taken and shown again, and say nothing to a search engine."""

NAMED_ITEMS = ("message", "function_call", "function_call_output", "item_reference")


@dataclass(slots=True)
class Conversation:
    """What was said so far, oldest first; the files with it, and those nobody could read."""

    turns: list[Turn] = field(default_factory=list[Turn])
    files: list[Attached] = field(default_factory=list[Attached])
    unread: list[str] = field(default_factory=list[str])


def read_input(request: Fields) -> list[Item]:
    """The items of `input`, each with a type and an id."""
    given = request.values.get("input")
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if given is None:
        raise missing("input")
    if not isinstance(given, list):
        raise wrong_type("input", list, given)
    rows = cast(list[Any], given)
    if not rows:
        raise invalid("input", "it is empty")
    return [_item(as_fields(row, f"input[{place}]")) for place, row in enumerate(rows)]


def _item(row: Fields) -> Item:
    kind = row.text("type") or "message"
    if kind == "message":
        return _message(row)
    if kind == "function_call":
        row.required_text("call_id")
        row.required_text("name")
    elif kind == "function_call_output":
        row.required_text("call_id")
        if row.values.get("output") is None:
            raise missing(row.path("output"))
    elif kind == "item_reference":
        row.required_text("id")
    elif kind not in CARRIED_ITEMS and ":" not in kind:
        raise invalid(row.path("type"), f"'{kind[:80]}' is none of {listed(NAMED_ITEMS)}, …")
    return {"id": _new_id(kind), "status": "completed", **row.values, "type": kind}


def _message(row: Fields) -> Item:
    row.required_text("role")
    role = row.choice("role", ROLES) or "user"
    kinds = ANSWERING_PARTS if role == "assistant" else ASKING_PARTS
    content = row.values.get("content")
    if isinstance(content, str):
        content = [{"type": kinds[0], "text": content}]
    elif content is None:
        raise missing(row.path("content"))
    for part in row.rows("content") if isinstance(row.values["content"], list) else []:
        kind = part.required_text("type")
        if kind not in kinds:
            raise invalid(part.path("type"), f"'{kind[:80]}' is none of {listed(kinds)}")
        if kind in ("input_text", "output_text") and part.text("text") is None:
            raise missing(part.path("text"))
    if not isinstance(content, list):
        raise wrong_type(row.path("content"), list, content)
    return {"id": _new_id("message"), "status": "completed", **row.values, "type": "message",
            "role": role, "content": content}  # fmt: skip


def _new_id(kind: str) -> str:
    prefixes = {"message": "msg", "function_call": "fc", "function_call_output": "fco"}
    return f"{prefixes.get(kind, 'item')}_{secrets.token_hex(16)}"


def read_conversation(items: Sequence[Item], param: str = "input") -> Conversation:
    """The turns of `items`; a 400 when a function call and its output do not pair."""
    conversation = Conversation()
    items = _resolve(items, param)
    names = {
        item["call_id"]: str(item["name"]) for item in items if item["type"] == "function_call"
    }
    answered: set[str] = set()
    for item in items:
        if item["type"] == "message":
            _hear(conversation, item)
        elif item["type"] == "function_call_output":
            call = str(item["call_id"])
            if call not in names:
                message = f"No tool call found for function call output with call_id {call[:80]}."
                raise Refused(400, message, param=param)
            answered.add(call)
            text = _output_text(item["output"])
            conversation.turns.append(Turn("tool", text, tool_name=names[call]))
    open_calls = [call for call in names if call not in answered]
    if open_calls:
        message = f"No tool output found for function call {open_calls[0][:80]}."
        raise Refused(400, message, param=param)
    return conversation


def _resolve(items: Sequence[Item], param: str) -> list[Item]:
    """`items` with references replaced by what they refer to."""
    known = {item.get("id"): item for item in items if item["type"] != "item_reference"}
    resolved: list[Item] = []
    for item in items:
        if item["type"] != "item_reference":
            resolved.append(item)
        elif item["id"] not in known:
            raise Refused(404, f"Item with id '{item['id'][:80]}' not found.", param=param)
    return resolved


def _hear(conversation: Conversation, message: Mapping[str, Any]) -> None:
    role = "system" if message["role"] == "developer" else str(message["role"])
    said: list[str] = []
    for part in message["content"]:
        if part["type"] in ("input_text", "output_text"):
            said.append(str(part["text"]))
        elif part["type"] == "refusal":
            said.append(str(part.get("refusal", "")))
        elif part["type"] == "input_file" and (file := read_file(part)):
            conversation.files.append(file)
        else:
            conversation.unread.append(_name_of(part))
    if said or message["role"] == "user":
        conversation.turns.append(Turn(role, "\n".join(said)))


def _name_of(part: Mapping[str, Any]) -> str:
    if part["type"] == "input_image":
        return "the picture"
    if part["type"] == "input_audio":
        return "the recording"
    return str(part.get("filename") or "the file")[:80]


def _output_text(output: object) -> str:
    """A function's output as text: a string, or the text parts of a list."""
    if isinstance(output, str):
        return output
    if not isinstance(output, list):
        return str(output)
    parts = cast(Iterable[Any], output)
    return "\n".join(str(p.get("text", "")) for p in parts if isinstance(p, dict))  # pyright: ignore
