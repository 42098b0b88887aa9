"""Faults in what is said: outcomes that a caller must be ready for and rarely sees.

Each is called with the `Ask` and gives the outcome in place of the mind. Those that call functions
are in `fault_calls`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from kit.sandbox.outcome import (
    Item,
    Outcome,
    message,
    outcome_of,
    reasoning,
    refusal,
)
from kit.sandbox.steps import Ask, Citation, Say, Think

Script = Callable[[Ask], Outcome]

PAGE = "https://example.com/a?utm_source=sandbox"
CITED = "A sentence with a source. ([example.com](https://example.com/a)) 그리고 한 문장 더."
TANGLED = (
    "한글과 조합형 한글, é와 e\u0301, 👩‍👩‍👧‍👦 and 🇰🇷; line\u2028and paragraph\u2029separators, "
    'a next line\u0085, a tab\t, a quote ", a backslash \\, a null-like \\u0000, and \ufeff inside.'
)
PARTIAL = "This much had been written when"


def refused(_ask: Ask) -> Outcome:
    return Outcome((refusal("I'm sorry, but I cannot help with that request."),))


def thoughtful(_ask: Ask) -> Outcome:
    return outcome_of(
        (
            Think("**Reading the question**\n\nIt asks for one thing."),
            Think("**Choosing words**\n\nShort ones."),
            Say("Thought about twice, said once."),
        )
    )


def tangled(_ask: Ask) -> Outcome:
    return Outcome((message(TANGLED),))


def out_of_range(_ask: Ask) -> Outcome:
    """Citations as gateways really send them: one right, one too long, one reversed, one absurd."""
    spans = [(26, 64), (20, 10_000), (30, 10), (-5, 3)]
    citations = [Citation(start, end, PAGE, "Example") for start, end in spans]
    return Outcome((message(CITED, citations),))


def approval(_ask: Ask) -> Outcome:
    tools = [{"name": "search", "description": "Search.", "input_schema": {"type": "object"}}]
    listing: Item = {
        "id": f"mcpl_{secrets.token_hex(16)}",
        "type": "mcp_list_tools",
        "server_label": "papers",
        "tools": tools,
        "error": None,
    }
    request: Item = {
        "id": f"mcpr_{secrets.token_hex(16)}",
        "type": "mcp_approval_request",
        "server_label": "papers",
        "name": "search",
        "arguments": '{"query": "kimchi"}',
    }
    return Outcome((listing, request))


def out_of_tokens(_ask: Ask) -> Outcome:
    return Outcome((message(PARTIAL, status="incomplete"),), "incomplete", "max_output_tokens")


def filtered(_ask: Ask) -> Outcome:
    return Outcome((message(PARTIAL, status="incomplete"),), "incomplete", "content_filter")


def failed(_ask: Ask) -> Outcome:
    error = {"code": "server_error", "message": "The model failed while it was answering."}
    return Outcome((message(PARTIAL, status="incomplete"),), "failed", error=error)


def failed_by_limit(_ask: Ask) -> Outcome:
    error = {"code": "rate_limit_exceeded", "message": "Rate limit reached for tokens per minute."}
    return Outcome((reasoning("**Searching**"),), "failed", error=error)
