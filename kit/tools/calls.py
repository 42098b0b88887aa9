"""The calls of a turn, read before anything of them runs (pure).

    an id of its own     outputs are told apart by it, whatever the gateway calls them
    arguments as text    also where a server forgot to write them so
    whole                a call that was cut off may lack anything: it is not carried out

Rule: what is not carried out has a refusal, which is its output. Every call gets exactly one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kit.errors import InputError, ProtocolError
from kit.gateway.answer import Answer, ToolCall
from kit.gateway.events import Wire
from kit.tools.limits import Tally
from kit.tools.outputs import error_output
from kit.tools.work import Outcome, Work

__all__ = ["LONGEST_ARGUMENTS", "Planned", "endless", "plan", "refused"]

LONGEST_ARGUMENTS = 1_000_000
"""Characters that one turn may write as arguments; a model that does not end is stopped there."""

LONGEST_NAME = 200

_REPEATED = (
    "This very call was made as often in a row as may be ({}), and is not made again. What it gave "
    "may no longer hold: say so where it matters, or do something else."
)


@dataclass(frozen=True, slots=True)
class Planned:
    """A call that was read: `work` with its `arguments`, or the `refusal` it is answered with."""

    call: ToolCall
    work: Work | None = None
    arguments: Any = None
    refusal: Outcome | None = None


def plan(
    answer: Answer, works: Mapping[str, Work], tally: Tally, taken: Iterable[str]
) -> list[Planned]:
    """The calls of a turn in order, counted in `tally`; their ids are none of `taken`.

    Raises ProtocolError for arguments that no model means.
    """
    ids, planned = set(taken), list[Planned]()
    for item in answer.function_calls:
        name, raw = str(item.get("name") or ""), _written(item.get("arguments"))
        if len(raw) > LONGEST_ARGUMENTS:
            raise endless()
        call = ToolCall(name[:LONGEST_NAME], raw, _own_id(item, ids))
        ids.add(call.call_id)
        why = _why_cut_off(item, answer)
        planned.append(_planned(call, works.get(name), works, tally, why))
    return planned


def refused(call: ToolCall, kind: str, message: str) -> Planned:
    """The call, answered with an error instead of being carried out."""
    return Planned(call, refusal=Outcome(error_output(kind, message), kind))


def endless() -> ProtocolError:
    return ProtocolError(
        f"The model wrote more than {LONGEST_ARGUMENTS:,} characters of arguments for a function "
        "and did not end; the stream was closed. Ask again, or ask another model."
    )


def _planned(
    call: ToolCall, work: Work | None, works: Mapping[str, Work], tally: Tally, cut: str | None
) -> Planned:
    if work is None:
        those = f" There are: {', '.join(works)}" if works else " There is none at all."
        return refused(call, "unknown_tool", f"There is no such function.{those}")
    if (reason := tally.used_up()) is not None:
        return refused(call, "limit", f"{reason} Answer with what you have.")
    if cut is None and tally.repeats(call.name, call.arguments):
        return refused(call, "repeated", _REPEATED.format(tally.limits.repeats))
    tally.calls += 1
    if cut is not None:
        return refused(call, "invalid_arguments", cut)
    try:
        arguments = work.arguments(call.arguments)
    except InputError as error:
        return refused(call, "invalid_arguments", str(error))
    tally.carry_out(call.name, call.arguments)
    return Planned(call, work, arguments)


def _written(arguments: Any) -> str:
    if isinstance(arguments, str) or arguments is None:
        return arguments or ""
    try:
        return json.dumps(arguments, ensure_ascii=False)
    except RecursionError:
        return "nested too deeply"


def _own_id(item: Wire, taken: set[str]) -> str:
    """The call's id where it has one of its own. Some servers count anew in every answer."""
    said = (one for one in (item.get("call_id"), item.get("id")) if isinstance(one, str) and one)
    wanted = next(said, None)
    if wanted is not None and wanted not in taken:
        return wanted
    number = len(taken) + 1
    while (own := f"{wanted or 'call'}_{number}") in taken:
        number += 1
    return own


def _why_cut_off(item: Wire, answer: Answer) -> str | None:
    """Why a call may not be whole, as a sentence for the model; None where it is."""
    status = item.get("status")
    if status != "incomplete" and (answer.status != "incomplete" or status == "completed"):
        return None
    reason = f" ({answer.incomplete.replace('_', ' ')})" if answer.incomplete else ""
    return f"The call was cut off{reason}, and was not carried out. Call again, with less."
