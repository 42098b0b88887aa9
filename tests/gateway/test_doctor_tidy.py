"""What the doctor begins in the background it cancels, whatever becomes of it, and of itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import replace
from typing import Any

import pytest

from kit.gateway.doctor import examine
from kit.gateway.transport import open_transport
from tests.gateway.lying import QUICK, Asked, Json, Liar, Lie, Reply, lines, lying, responses_in

pytestmark = [pytest.mark.once, pytest.mark.anyio]


def begun(liar: Liar) -> int:
    return sum(bool(one.body.get("background")) for one in liar.asked)


def cancelled(liar: Liar) -> int:
    return len({one.path for one in liar.asked if one.path.endswith("/cancel")})


@pytest.mark.parametrize("number", range(17, 24))
async def test_a_stop_at_any_request_leaves_nothing_running(number: int) -> None:
    """Stopped while this request is under way: what it began is cancelled all the same."""
    reached = asyncio.Event()
    loop = asyncio.get_running_loop()
    asked: list[str] = []

    def ask(one: Asked) -> Asked:
        asked.append(one.path)
        if len(asked) == number:
            loop.call_soon_threadsafe(reached.set)
        return one

    with lying(Lie(ask)) as (endpoint, liar):
        task = asyncio.create_task(examine(endpoint, open_transport(), dear=True, patience=QUICK))
        waiting = asyncio.create_task(reached.wait())
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert cancelled(liar) == begun(liar)


def silent_about(name: str) -> Any:
    """It runs in the background and does not say so."""

    def silenced(response: Json) -> Json:
        return {k: v for k, v in response.items() if k != name}

    def answer(asked: Asked, reply: Reply) -> Reply:
        if reply.streamed:
            return lines(responses_in(silenced))(asked, reply)
        return replace(reply, content=json.dumps(silenced(reply.object)).encode())

    return answer


async def test_what_seems_to_be_ignored_is_cancelled_too() -> None:
    with lying(Lie(answer=silent_about("background"))) as (endpoint, liar):
        report = await examine(endpoint, open_transport(), dear=True, patience=QUICK)
        assert report["background"].how == "ignored"
        assert begun(liar) == cancelled(liar) == 1


async def test_what_was_stored_is_deleted() -> None:
    """Ours were questions of no use to anybody."""
    with lying(Lie()) as (endpoint, liar):
        await examine(endpoint, open_transport(), dear=True, patience=QUICK)
    made = [one for one in liar.asked if (one.method, one.path) == ("POST", "/v1/responses")]
    gone = {one.path for one in liar.asked if one.method == "DELETE"}
    assert len(gone) == len(made)
