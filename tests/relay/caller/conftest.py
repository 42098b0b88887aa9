"""Relays for their callers, and the loop that asynchronous tests run in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.relay.caller.callers import Elsewhere


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def one_for_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    with Elsewhere(tmp_path_factory.mktemp("relay")) as there:
        yield there


@pytest.fixture
def elsewhere(one_for_all: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    """A relay with a key that runs already; its user has nothing else configured.

    It is the same for all tests of a module: each names the runs that it moves.
    """
    return one_for_all.known_to(monkeypatch)
