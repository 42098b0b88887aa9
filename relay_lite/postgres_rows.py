"""Values -> what a column holds, and back.

A text column cannot hold U+0000 or half a surrogate pair, and ids, callers and keys come from
outside: what is not plain ASCII is written as in JSON, with escapes.
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from relay_lite.store import Event, Gateway, Invocation, Progress, Result

__all__ = ["COLUMNS", "Row", "event_of", "inked", "invocation_of", "json_of", "read"]

Row = tuple[Any, ...]

PROGRESS = tuple(field.name for field in fields(Progress))
RESULT = tuple(field.name for field in fields(Result))

COLUMNS = (
    "id, caller, gateway, fingerprint, mode, arguments, status, created, updated, finished, "
    "last, epoch, worker, fetched, owed, progress, result"
)
"""What `invocation_of` takes, in its order."""


def inked(text: str) -> str:
    """A text as a column can hold it; `read` gives it back."""
    if text.isascii() and text.isprintable() and "\\" not in text and '"' not in text:
        return text
    return json.dumps(text)[1:-1]


def read(column: str) -> str:
    return str(json.loads(f'"{column}"')) if "\\" in column else column


def json_of(value: dict[str, Any] | Progress | Result) -> str:
    """JSON in pure ASCII; of a value only what is not as it is by default."""
    if isinstance(value, Progress):
        value = _told(value, PROGRESS)
    elif isinstance(value, Result):
        value = _told(value, RESULT)
    return json.dumps(value, separators=(",", ":"))


def _told(value: Progress | Result, names: tuple[str, ...]) -> dict[str, Any]:
    every = {name: getattr(value, name) for name in names}
    return {name: each for name, each in every.items() if each is not None and each is not False}


def invocation_of(row: Row) -> Invocation:
    id, caller, gateway, fingerprint, mode, arguments, status, *rest = row
    created, updated, finished, last, epoch, worker, fetched, owed, progress, result = rest
    return Invocation(
        id=read(id),
        caller=read(caller),
        gateway=Gateway(read(gateway), read(fingerprint)),
        mode=read(mode),
        arguments=json.loads(arguments),
        status=status,
        created=created,
        updated=updated,
        finished=finished,
        last=last,
        epoch=epoch,
        worker=None if worker is None else read(worker),
        fetched=fetched,
        owed=owed,
        progress=Progress(**json.loads(progress)),
        result=Result(**json.loads(result)),
    )


def event_of(sequence: int, type: str, status: str, data: str) -> Event:
    return Event(sequence, read(type), status, json.loads(data))
