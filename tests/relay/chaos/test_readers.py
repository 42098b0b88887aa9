"""Readers: many, slow, gone; none of them is what keeps a run going."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.relay.chaos.processes import (
    PATH,
    Reader,
    Relay,
    check_log,
    http,
)
from tests.relay.upstreams import Gateway
from tests.waiting import until

pytestmark = pytest.mark.waits


@pytest.fixture(scope="module")
def relay(there: Gateway, store: str, new_relay: Callable[..., Relay]) -> Iterator[Relay]:
    one = new_relay(store).start()
    yield one
    one.kill()


def test_a_hundred_readers_of_one_run_all_have_every_event(there: Gateway, relay: Relay) -> None:
    """Half of them are there from the start; the others come while it runs."""
    script = there.script("popular", events=60, pace=0.04)
    run = relay.post("popular")
    readers = [Reader(relay, run).start() for _ in range(50)]
    until(lambda: len(readers[0].events) > 10)
    readers += [Reader(relay, run).start() for _ in range(50)]
    logs = [reader.finish() for reader in readers]
    view = relay.wait(run)
    check_log(logs[0], view)
    assert view["output_text"] == script.text
    assert all(log == logs[0] for log in logs)
    assert {reader.visits for reader in readers} == {1}


def test_a_slow_reader_has_every_event_and_holds_nobody_up(there: Gateway, relay: Relay) -> None:
    """It takes 10 ms for an event of a run that makes one a millisecond."""
    there.script("fast", events=400, pace=0.001)
    run = relay.post("fast")
    slow = Reader(relay, run, slowly=0.01).start()
    check_log(relay.log(run), relay.wait(run))
    assert slow.finish() == relay.log(run)


def test_a_reader_that_reads_nothing_holds_nobody_up(there: Gateway, relay: Relay) -> None:
    """Its connection is full: the relay waits for that one alone."""
    script = there.script("flood", events=300, pace=0.001, piece="넘침 {} 👩‍👩‍👧‍👦" * 80)
    run = relay.post("flood")
    path = f"{relay.url}{PATH}/{run.id}/events"
    with http.stream("GET", path, headers=run.headers) as deaf:
        assert deaf.status_code == 200
        view = relay.wait(run)
        assert view["output_text"] == script.text
        check_log(relay.log(run), view)


def test_a_run_goes_on_when_its_readers_leave(there: Gateway, relay: Relay) -> None:
    script = there.script("left", events=30, pace=0.05)
    run = relay.post("left")
    path = f"{relay.url}{PATH}/{run.id}/events"
    for _ in range(5):
        with http.stream("GET", path, headers=run.headers) as stream:
            next(stream.iter_bytes())
    view = relay.wait(run)
    assert (view["status"], view["output_text"]) == ("completed", script.text)
    check_log(relay.log(run), view)


def test_a_long_log_is_read_again_at_once(there: Gateway, relay: Relay) -> None:
    """Whoever comes after the end does not wait for anything."""
    there.script("long", events=1500, pace=0.002)
    run = relay.post("long")
    view = relay.wait(run)
    log = relay.log(run)
    check_log(log, view)
