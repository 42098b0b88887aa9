"""What a relay refuses to read, and how it says so: never with what was sent."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.relay.http.relays import PATH, Relay
from tests.waiting import until

LONG = "x" * 100_001
DEEP: Any = []
for _ in range(40):
    DEEP = [DEEP]


def asked(**arguments: Any) -> dict[str, Any]:
    return {"tool_name": "deep_research", "arguments": {"research_question": "?", **arguments}}


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({}, 422, "tool_name"),
        ([], 422, ""),
        ({"tool_name": "deep_research"}, 422, "arguments"),
        (asked() | {"tool_name": "rm"}, 422, "tool_name"),
        (asked(research_question=""), 422, "research_question"),
        (asked(research_question=" \n"), 422, "blank"),
        (asked(research_question=5), 422, "research_question"),
        (asked(research_question=LONG), 413, "100,000 characters"),
        (asked(system_prompt=LONG), 413, "100,000 characters"),
        (asked(deliverable_format="pdf"), 422, "deliverable_format"),
        (asked(background=True, stream=True), 422, "exclude each other"),
        (asked(context="text"), 422, "context"),
        (asked(context=["x"] * 201), 413, "200 entries"),
        (asked(context=["x" * 600_000] * 2), 413, "1,048,576 bytes"),
        (asked(constraints=["x"] * 201), 413, "200 entries"),
        (asked(constraints=[{}]), 422, "constraints"),
        (asked(context=[DEEP]), 422, "nested deeper"),
        (asked(text_format={"type": "json_schema"}), 422, "`name` and a `schema`"),
        (asked(text_format={"type": "xml"}), 422, "text_format"),
        (asked(budget_usd=0), 422, "budget_usd"),
        (asked(budget_usd=-1), 422, "budget_usd"),
        (asked(max_tool_calls=0), 422, "max_tool_calls"),
        (asked(max_tool_calls=1.5), 422, "max_tool_calls"),
        (asked(model=""), 422, "model"),
    ],
)
def test_what_is_asked_for_is_checked(relay: Relay, body: Any, status: int, says: str) -> None:
    answer = relay.http.post(PATH, json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert says in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"tool_name":', 422),
        (b"", 422),
        (b'"text"', 422),
        (b"\xff\xfe", 422),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
        (json.dumps(asked(research_question="\ud800")).encode(), 422),
        (json.dumps(asked(context=[{"\udfff": 1}])).encode(), 422),
        (json.dumps(asked(context=[float("nan")])).encode(), 422),
        (json.dumps(asked(budget_usd=float("inf"))).encode(), 422),
        (json.dumps(asked()).replace('"?"', "9" * 5000).encode(), 400),
    ],
    ids=range(10),
)
def test_what_is_no_json_is_refused(relay: Relay, body: bytes, status: int) -> None:
    answer = relay.http.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert answer.json()["detail"]


def test_a_refusal_repeats_nothing_of_what_was_sent(relay: Relay) -> None:
    secret = "sk-in-the-wrong-place"
    for body in (
        {"tool_name": secret, "arguments": secret},
        asked(deliverable_format=secret, context=secret),
        asked(text_format={"type": secret}),
    ):
        answer = relay.http.post(PATH, json=body)
        assert answer.status_code == 422
        assert secret not in answer.text


def test_fields_that_nobody_knows_are_passed_over(relay: Relay) -> None:
    body = asked(stream=True, invented=1) | {"also": {}}
    assert relay.http.post(PATH, json=body).status_code == 202


@pytest.mark.parametrize("path", [PATH, "/api/v1/chat"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_four_megabytes_is_not_read(relay: Relay, path: str, chunked: bool) -> None:
    whole = json.dumps(asked(context=["x" * 5_000_000])).encode()
    pieces = (whole[place : place + 65536] for place in range(0, len(whole), 65536))
    headers = {"Content-Type": "application/json"}
    try:
        answer = relay.http.post(path, content=pieces if chunked else whole, headers=headers)
    except httpx.WriteError:
        return  # it stopped reading, and the answer was lost on the way
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert "4,194,304 bytes" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_a_web_page_reaches_nothing(relay: Relay, headers: dict[str, str], status: int) -> None:
    body = json.dumps(asked(stream=True)).encode()
    sent = {"Content-Type": "application/json"} | headers
    answer = relay.http.post(PATH, content=body, headers=sent)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_no_answer_allows_another_origin(relay: Relay) -> None:
    run = relay.start()
    headers = {"Origin": relay.served.url, "Access-Control-Request-Method": "POST"}
    for answer in (
        relay.http.get(run.path, headers=headers | run.headers),
        relay.http.options(PATH, headers=headers),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/docs", 404),
        ("GET", "/api/v1/tool-invocations/", 404),
        ("PUT", PATH, 405),
        ("DELETE", PATH, 405),
        ("GET", "/api/v1/chat", 405),
    ],
)
def test_what_is_not_there_is_a_problem_too(
    relay: Relay, method: str, path: str, status: int
) -> None:
    answer = relay.http.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


@pytest.mark.parametrize("timeout", ["-1", "nan", "inf", "x", ""])
def test_a_wait_is_a_number_of_seconds(relay: Relay, timeout: str) -> None:
    run = relay.start()
    assert relay.get(run, "/wait", timeout=timeout).status_code == 422


@pytest.mark.parametrize("seen", ["-1", "x", str(10**30)])
def test_a_place_in_the_events_is_a_number(relay: Relay, seen: str) -> None:
    run = relay.start()
    assert relay.get(run, "/events", starting_after=seen).status_code == 422


def test_a_budget_needs_prices(tmp_path: Path) -> None:
    """A gateway that does not tell them: the budget could never be kept."""
    silent = httpx.MockTransport(lambda _request: httpx.Response(404))
    with Relay(tmp_path, transport=silent) as relay:
        answer = relay.post("stream", budget_usd=1.0)
    assert answer.status_code == 422
    assert "budget" in answer.json()["detail"]


def test_a_budget_waits_for_a_gateway_that_cannot_be_asked_now(relay: Relay) -> None:
    answer = relay.post("stream", budget_usd=1.0)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_a_wait_is_only_said_to_be_applied_where_it_is(relay: Relay) -> None:
    answer = relay.post("stream", headers={"Prefer": "wait=9"})
    assert "Preference-Applied" not in answer.headers


def test_a_budget_is_taken_where_nothing_costs(tmp_path: Path) -> None:
    with Relay(tmp_path, free=True) as relay:
        assert relay.post("stream", budget_usd=1.0).status_code == 202


def test_a_full_relay_says_when_to_come_back(tmp_path: Path) -> None:
    with Relay(tmp_path, max_invocations=1) as relay:
        run = relay.start()
        answer = relay.post()
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        relay.worker.finish(run.id)
        assert relay.post().status_code == 503, "nobody has read it yet"
        relay.get(run)
        until(lambda: relay.worker.is_fetched(run))
        assert relay.post().status_code == 202


def test_a_full_store_takes_no_more_runs(tmp_path: Path) -> None:
    with Relay(tmp_path, page_limit=60) as relay:
        answers = [relay.post(context=["x" * 30_000]) for _ in range(20)]
        assert answers[0].status_code == 202
        assert answers[-1].status_code == 507
        assert "full" in answers[-1].json()["detail"]


def test_a_relay_that_stops_ends_its_readers_and_takes_nothing(tmp_path: Path) -> None:
    with Relay(tmp_path) as relay:
        run = relay.start()
        with relay.reading(run) as answer:
            pieces = answer.iter_bytes()
            next(pieces)
            relay.engine.stopping = True
            assert relay.http.get("/readyz").status_code == 503
            assert relay.http.get("/healthz").status_code == 200
            refused = relay.post()
            assert (refused.status_code, bool(refused.headers["Retry-After"])) == (503, True)
            relay.engine.stopping = False
            relay.served.stop()
            assert b"event: completed" not in b"".join(pieces)


def test_a_socket_that_sends_no_request_gets_none(relay: Relay) -> None:
    with socket.create_connection(("127.0.0.1", relay.served.port), timeout=5) as raw:
        raw.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
        assert b" 400 " in raw.recv(200) or b" 403 " in raw.recv(200)
