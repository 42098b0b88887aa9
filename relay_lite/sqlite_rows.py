"""Values to columns and back.

Everything that comes from outside is stored as JSON in ASCII, names included: so a NUL or half a
surrogate pair, which SQLite or Python would not take, comes back as it went in.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import fields
from typing import Any

from relay_lite.store import Event, Gateway, Invocation, Progress, Result

__all__ = [
    "dumped",
    "event_of",
    "invocation_of",
    "name",
    "named",
    "names",
    "of_gateway",
    "progress_of",
    "result_text",
]


def named(text: str) -> str:
    """A name as it is stored: itself, but for what JSON writes with a backslash."""
    return json.dumps(text)[1:-1]


def name(column: str) -> str:
    """The name again."""
    return str(json.loads(f'"{column}"')) if "\\" in column else column


def names(texts: Collection[str]) -> str:
    """Several, as the one parameter that `json_each` reads."""
    return json.dumps([named(text) for text in texts])


def of_gateway(gateway: Gateway) -> tuple[str, str]:
    """The columns gateway and fingerprint."""
    return named(gateway.identity), named(gateway.fingerprint)


def dumped(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def progress_of(column: str) -> Progress:
    return Progress(**json.loads(column))


def result_text(result: Result) -> str:
    # Not `asdict`, which copies every value inside, and in Python: deep ones it cannot.
    return dumped({field.name: getattr(result, field.name) for field in fields(result)})


def event_of(line: Sequence[Any]) -> Event:
    """Of the columns sequence, type, status, data."""
    sequence, type, status, data = line
    return Event(sequence, name(type), name(status), json.loads(data))


def invocation_of(row: Sequence[Any]) -> Invocation:
    """Of the columns, in the order of Invocation, `result` last; NULL without one."""
    (id, caller, gateway, fingerprint, mode, arguments, status, created, updated, finished,
     last, epoch, worker, fetched, owed, progress, result) = row  # fmt: skip
    return Invocation(
        id=name(id),
        caller=name(caller),
        gateway=Gateway(name(gateway), name(fingerprint)),
        mode=name(mode),
        arguments=json.loads(arguments),
        status=name(status),
        created=created,
        updated=updated,
        finished=finished,
        last=last,
        epoch=epoch,
        worker=None if worker is None else name(worker),
        fetched=bool(fetched),
        owed=bool(owed),
        progress=progress_of(progress),
        result=Result(**json.loads(result)) if result else Result(),
    )
