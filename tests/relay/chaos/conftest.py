"""One gateway for all of these tests, and relays over each store."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.relay import postgresql, upstreams
from tests.relay.chaos.processes import Process, Relay
from tests.relay.upstreams import Gateway

NewRelay = Callable[..., Relay]


@pytest.fixture(scope="session")
def there() -> Iterator[Gateway]:
    """The gateway, which no test ends."""
    with upstreams.gateway() as one:
        yield one


@pytest.fixture(scope="session")
def server() -> Iterator[postgresql.Server]:
    with postgresql.running() as one:
        yield one


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """What RELAY_STORE says, new for every file of tests."""
    if request.param == "sqlite":
        yield str(tmp_path_factory.mktemp("relay") / "runs.sqlite3")
    else:
        server: postgresql.Server = request.getfixturevalue("server")
        with server.database() as address:
            yield address


@pytest.fixture(scope="module")
def new_relay(there: Gateway) -> Iterator[NewRelay]:
    """Makes a relay on a store, over PostgreSQL with a worker; every process ends with the file."""
    with contextlib.ExitStack() as stack:

        def make(store: str, **settings: Any) -> Relay:
            known = {f"RELAY_{name.upper()}": str(value) for name, value in settings.items()}
            workers: list[Process] = []
            if store.startswith("postgresql:"):
                workers = [Process(store, there.url, ("worker",), known)]
            relay = Relay(store, there.url, settings=known, workers=workers)
            stack.callback(relay.kill)
            return relay

        yield make
