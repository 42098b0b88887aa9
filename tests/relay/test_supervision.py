"""Loops that go on after a failure."""

from __future__ import annotations

import logging

import pytest

from relay_lite import supervision
from relay_lite.supervision import supervised

pytestmark = [pytest.mark.anyio, pytest.mark.once]


async def test_what_fails_again_and_again_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that is away for an hour is no reason for thousands of lines."""
    monkeypatch.setattr(supervision, "AGAIN_SECONDS", 0.0)
    errors = [OSError("sk-secret"), OSError(), ValueError(), OSError()]

    async def loop() -> None:
        if errors:
            raise errors.pop(0)

    with caplog.at_level(logging.WARNING, "relay_lite"):
        await supervised(loop, "claims")
    assert [record.getMessage() for record in caplog.records] == [
        "The relay's claims failed (OSError) and goes on.",
        "The relay's claims failed (ValueError) and goes on.",
    ]
