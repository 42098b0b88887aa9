"""PostgreSQL goes away at once, in the middle of runs, and comes back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.relay import postgresql
from tests.relay.chaos.processes import Reader, Relay, check_log
from tests.relay.upstreams import Gateway

pytestmark = pytest.mark.waits


@pytest.fixture
def address(server: postgresql.Server) -> Iterator[str]:
    with server.database() as address:
        yield address


@pytest.mark.parametrize("seconds", [0.0, 3.0], ids=["at once", "after three seconds"])
def test_runs_go_on_when_their_database_comes_back(
    seconds: float,
    address: str,
    server: postgresql.Server,
    there: Gateway,
    new_relay: Callable[..., Relay],
) -> None:
    """Twenty runs with a reader each: whole logs, one submission each, and readers that hardly
    notice. While it is away a POST is refused, as something to try again."""
    script = there.script("restarted", events=40, pace=0.07)
    relay = new_relay(address).start()
    runs = [relay.post("restarted") for _ in range(20)]
    readers = [Reader(relay, run).start() for run in runs]
    time.sleep(0.8)
    server.stop(at_once=True)
    if seconds:
        assert relay.ask("restarted").status_code == 503
        time.sleep(seconds)
    server.start()
    for run, reader in zip(runs, readers, strict=True):
        log, view = reader.finish(), relay.wait(run)
        assert (view["status"], view["output_text"]) == ("completed", script.text)
        check_log(log, view)
        assert there.seen().taken(run.id) == [view["upstream_response_id"]]
