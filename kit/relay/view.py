"""A run as the relay tells of it, as values.

Rule: read what is there and guess nothing; a relay may be older or newer than this toolkit, and
what it does not say is None. A token is in no repr.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from kit.gateway.events import Wire
from kit.secret import Secret

__all__ = ["ENDED", "RunEvent", "View", "event_of", "number_of", "view_of"]

ENDED = frozenset({"completed", "failed", "cancelled"})

LONGEST_ID = 200


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
    if not isinstance(id, str) or not 0 < len(id) <= LONGEST_ID or not isinstance(status, str):
        return None
    token = _string(raw.get("invocation_token"))
    response = raw.get("response")
    return View(
        id=id,
        status=status,
        token=Secret(token) if token and token.isascii() and token.isprintable() else None,
        upstream_id=_string(raw.get("upstream_response_id")),
        text=_string(raw.get("output_text")),
        response=cast(Wire, response) if isinstance(response, dict) else None,
        error_message=_string(raw.get("error_message")),
        error_code=_string(raw.get("error_code")),
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
    return RunEvent(number, kind, str(raw.get("status") or ""), cast(Wire, data))


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def number_of(value: Any) -> float | None:
    """A number from the wire that is not negative; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < 2**53 else None
