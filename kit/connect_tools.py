"""The tool loop for a client: what it is given as tools becomes work, `deep_research` included.

Rule: tools are functions, names or what a gateway hosts; with none named, all that are registered
and `deep_research`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, cast

from kit.errors import InputError
from kit.gateway.client import AsyncClient
from kit.gateway.events import Wire
from kit.gateway.wire import Api, Input, Options
from kit.relay.contracts import Format
from kit.relay.research_tool import NAME
from kit.settings import Settings
from kit.settings_relay import RelaySettings, load_relay
from kit.tools import registered
from kit.tools.consent import Approve, checked_approve
from kit.tools.limits import Limits
from kit.tools.loop import Loop, Terms
from kit.tools.schema import Tool, tool_of
from kit.tools.stream import AsyncToolStream
from kit.tools.work import Function, Work

__all__ = ["tool_stream"]


def tool_stream(
    client: AsyncClient,
    settings: Settings,
    prompt: Input,
    *,
    options: Options,
    api: Api = "responses",
    approve: Approve = None,
    limits: Limits | None = None,
    budget: float | None = None,
    deliverable_format: Format | None = None,
    relay: RelaySettings | None = None,
) -> AsyncToolStream:
    """The conversation, not begun yet. `relay`: another than the configured one.

    Raises InputError for tools that are none.
    """
    limits = limits or Limits()
    if budget is not None:
        limits = dataclasses.replace(limits, budget=budget)
    tools = options.get("tools")
    given = [NAME, *registered()] if tools is None else _listed(tools)

    def work_of(thing: Any) -> Work:
        if isinstance(thing, str) and thing == NAME:
            from kit.connect_desk import research_work

            return research_work(
                client,
                settings,
                relay or load_relay(user_data=settings.user_data),
                budget=limits.budget,
                deliverable_format=deliverable_format,
            )
        return Function(tool_of(thing), limits.call_seconds)

    hosted = [dict(cast(Wire, one)) for one in given if isinstance(one, Mapping)]
    if any(one.get("type") == "function" for one in hosted):
        raise InputError(
            "A function tool needs the function itself: decorate it with @kit.tool and pass it."
        )
    works = [work_of(one) for one in given if not isinstance(one, Mapping)]
    names = [work.name for work in works]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError(f"Two tools have one name: {', '.join(sorted(twice))}.")
    terms = Terms(works, api, checked_approve(approve), limits, hosted)
    return AsyncToolStream(Loop(client, prompt, options, terms))


def _listed(tools: Any) -> list[Any]:
    if isinstance(tools, Iterable) and not isinstance(tools, str | Tool | Mapping):
        return list(cast(Iterable[Any], tools))
    return [tools]
