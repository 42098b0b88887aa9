"""A run as the relay tells of it, as values.

Rule: read what is there and guess nothing; a relay may be older or newer than this toolkit, and
what it does not say is None. What it says of a failure is somebody else's text: it is bounded and
without keys from here on. A token is in no repr.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeGuard, cast

from kit.gateway.events import Wire
from kit.gateway.refusal import shown
from kit.secret import Secret

__all__ = ["ENDED", "RunEvent", "View", "event_of", "is_id", "is_token", "number_of", "view_of"]

ENDED = frozenset({"completed", "failed", "cancelled"})

LONGEST_ID = 200
LONGEST_TOKEN = 1_000
LONGEST_WORD = 40


@dataclass(frozen=True, slots=True)
class View:
    """A run as it stood when the relay was asked. Times are seconds since 1970."""

    id: str
    status: str
    token: Secret | None = field(default=None, repr=False)
    upstream_id: str | None = None
    text: str | None = field(default=None, repr=False)
    response: Wire | None = field(default=None, repr=False)
    error_message: str | None = None
    error_code: str | None = None
    uncertain: bool = False
    created: float | None = None
    finished: float | None = None
    last_event: int = 0

    @property
    def ended(self) -> bool:
        return self.status in ENDED


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One event of a run: `number` counts from 1, `data` is as docs/relay.md has it."""

    number: int
    type: str
    status: str
    data: Wire

    @property
    def text(self) -> str:
        """The piece of the report that it brings, "" for every other event."""
        text = self.data.get("text") if self.type == "output_text" else None
        return text if isinstance(text, str) else ""

    @property
    def ends(self) -> bool:
        """Whether it is the last one."""
        return self.type in ("completed", "error", "cancelled")


def view_of(raw: Wire) -> View | None:
    """What a relay's answer says of a run; None where it says of none."""
    id, status = raw.get("invocation_id"), raw.get("status")
    if not is_id(id) or not isinstance(status, str):
        return None
    token, response = raw.get("invocation_token"), raw.get("response")
    return View(
        id=id,
        status=status[:LONGEST_WORD],
        token=Secret(token) if is_token(token) else None,
        upstream_id=_string(raw.get("upstream_response_id")),
        text=_string(raw.get("output_text")),
        response=cast(Wire, response) if isinstance(response, dict) else None,
        error_message=shown(_string(raw.get("error_message")) or "") or None,
        error_code=shown(_string(raw.get("error_code")) or "")[:LONGEST_WORD] or None,
        uncertain=raw.get("submission_uncertain") is True,
        created=number_of(raw.get("created_at")),
        finished=number_of(raw.get("finished_at")),
        last_event=int(number_of(raw.get("last_event")) or 0),
    )


def event_of(raw: Any, number: int) -> RunEvent | None:
    """The event of a frame; None for what is none."""
    if not isinstance(raw, dict):
        return None
    raw = cast(Wire, raw)
    kind, data = raw.get("type"), raw.get("data")
    if not isinstance(kind, str) or not isinstance(data, dict):
        return None
    status = (_string(raw.get("status")) or "")[:LONGEST_WORD]
    return RunEvent(number, kind[:LONGEST_WORD], status, cast(Wire, data))


def is_id(value: Any) -> TypeGuard[str]:
    """Whether this may be what a relay calls a run."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_ID:
        return False
    return value.isascii() and value.isprintable()


def is_token(value: Any) -> TypeGuard[str]:
    """Whether this is what opens a run, and a header can carry it."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST_TOKEN
        and value.isascii()
        and value.isprintable()
        and " " not in value
    )


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def number_of(value: Any) -> float | None:
    """A number from the wire that is not negative; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < 2**53 else None
