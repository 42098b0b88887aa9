"""`POST /v1/responses`: the body, checked, as one value.

What is wrong is refused with the `param` that OpenAI would name. Fields nobody here knows are
ignored: gateways add their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kit.sandbox.conversation import Item, read_input
from kit.sandbox.fields import Fields, invalid, wrong_type
from kit.sandbox.model_name import ModelName, read_model
from kit.sandbox.offer import Shape, Tools, read_choice, read_shape, read_tools
from kit.sandbox.problems import Refused

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
SUMMARIES = ("auto", "concise", "detailed")
INCLUDES = (
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
)


@dataclass(frozen=True, slots=True)
class ResponseRequest:
    """A checked request for a response; `echo` is what its answer repeats of it."""

    model: ModelName
    items: tuple[Item, ...]
    instructions: str
    previous: str | None
    stream: bool
    background: bool
    store: bool
    tools: Tools
    tool_choice: str
    shape: Shape
    include: frozenset[str]
    reasoning_wanted: bool
    max_output_tokens: int | None
    max_tool_calls: int | None
    parallel: bool
    metadata: Mapping[str, str]
    echo: Mapping[str, Any]


def read_request(body: Fields) -> ResponseRequest:
    """Check `body`; raises `Refused` with the field that is wrong."""
    model = read_model(body.required_text("model"))
    items = tuple(read_input(body))
    reasoning, text = body.within("reasoning"), body.within("text")
    shape = read_shape(text.within("format") if text else None, nested=False)
    choice, tools = read_choice(body, read_tools(body.rows("tools"), nested=False))
    return ResponseRequest(
        model=model,
        items=items,
        instructions=body.text("instructions") or "",
        previous=_previous(body),
        stream=body.flag("stream", False),
        background=body.flag("background", False),
        store=body.flag("store", True),
        tools=tools,
        tool_choice=choice,
        shape=shape,
        include=read_include(body.texts("include")),
        reasoning_wanted=model.research or bool(reasoning and _summary(reasoning)),
        max_output_tokens=body.whole("max_output_tokens", 1),
        max_tool_calls=body.whole("max_tool_calls", 1),
        parallel=body.flag("parallel_tool_calls", True),
        metadata=_metadata(body),
        echo=_echo(body, shape),
    )


def _previous(body: Fields) -> str | None:
    previous = body.text("previous_response_id")
    conversation = body.values.get("conversation")
    if conversation is None:
        return previous
    if previous is not None:
        message = "'previous_response_id' and 'conversation' exclude each other; send one of them."
        raise Refused(400, message, param="previous_response_id")
    message = "The sandbox keeps no conversations; go on with 'previous_response_id'."
    raise Refused(404, message, param="conversation")


def read_include(wanted: tuple[str, ...]) -> frozenset[str]:
    """The `include` values, each of them known."""
    for place, name in enumerate(wanted):
        if name not in INCLUDES:
            raise invalid(f"include[{place}]", f"'{name[:80]}' is nothing that can be included")
    return frozenset(wanted)


def _summary(reasoning: Fields) -> str | None:
    reasoning.choice("effort", EFFORTS)
    return reasoning.choice("summary", SUMMARIES) or reasoning.choice("generate_summary", SUMMARIES)


def _metadata(body: Fields) -> dict[str, str]:
    row = body.within("metadata")
    pairs: Mapping[str, Any] = row.values if row else {}
    if len(pairs) > 16:
        raise invalid("metadata", f"at most 16 pairs, got {len(pairs)}")
    for key, value in pairs.items():
        if not isinstance(value, str):
            raise wrong_type(f"metadata.{key[:64]}", str, value)
        if len(key) > 64 or len(value) > 512:
            raise invalid(f"metadata.{key[:64]}", "at most 64 characters a key, 512 a value")
    return dict(pairs)


def _echo(body: Fields, shape: Shape) -> dict[str, Any]:
    """The fields of the answer that repeat the request, with OpenAI's defaults."""
    text, reasoning = body.within("text"), body.within("reasoning")
    effort = reasoning.choice("effort", EFFORTS) if reasoning else None
    verbosity = text.choice("verbosity", ("low", "medium", "high")) if text else None
    return {
        "frequency_penalty": body.number("frequency_penalty", -2, 2) or 0.0,
        "instructions": body.text("instructions"),
        "max_output_tokens": body.whole("max_output_tokens", 1),
        "max_tool_calls": body.whole("max_tool_calls", 1),
        "parallel_tool_calls": body.flag("parallel_tool_calls", True),
        "presence_penalty": body.number("presence_penalty", -2, 2) or 0.0,
        "prompt_cache_key": body.text("prompt_cache_key"),
        "reasoning": {"effort": effort, "summary": _summary(reasoning) if reasoning else None},
        "safety_identifier": _short(body, "safety_identifier", 128),
        "service_tier": "default",
        "temperature": _given(body.number("temperature", 0, 2), 1.0),
        "text": {"format": dict(shape.format), "verbosity": verbosity or "medium"},
        "tool_choice": body.values.get("tool_choice") or "auto",
        "tools": [_echo_tool(row) for row in body.rows("tools")],
        "top_logprobs": body.whole("top_logprobs", 0, 20) or 0,
        "top_p": _given(body.number("top_p", 0, 1), 1.0),
        "truncation": body.choice("truncation", ("auto", "disabled")) or "disabled",
    }


def _short(body: Fields, name: str, limit: int) -> str | None:
    found = body.text(name)
    if found and len(found) > limit:
        raise invalid(name, f"at most {limit} characters")
    return found


def _given(value: float | None, default: float) -> float:
    return default if value is None else value


def _echo_tool(row: Fields) -> dict[str, Any]:
    """A tool as the answer repeats it; a function always shows these three keys."""
    if row.values.get("type") != "function":
        return {
            key: value
            for key, value in row.values.items()
            if key not in ("headers", "authorization")
        }
    return {"description": None, "parameters": None, "strict": False, **row.values}
