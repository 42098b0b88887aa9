"""`kit.chat_panel()`: a panel, as a person asks for one."""

from __future__ import annotations

from typing import Any

from kit.errors import InputError
from kit.notebook.chat_page import tools as offered
from kit.notebook.chat_panel import ChatPanel, ChatSettings

__all__ = ["chat_panel"]


def chat_panel(
    model: str | None = None,
    *,
    system: str | None = None,
    api: str = "responses",
    web_search: bool = False,
    tools: bool = False,
) -> ChatPanel:
    """A panel to chat in: the last line of a cell shows it; `.answer` and `.save()` are its own.

    model, system: as in a cell. api: `responses` or `chat`. web_search, tools: how the switches
    stand at first; with tools on, the model may call registered functions and deep_research, and
    the panel asks before what costs money. Raises InputError.
    """
    if api not in ("responses", "chat"):
        raise InputError('`api` is "responses" or "chat".')
    chosen = offered() if tools else ()
    settings = ChatSettings(model or "", system or "", api, bool(web_search), chosen)
    return ChatPanel(settings, _variables())


def _variables() -> Any:
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return shell.user_ns if shell is not None else {}
