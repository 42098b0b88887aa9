"""Relays whose runs only move when a test moves them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.relay.http.relays import Relay


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """A relay for all tests of a module: each names the runs that it moves."""
    with Relay(tmp_path_factory.mktemp("relay")) as relay:
        yield relay


@pytest.fixture
def own_relay(tmp_path: Path) -> Iterator[Relay]:
    """A relay of one test, in which it moves whatever waits."""
    with Relay(tmp_path) as relay:
        yield relay
