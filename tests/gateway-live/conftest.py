"""The living gateways, started once for all of these tests, and ended by whoever started them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

import configs
from configs import Upstreams
from kit import local, settings
from kit.connect import Client
from kit.settings import Endpoint
from living import KEY, NewClient, Proxy, Trap, Upstream, litellm, redis

PACED, SLOW, SLOWEST = 6.0, 0.3, 3.0
"""A background answer takes 13 s when it is paced. Research takes 6 s when it is slow and 20 s when
it is the slowest: there is a middle to kill in."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-tables",
        action="store_true",
        help="put what the doctor says here into docs/gateways.md",
    )


@pytest.fixture(scope="session")
def quick() -> Iterator[Upstream]:
    """The sandbox, which answers at once."""
    upstream = Upstream(0.0)
    yield upstream
    upstream.stop()


@pytest.fixture(scope="session")
def paced() -> Iterator[Upstream]:
    """The sandbox as a model that takes its time: what is cancelled at once has not ended."""
    upstream = Upstream(PACED)
    yield upstream
    upstream.stop()


@pytest.fixture(scope="session")
def slow() -> Iterator[Upstream]:
    """The sandbox, which takes its time."""
    upstream = Upstream(SLOW)
    yield upstream
    upstream.stop()


@pytest.fixture(scope="session")
def slowest() -> Iterator[Upstream]:
    """The sandbox, whose chat drips."""
    upstream = Upstream(SLOWEST)
    yield upstream
    upstream.stop()


@pytest.fixture(scope="session")
def small() -> Endpoint:
    """The local model's own server, which ends with this process."""
    return local.model_endpoint(settings.load())


@pytest.fixture(scope="session")
def trap() -> Iterator[Trap]:
    """Where the proxies' traffic to other machines ends."""
    one = Trap()
    yield one
    one.stop()
    assert one.asked == [], "a proxy wanted to talk to another machine"


@pytest.fixture(scope="session")
def proxies(
    quick: Upstream,
    paced: Upstream,
    slow: Upstream,
    slowest: Upstream,
    small: Endpoint,
    trap: Trap,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Proxy]]:
    """LiteLLM twice: `plain`, and `polling` with its Redis. They start side by side."""
    folder: Path = tmp_path_factory.mktemp("litellm")
    assert small.api_key is not None and small.model is not None
    local_model = small.base_url, small.model, small.api_key.reveal()
    there = Upstreams(quick.url, paced.url, slow.url, slowest.url, *local_model)
    with ExitStack() as running, ThreadPoolExecutor(2) as starting:
        port = running.enter_context(redis(folder))
        wanted = {"plain": configs.plain(there), "polling": configs.polling(there, port)}
        opened = {name: litellm(name, one, folder, trap.url) for name, one in wanted.items()}
        begun = {name: starting.submit(one.__enter__) for name, one in opened.items()}
        for one in opened.values():
            running.push(one)
        yield {name: one.result() for name, one in begun.items()}


@pytest.fixture(scope="session")
def plain(proxies: dict[str, Proxy]) -> Proxy:
    """No database and no Redis: background is the upstream's own, or is ignored."""
    return proxies["plain"]


@pytest.fixture(scope="session")
def polling(proxies: dict[str, Proxy]) -> Proxy:
    """Background for every model, kept in Redis."""
    return proxies["polling"]


@pytest.fixture
def client(plain: Proxy) -> Iterator[NewClient]:
    """Clients of the plain proxy (`at`: of another address), which are closed at the end."""
    with ExitStack() as opened:

        def new(model: str, *, at: str | None = None, key: str = KEY, **options: float) -> Client:
            options = {"timeout": 60, "retries": 0, **options}
            made = Client(at or plain.base_url, key, model, **options)  # type: ignore[arg-type]
            return opened.enter_context(made)

        yield new
