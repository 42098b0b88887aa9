"""`kit.usage()` and `kit.usage_chart()`: what this process has asked, and what it took.

Rule: a look asks nobody. Calls are read from the clients' ledger, research from the user's book:
no gateway, no relay and no sandbox is started or waited for.
"""

from __future__ import annotations

import dataclasses
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kit import connect
from kit.connect_desk import FREE
from kit.connect_usage_chart import UsageChart
from kit.gateway.card import printable
from kit.gateway.ledger import Call
from kit.relay.book import Book, Entry
from kit.relay.frames import frame_of
from kit.sources import user_folder

if TYPE_CHECKING:
    import pandas

__all__ = ["usage", "usage_chart"]

LONGEST_MODEL = 200
LARGEST = 2**53
"""Below it a number is exact in every column; no answer has taken as much."""


def usage() -> pandas.DataFrame:
    """What was asked since this process began, one row for each call, the oldest first.

    `when` it was asked (your local time), `what` (`chat`, `responses`, `research`), `model`,
    `seconds`, tokens `input` and `output` (`reasoning` is part of it, `cached` part of `input`),
    `searches`, `cost` in US dollars, `gateway`. What nobody has said is missing: NaN, <NA> or "".
    A tool conversation is a row for each turn. Of calls, the last 10,000.
    """
    return frame_of([_row(call) for call in _calls()], _COLUMNS)


def usage_chart() -> UsageChart:
    """The same as a picture, and in sums: it shows itself as the last line of a cell."""
    return UsageChart(tuple(_calls()))


def _calls() -> list[Call]:
    began, now = connect.ledger.began, time.time()
    runs = [
        _of_run(entry, now)
        for entry in Book(user_folder() / "runs").entries()  # also where what is configured fails
        if entry.asked >= began and entry.id is not None
    ]
    calls = sorted([*connect.ledger.calls(), *runs], key=lambda call: call.asked)
    return [_priced(call) for call in calls]


def _priced(call: Call) -> Call:
    """What the sandbox and the local model do is known to cost nothing, though none says so."""
    free = call.cost is None and call.gateway in FREE
    return dataclasses.replace(call, cost=0.0) if free else call


def _of_run(entry: Entry, now: float) -> Call:
    named = entry.model or entry.arguments.get("model")
    return Call(
        what="research",
        asked=min(entry.asked, now),  # the file may be somebody else's
        gateway=entry.gateway or entry.relay,
        model=printable(named[:LONGEST_MODEL]) if isinstance(named, str) else "",
        seconds=entry.seconds,
        usage=entry.usage,
        searches=entry.searches,
        cost=entry.cost,
    )


def _row(call: Call) -> dict[str, Any]:
    took = call.usage
    return {
        "when": datetime.fromtimestamp(int(call.asked)),
        "what": call.what,
        "model": call.model,
        "seconds": call.seconds,
        "input": _exact(took.input_tokens if took else None),
        "output": _exact(took.output_tokens if took else None),
        "reasoning": _exact(took.reasoning_tokens if took else None),
        "cached": _exact(took.cached_tokens if took else None),
        "searches": _exact(call.searches),
        "cost": call.cost,
        "gateway": call.gateway,
    }


def _exact(count: int | None) -> int | None:
    return count if count is not None and count < LARGEST else None


_COLUMNS = {
    **{"when": "datetime64[s]", "what": "str", "model": "str", "seconds": "float64"},
    **{"input": "Int64", "output": "Int64", "reasoning": "Int64", "cached": "Int64"},
    **{"searches": "Int64", "cost": "float64", "gateway": "str"},
}
