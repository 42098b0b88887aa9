"""What starts runs, and lists them: here a caller's key counts, where there are keys.

Rule: a run is written down before its POST is answered, and a POST that is sent again with the
same `Idempotency-Key` is answered with the run it has made.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from typing import Annotated

from fastapi import Header, Query, Request, Response

from kit.errors import GatewayError, KitError
from kit.relay.contracts import ChatRequest, InvocationRequest, ResearchArguments
from relay_lite import chat
from relay_lite.engine import Engine
from relay_lite.problems import Refused, as_json
from relay_lite.routes_views import (
    AGAIN_SECONDS,
    RUNS,
    Desk,
    cursor_of,
    existing,
    place_of,
    summary_of,
)
from relay_lite.store import Invocation, Order

__all__ = ["Starting"]

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?=$|[,;])", re.IGNORECASE)

IdempotencyKey = Annotated[
    str | None, Header(description="Up to 255 characters: the same POST again gives the same run.")
]
Prefer = Annotated[
    str | None, Header(description="`wait=SECONDS`: how long this call may take, at most.")
]
Cursor = Annotated[
    str | None, Query(max_length=400, description="`next_cursor` of the page before.")
]
Sought = Annotated[
    str | None, Query(description="Only the run that a POST with this key started, if one did.")
]


class Starting:
    """The routes that take a caller's key."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.engine = desk.engine
        self.settings = desk.settings

    async def create(
        self,
        request: Request,
        asked: InvocationRequest,
        idempotency_key: IdempotencyKey = None,
        prefer: Prefer = None,
    ) -> Response:
        """Start a run: `foreground` waits for its end, `background` until the gateway has named
        it, `stream` not at all."""
        self.desk.refuse_when_stopping()
        arguments = asked.arguments
        await _check_budget(self.engine, arguments)
        order = _order(self.engine, request.state.caller, arguments, _checked(idempotency_key))
        run, new = await self.engine.submit(order)
        seconds = _wait_of(prefer)
        if run.mode == "background":
            run = await self._handed_over(run, seconds)
        if run.mode != "foreground":
            return self._accepted(run, seconds)
        if not new and not run.ended:
            detail = "The run of this Idempotency-Key still goes on: wait for it by its id."
            raise self.desk.problem(409, detail, run, again=True)
        return await self._foreground(request, run, seconds)

    async def listing(
        self,
        request: Request,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        cursor: Cursor = None,
        idempotency_key: Sought = None,
    ) -> Response:
        """Newest first, without tokens and texts. Only where callers have keys."""
        if not self.desk.callers.known:
            detail = "A list is for callers with a key, and this relay has none (RELAY_API_KEY)."
            raise Refused(403, detail)
        found = await self.engine.store.listing(
            request.state.caller,
            before=None if cursor is None else place_of(cursor),
            limit=limit + 1,
            key=_checked(idempotency_key),
        )
        more = cursor_of(found[limit - 1]) if len(found) > limit else None
        page = {"data": [summary_of(run) for run in found[:limit]], "next_cursor": more}
        sought = {} if idempotency_key is None else {"idempotency_key": idempotency_key}
        return as_json(page | sought)

    async def chat(self, request: Request, asked: ChatRequest) -> Response:
        """The model answers, and researches first where it finds that it should. What the gateway
        refuses is told in `content`."""
        self.desk.refuse_when_stopping()

        async def submit(arguments: ResearchArguments) -> Invocation:
            order = _order(self.engine, request.state.caller, arguments, None)
            return (await self.engine.submit(order))[0]

        answer = await chat.answered(asked, self.desk.engine, self.settings, submit)
        if answer.invocation_id is not None:
            answer.invocation_token = self.desk.tokens.token(answer.invocation_id)
        for run in answer.invocations:
            run.invocation_token = self.desk.tokens.token(run.invocation_id)
        return as_json(answer.model_dump())

    async def _foreground(
        self, request: Request, run: Invocation, wanted: float | None
    ) -> Response:
        """The end of a run, within the caller's patience and ours."""
        bound = self.settings.research_seconds
        run = existing(
            await self.engine.wait(run.id, bound if wanted is None else min(wanted, bound))
        )
        if run.status == "completed":
            return await self.desk.shown(request, run, _applied(wanted))
        if run.ended:
            await self.desk.fetched(run)
            detail = run.result.error_message or f"The run was {run.status}."
            raise self.desk.problem(502, detail, run, code=run.result.error_code or run.status)
        if self.engine.stopping:
            detail = "The relay is stopping. The run goes on: read it with its id and token."
            raise self.desk.problem(503, detail, run, again=True)
        if wanted is not None and wanted < bound:
            return self._accepted(run, wanted)
        detail = f"The research takes longer than {bound:g} s. It goes on: read it with its id and"
        raise self.desk.problem(504, f"{detail} token.", run, again=True)

    async def _handed_over(self, run: Invocation, wanted: float | None) -> Invocation:
        """The run once the gateway has named it, or as it stands when the time is over."""

        def named(one: Invocation) -> bool:
            return one.ended or one.progress.upstream_id is not None

        if named(run):
            return existing(await self.engine.get(run.id))
        seconds = self.settings.turn_seconds if wanted is None else wanted
        seconds = min(seconds, self.settings.research_seconds)
        return existing(await self.engine.wait(run.id, seconds, named))

    def _accepted(self, run: Invocation, wanted: float | None) -> Response:
        headers = {"Location": f"{RUNS}/{run.id}", "Retry-After": str(AGAIN_SECONDS)}
        view = self.desk.view(run)
        if run.mode == "background" and not run.ended:
            view["status"] = "queued"  # what callers of this mode are told, however far it is
        if run.mode == "stream":
            wanted = None  # it waits for nothing
        return as_json(view, 202, headers | _applied(wanted))


async def _check_budget(engine: Engine, arguments: ResearchArguments) -> None:
    """Refuse a budget that could not be kept."""
    if arguments.budget_usd is None:
        return
    try:
        prices = await engine.upstream.prices(await engine.upstream.model(arguments.model))
    except GatewayError:
        detail = "budget_usd: The gateway cannot be asked now what its models cost. Try again."
        raise Refused(503, detail, headers={"Retry-After": str(AGAIN_SECONDS)}) from None
    except KitError:
        prices = None  # several models, and none was named
    if prices is None:
        detail = (
            "budget_usd: The gateway does not say what this model costs, so a budget cannot be"
            " kept. Leave it out, or bound the run with max_tool_calls."
        )
        raise Refused(422, detail, code="prices_unknown")


def _order(engine: Engine, caller: str, arguments: ResearchArguments, key: str | None) -> Order:
    document = arguments.document()
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return Order(
        id=f"inv_{secrets.token_hex(16)}",
        gateway=engine.upstream.gateway,
        mode=arguments.mode,
        arguments=document,
        caller=caller,
        idempotency_key=key,
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )


def _checked(key: str | None) -> str | None:
    if key is not None and not _KEY.fullmatch(key):
        detail = "Idempotency-Key: 1 to 255 visible ASCII characters are needed."
        raise Refused(422, detail)
    return key


def _wait_of(prefer: str | None) -> float | None:
    """The seconds of `Prefer: wait=N`; None where there is none. What is unknown is passed over."""
    found = _WAIT.search(prefer or "")
    return float(found[1]) if found else None


def _applied(wanted: float | None) -> dict[str, str]:
    return {} if wanted is None else {"Preference-Applied": f"wait={wanted:g}"}
