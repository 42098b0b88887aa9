"""Python functions as tools of a model.

    @kit.tool
    def weather(city: str) -> str: ...

    kit.tools.registered()           what a model may be offered, in the order it was registered
    kit.tools.forget("weather")      takes one away

What `stream_tools` tells is here by name as well: TurnBegan, CallBegan, CallAsked, CallStarted,
CallTold, CallEnded, LimitReached. What reads types and checks arguments loads pydantic, and only
when a function is decorated.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kit.tools.schema import Tool, forget, registered, tool, tool_of

if TYPE_CHECKING:
    from kit.tools.happenings import (
        CallAsked,
        CallBegan,
        CallEnded,
        CallStarted,
        CallTold,
        LimitReached,
        TurnBegan,
    )

__all__ = [
    "CallAsked",
    "CallBegan",
    "CallEnded",
    "CallStarted",
    "CallTold",
    "LimitReached",
    "Tool",
    "TurnBegan",
    "forget",
    "registered",
    "tool",
    "tool_of",
]


def __getattr__(name: str) -> Any:
    if name in __all__:  # the others are here already
        return getattr(import_module("kit.tools.happenings"), name)
    raise AttributeError(f"module 'kit.tools' has no attribute {name!r}")
