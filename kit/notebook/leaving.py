"""What is left of a cell that was stopped, or that broke off: the answer so far, and what to say.

Rule: nothing that had arrived is lost, nothing is called running that is not, what had begun may
have taken effect, and research that a model had started goes on: the error says how to find it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from kit.errors import Interrupted
from kit.notebook.render import plain

__all__ = ["interrupted", "unfinished"]

GOES_ON = "it goes on in the background; what it does cannot be stopped"


def unfinished(partial: Any, why: str, left_behind: str | None = None) -> Any:
    """The partial answer, no longer in progress: nothing more will come.

    left_behind: the id of a call whose function could not be stopped.
    """
    if partial is None:
        return None
    calls = tuple(_left(call, why, left_behind) for call in partial.tool_calls)
    if calls != partial.tool_calls:
        partial = dataclasses.replace(partial, tool_calls=calls)
    if partial.status not in ("queued", "in_progress"):
        return partial
    return dataclasses.replace(partial, status="incomplete", incomplete=why)


def _left(call: Any, why: str, left_behind: str | None) -> Any:
    """A call that had not ended; research goes on without the cell."""
    if call.seconds is not None:
        return call
    if call.run is not None:
        return dataclasses.replace(call, note="goes on without this cell")
    if not call.started:
        return dataclasses.replace(call, error="not_carried_out", output="it did not begin")
    if call.name == "deep_research":  # its answer had not come: nobody knows
        return dataclasses.replace(call, note="it may have begun: kit.runs() shows it")
    if call.call_id == left_behind:
        return dataclasses.replace(call, note=GOES_ON)
    said = f"{why} while it ran; it may have taken effect"
    return dataclasses.replace(call, error="interrupted", output=said)


def interrupted(partial: Any, places: Sequence[str], *, whole: bool) -> Interrupted:
    """The error of a stopped cell; `places` are where what had arrived is kept."""
    where = " and ".join(places)
    if partial is None:
        error = Interrupted("Stopped before anything had arrived; the request is closed.")
    elif whole:
        error = Interrupted(f"Stopped while it was shown; the whole answer is in {where}.")
    elif any(call.seconds is None for call in partial.tool_calls):
        error = Interrupted(f"{_reached(partial.tool_calls)} What had arrived is in {where}.")
    else:
        error = Interrupted(
            f"Stopped; the request is closed. What had arrived "
            f"({len(partial.text):,} characters) is in {where}."
        )
    calls = partial.tool_calls if partial is not None else ()
    running = [call.run for call in calls if call.run is not None and call.seconds is None]
    if running:
        told = f"The research goes on: kit.run({running[0].id!r}) finds it again."
        error = Interrupted(f"{error}\n{told}")
    error.answer = partial
    return error


def _reached(calls: Sequence[Any]) -> str:
    """How far the calls had come that have not ended."""
    pending = [call for call in calls if call.seconds is None]
    begun = [call for call in pending if call.started]
    unbegun = _names([call for call in pending if not call.started])
    if not begun:
        return f"Stopped before {unbegun} began."
    told = f"Stopped while {_names(begun)} ran"
    if unseen := [call for call in begun if call.error]:
        told += f"; {'it' if unseen == begun else _names(unseen)} may have taken effect"
    return f"{told}. {unbegun} did not begin." if unbegun else f"{told}."


def _names(calls: Sequence[Any]) -> str:
    return plain(", ".join(call.name for call in calls))
