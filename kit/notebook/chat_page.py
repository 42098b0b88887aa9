"""What the chat panel's page is told, as plain values: turns, settings, what can be attached (pure,
but for the names of models, which the gateway is asked for)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from kit.clean import clean_markdown
from kit.errors import KitError
from kit.gateway.card import printable
from kit.notebook.chat_asking import kind_of
from kit.notebook.chat_turns import MOST_KEPT, Turn, bundle_of_turn
from kit.notebook.render import code_of

__all__ = ["cell_of", "consent", "document", "models", "offers", "settings", "tools"]

MOST_OFFERS = 200
MOST_MODELS = 300
LONGEST_ARGUMENTS = 4_000


@lru_cache(maxsize=MOST_KEPT)
def document(turn: Turn) -> Mapping[str, Any]:
    """A turn. `html` is cleaned; everything else is shown as text."""
    return {
        "turn": turn.id,
        "prompt": turn.prompt,
        "attached": list(turn.attached),
        "state": turn.state,
        "html": bundle_of_turn(turn).get("text/html", ""),
        "text": turn.text,
        "cell": cell_of(turn.text),
        "notes": list(turn.notes),
        "problem": turn.problem,
    }


def cell_of(text: str) -> str:
    """An answer as a cell: its code, if it has a block of it; else its text, which a trusted
    notebook shows when the cell is run, and which is therefore cleaned."""
    fenced = re.search(r"(?m)^ {0,3}(`{3}|~{3})", text)
    if fenced and (code := code_of(text)):
        return code
    return f"%%markdown\n{clean_markdown(text)}" if text.strip() else ""


def settings(chosen: Any) -> dict[str, Any]:
    """What the switches stand at, and what a tools switch would offer."""
    return {**asdict(chosen), "tools": bool(chosen.tools), "offered": list(tools())}


def tools() -> tuple[str, ...]:
    """The names of what a model may call: deep_research and the registered functions."""
    from kit.tools import registered

    return ("deep_research", *(tool.name for tool in registered()))


def offers(variables: Mapping[str, Any]) -> list[dict[str, str]]:
    """The variables that can be attached, as `name` and `kind`."""
    names = sorted(name for name in list(variables) if not name.startswith("_"))
    kinds = [(name, kind_of(variables.get(name))) for name in names]
    found = [{"name": name, "kind": kind} for name, kind in kinds if kind]
    return found[:MOST_OFFERS]


def models() -> list[str]:
    """What the gateway offers; [] where it does not say."""
    from kit import connect

    try:
        listed = connect.client().models(timeout=10.0)
    except KitError:
        return []
    return [printable(name[:200]) for name in listed[:MOST_MODELS]]


def consent(call: Any, paid: str) -> dict[str, str]:
    """What a person is asked before a call that costs money."""
    try:
        arguments = json.dumps(json.loads(call.arguments), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        arguments = call.arguments
    shown = "".join(one for one in arguments if one.isprintable() or one == "\n")
    return {
        "name": printable(call.name[:100]),
        "paid": "".join(one for one in paid[:2_000] if one.isprintable() or one == "\n"),
        "arguments": shown[:LONGEST_ARGUMENTS],
    }
