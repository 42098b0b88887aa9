"""Whether the page at the other end can show widgets: found out, not configured.

    names its cells    JupyterLab, Notebook and VS Code do when they run one; nbclient, nbval and
                       nbconvert do not, and are never sent a widget
    says hello         a widget that is shown says so at once; where a kernel hears nothing while a
                       cell keeps it busy (no subshells), the hello comes too late to be of use

Rule: a display has a form for every front end, so that nothing is lost where no hello comes; the
caller then goes on with Markdown, and does not try again in the same situation.
"""

from __future__ import annotations

from typing import Any

__all__ = ["HELLO_SECONDS", "met", "missed", "offers_widgets", "publishes", "shows_widgets"]

HELLO_SECONDS = 2.0
"""How long a hello is waited for: a first widget loads its program."""

_missed: set[bool] = set()
"""Situations in which no hello came: while a cell kept the kernel busy (True), while none did."""


def publishes(shell: Any) -> bool:
    """Whether displays can be updated: in a notebook, and not while a cell is captured."""
    return hasattr(shell.display_pub, "pub_socket")


def shows_widgets(shell: Any, *, busy: bool) -> bool:
    """Whether a widget is worth a try. `busy`: the cell goes on while it is shown."""
    return publishes(shell) and busy not in _missed and _names_cells(shell)


def offers_widgets(shell: Any) -> bool:
    """Whether a widget that a person asked for is shown: it may come as late as it likes."""
    return publishes(shell) and _names_cells(shell)


def missed(*, busy: bool) -> None:
    """No hello came in time."""
    _missed.add(busy)


def met(*, busy: bool) -> None:
    """A hello came after all: it was only slow."""
    _missed.discard(busy)


def _names_cells(shell: Any) -> bool:
    kernel = getattr(shell, "kernel", None)
    request: Any = kernel.get_parent("shell") if kernel is not None else None
    metadata = request.get("metadata") if isinstance(request, dict) else None
    return isinstance(metadata, dict) and bool(metadata.get("cellId"))
