"""A refusal that LiteLLM's polling made a response that failed, as recorded from a live one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from relay_lite.ending import failed_response

WIRE = Path(__file__).parents[2] / "data" / "wire"


@pytest.mark.parametrize(
    ("name", "code", "because"),
    [
        ("429", "rate_limited", "its provider's rate limit"),
        ("quota", "rate_limited", "a quota that is used up"),
        ("context", "upstream_refused", "a request that its provider refused"),
        ("unknown-model", "upstream_refused", "a model that it does not offer"),
        ("upstream-key", "authentication_failed", "a key that its provider does not accept"),
    ],
)
def test_a_polled_refusal_ends_a_run_as_the_refusal_would(
    name: str, code: str, because: str
) -> None:
    recorded = (WIRE / f"poll-{name}-get-failed.response.http").read_bytes()
    end = failed_response(json.loads(recorded.partition(b"\r\n\r\n")[2]))
    assert end.code == code
    assert str(end) == f"The gateway's run failed because of {because}."
