"""The models that a gateway offers, in words for whoever has to choose one."""

from __future__ import annotations

from kit.gateway.refusal import shown

__all__ = ["which_model"]

MOST_NAMED = 12


def which_model(offered: list[str], secrets: tuple[str, ...]) -> str:
    """What to say where none is chosen and there is not exactly one."""
    if not offered:
        return "The gateway lists no model. Name one: set LITELLM_MODEL, or model=…"
    names = ", ".join(shown(name, *secrets)[:80] for name in offered[:MOST_NAMED])
    more = f" and {len(offered) - MOST_NAMED} more" if len(offered) > MOST_NAMED else ""
    return (
        f"The gateway offers several models: {names}{more}.\n"
        "Choose one: set LITELLM_MODEL, or model=…"
    )
