"""How a run of the tests' gateway goes: a pure function of its script and of the clock."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

PIECE = "조각 {} 👩‍👩‍👧‍👦 é — "
ENVELOPE = 6
"""Events of a run beside its pieces of text and its end."""


@dataclass(frozen=True)
class Script:
    """How the runs of one model behave. Times are seconds.

    events, pace: pieces of text, and the time between two events; `piece` holds their number.
    linger: how long the run stays in progress after its text.  end: the status it ends in.
    way: `background`; `plain`, where background is ignored; `json`, where the stream is.
    hold: before the first byte of the answer to a create; the run exists meanwhile.
    refusals: so many creates are answered with `refusal`, and `retry_after` where it is given.
    cut: so many events, then a stream ends in half an event; the first `cuts` streams of a run.
    drop: a cut without the last chunk, as of a gateway that crashed.
    silent: so many events, then a stream stays open and says nothing more.
    resumable: False: a cursor is refused.  missing, broken: first polls answered 404, 500.
    """

    events: int = 10
    pace: float = 0.02
    piece: str = PIECE
    linger: float = 0.0
    end: str = "completed"
    way: str = "background"
    hold: float = 0.0
    refusals: int = 0
    refusal: int = 429
    retry_after: float | None = None
    cut: int = 0
    cuts: int = 1
    drop: bool = False
    silent: int = 0
    resumable: bool = True
    missing: int = 0
    broken: int = 0

    @property
    def pieces(self) -> list[str]:
        return [self.piece.replace("{}", str(number)) for number in range(self.events)]

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def seconds(self) -> float:
        """From the create to the end."""
        return self.pace * (self.events + ENVELOPE) + self.linger


SEARCH: Json = {
    **{"id": "ws_1", "type": "web_search_call", "status": "completed"},
    "action": {"type": "search", "query": "김치", "queries": ["김치", "kimchi"]},
}
NOTE: Json = {
    **{"type": "url_citation", "url": "https://example.com/kimchi", "title": "김치"},
    **{"start_index": 0, "end_index": 2},
}
USAGE: Json = {
    **{"input_tokens": 1000, "output_tokens": 200, "total_tokens": 1200},
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 0},
}
ERROR: Json = {"code": "server_error", "message": "secret.internal.example gave up"}


@dataclass
class Run:
    """One response. `began` is on the monotonic clock; `gone`: it died with its stream."""

    id: str
    script: Script
    request: Json
    began: float = field(default_factory=time.monotonic)
    created: int = field(default_factory=lambda: int(time.time()))
    streams: int = 0
    polls: int = 0
    cancelled: bool = False
    gone: bool = False

    @property
    def background(self) -> bool:
        return bool(self.request.get("background")) and self.script.way != "plain"

    @property
    def age(self) -> float:
        return time.monotonic() - self.began

    def status(self) -> str:
        if self.cancelled:
            return "cancelled"
        if self.age >= self.script.seconds:
            return self.script.end
        return "queued" if self.age < self.script.pace else "in_progress"

    def response(self, status: str | None = None) -> Json:
        """The object as it stands, or as it looks in `status`."""
        status = status or self.status()
        full = status in ("completed", "incomplete")
        return {
            **{"id": self.id, "object": "response", "created_at": self.created},
            **{"status": status, "background": self.background, "model": self.request["model"]},
            "metadata": self.request.get("metadata") or {},
            "output": [SEARCH, self._message()] if full else [],
            "usage": USAGE if full else None,
            "error": ERROR if status == "failed" else None,
            "incomplete_details": {"reason": "max_output_tokens"}
            if status == "incomplete"
            else None,
        }

    def score(self) -> list[tuple[float, Json]]:
        """Every event of its stream, with the moment it is due in seconds after the create."""
        end = self.script.end
        told: list[Json] = [
            {"type": "response.created", "response": self.response("queued")},
            {"type": "response.in_progress", "response": self.response("in_progress")},
            {"type": "response.output_item.done", "output_index": 0, "item": SEARCH},
            *self._said(),
            {"type": f"response.{end}", "response": self.response(end)},
        ]
        dues = [place * self.script.pace for place in range(len(told) - 1)]
        return [
            (due, {**event, "sequence_number": number})
            for number, (due, event) in enumerate(
                zip([*dues, self.script.seconds], told, strict=True)
            )
        ]

    def _said(self) -> list[Json]:
        message = self._message()
        inside: Json = {"output_index": 1, "item_id": "msg_1", "content_index": 0}
        part: Json = {"type": "output_text", "text": "", "annotations": []}
        opened: Json = {**message, "status": "in_progress", "content": []}
        return [
            {"type": "response.output_item.added", "output_index": 1, "item": opened},
            {"type": "response.content_part.added", **inside, "part": part},
            *(
                {"type": "response.output_text.delta", **inside, "delta": piece}
                for piece in self.script.pieces
            ),
            {"type": "response.output_item.done", "output_index": 1, "item": message},
        ]

    def _message(self) -> Json:
        part = {"type": "output_text", "text": self.script.text, "annotations": [NOTE]}
        item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed"}
        return {**item, "content": [part]}
