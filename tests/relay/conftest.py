"""Stores for what is above them; the stores' own specification is in store/."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from relay_lite.sqlite import SqliteStore
from tests.relay.postgresql import Server, running


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def sqlite_store(tmp_path: Path) -> AsyncGenerator[SqliteStore]:
    store = SqliteStore(tmp_path / "relay" / "runs.db")
    await store.open()
    yield store
    await store.aclose()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL of this session; it starts with the first test that asks for it."""
    with running() as server:
        yield server


@pytest.fixture
def database(postgresql: Server) -> Iterator[str]:
    """The address of an empty database of this test."""
    with postgresql.database() as address:
        yield address
