"""The options of a call, by name, for `help()` and Shift+Tab."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

from kit.gateway.wire import Options

__all__ = ["takes_options"]

_F = TypeVar("_F", bound=Callable[..., Any])


def takes_options(method: _F) -> _F:
    """Let `help()` and Shift+Tab show the options by name, which `**options` would hide."""
    signature = inspect.signature(method)
    kept = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    hints = get_type_hints(Options)
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hint)
        for name, hint in hints.items()
    ]
    method.__signature__ = signature.replace(parameters=[*kept, *options])  # type: ignore[attr-defined]
    return method
