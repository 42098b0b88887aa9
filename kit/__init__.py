"""Jupyter-first toolkit for OpenAI-compatible gateways.

    %load_ext kit           the magics %%chat, %%responses and %kit
    kit.Client()            the same in Python
    kit.last                the last cell's Answer

Each name is loaded at its first use, so that `%load_ext kit` costs next to nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kit import errors
    from kit.connect import AsyncClient, Client, LiteLLMClient
    from kit.errors import KitError
    from kit.gateway.answer import Answer, Citation, Usage

    last: Answer | None

__all__ = [
    "Answer",
    "AsyncClient",
    "Citation",
    "Client",
    "KitError",
    "LiteLLMClient",
    "Usage",
    "errors",
    "last",
    "load_ipython_extension",
    "unload_ipython_extension",
]

_PLACES = {
    "Answer": "kit.gateway.answer",
    "AsyncClient": "kit.connect",
    "Citation": "kit.gateway.answer",
    "Client": "kit.connect",
    "KitError": "kit.errors",
    "LiteLLMClient": "kit.connect",
    "Usage": "kit.gateway.answer",
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
    if name == "errors":
        return import_module("kit.errors")
    if name == "__version__":
        return import_module("importlib.metadata").version("responses-kit")
    if name in _PLACES:
        value = getattr(import_module(_PLACES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'kit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
