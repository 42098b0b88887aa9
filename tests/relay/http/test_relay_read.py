"""When a run counts as read: only then may it make room for another."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.relay.http.relays import Relay, Run
from tests.waiting import until


def test_what_has_been_read_is_noted(relay: Relay) -> None:
    def viewed(run: Run) -> None:
        relay.get(run)

    def waited(run: Run) -> None:
        relay.get(run, "/wait")

    def streamed(run: Run) -> None:
        relay.frames(run)

    for read in (viewed, waited, streamed):
        run = relay.start()
        relay.get(run)
        relay.worker.finish(run.id)
        assert not relay.worker.is_fetched(run)
        read(run)
        until(lambda run=run: relay.worker.is_fetched(run))


@pytest.mark.parametrize("leaves", [True, False])
def test_who_leaves_in_the_middle_of_a_long_report_has_not_read_it(
    relay: Relay, leaves: bool
) -> None:
    run = relay.start()
    relay.worker.complete(relay.worker.take(run.id), "가" * 100_000)
    body = asyncio.run(read_by_hand(relay, run, bytes_taken=1_000 if leaves else None))
    assert len(body) > (0 if leaves else 300_000)
    if leaves:
        assert not relay.worker.is_fetched(run)
    else:
        until(lambda: relay.worker.is_fetched(run))


async def read_by_hand(relay: Relay, run: Run, bytes_taken: int | None) -> bytes:
    """What a server is given for a caller that takes so many bytes and is gone then."""
    body = b""

    async def send(message: dict[str, Any]) -> None:
        nonlocal body
        body += message.get("body", b"")

    async def receive() -> dict[str, Any]:
        if bytes_taken is not None and len(body) >= bytes_taken:
            return {"type": "http.disconnect"}
        return await asyncio.get_running_loop().create_future()

    headers = [(name.lower().encode(), value.encode()) for name, value in run.headers.items()]
    scope = {
        **{"type": "http", "method": "GET", "path": run.path, "raw_path": run.path.encode()},
        **{"query_string": b"", "http_version": "1.1", "scheme": "http", "root_path": ""},
        **{"headers": [(b"host", b"127.0.0.1"), *headers], "client": ("127.0.0.1", 1)},
    }
    await relay.app(scope, receive, send)
    return body
