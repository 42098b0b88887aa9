"""Every test of this room may open scripted gateways, and none leaves anything behind."""

from __future__ import annotations

import contextlib
import gc
import logging
from collections.abc import Callable, Iterator

import anyio.from_thread
import pytest

from tests.gateway.gateways import Gateway, Reply, gateway

Open = Callable[..., Gateway]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens gateways in a thread of their own, so that blocking calls can reach them."""
    with anyio.from_thread.start_blocking_portal() as portal, contextlib.ExitStack() as stack:

        def open_gateway(*replies: Reply) -> Gateway:
            return stack.enter_context(portal.wrap_async_context_manager(gateway(*replies)))

        yield open_gateway


@pytest.fixture
def nothing_left(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """asyncio complains in its log of tasks and errors that nobody looked after."""
    yield
    gc.collect()
    said = [one for one in caplog.records if one.name == "asyncio"]
    assert [one.getMessage() for one in said if one.levelno >= logging.ERROR] == []
