"""Jupyter-first toolkit for OpenAI-compatible gateways.

    %load_ext kit           the magics %%chat, %%responses and %kit
    kit.Client()            the same in Python
    kit.tool                a function that a model may call
    kit.research("…")       a research run that nothing kills; kit.runs() lists yours
    kit.usage()             what this session has asked, and what it took; kit.usage_chart()
    kit.doctor()            what the gateway really does
    kit.chat_panel()        a panel to chat in
    kit.research_panel()    the same as a form; kit.runs_table() is a table of your runs
    kit.last                the last cell's Answer

Each name is loaded at its first use, so that `%load_ext kit` costs next to nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kit import errors, tools
    from kit.connect import AsyncClient, Client
    from kit.connect_compatible import LiteLLMClient
    from kit.connect_doctor import doctor
    from kit.connect_research import research, run, runs
    from kit.connect_usage import usage, usage_chart
    from kit.errors import KitError
    from kit.gateway.answer import Answer, Citation, Usage
    from kit.notebook.chat import chat_panel
    from kit.notebook.research_panel import research_panel
    from kit.notebook.runs_table import runs_table
    from kit.relay.run import Run
    from kit.tools.limits import Limits
    from kit.tools.schema import tool

    last: Answer | None

__all__ = [
    "Answer",
    "AsyncClient",
    "Citation",
    "Client",
    "KitError",
    "Limits",
    "LiteLLMClient",
    "Run",
    "Usage",
    "chat_panel",
    "doctor",
    "errors",
    "last",
    "load_ipython_extension",
    "research",
    "research_panel",
    "run",
    "runs",
    "runs_table",
    "tool",
    "tools",
    "unload_ipython_extension",
    "usage",
    "usage_chart",
]

_PLACES = {
    "Answer": "kit.gateway.answer",
    "AsyncClient": "kit.connect",
    "Citation": "kit.gateway.answer",
    "Client": "kit.connect",
    "KitError": "kit.errors",
    "Limits": "kit.tools.limits",
    "LiteLLMClient": "kit.connect_compatible",
    "chat_panel": "kit.notebook.chat",
    "doctor": "kit.connect_doctor",
    "Run": "kit.relay.run",
    "Usage": "kit.gateway.answer",
    "research": "kit.connect_research",
    "research_panel": "kit.notebook.research_panel",
    "run": "kit.connect_research",
    "runs": "kit.connect_research",
    "runs_table": "kit.notebook.runs_table",
    "tool": "kit.tools.schema",
    "usage": "kit.connect_usage",
    "usage_chart": "kit.connect_usage",
}


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext kit`: give this shell its magics, and the name `kit` unless it is taken."""
    from kit.notebook.magics import load

    load(shell)
    if "kit" not in shell.user_ns:
        shell.push({"kit": sys.modules[__name__]}, interactive=False)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext kit`: take them away again."""
    from kit.notebook.magics import unload

    unload(shell)


def __getattr__(name: str) -> Any:
    if name == "last":  # asked for anew each time
        return import_module("kit.notebook.session").current.last
    if name in ("errors", "tools"):
        return import_module(f"kit.{name}")
    if name == "__version__":
        return import_module("importlib.metadata").version("responses-kit")
    if name in _PLACES:
        value = getattr(import_module(_PLACES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'kit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
