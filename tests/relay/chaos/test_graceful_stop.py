"""SIGTERM: readers are told to come back, submissions are drained, the next process goes on."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.relay.chaos.processes import Reader, Relay, check_log
from tests.relay.upstreams import Gateway
from tests.waiting import until

pytestmark = pytest.mark.waits


def test_a_relay_that_is_stopped_hands_everything_on(
    there: Gateway, store: str, new_relay: Callable[..., Relay]
) -> None:
    """Runs in their stream, a POST under way, readers: nothing is lost, sent twice or cancelled."""
    streaming = there.script("streaming", events=120, pace=0.1)
    there.script("submitting", events=120, pace=0.1, hold=2.5)
    relay = new_relay(store).start()
    runs = [relay.post(model) for model in ("streaming",) * 5 + ("submitting",) * 3]
    readers = [Reader(relay, run).start() for run in runs]
    until(lambda: all(there.seen().taken(run.id) for run in runs))
    until(lambda: all(len(reader.events) > 8 for reader in readers[:5]))
    relay.end(signal.SIGTERM)
    before = [len(reader.events) for reader in readers]
    assert not any(reader.done for reader in readers)
    relay.start()
    views = [relay.wait(run) for run in runs]
    for run, view, reader, had in zip(runs, views, readers, before, strict=True):
        assert (view["status"], view["output_text"]) == ("completed", streaming.text)
        assert there.seen().taken(run.id) == [view["upstream_response_id"]]
        assert view["upstream_response_id"] not in there.seen().cancels
        check_log(reader.finish(), view)
        assert reader.visits > 1 and len(reader.events) > had


def test_what_a_stopped_relay_held_is_taken_at_once(
    there: Gateway, store: str, new_relay: Callable[..., Relay]
) -> None:
    """The runs are given back: nobody waits for a lease to run out."""
    there.script("given-back", events=40, pace=0.1)
    relay = new_relay(store).start()
    run = relay.post("given-back")
    reader = Reader(relay, run).start()
    until(lambda: len(reader.events) > 5)
    relay.end()
    had = len(reader.events)
    relay.start()
    until(lambda: len(reader.events) > had)
    check_log(reader.finish(), relay.wait(run))
