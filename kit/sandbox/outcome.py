"""What comes of a request: output items, how it ended, and what it used.

The mind's steps are spelled as items here, once; Responses and chat only differ in how they send
them. Items are complete: what the caller did not ask to see (`include`) is taken off at the edge.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kit.sandbox.steps import (
    Call,
    Citation,
    FindInPage,
    OpenPage,
    Say,
    Search,
    Step,
    Think,
    count_tokens,
)

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The output items and how the response ends."""

    items: tuple[Item, ...]
    status: str = "completed"
    reason: str | None = None
    """Why it is incomplete: `max_output_tokens` or `content_filter`."""
    error: dict[str, Any] | None = None


def outcome_of(steps: Iterable[Step]) -> Outcome:
    """The items of the mind's steps."""
    steps = tuple(steps)
    cut = any(isinstance(step, Say) and step.truncated for step in steps)
    items = tuple(item_of(step) for step in steps)
    return Outcome(items, "incomplete", "max_output_tokens") if cut else Outcome(items)


def item_of(step: Step) -> Item:
    """One step as an output item."""
    match step:
        case Think(summary):
            return reasoning(summary)
        case Search(queries, sources):
            found = [{"type": "url", "url": source.url} for source in sources]
            first = queries[0] if queries else ""
            return web_search(
                {"type": "search", "query": first, "queries": list(queries), "sources": found}
            )
        case OpenPage(url):
            return web_search({"type": "open_page", "url": url})
        case FindInPage(url, pattern):
            return web_search({"type": "find_in_page", "url": url, "pattern": pattern})
        case Call(name, arguments):
            return function_call(name, arguments)
        case Say(text, citations, truncated):
            return message(text, citations, status="incomplete" if truncated else "completed")


def message(text: str, citations: Sequence[Citation] = (), *, status: str = "completed") -> Item:
    annotations = [
        {
            "type": "url_citation",
            "start_index": citation.start,
            "end_index": citation.end,
            "url": citation.url,
            "title": citation.title,
        }
        for citation in citations
    ]
    part = {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}
    return _item("message", "msg", status=status, role="assistant", content=[part])


def refusal(text: str) -> Item:
    part = {"type": "refusal", "refusal": text}
    return _item("message", "msg", status="completed", role="assistant", content=[part])


def reasoning(summary: str) -> Item:
    # Opaque to the caller, as everywhere; here it merely carries the summary.
    sealed = base64.urlsafe_b64encode(summary.encode("utf-8", "replace")).decode()
    parts = [{"type": "summary_text", "text": summary}]
    return _item("reasoning", "rs", summary=parts, encrypted_content=sealed, status="completed")


def web_search(action: dict[str, Any]) -> Item:
    return _item("web_search_call", "ws", status="completed", action=action)


def function_call(name: str, arguments: str) -> Item:
    call = f"call_{secrets.token_hex(12)}"
    return _item(
        "function_call", "fc", status="completed", call_id=call, name=name, arguments=arguments
    )


def _item(kind: str, prefix: str, **fields: Any) -> Item:
    return {"id": f"{prefix}_{secrets.token_hex(16)}", "type": kind, **fields}


def text_of(items: Iterable[Item]) -> str:
    """The text of all messages, as the official SDK's `output_text` joins it."""
    parts = (part for item in items if item["type"] == "message" for part in item["content"])
    return "".join(str(part.get("text", "")) for part in parts)


def usage_of(read: str, items: Iterable[Item]) -> dict[str, Any]:
    """Estimated tokens, with both details; `read` is everything that was sent."""
    thought = written = 0
    for item in items:
        if item["type"] == "reasoning":
            thought += sum(count_tokens(part["text"]) for part in item["summary"])
        elif item["type"] == "function_call":
            written += count_tokens(item["name"] + item["arguments"])
    written += count_tokens(text_of(items))
    given = count_tokens(read)
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": written + thought,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": given + written + thought,
    }
