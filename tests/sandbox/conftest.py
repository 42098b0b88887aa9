"""A served sandbox with a mind of a few lines, and the official SDK beside plain HTTP."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

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
    text = f"About {prompt}: kimchi is fermented. ([example.com]({PAGE})) 김치는 발효 음식이다. 👩‍👩‍👧‍👦 끝."
    start = text.index("([")
    cited = Citation(start, start + len(f"([example.com]({PAGE}))"), PAGE, "Kimchi")
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
            options = {"answer": small_mind, "library": lambda: None, "pace": 0.0, **options}
            served = serve_in_thread(create_app(store=Store(store), **options))
            stack.callback(served.stop)
            return served

        yield start


@pytest.fixture(scope="module")
def gateway() -> Iterator[Served]:
    """One sandbox without pace for a whole file."""
    app = create_app(answer=small_mind, library=lambda: None, store=Store(), pace=0.0)
    served = serve_in_thread(app)
    yield served
    served.stop()


@pytest.fixture(scope="module")
def http(gateway: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{gateway.url}/v1", trust_env=False, timeout=10) as client:
        yield client


@pytest.fixture(scope="module")
def sdk(gateway: Served) -> Iterator[openai.OpenAI]:
    with official(gateway) as client:
        yield client


def official(served: Served) -> openai.OpenAI:
    """The official SDK as a user of the sandbox makes it."""
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key="anything", max_retries=0)
