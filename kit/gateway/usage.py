"""What one call took: tokens in either API's spelling, and dollars.

Rule: a count that cannot be read is missing, and never zero. Where neither input nor output can be
read nothing is known, so that whoever has an estimate goes on with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from kit.gateway.events import Wire

__all__ = ["MOST_TOKENS", "Usage", "cost_in", "usage_in"]

MOST_TOKENS = 2**53
"""What is more is no count, and no longer exact in every JSON reader."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call; `output_tokens` includes `reasoning_tokens`."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0


def usage_in(usage: Wire) -> Usage | None:
    """The counts in a `usage` of either API; None where it has neither input nor output."""
    given = usage.get("input_tokens_details") or usage.get("prompt_tokens_details")
    made = usage.get("output_tokens_details") or usage.get("completion_tokens_details")
    read = _either(usage, "input_tokens", "prompt_tokens")
    written = _either(usage, "output_tokens", "completion_tokens")
    if read is None and written is None:
        return None
    read, written = read or 0, written or 0
    return Usage(
        input_tokens=read,
        output_tokens=written,
        total_tokens=_count(usage, "total_tokens") or min(read + written, MOST_TOKENS),
        cached_tokens=_count(given, "cached_tokens") or 0,
        reasoning_tokens=_count(made, "reasoning_tokens") or 0,
    )


def cost_in(usage: Wire, headers: Mapping[str, str]) -> float | None:
    """Dollars: in a stream's usage, else in LiteLLM's header, else unknown."""
    for value in (usage.get("cost"), headers.get("x-litellm-response-cost")):
        try:
            cost = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            continue
        if math.isfinite(cost) and cost >= 0:
            return cost
    return None


def _either(usage: Wire, *names: str) -> int | None:
    """The count under one of these names; zero only where no other says more."""
    found = [count for name in names if (count := _count(usage, name)) is not None]
    return next(filter(None, found), 0) if found else None


def _count(counts: Any, name: str) -> int | None:
    """A whole number, also one that came as text or with a decimal point."""
    value = cast(Wire, counts).get(name) if isinstance(counts, dict) else None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value) if len(value) < 20 else MOST_TOKENS
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        return None
    if isinstance(value, float) and not value.is_integer():  # nor is infinity
        return None
    return int(min(value, MOST_TOKENS))
