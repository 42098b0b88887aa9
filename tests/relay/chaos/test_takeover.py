"""Several relays or workers over one store: one dies, or sleeps and wakes too late."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import time
from collections.abc import Callable

import psycopg
import pytest

from tests.relay.chaos.processes import Process, Reader, Relay, check_log
from tests.relay.upstreams import Gateway
from tests.waiting import until

pytestmark = pytest.mark.waits

TAKEN_OVER = 15.0


@pytest.fixture
def pair(store: str, new_relay: Callable[..., Relay]) -> tuple[Relay, Relay]:
    """Two relays on one store; the second is not started."""
    first, second = new_relay(store), new_relay(store)
    return first.start(), second


def workers_of(relay: Relay) -> list[Process]:
    """The processes that work on runs which this relay took."""
    return [*relay.workers, relay]


def freeze(relay: Relay) -> None:
    """Stop its processes where none of them holds a lock of the store: a lock has no lease."""
    while True:
        for process in workers_of(relay):
            process.send(signal.SIGSTOP)
        if is_free(relay.store):
            return
        for process in workers_of(relay):
            process.send(signal.SIGCONT)
        time.sleep(0.02)


def is_free(store: str) -> bool:
    if store.startswith("postgresql:"):
        with psycopg.connect(store) as connection:
            (open_ones,) = connection.execute(
                "select count(*) from pg_stat_activity where datname = current_database()"
                " and xact_start is not null and pid != pg_backend_pid()"
            ).fetchone() or (0,)
            return open_ones == 0
    with contextlib.closing(sqlite3.connect(store, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("begin immediate")
        except sqlite3.OperationalError:
            return False
        return True


def test_a_dead_processs_runs_are_taken_over(there: Gateway, pair: tuple[Relay, Relay]) -> None:
    """Twenty runs on two processes, one of them killed: all end, whole."""
    dying, living = pair
    living.start()
    script = there.script("shared", events=40, pace=0.06)
    runs = [relay.post("shared") for relay in (dying, living) for _ in range(10)]
    readers = [Reader(living, run).start() for run in runs]
    time.sleep(1)
    dying.kill()
    logs = [reader.finish() for reader in readers]
    for run, log in zip(runs, logs, strict=True):
        view = living.view(run)
        assert (view["status"], view["output_text"]) == ("completed", script.text)
        check_log(log, view)
        assert there.seen().taken(run.id) == [view["upstream_response_id"]]
    living.kill()


def test_a_worker_that_wakes_up_late_writes_nothing(
    there: Gateway, pair: tuple[Relay, Relay]
) -> None:
    """It slept longer than its lease: what it has read is refused, and the gateway is not told."""
    sleeping, living = pair
    script = there.script("slept", events=90, pace=0.1)
    runs = [sleeping.post("slept") for _ in range(5)]
    time.sleep(1)
    freeze(sleeping)
    living.start()
    readers = [Reader(living, run).start() for run in runs]
    time.sleep(0.5)
    had = [len(reader.events) for reader in readers]
    until(lambda: all(len(reader.events) > n for reader, n in zip(readers, had, strict=True)))
    for process in workers_of(sleeping):
        process.send(signal.SIGCONT)
    views = [living.wait(run) for run in runs]
    time.sleep(1)
    for run, view, reader in zip(runs, views, readers, strict=True):
        assert (view["status"], view["output_text"]) == ("completed", script.text)
        check_log(reader.finish(), view)
        assert living.log(run) == reader.events
        (taken,) = there.seen().taken(run.id)
        assert taken not in there.seen().cancels
