"""One turn of the chat panel: what is sent, and following the answer in a thread of its own.

Rule: the page is told as it comes, and whatever ends it, what had arrived is kept. Functions that
a model calls run beside this thread, so that a Stop is heard; who has to say yes is asked in the
panel.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kit.errors import KitError
from kit.notebook.asking import follow
from kit.notebook.chat_turns import Turn
from kit.notebook.interpolate import fill
from kit.notebook.leaving import unfinished

__all__ = ["Outcome", "Request", "TurnScreen", "answer_turn", "kind_of", "request_of"]

PAUSE = 1 / 80
"""Seconds between two messages to the page."""

_KINDS = {
    **{("pandas", "DataFrame"): "data", ("pandas", "Series"): "data"},
    **{("PIL", "Image"): "picture", ("matplotlib", "Figure"): "picture"},
    ("IPython", "Image"): "picture",
}


@dataclass(frozen=True, slots=True)
class Request:
    """What a turn sends: the items, and the client's options. `works`: functions may be called."""

    items: tuple[Mapping[str, Any], ...]
    options: Mapping[str, Any]
    api: str
    works: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it; `problem` is "" for a whole answer."""

    state: str
    answer: Any = None
    problem: str = ""


def kind_of(value: Any) -> str | None:
    """`data` for a frame, `picture` for an image or a figure, None for what is neither.

    By name: what the user has not imported is not imported here.
    """
    for one in type(value).__mro__:
        package = one.__module__.partition(".")[0]
        if (found := _KINDS.get((package, one.__name__))) is not None:
            return found
    return None


def request_of(
    turn: Turn, history: list[Any], settings: Any, variables: Mapping[str, Any]
) -> Request:
    """The request of a turn. Raises InputError for a variable that is gone or cannot be sent."""
    from kit.gateway.wire import items_of

    gone = [name for name in turn.attached if name not in variables]
    pictures = [variables[one] for one in turn.attached if kind_of(variables.get(one)) == "picture"]
    frames = [one for one in turn.attached if one in gone or kind_of(variables[one]) != "picture"]
    filled = fill(
        "\n\n".join([turn.prompt, *(f"{one}:\n{{{{{one}}}}}" for one in frames)]), variables
    )
    options = {
        "history": history or None,
        "system": settings.system or None,
        "model": settings.model or None,
        "web_search": settings.web_search or None,
        "tools": list(settings.tools) if settings.tools else None,
    }
    return Request(
        items=tuple(items_of(filled.text, {"images": pictures, "files": []})),
        options={name: value for name, value in options.items() if value is not None},
        api=settings.api,
        works=bool(settings.tools),
        notes=filled.notes,
    )


class TurnScreen:
    """Where `follow` shows what comes: messages to the page, at a pace it can follow."""

    def __init__(self, tell: Callable[[str, Any], None], stopped: Callable[[], bool]) -> None:
        self._tell = tell
        self._stopped = stopped
        self._due = 0.0

    @property
    def stopped(self) -> bool:
        return self._stopped()

    def is_due(self) -> bool:
        return time.monotonic() >= self._due

    def show(self, text: str, doing: Any) -> None:
        began = time.monotonic()
        doing.cards()  # what was urgent is shown
        self._tell(text, doing)
        now = time.monotonic()
        self._due = now + max(PAUSE, 2 * (now - began))


def answer_turn(client: Any, request: Request, screen: TurnScreen, approve: Any) -> Outcome:
    """Send it, follow it, and say what came of it. Raises nothing that a gateway could cause.

    approve: who says yes to calls, as `kit.tools.consent` has it.
    """
    stream: Any = None
    try:
        with _opened(client, request, approve) as stream:
            follow(stream, _progress(request.works), screen)
            return Outcome("completed", stream.answer)
    except KeyboardInterrupt:
        partial, left_behind = (stream.partial, _left_behind(stream)) if stream else (None, None)
        return Outcome("stopped", _kept(unfinished(partial, "stopped", left_behind)))
    except KitError as error:
        partial = unfinished(error.answer or (stream.partial if stream else None), "broken off")
        return Outcome("failed", _kept(partial), str(error))


def _opened(client: Any, request: Request, approve: Any) -> Any:
    if not request.works:
        return client.stream(request.items, api=request.api, **request.options)
    from kit.notebook.chat_functions import AbandonableStream

    opened = client.inner.stream_tools(
        request.items, api=request.api, approve=approve, **request.options
    )
    return AbandonableStream(opened)


def _left_behind(stream: Any) -> str | None:
    return getattr(stream, "left_behind", None)


def _kept(partial: Any) -> Any:
    """What had arrived: words, or calls, of which research goes on by itself."""
    return partial if partial and (partial.text or partial.tool_calls) else None


def _progress(works: bool) -> Any:
    from kit.notebook.progress import Progress
    from kit.notebook.workbench import Workbench

    return (Workbench if works else Progress)(time.monotonic())
