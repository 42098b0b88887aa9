"""What a gateway does wrong, as a relay's callers see it: mostly not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.relay.chaos.processes import Json, Relay, check_log, codes
from tests.relay.upstream_runs import Script
from tests.relay.upstreams import Gateway

pytestmark = pytest.mark.waits


@dataclass(frozen=True)
class Case:
    """What the gateway does, and how the run ends; `creates`: the statuses of all submissions."""

    does: Json
    status: str = "completed"
    code: str | None = None
    creates: list[int] = field(default_factory=lambda: [200])


CASES = {
    "nothing wrong": Case({}),
    "the stream ends in half an event": Case({"events": 30, "cut": 9}),
    "the connection breaks": Case({"events": 30, "cut": 9, "drop": True}),
    "every stream is cut": Case({"events": 10, "cut": 4, "cuts": 99}),
    "every stream is cut at once": Case({"events": 1, "cut": 2, "cuts": 99}),
    "cut before it is said what it is called": Case({"cut": 1}, "failed", "submission_uncertain"),
    "429 with Retry-After": Case({"refusals": 2, "retry_after": 0.4}, creates=[429, 429, 200]),
    "429 without": Case({"refusals": 1}, creates=[429, 200]),
    "503": Case({"refusals": 1, "refusal": 503}, creates=[503, 200]),
    "529": Case({"refusals": 1, "refusal": 529}, creates=[529, 200]),
    "500": Case({"refusals": 9, "refusal": 500}, "failed", "upstream_error", [500]),
    "401": Case({"refusals": 9, "refusal": 401}, "failed", "authentication_failed", [401]),
    "400": Case({"refusals": 9, "refusal": 400}, "failed", "upstream_refused", [400]),
    "in progress for long": Case({"events": 3, "linger": 5}),
    "the cursor is refused": Case({"events": 30, "cut": 9, "resumable": False}),
    "the first polls are 404": Case({"cut": 4, "resumable": False, "missing": 2, "linger": 2}),
    "the first polls are 500": Case({"cut": 4, "resumable": False, "broken": 2, "linger": 2}),
    "JSON instead of a stream": Case({"way": "json"}),
    "background is ignored": Case({"way": "plain"}),
    "the answer to the create is late": Case({"hold": 2}),
    "the run fails": Case({"end": "failed"}, "failed", "upstream_error"),
    "the run fails, and is polled": Case(
        {"end": "failed", "way": "json"}, "failed", "upstream_error"
    ),
    "the run is cut off": Case({"end": "incomplete"}, "completed", "incomplete"),
    "a long text": Case({"events": 2000, "pace": 0.001}),
    "large pieces": Case({"events": 20, "piece": "긴 조각 {} 👩‍👩‍👧‍👦 " * 400}),
}


@pytest.fixture(scope="module")
def ended(
    there: Gateway, store: str, new_relay: Callable[..., Relay]
) -> dict[str, tuple[Script, Json, list[Json], list[int]]]:
    """All cases at once in one relay: the script, the view, the log, the creates of each."""
    models = {case: case.replace(" ", "-") for case in CASES}
    scripts = {case: there.script(models[case], **CASES[case].does) for case in CASES}
    relay = new_relay(store).start()
    runs = {case: relay.post(models[case]) for case in CASES}
    views = {case: relay.wait(run) for case, run in runs.items()}
    creates: dict[str, list[int]] = {}
    for one in there.seen().submissions:
        creates.setdefault(one["invocation"], []).append(one["status"])
    return {
        case: (scripts[case], views[case], relay.log(run), creates[run.id])
        for case, run in runs.items()
    }


@pytest.mark.parametrize("case", CASES)
def test_a_run_ends_as_it_should(
    case: str, ended: dict[str, tuple[Script, Json, list[Json], list[int]]]
) -> None:
    expected = CASES[case]
    script, view, log, creates = ended[case]
    assert (view["status"], view["output_text"]) == (
        expected.status,
        script.text if expected.status == "completed" else view["output_text"],
    )
    assert expected.code is None or expected.code in codes(log)
    check_log(log, view)
    assert creates == expected.creates


@pytest.mark.parametrize("case", [case for case in CASES if CASES[case].status == "failed"])
def test_the_gateways_own_words_do_not_leave(
    case: str, ended: dict[str, tuple[Script, Json, list[Json], list[int]]]
) -> None:
    _, view, log, _ = ended[case]
    assert "secret.internal" not in f"{view['error_message']} {log}"
    assert view["error_message"]
