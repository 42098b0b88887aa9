"""What a caller passes and cannot be sent is an InputError, before anything is opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kit import connect, errors
from kit.gateway.client import AsyncClient
from kit.settings import Endpoint, Secret

pytestmark = pytest.mark.anyio

ADDRESS = "http://127.0.0.1:9/v1"


@pytest.mark.parametrize("name", ["retrieve", "cancel", "delete"])
@pytest.mark.parametrize("id", ["a" * 100_000, "\ud800", 5, None, "", "..", b"x", ["x"]])
async def test_an_id_is_text(name: str, id: Any) -> None:
    async with AsyncClient(Endpoint(ADDRESS, None, "m")) as client:
        with pytest.raises(errors.InputError) as caught:
            await getattr(client, name)(id)
    assert len(str(caught.value)) < 200
    str(caught.value).encode()


@pytest.mark.parametrize(
    ("prompt", "options"),
    [
        (None, {}),
        (5, {}),
        (b"x", {}),
        ("hi", {"extra": {"a": b"x"}}),
        ("hi", {"extra": 5}),
        ("hi", {"metadata": {1}}),
        ("hi", {"metadata": "x"}),
        *[("hi", {"timeout": bad}) for bad in ("a", 0, -1, float("nan"), True, [1])],
    ],
)
@pytest.mark.parametrize("name", ["respond", "chat", "submit", "stream"])
async def test_a_prompt_and_its_options_are_what_they_say(
    name: str, prompt: Any, options: dict[str, Any]
) -> None:
    async with AsyncClient(Endpoint(ADDRESS, None, "m"), retries=0) as client:
        with pytest.raises(errors.InputError):
            if name == "stream":
                _ = [event async for event in client.stream(prompt, **options)]
            else:
                await getattr(client, name)(prompt, **options)


@pytest.mark.parametrize(
    "make",
    [
        lambda: connect.Client(3),  # type: ignore[arg-type]
        lambda: connect.Client(ADDRESS, 31_415_926),  # type: ignore[arg-type]
        lambda: connect.Client(ADDRESS, b"31415926"),  # type: ignore[arg-type]
        lambda: connect.Client(ADDRESS, model=3),  # type: ignore[arg-type]
        lambda: connect.Client(ADDRESS, timeout="a"),  # type: ignore[arg-type]
        lambda: connect.Client(ADDRESS, timeout=0),
        lambda: connect.Client(ADDRESS, timeout=-1),
        lambda: connect.Client(ADDRESS, idle_timeout=0),
    ],
)
def test_a_client_is_made_of_what_it_names(make: Callable[[], object]) -> None:
    with pytest.raises(errors.InputError) as caught:
        make()
    assert "31415926" not in str(caught.value)


def test_a_secret_is_a_key_as_well() -> None:
    assert connect.Client(ADDRESS, Secret("sk-of-a-test-0123")).endpoint.api_key  # type: ignore[arg-type]
