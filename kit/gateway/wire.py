"""What goes out: options a person knows, as the request bodies of the two APIs.

Rule: send less than the specification allows. A field that was not given is not sent, so that a
gateway that does not know it never sees it. Nothing here does I/O but reading the attachments
that the caller named.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, cast

from kit.errors import InputError
from kit.gateway.attachments import file_part, image_part
from kit.gateway.events import Wire, objects
from kit.gateway.schemas import Schema, format_of

__all__ = ["Api", "Input", "Options", "body_of", "items_of"]

Api = Literal["responses", "chat"]
Input = str | Sequence[Mapping[str, Any]]
"""A prompt, or messages/items as the API has them."""

MAX_PROMPT_CHARACTERS = 20_000_000


class Options(TypedDict, total=False):
    """What a call may say besides its prompt; None and absent are the same.

    model: asked from the gateway when it offers exactly one.
    system: instructions that stand before the conversation.
    history: items of earlier turns, resent before the prompt (see `Conversation`).
    images: bytes, paths, addresses, PIL images, matplotlib figures.
    files: paths; their content is sent.
    tools, tool_choice: as the responses API has them; translated for chat. `run_tools` takes
        functions as well.
    web_search: True, or the options of the hosted search tool.
    schema: a pydantic model class or a JSON schema; the object is `answer.parsed`.
    effort: reasoning effort, e.g. "low".
    summary: ask for reasoning summaries, e.g. "auto".
    max_tokens: of the output, reasoning included.
    temperature, top_p: sampling; reasoning models refuse them.
    include: more of the answer, e.g. ["web_search_call.action.sources"].
    metadata: at most 16 pairs of strings, kept with the response.
    previous_response_id, store: state at the gateway, where it has any.
    timeout: seconds for the whole call, retries included.
    extra: fields merged into the body as they are, for what has no name here.
    """

    model: str | None
    system: str | None
    history: Sequence[Mapping[str, Any]] | None
    images: Sequence[Any] | None
    files: Sequence[str | Path] | None
    tools: Sequence[Mapping[str, Any] | Callable[..., Any] | str] | None
    tool_choice: str | Mapping[str, Any] | None
    web_search: bool | Mapping[str, Any] | None
    schema: Schema | None
    effort: str | None
    summary: str | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    include: Sequence[str] | None
    metadata: Mapping[str, str] | None
    previous_response_id: str | None
    store: bool | None
    timeout: float | None
    extra: Mapping[str, Any] | None


def body_of(api: Api, given: Input, model: str, options: Options) -> Wire:
    """The request body. Raises InputError for an empty prompt and for what cannot be sent."""
    if api not in ("responses", "chat"):
        raise InputError(f'api is "responses" or "chat", not {api!r}.')
    _check_names(options)
    items = [*_objects_of(options.get("history") or []), *items_of(given, options)]
    make = _responses_body if api == "responses" else _chat_body
    body = {"model": model, **make(given, items, options)}
    sent = {key: value for key, value in body.items() if value is not None}
    return {**sent, **(options.get("extra") or {})}


def _check_names(options: Options) -> None:
    for name in options:
        if name not in Options.__annotations__:
            near = difflib.get_close_matches(name, Options.__annotations__, n=1)
            hint = (
                f"did you mean `{near[0]}`?" if near else "put what has no name here into extra={}."
            )
            raise InputError(f"There is no option `{name}`; {hint}")
    for name in ("extra", "metadata"):
        if not isinstance(given := options.get(name), Mapping | None):
            raise InputError(f"`{name}` is a dict, not {_a(given)}.")


def items_of(given: Input, options: Options) -> list[Wire]:
    """The prompt with its attachments as input items."""
    if not isinstance(given, str):
        if options.get("images") or options.get("files"):
            raise InputError(
                "Images and files go with a text prompt; a list of messages holds its own."
            )
        items = _objects_of(given)
        if not items:
            raise InputError("The prompt is empty.")
        return items
    if not given.strip():
        raise InputError("The prompt is empty.")
    if len(given) > MAX_PROMPT_CHARACTERS:
        raise InputError(f"The prompt has more than {MAX_PROMPT_CHARACTERS:,} characters.")
    parts = [
        *(file_part(path) for path in options.get("files") or ()),
        *(image_part(image) for image in options.get("images") or ()),
    ]
    content = [*parts, {"type": "input_text", "text": given}] if parts else given
    return [{"role": "user", "content": content}]


def _objects_of(given: Any) -> list[Wire]:
    if not isinstance(given, Sequence) or isinstance(given, str | bytes | bytearray):
        raise InputError(f"A prompt is text or a list of messages, not {_a(given)}.")
    for one in cast(Sequence[Any], given):
        if not isinstance(one, Mapping):
            raise InputError(f"A prompt is text or a list of messages, not a list with {_a(one)}.")
    return [dict(cast(Wire, one)) for one in cast(Sequence[Any], given)]


def _a(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


# -- responses ---------------------------------------------------------------------------------


def _responses_body(given: Input, items: list[Wire], options: Options) -> Wire:
    plain = isinstance(given, str) and len(items) == 1 and items[0]["content"] == given
    tools = [_flat_tool(tool) for tool in options.get("tools") or ()]
    if search := options.get("web_search"):
        tools.append({"type": "web_search", **(search if isinstance(search, Mapping) else {})})
    schema = options.get("schema")
    reasoning = {"effort": options.get("effort"), "summary": options.get("summary")}
    return {
        "input": given if plain else items,
        "instructions": options.get("system"),
        "tools": tools or None,
        "tool_choice": options.get("tool_choice"),
        "text": {"format": format_of(schema)} if schema is not None else None,
        "reasoning": {key: value for key, value in reasoning.items() if value} or None,
        "max_output_tokens": options.get("max_tokens"),
        "temperature": options.get("temperature"),
        "top_p": options.get("top_p"),
        "include": _listed(options.get("include")),
        "metadata": options.get("metadata"),
        "previous_response_id": options.get("previous_response_id"),
        "store": options.get("store"),
    }


def _defined(tool: Any) -> Mapping[str, Any]:
    if not isinstance(tool, Mapping):
        raise InputError(
            "A tool is sent as a dict here. To have functions called, use run_tools(), which takes "
            "them as they are."
        )
    return cast(Mapping[str, Any], tool)


def _flat_tool(given: Any) -> Wire:
    """A function tool as the responses API has it; `strict` is said, for it is not off there."""
    tool = _defined(given)
    if tool.get("type") != "function":
        return dict(tool)
    inner = tool.get("function")
    flat = {"type": "function", **cast(Wire, inner)} if isinstance(inner, Mapping) else dict(tool)
    return {**flat, "strict": flat.get("strict", False)}


def _listed(values: Sequence[str] | None) -> list[str] | None:
    return list(values) if values else None


# -- chat --------------------------------------------------------------------------------------


def _chat_body(given: Input, items: list[Wire], options: Options) -> Wire:
    for name in ("previous_response_id", "include"):
        if options.get(name):
            raise InputError(f"Chat completions know no `{name}`; use the responses API.")
    messages = _messages(items)
    if system := options.get("system"):
        messages.insert(0, {"role": "system", "content": system})
    schema = options.get("schema")
    choice = options.get("tool_choice")
    return {
        "messages": messages,
        "tools": [_chat_tool(tool) for tool in options.get("tools") or ()] or None,
        "tool_choice": _chat_choice(choice) if choice is not None else None,
        "web_search_options": _chat_search(options.get("web_search")),
        "response_format": _chat_format(schema) if schema is not None else None,
        "reasoning_effort": options.get("effort"),
        # the legacy name: many local servers know no other, and gateways translate it
        "max_tokens": options.get("max_tokens"),
        "temperature": options.get("temperature"),
        "top_p": options.get("top_p"),
        "metadata": options.get("metadata"),
        "store": options.get("store"),
    }


def _messages(items: list[Wire]) -> list[Wire]:
    """Items of the responses API as chat messages; chat messages pass as they are."""
    messages: list[Wire] = []
    for item in items:
        kind = item.get("type", "message")
        if kind == "function_call":
            call = {"name": item.get("name"), "arguments": item.get("arguments") or "{}"}
            entry = {"id": item.get("call_id"), "type": "function", "function": call}
            _last_assistant(messages).setdefault("tool_calls", []).append(entry)
        elif kind == "function_call_output":
            output = item.get("output")
            text = output if isinstance(output, str) else _joined_text(output)
            call_id = item.get("call_id")
            messages.append({"role": "tool", "tool_call_id": call_id, "content": text})
        elif kind == "message":
            message = {key: value for key, value in item.items() if key in _MESSAGE_KEYS}
            messages.append({**message, "content": _chat_content(item.get("content"))})
        # reasoning and hosted searches have no place in chat: the text says what came of them
    return messages


_MESSAGE_KEYS = ("role", "name", "tool_calls", "tool_call_id")


def _last_assistant(messages: list[Wire]) -> Wire:
    if not messages or messages[-1].get("role") != "assistant":
        messages.append({"role": "assistant", "content": None})
    return messages[-1]


def _chat_content(content: Any) -> Any:
    if not isinstance(content, list):
        return content
    parts = objects(cast(list[Any], content))
    if all(part.get("type") in ("output_text", "input_text", "text", "refusal") for part in parts):
        return _joined_text(parts)
    return [_chat_part(part) for part in parts]


def _chat_part(part: Wire) -> Wire:
    kind = part.get("type")
    if kind in ("input_text", "output_text"):
        return {"type": "text", "text": part.get("text")}
    if kind == "input_image":
        image = {"url": part.get("image_url"), "detail": part.get("detail") or "auto"}
        return {"type": "image_url", "image_url": image}
    if kind == "input_file":
        known = {key: part[key] for key in ("filename", "file_data", "file_id") if part.get(key)}
        return {"type": "file", "file": known}
    return part


def _joined_text(parts: Any) -> str:
    return "".join(str(part.get("text") or part.get("refusal") or "") for part in objects(parts))


def _chat_tool(given: Any) -> Wire:
    """A function tool nests under its own name in chat; in responses it is flat."""
    tool = _defined(given)
    if tool.get("type") != "function" or "function" in tool:
        return dict(tool)
    return {"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}}


def _chat_search(search: bool | Mapping[str, Any] | None) -> Wire | None:
    """The search options as chat has them: without the tool's type, the place nested."""
    if not search:
        return None
    given = dict(search) if isinstance(search, Mapping) else {}
    given.pop("type", None)
    place = given.get("user_location")
    if isinstance(place, Mapping) and "approximate" not in place:
        rest = {key: value for key, value in cast(Wire, place).items() if key != "type"}
        given["user_location"] = {"type": "approximate", "approximate": rest}
    return given


def _chat_choice(choice: str | Mapping[str, Any]) -> Any:
    if isinstance(choice, Mapping) and "name" in choice:
        return {"type": "function", "function": {"name": choice["name"]}}
    return choice


def _chat_format(schema: Schema) -> Wire:
    flat = format_of(schema)
    kind = flat.pop("type")
    return {"type": kind, kind: flat}
