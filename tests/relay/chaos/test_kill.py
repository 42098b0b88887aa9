"""kill -9 of a relay and its workers, at whatever step a run has come to."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.relay.chaos.processes import Json, Reader, Relay, Run, check_log, codes, text_of
from tests.relay.upstream_runs import Script
from tests.relay.upstreams import Gateway
from tests.waiting import until

pytestmark = pytest.mark.waits

LONG: Json = {"events": 120, "pace": 0.08}
CASES: dict[str, Json] = {
    "mid-stream": LONG,
    "mid-stream, cursor refused": {**LONG, "resumable": False},
    "while polling": {**LONG, "way": "json"},
    "polling behind a cut": {**LONG, "resumable": False, "cut": 6},
    "in progress for long": {"events": 5, "linger": 8},
    "waiting out a refusal": {"refusals": 1, "retry_after": 30},
    "during the POST": {"hold": 6},
    "a stream that died with it": {"way": "plain", **LONG},
    "ended before": {"events": 1, "pace": 0.01},
    # these end around the moment of the kill, one after the other
    **{f"at its last write, {turn}": {"events": turn, "pace": 0.09} for turn in range(8, 16)},
}
FAILS = {"during the POST": "submission_uncertain", "a stream that died with it": "worker_lost"}
UNTAKEN = ("waiting out a refusal", "during the POST")
"""What the gateway has not taken when the kill comes."""
LAST = ("during the POST", *(case for case in CASES if case.startswith("at its last write")))
"""What is begun when all others are under way."""
KILLED_AT = 1.0
"""Seconds after the last run was taken."""


@dataclass(frozen=True)
class Outcome:
    """What became of one run: as it ended, its log, and what a reader had who came back."""

    script: Script
    view: Json
    log: list[Json]
    read: list[Json]
    submissions: list[Json]


@pytest.fixture(scope="module")
def outcomes(there: Gateway, store: str, new_relay: Callable[..., Relay]) -> dict[str, Outcome]:
    """All cases at once: begun, killed, and finished by the next processes."""
    models = {case: case.replace(" ", "-") for case in CASES}
    scripts = {case: there.script(models[case], **how) for case, how in CASES.items()}
    relay = new_relay(store).start()
    runs: dict[str, Run] = {}
    for group in ([case for case in CASES if case not in LAST], LAST):
        runs |= {case: relay.post(models[case]) for case in group}
        named = [runs[case] for case in group if case not in UNTAKEN]
        until(
            lambda named=named: all(relay.view(run)["upstream_response_id"] for run in named),
        )
    readers = {case: Reader(relay, run).start() for case, run in runs.items()}
    time.sleep(KILLED_AT)
    relay.kill().start()

    def outcome(case: str, run: Run) -> Outcome:
        view = relay.wait(run)
        submissions = [one for one in there.seen().submissions if one["invocation"] == run.id]
        read = readers[case].finish()
        return Outcome(scripts[case], view, relay.log(run), read, submissions)

    return {case: outcome(case, run) for case, run in runs.items()}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    return request.param


def test_a_run_goes_on_after_kill_9(case: str, outcomes: dict[str, Outcome]) -> None:
    """The next process finishes it, or says why nobody can."""
    got = outcomes[case]
    if case in FAILS:
        assert (got.view["status"], codes(got.log)[-1]) == ("failed", FAILS[case])
        assert got.script.text.startswith(got.view["output_text"])
    else:
        assert (got.view["status"], got.view["output_text"]) == ("completed", got.script.text)


def test_no_event_is_lost_or_written_twice(case: str, outcomes: dict[str, Outcome]) -> None:
    check_log(outcomes[case].log, outcomes[case].view)


def test_a_reader_who_comes_back_has_every_event(case: str, outcomes: dict[str, Outcome]) -> None:
    assert outcomes[case].read == outcomes[case].log


def test_nothing_is_paid_for_twice(case: str, outcomes: dict[str, Outcome]) -> None:
    """One submission starts one run; the id that is shown is its id."""
    got = outcomes[case]
    (taken,) = [one for one in got.submissions if one["status"] == 200]
    assert got.view["upstream_response_id"] in (taken["id"], None)
    assert got.view["upstream_response_id"] or case == "during the POST"


def test_text_that_had_come_is_kept(outcomes: dict[str, Outcome]) -> None:
    """The stream nobody can pick up ends with what it had said."""
    got = outcomes["a stream that died with it"]
    assert len(text_of(got.log)) > 20
