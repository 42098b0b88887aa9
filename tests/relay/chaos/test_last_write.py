"""kill -9 in the middle of the last write: the upstream has ended, and our log has not."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Generator

import psycopg
import pytest

from tests.relay.chaos.processes import Relay, check_log
from tests.relay.upstreams import Gateway
from tests.waiting import until

pytestmark = pytest.mark.waits


@contextlib.contextmanager
def nobody_writes(store: str) -> Generator[None]:
    """Hold the lock that every write needs."""
    if store.startswith("postgresql:"):
        with psycopg.connect(store) as connection:
            tables = connection.execute(
                "select format('%I.%I', schemaname, tablename) from pg_tables"
                " where schemaname = 'relay'"
            ).fetchall()
            for (table,) in tables:
                connection.execute(f"lock table {table} in exclusive mode".encode())
            yield
    else:
        with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as connection:
            connection.execute("begin immediate")
            yield
            connection.execute("rollback")


def test_an_end_that_was_not_written_is_found_again(
    there: Gateway, store: str, new_relay: Callable[..., Relay]
) -> None:
    script = there.script("last", events=5, linger=2)
    relay = new_relay(store).start()
    run = relay.post("last", mode="background")
    (upstream_id,) = there.seen().taken(run.id)
    assert relay.view(run)["upstream_response_id"] == upstream_id
    with nobody_writes(store):
        until(lambda: upstream_id in there.seen().ended)
        time.sleep(0.3)
        relay.kill()
    relay.start()
    view = relay.wait(run)
    assert (view["status"], view["output_text"]) == ("completed", script.text)
    check_log(relay.log(run), view)
    assert there.seen().taken(run.id) == [upstream_id]
