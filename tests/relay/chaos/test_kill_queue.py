"""kill -9 before anything was sent, and where sending twice was allowed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.relay.chaos.processes import Relay, check_log
from tests.relay.upstreams import Gateway
from tests.waiting import until

pytestmark = pytest.mark.waits


def test_runs_that_nobody_had_begun_are_begun_by_the_next(
    there: Gateway, store: str, new_relay: Callable[..., Relay]
) -> None:
    """Of three runs one is being sent, and the others wait for room, when the relay dies.

    With `resubmit` the first is sent anew, under another key; the others once.
    """
    script = there.script("held", hold=1.5, events=4)
    relay = new_relay(store, concurrency=1, on_uncertain="resubmit").start()
    first, *others = [relay.post("held") for _ in range(3)]
    until(lambda: there.seen().taken(first.id))
    relay.kill().start()
    views = [relay.wait(run) for run in (first, *others)]
    assert [view["output_text"] for view in views] == [script.text] * 3
    for run, view in zip((first, *others), views, strict=True):
        check_log(relay.log(run), view)
    submissions = there.seen().submissions
    keys = [
        [one["key"] for one in submissions if one["invocation"] == run.id]
        for run in (first, *others)
    ]
    assert list(map(len, keys)) == [2, 1, 1]
    assert len({key for mine in keys for key in mine}) == 4
