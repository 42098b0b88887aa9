"""The response object, with every key that Open Responses requires, in each of its states.

One complete object is made when the request is answered. What a reader sees earlier (queued, in
progress, cancelled) is derived from it.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from kit.sandbox.outcome import Item, Outcome
from kit.sandbox.response_request import ResponseRequest

Response = dict[str, Any]

NO_MODEL = "no language model"
SOURCES = "web_search_call.action.sources"
ENCRYPTED = "reasoning.encrypted_content"


def new_response_id() -> str:
    return f"resp_{secrets.token_hex(24)}"


def response_of(
    request: ResponseRequest, outcome: Outcome, usage: Mapping[str, Any], created: float
) -> Response:
    """The finished response: all 31 keys, whatever there was to say."""
    done = outcome.status == "completed"
    return {
        "id": new_response_id(),
        "object": "response",
        "created_at": int(created),
        "completed_at": int(created) if done else None,
        "status": outcome.status,
        "background": request.background,
        "error": outcome.error,
        "incomplete_details": {"reason": outcome.reason} if outcome.reason else None,
        "metadata": _labelled(request.metadata),
        "model": request.model.name,
        "output": list(outcome.items),
        "previous_response_id": request.previous,
        "store": request.store,
        "usage": dict(usage),
        **request.echo,
    }


def _labelled(metadata: Mapping[str, str]) -> dict[str, str]:
    """The request's metadata and, while there is room, who answered."""
    return {"sandbox": NO_MODEL, **metadata} if len(metadata) < 16 else dict(metadata)


def unfinished(response: Response, status: str, items: Iterable[Item] = ()) -> Response:
    """`response` as it looks before its end: `queued`, `in_progress`, or `cancelled` for good."""
    return {
        **response,
        "status": status,
        "output": list(items),
        "usage": None,
        "error": None,
        "incomplete_details": None,
        "completed_at": None,
    }


def shown(response: Response, include: Collection[str]) -> Response:
    """`response` without what only `include` brings."""
    return {**response, "output": [_shown_item(item, include) for item in response["output"]]}


def _shown_item(item: Item, include: Collection[str]) -> Item:
    if item["type"] == "web_search_call" and SOURCES not in include:
        action = {key: value for key, value in item["action"].items() if key != "sources"}
        return {**item, "action": action}
    if item["type"] == "reasoning" and ENCRYPTED not in include:
        return {**item, "encrypted_content": None}
    return item
