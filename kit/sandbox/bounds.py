"""Numbers within a schema's bounds."""

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any


def fitted_number(value: float, schema: Mapping[str, Any], *, whole: bool) -> int | float | None:
    """The number nearest to `value` that the bounds allow, or None when they allow none."""
    step = Fraction(str(schema.get("multipleOf", 0))) or (Fraction(1) if whole else Fraction(0))
    if whole and step.denominator != 1:
        step = (
            Fraction(math.lcm(step.numerator, step.denominator), step.denominator)
            * step.denominator
        )
    low, low_open = _bound(schema, "minimum", "exclusiveMinimum", max)
    high, high_open = _bound(schema, "maximum", "exclusiveMaximum", min)
    for start in (Fraction(str(value)), low, high):
        if start is None:
            continue
        for candidate in _candidates(start, step, low, high):
            above = low is None or candidate > low or (candidate == low and not low_open)
            below = high is None or candidate < high or (candidate == high and not high_open)
            if above and below:
                return int(candidate) if candidate.denominator == 1 else float(candidate)
    return None


def _candidates(
    start: Fraction, step: Fraction, low: Fraction | None, high: Fraction | None
) -> list[Fraction]:
    if step:
        base = math.floor(start / step)
        return [step * (base + offset) for offset in (0, 1, -1, 2)]
    middle = [(low + high) / 2] if low is not None and high is not None else []
    return [start, *middle, start + 1, start - 1]


def _bound(
    schema: Mapping[str, Any], closed: str, opened: str, pick: Any
) -> tuple[Fraction | None, bool]:
    """The tighter of a closed and an open bound, and whether it is the open one."""
    bounds = [
        (Fraction(str(schema[key])), key == opened) for key in (closed, opened) if key in schema
    ]
    if not bounds:
        return None, False
    edge = pick(value for value, _ in bounds)
    return edge, any(is_open for value, is_open in bounds if value == edge)
