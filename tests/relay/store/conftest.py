"""The stores that keep the promises of `relay_lite.store`: each of these tests runs on each."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest

from relay_lite.postgres import PostgresStore
from relay_lite.sqlite import SqliteStore
from relay_lite.store import Store

OpenStore = Callable[[], Awaitable[Store]]


def sqlite_stores(request: pytest.FixtureRequest) -> Callable[[], Store]:
    folder: Path = request.getfixturevalue("tmp_path")
    return lambda: SqliteStore(folder / "relay" / "runs.db")


def postgresql_stores(request: pytest.FixtureRequest) -> Callable[[], Store]:
    address: str = request.getfixturevalue("database")
    return lambda: PostgresStore(address)


# What makes a store, not yet open; all that one of these makes lie in one place.
STORES = {"sqlite": sqlite_stores, "postgresql": postgresql_stores}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.once)],
    ids=str,
)
def new_store(request: pytest.FixtureRequest) -> Callable[[], Store]:
    """Makes a store that is not open; each call means the same runs, as another process would."""
    return STORES[request.param](request)


@pytest.fixture
async def open_store(new_store: Callable[[], Store]) -> AsyncGenerator[OpenStore]:
    """Opens a store; a second call opens the same one again, as another process would."""
    async with contextlib.AsyncExitStack() as opened:

        async def open_one() -> Store:
            store = new_store()
            await store.open()
            opened.push_async_callback(store.aclose)
            return store

        yield open_one


@pytest.fixture
async def store(open_store: OpenStore) -> Store:
    return await open_store()
