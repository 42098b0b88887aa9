"""A served sandbox with a mind of a few lines, and the grammar its streams must obey."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from kit.sandbox.app import create_app
from kit.sandbox.steps import (
    Ask,
    Call,
    Citation,
    FindInPage,
    OpenPage,
    Say,
    Search,
    Source,
    Step,
    Think,
)
from kit.sandbox.store import Store
from kit.serving import Served, serve_in_thread

PAGE = "https://example.com/kimchi"
Serve = Callable[..., Served]


def small_mind(ask: Ask, library: object) -> tuple[Step, ...]:
    """Echoes the last user turn; searches, calls and thinks when it may."""
    said = [turn.text for turn in ask.turns if turn.role == "user"]
    prompt = said[-1]
    outputs = [turn for turn in ask.turns if turn.role == "tool"]
    if ask.functions and ask.tool_choice != "none" and not outputs:
        calls = [Call(function.name, '{"city": "서울"}') for function in ask.functions]
        return (Think("**Deciding** to call."), *calls)
    if outputs:
        return (Say(f"{outputs[-1].tool_name} said {outputs[-1].text}"),)
    if ask.schema is not None:
        return (Say('{"name": "김치", "year": 1999}'),)
    if ask.web_search or ask.research:
        return _searched(prompt)
    text = f"{len(said)}: {prompt}"
    if ask.max_output_tokens and ask.max_output_tokens < len(text) // 4:
        return (Say(text[: ask.max_output_tokens * 4], truncated=True),)
    return (Think("**Reading.**"), Say(text))


def _searched(prompt: str) -> tuple[Step, ...]:
    link = f"([example.com]({PAGE}))"
    text = f"About {prompt}: kimchi is fermented. {link} 김치는 발효 음식이다. 👩‍👩‍👧‍👦 끝."
    start = text.index(link)
    cited = Citation(start, start + len(link), PAGE, "Kimchi")
    korean = Citation(text.index("김치"), text.index("👩"), PAGE, "Kimchi")
    return (
        Think("**Planning** what to look for.\n\nTwo questions."),
        Search((prompt, "kimchi"), (Source(PAGE, "Kimchi"), Source(f"{PAGE}2", "More"))),
        OpenPage(PAGE),
        FindInPage(PAGE, "fermented"),
        Say(text, (cited, korean)),
    )


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve a sandbox: `serve(pace=…, store=…)`; everything is stopped afterwards."""
    with ExitStack() as stack:

        def start(*, store: Path | None = None, **options: object) -> Served:
            options = {"answer": small_mind, "library": nullcontext, "pace": 0.0, **options}
            served = serve_in_thread(create_app(store=Store(store), **options))
            stack.callback(served.stop)
            return served

        yield start


@pytest.fixture(scope="module")
def gateway() -> Iterator[Served]:
    """One sandbox without pace for a whole file."""
    app = create_app(answer=small_mind, library=nullcontext, store=Store(), pace=0.0)
    served = serve_in_thread(app)
    yield served
    served.stop()


@pytest.fixture(scope="module")
def http(gateway: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{gateway.url}/v1", trust_env=False, timeout=10) as client:
        yield client


@pytest.fixture
def official() -> Iterator[Callable[[Served], openai.OpenAI]]:
    """Makes the official SDK's client for a served sandbox, as a user would."""
    with ExitStack() as stack:
        yield lambda served: stack.enter_context(
            openai.OpenAI(base_url=f"{served.url}/v1", api_key="anything", max_retries=0)
        )


@pytest.fixture(scope="session")
def read_stream() -> Callable[[str], list[dict[str, Any]]]:
    """Reads a stream of Responses and checks it against the grammar of the wire contract."""
    return read_and_check


ENVELOPE = r"created (queued )?in_progress (item )*(completed|failed|incomplete)"
ITEMS = {
    "message": r"added (part\.added ((delta )+(note )*)*text\.done part\.done )+done",
    "refused": r"added part\.added (delta )+refusal\.done part\.done done",
    "reasoning": r"added (part\.added (delta )+text\.done part\.done )+done",
    "web_search_call": r"added in_progress searching completed done",
    "function_call": r"added (delta )*arguments\.done done",
    "mcp_list_tools": r"added done",
    "mcp_approval_request": r"added done",
}
SHORT = {
    "response.output_item": "",
    "response.content_part": "part",
    "response.output_text": "text",
    "response.output_text.annotation": "note",
    "response.refusal": "refusal",
    "response.reasoning_summary_part": "part",
    "response.reasoning_summary_text": "text",
    "response.function_call_arguments": "arguments",
    "response.web_search_call": "",
    "response": "",
}


def read_and_check(body: str) -> list[dict[str, Any]]:
    frames = body.removesuffix("\n\n").split("\n\n")
    assert frames.pop() == "data: [DONE]"
    events = []
    for number, frame in enumerate(frames):
        name, payload = frame.split("\n", 1)
        event = json.loads(payload.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        assert event["sequence_number"] == number
        events.append(event)
    _check_envelope(events)
    _check_items(events)
    return events


def _word(event: dict[str, Any]) -> str:
    family, _, last = event["type"].rpartition(".")
    family = SHORT[family]
    if last == "delta":
        return "delta"
    return "note" if family == "note" else f"{family}.{last}".removeprefix(".")


def _check_envelope(events: list[dict[str, Any]]) -> None:
    words = ["item" if "output_index" in event else _word(event) for event in events]
    assert re.fullmatch(ENVELOPE, " ".join(words)), words
    for event in events:
        if "output_index" not in event:
            assert set(event) == {"type", "sequence_number", "response"}
    statuses = [event["response"]["status"] for event in events if "response" in event]
    queued = "queued" in words
    assert statuses[:-1] == (["queued", "queued"] if queued else ["in_progress"]) + ["in_progress"]
    assert statuses[-1] == words[-1]


def _check_items(events: list[dict[str, Any]]) -> None:
    inside = [event for event in events if "output_index" in event]
    indexes = [event["output_index"] for event in inside]
    assert indexes == sorted(indexes), "one item after the other"
    items = []
    for index in sorted(set(indexes)):
        items.append(_check_item([e for e in inside if e["output_index"] == index]))
    assert events[-1]["response"]["output"] == items


def _check_item(events: list[dict[str, Any]]) -> dict[str, Any]:
    added, item = events[0]["item"], events[-1]["item"]
    refused = item["type"] == "message" and item["content"][0]["type"] == "refusal"
    words = " ".join(map(_word, events))
    assert re.fullmatch(ITEMS["refused" if refused else item["type"]], words), words
    assert added["id"] == item["id"]
    assert {e["item_id"] for e in events[1:-1]} <= {item["id"]}
    said = "".join(event.get("delta", "") for event in events)
    if item["type"] == "message":
        assert added["content"] == []
        part = item["content"][0]
        assert said == part.get("text", part.get("refusal"))
        notes = {e["annotation_index"]: e["annotation"] for e in events if "annotation" in e}
        assert [notes[place] for place in sorted(notes)] == part.get("annotations", [])
    elif item["type"] == "function_call":
        assert (added["arguments"], said) == ("", item["arguments"])
    elif item["type"] == "reasoning":
        assert (added["summary"], said) == ([], "".join(p["text"] for p in item["summary"]))
    elif item["type"] == "web_search_call":
        assert "action" not in added
    return item
