"""The documentation of the routes is true, and nothing that it allows makes the relay fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from tests.relay.http.relays import PATH, Relay

pytestmark = pytest.mark.once

ROUTES = [
    *(("POST", PATH), ("GET", PATH), ("POST", "/api/v1/chat")),
    *(("GET", f"{PATH}/{{id}}"), ("DELETE", f"{PATH}/{{id}}")),
    *(("GET", f"{PATH}/{{id}}/wait"), ("GET", f"{PATH}/{{id}}/events")),
    ("POST", f"{PATH}/{{id}}/cancel"),
    *(("GET", "/healthz"), ("GET", "/readyz")),
]
METHODS = {"get", "post", "put", "patch", "delete"}
KEY = {"Authorization": "Bearer key-of-alice"}


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """A relay that waits for nothing long."""
    with Relay(
        tmp_path_factory.mktemp("quick"),
        keys={"alice": "key-of-alice"},
        research_seconds=0.02,
        turn_seconds=0.02,
        max_invocations=100_000,
        free=True,
    ) as relay:
        relay.http.headers.update(KEY)
        yield relay


def documented(relay: Relay) -> dict[str, Any]:
    return relay.http.get("/openapi.json").json()


def test_every_route_is_documented(quick: Relay) -> None:
    paths = documented(quick)["paths"]
    assert {
        (method.upper(), path) for path, item in paths.items() for method in METHODS & item.keys()
    } == set(ROUTES)


def test_every_answer_has_an_example(quick: Relay) -> None:
    """In itself or in its schema."""
    document = documented(quick)
    missing: list[str] = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for status, answer in operation["responses"].items():
                for content in answer.get("content", {}).values():
                    name = content["schema"].get("$ref", "").rpartition("/")[2]
                    kept = document["components"]["schemas"].get(name, {})
                    if "example" not in content and "examples" not in kept:
                        missing.append(f"{method} {path} {status}")
    assert missing == []


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_no_request_makes_the_relay_fail(quick: Relay, method: str, path: str) -> None:
    """Generated requests, most of them near what the documentation says."""
    operation = schemathesis.openapi.from_dict(documented(quick))[path][method]

    @settings(
        max_examples=20,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        sent = case.as_transport_kwargs(base_url=quick.served.url)
        headers = {**dict(sent.get("headers") or {}), **KEY}
        url = sent["url"]
        if "{id}" in path:
            run = quick.start()
            quick.worker.finish(run.id)
            headers |= run.headers
            url = quick.served.url + path.replace("{id}", run.id)
        answer = quick.http.request(
            method,
            url,
            headers={name: str(value).encode() for name, value in headers.items()},
            params=sent.get("params"),
            json=sent.get("json"),
        )
        assert answer.status_code != 500, answer.text
        assert str(answer.status_code) in operation.definition.raw["responses"], answer.text

    check()
