"""What callers are shown of a run, and what all routes share.

Rule: a run is shown as it stands in the store. Its token is made here and handed to whoever has
just shown a right to it; a list has none.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from kit.relay.research_tool import NAME
from kit.settings_relay import RelaySettings
from relay_lite.auth import Callers, Tokens
from relay_lite.engine import Engine
from relay_lite.problems import Refused, as_json
from relay_lite.store import Invocation, StoreFull, StoreUnavailable

__all__ = ["AGAIN_SECONDS", "PREFIX", "RUNS", "Desk", "cursor_of", "existing", "place_of"]

PREFIX = "/api/v1"
RUNS = f"{PREFIX}/tool-invocations"
PIECE = 65_536
"""Bytes of an answer that a server is given at a time."""
AGAIN_SECONDS = 2
"""What callers are told to wait before they ask again."""


@dataclass(frozen=True, slots=True)
class Desk:
    """One engine, and what it takes to answer for it."""

    engine: Engine
    settings: RelaySettings
    tokens: Tokens
    callers: Callers

    def view(self, run: Invocation) -> dict[str, Any]:
        """The run with its token and what it has brought."""
        return summary_of(run) | {
            "invocation_token": self.tokens.token(run.id),
            "output_text": run.result.output_text,
            "response": run.result.response,
        }

    async def shown(
        self, request: Request, run: Invocation, headers: Mapping[str, str] | None = None
    ) -> Response:
        """The view, as an answer; behind it is noted that somebody has read the run's end."""
        if not run.ended:
            return as_json(self.view(run), headers=headers)
        content = as_json(self.view(run)).body
        return _Taken(bytes(content), headers, request, lambda: self.fetched(run))

    async def fetched(self, run: Invocation) -> None:
        """Note that somebody has read how the run ended. The answer is out: failing is harmless,
        the run is kept a little longer."""
        if run.fetched:
            return
        try:
            await self.engine.store.fetched(run.id)
        except (StoreFull, StoreUnavailable):
            return

    def problem(
        self, status: int, detail: str, run: Invocation, *, again: bool = False, **extra: object
    ) -> Refused:
        """A refusal that says of which run it is, and how to go on with it."""
        ids = {"invocation_id": run.id, "invocation_token": self.tokens.token(run.id)}
        headers = {"Location": f"{RUNS}/{run.id}"}
        if again:
            headers["Retry-After"] = str(AGAIN_SECONDS)
        return Refused(status, detail, headers=headers, **ids, **extra)

    def refuse_when_stopping(self) -> None:
        if self.engine.stopping:
            detail = "The relay is stopping. Ask again in a moment."
            raise Refused(503, detail, headers={"Retry-After": str(AGAIN_SECONDS)})


class _Taken(Response):
    """JSON that is sent in pieces, and what is done once all of it has been taken.

    A server takes a whole body into its memory at once, whoever reads it; the next piece it takes
    when most of those before have left. What the system still holds back counts as taken.
    """

    media_type = "application/json"

    def __init__(
        self,
        content: bytes,
        headers: Mapping[str, str] | None,
        request: Request,
        taken: Callable[[], Awaitable[object]],
    ) -> None:
        super().__init__(content, headers=dict(headers or {}))
        self._content, self._request, self._taken = content, request, taken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **head})
        pieces = range(0, len(self._content), PIECE)
        for piece in (*(self._content[at : at + PIECE] for at in pieces), b""):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        left = await self._request.is_disconnected()  # behind the end nobody could say
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        if not left:
            await self._taken()


def summary_of(run: Invocation) -> dict[str, Any]:
    """The run as a line of a list has it."""
    return {
        "invocation_id": run.id,
        "tool_name": NAME,
        "mode": run.mode,
        "status": run.status,
        "deliverable_format": run.arguments.get("deliverable_format", "markdown_brief"),
        "upstream_response_id": run.progress.upstream_id,
        "error_message": run.result.error_message,
        "error_code": run.result.error_code,
        "submission_uncertain": run.progress.uncertain or (run.ended and run.progress.submitting),
        "created_at": run.created,
        "updated_at": run.updated,
        "finished_at": run.finished,
        "last_event": run.last,
    }


def existing(run: Invocation | None) -> Invocation:
    """The run, unless it was deleted meanwhile."""
    if run is None:
        raise Refused(404)
    return run


def cursor_of(run: Invocation) -> str:
    """Where a list goes on behind this run. Callers pass it back and read nothing in it."""
    return base64.urlsafe_b64encode(json.dumps([run.created, run.id]).encode()).decode()


def place_of(cursor: str) -> tuple[float, str]:
    """The place that a cursor names. Raises Refused for one that we did not make."""
    try:
        created, id = json.loads(base64.b64decode(cursor, b"-_", validate=True))
        if isinstance(created, float) and math.isfinite(created) and isinstance(id, str):
            return created, id
    except (ValueError, TypeError, RecursionError):
        pass
    raise Refused(422, "cursor: It is not one that a list of this relay has given.")
