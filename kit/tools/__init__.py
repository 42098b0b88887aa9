"""Python functions as tools of a model.

    @kit.tool
    def weather(city: str) -> str: ...

    kit.tools.registered()           what a model may be offered, in the order it was registered
    kit.tools.forget("weather")      takes one away

What reads types and checks arguments loads pydantic; it is loaded when a function is decorated.
"""

from __future__ import annotations

from kit.tools.schema import Tool, forget, registered, tool, tool_of

__all__ = ["Tool", "forget", "registered", "tool", "tool_of"]
