"""What a run took, as its entry in the book keeps it."""

from __future__ import annotations

from typing import Any

from kit.gateway.answer import answer_of
from kit.relay.glance import Glance
from kit.relay.view import View

__all__ = ["spent"]


def spent(view: View, glance: Glance, seconds: float | None) -> dict[str, Any]:
    """The fields of Entry that say it; None for what nobody has said."""
    told = answer_of(view.response or {})
    return {
        "cost": told.cost if glance.cost is None else glance.cost,
        "model": told.model or "",
        "seconds": seconds,
        "usage": told.usage,
        "searches": len(told.searches) if view.response else None,
    }
