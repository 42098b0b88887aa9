"""The relay over the living gateways: to the end, cancelled, and killed in the middle.

native     the upstream runs it in the background; it is taken over by looking
polling    JSON comes where a stream was asked for; Redis has it, whoever asks
bridge     `background` is ignored: the stream is all there is
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from living import KEY, Proxy, Upstream
from tests.relay.chaos.processes import (
    PATH,
    Json,
    Reader,
    Relay,
    Run,
    check_log,
    codes,
    http,
    text_of,
)
from tests.waiting import until

pytestmark = pytest.mark.gateway_live

NewRelay = Callable[..., Relay]
TOLD = 200
"""Characters that a stream nobody can take up has told before the kill."""
PROGRESS = ("reasoning", "search")


@dataclass
class Way:
    """How research reaches its upstream: a relay over a proxy, and the model to ask for."""

    relay: Relay
    model: str
    upstream: Upstream

    def begin(self, **arguments: Any) -> tuple[Run, str]:
        """A run, and the words by which its upstream knows it."""
        question = f"What is kimchi? ({uuid.uuid4().hex})"
        return self.relay.post(self.model, research_question=question, **arguments), question


@pytest.fixture(scope="module")
def ways(
    plain: Proxy,
    polling: Proxy,
    slow: Upstream,
    slowest: Upstream,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Way]]:
    """A relay for each proxy."""

    def over(proxy: Proxy, name: str) -> Relay:
        store = tmp_path_factory.mktemp(name) / "runs.sqlite3"
        return Relay(str(store), proxy.base_url, settings={"LITELLM_API_KEY": KEY}).start()

    relays = [over(plain, "plain"), over(polling, "polling")]
    yield {
        "native": Way(relays[0], "native-slow-research", slow),
        "polling": Way(relays[1], "native-slow-research", slow),
        "bridge": Way(relays[0], "bridged-slowest-research", slowest),
    }
    for relay in relays:
        relay.end()


@dataclass(frozen=True)
class Outcome:
    """A run that has ended: its view, its log, and how often it was begun upstream."""

    view: Json
    log: list[Json]
    submissions: int


@pytest.fixture(scope="module")
def killed(ways: dict[str, Way]) -> dict[str, Outcome]:
    """A run of each way, whose relay was killed in the middle and started again."""
    begun: dict[str, tuple[Run, str]] = {}
    with ExitStack() as standing:
        for upstream in {id(way.upstream): way.upstream for way in ways.values()}.values():
            standing.enter_context(upstream.clock.standing())
        for name, way in ways.items():
            begun[name] = way.begin()
            _wait_for_the_middle(way, begun[name][0])
        for name, (run, _) in begun.items():
            assert ways[name].relay.view(run)["status"] == "running"
        for relay in {way.relay.port: way.relay for way in ways.values()}.values():
            relay.kill()
    for relay in {way.relay.port: way.relay for way in ways.values()}.values():
        relay.start()

    def outcome(way: Way, run: Run, question: str) -> Outcome:
        view = way.relay.wait(run)
        return Outcome(view, way.relay.log(run), len(way.upstream.submissions(question)))

    return {name: outcome(ways[name], *pair) for name, pair in begun.items()}


def _wait_for_the_middle(way: Way, run: Run) -> None:
    """Until it runs, and what would be lost with its relay has begun to come."""
    reader = Reader(way.relay, run).start()
    if way.model.startswith("bridged"):
        until(lambda: len(text_of(reader.events)) > TOLD, passing=way.upstream.clock.passes)
    else:
        until(
            lambda: any(one["type"] in PROGRESS for one in reader.events),
            passing=way.upstream.clock.passes,
        )
    assert not reader.done


# -- to the end ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "model"),
    [
        ("native", "native-research"),
        ("polling", "native-research"),
        ("polling", "bridged-research"),
        ("bridge", "bridged-research"),
        ("native", "native:empty-output"),
        ("polling", "native:empty-output"),
    ],
)
def test_a_run_ends_with_its_report(
    way: str, model: str, ways: dict[str, Way], quick: Upstream
) -> None:
    there = Way(ways[way].relay, model, quick)
    run, question = there.begin()
    view = there.relay.wait(run)
    assert view["status"] == "completed" and "kimchi" in view["output_text"].lower()
    check_log(there.relay.log(run), view)
    assert len(quick.submissions(question)) == 1


def test_what_the_bridge_does_not_take_is_dropped_without_a_word(
    ways: dict[str, Way], quick: Upstream
) -> None:
    """So the relay cannot know that its bounds are none there."""
    there = Way(ways["bridge"].relay, "bridged-research", quick)
    run, question = there.begin(max_tool_calls=3)
    assert there.relay.wait(run)["status"] == "completed"
    (sent,) = quick.submissions(question)
    dropped = {"max_tool_calls", "background", "store", "include", "reasoning", "metadata"}
    assert dropped.isdisjoint(sent.body)
    there = Way(ways["native"].relay, "native-research", quick)
    run, question = there.begin(max_tool_calls=3)
    assert there.relay.wait(run)["status"] == "completed"
    assert quick.submissions(question)[0].body["max_tool_calls"] == 3


@pytest.mark.parametrize(
    ("way", "model", "code"),
    [
        ("native", "native:failed", "upstream_error"),
        ("native", "native:429-quota", "rate_limited"),
        ("native", "native:400-context", "upstream_refused"),
        ("native", "nobody", "upstream_refused"),
        ("native", "refused-upstream-key", "authentication_failed"),
        ("native", "dead", "upstream_error"),
        ("polling", "native:429", "rate_limited"),
        ("polling", "native:429-quota", "rate_limited"),
        ("polling", "native:cut", "upstream_error"),
        ("polling", "nobody", "upstream_refused"),
        ("polling", "native:400-context", "upstream_refused"),
        ("polling", "refused-upstream-key", "authentication_failed"),
    ],
)
def test_a_run_that_cannot_be_had_says_why(
    way: str, model: str, code: str, ways: dict[str, Way]
) -> None:
    relay = ways[way].relay
    run = relay.post(model)
    view = relay.wait(run)
    assert (view["status"], codes(relay.log(run))[-1]) == ("failed", code)


# -- cancelled -----------------------------------------------------------------------------------


def _cancelled(way: Way) -> str:
    """A run that was cancelled in the middle; the words by which its upstream knows it."""
    with way.upstream.clock.standing():
        run, question = way.begin()
        _wait_for_the_middle(way, run)
        path = f"{way.relay.url}{PATH}/{run.id}/cancel"
        assert http.post(path, headers=run.headers).json()["status"] == "cancelled"
        return question


def test_a_cancel_reaches_the_upstream(ways: dict[str, Way]) -> None:
    way = ways["native"]
    before = len(way.upstream.cancels())
    _cancelled(way)
    until(lambda: len(way.upstream.cancels()) > before)


def test_a_cancel_that_the_upstream_never_hears_ends_the_run(ways: dict[str, Way]) -> None:
    """LiteLLM writes it into Redis, and lets the upstream go on to its end."""
    way = ways["polling"]
    before = len(way.upstream.cancels())
    (sent,) = way.upstream.submissions(_cancelled(way))
    until(lambda: sent.ended)
    assert len(way.upstream.cancels()) == before


def test_a_cancel_on_the_bridge_ends_the_run(ways: dict[str, Way]) -> None:
    _cancelled(ways["bridge"])


# -- killed --------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["native", "polling"])
def test_a_run_is_taken_over_and_ends(way: str, killed: dict[str, Outcome]) -> None:
    got = killed[way]
    assert got.view["status"] == "completed"
    assert "kimchi" in got.view["output_text"].lower()


def test_on_the_bridge_a_run_ends_with_what_had_come(killed: dict[str, Outcome]) -> None:
    got = killed["bridge"]
    assert (got.view["status"], codes(got.log)[-1]) == ("failed", "worker_lost")
    assert len(got.view["output_text"]) > TOLD
    assert got.view["output_text"] == text_of(got.log)


@pytest.mark.parametrize("way", ["native", "polling", "bridge"])
def test_nothing_is_paid_for_twice(way: str, killed: dict[str, Outcome]) -> None:
    assert killed[way].submissions == 1


@pytest.mark.parametrize("way", ["native", "polling", "bridge"])
def test_no_event_is_lost_or_written_twice(way: str, killed: dict[str, Outcome]) -> None:
    check_log(killed[way].log, killed[way].view)
