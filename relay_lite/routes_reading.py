"""What is done with one run: look, wait, read its events, cancel, delete. Its token opens it.

Rule: a caller's patience and a run's life have nothing to do with each other. Waiting that runs
out, a reader that leaves and a connection that breaks end an answer, never a run.
"""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from relay_lite.event_stream import HEADERS, frames
from relay_lite.problems import Refused, as_json
from relay_lite.routes_views import Desk, existing
from relay_lite.store import Invocation

__all__ = ["Reading"]

LONGEST_WAIT = 3600.0
LARGEST_NUMBER = 2**53

_ID = re.compile(r"inv_[0-9a-f]{32}")

Id = Annotated[str, Path(max_length=100, examples=["inv_0123456789abcdef0123456789abcdef"])]
Token = Annotated[
    str | None,
    Header(alias="X-Invocation-Token", description="The run's token, as its POST gave it."),
]
Patience = Annotated[
    float | None,
    Query(ge=0, allow_inf_nan=False, description="Seconds; more than an hour counts as one."),
]
Seen = Annotated[int, Query(ge=0, le=LARGEST_NUMBER, description="Events behind this one.")]
LastSeen = Annotated[
    str | None, Header(alias="Last-Event-ID", description="The same, and it wins over it.")
]


class Reading:
    """The routes that take a run's token."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.engine = desk.engine

    async def get(self, request: Request, id: Id, token: Token = None) -> Response:
        """The run as it stands; with its text and the gateway's own object once it has ended."""
        await self._allowed(id, token)
        return await self.desk.shown(request, existing(await self.engine.get(id)))

    async def wait(
        self, request: Request, id: Id, token: Token = None, timeout: Patience = None
    ) -> Response:
        """The run when it has ended, or as it stands when the time is over."""
        await self._allowed(id, token)
        seconds = self.desk.settings.research_seconds if timeout is None else timeout
        found = await self.engine.wait(id, min(seconds, LONGEST_WAIT))
        return await self.desk.shown(request, existing(found))

    async def events(
        self, id: Id, token: Token = None, starting_after: Seen = 0, last_seen: LastSeen = None
    ) -> Response:
        """The run's events from the first on, or behind the one a reader saw last. The stream ends
        behind the terminal event."""
        run = await self._allowed(id, token)
        after = starting_after if last_seen is None else _number(last_seen)
        if run.ended and after >= run.last:
            return Response(status_code=204)  # tells an EventSource not to come back
        lists = self.engine.events(id, after)
        stream = frames(id, lists, lambda: self.desk.fetched(run))
        return StreamingResponse(stream, media_type="text/event-stream", headers=HEADERS)

    async def cancel(self, request: Request, id: Id, token: Token = None) -> Response:
        """End the run, at once and for good; the gateway is told behind it. Harmless twice, and
        for a run that has ended."""
        await self._allowed(id, token)
        return await self.desk.shown(request, existing(await self.engine.cancel(id)))

    async def delete(self, id: Id, token: Token = None) -> Response:
        """Remove a run that has ended, with its events."""
        await self._allowed(id, token)
        if not await self.engine.delete(id) and await self.engine.store.get(id) is not None:
            raise Refused(
                409,
                "The run has not ended: cancel it first. What was cancelled, or stopped at a"
                " bound, stays until the gateway has been told.",
            )
        return Response(status_code=204)

    async def alive(self) -> Response:
        """The process answers."""
        return as_json({"status": "ok"})

    async def ready(self) -> Response:
        """The store takes what is written too, and the relay is not about to stop."""
        self.desk.refuse_when_stopping()
        await self.engine.store.release(self.engine.worker, [])  # a transaction with nothing in it
        return as_json({"status": "ready"})

    async def _allowed(self, id: str, token: str | None) -> Invocation:
        """The run, for whoever has its token.

        That a run exists is told to anybody who names it: ids cannot be guessed, and it is the
        token that opens one.
        """
        run = await self.engine.store.get(id) if _ID.fullmatch(id) else None
        if run is None:
            raise Refused(404)
        if not self.desk.tokens.check(id, token):
            raise Refused(403)
        return run


def _number(last_seen: str) -> int:
    """The number in a `Last-Event-ID`; one that we never gave counts as none."""
    known = last_seen.isascii() and last_seen.isdigit() and len(last_seen) < 16
    return int(last_seen) if known else 0
