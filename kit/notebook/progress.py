"""What a model does at the moment, from the events that went by: a quiet line, and facts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from kit.gateway import events
from kit.gateway.card import printable
from kit.gateway.events import Event
from kit.notebook.board import Facts
from kit.notebook.diary import Diary

__all__ = ["Progress"]

_LONGEST_QUERY = 80
LONGEST_MODEL = 60
BYTES_OF_TOKEN = 4


class Progress:
    """What the model does at the moment. `line` is "" while its text is arriving."""

    urgent = False
    """Whether it has to be shown at once: nothing of an answer has."""

    def __init__(self, started: float, before: Progress | None = None) -> None:
        """`before`: of the turn before this one in the same conversation."""
        self.diary = before.diary if before else Diary()
        self._started = self._heard = started
        self._doing = "waiting"
        self._model = ""
        self._bytes = before._bytes if before else 0

    def note(self, event: Event) -> None:
        """Take an event in."""
        self._heard = time.monotonic()
        self._count(event)
        self.diary.note(event)
        match event:
            case events.TextDelta() | events.RefusalDelta():
                self._doing = ""
            case events.ReasoningDelta():
                self._doing = "thinking"
            case events.ArgumentsDelta():
                self._doing = "writing a function call"
            case events.SearchProgress(phase="completed"):
                self._doing = "reading what it found"
            case events.SearchProgress() if not self._doing.startswith("searching"):
                self._doing = "searching"
            case events.ItemAdded() | events.ItemDone():
                self._doing = _search(event.item) or self._doing
            case events.Snapshot():
                if event.response.get("status") == "queued":
                    self._doing = "queued"
            case _:
                pass

    def cards(self) -> list[Any]:
        """None: nothing is called."""
        return []

    def facts(self, now: float) -> Facts:
        """The same for a live card."""
        about = f"about {max(self._bytes // BYTES_OF_TOKEN, 1):,} tokens" if self._bytes else ""
        return Facts(
            phase=self._doing + "…" if self._doing else "writing",
            model=self._model,
            tokens=about,
            seconds=now - self._started,
            silent=now - self._heard,
        )

    def _count(self, event: Event) -> None:
        """Who answers, and how much has been written: an estimate until the end says it."""
        raw: Any = event.response if isinstance(event, events.Snapshot) else event.raw
        if not self._model and isinstance(model := raw.get("model"), str):
            self._model = printable(model[:LONGEST_MODEL])
        if isinstance(event, events.TextDelta | events.ReasoningDelta | events.ArgumentsDelta):
            self._bytes += len(event.text.encode("utf-8", "replace"))

    def line(self, now: float) -> str:
        """One line such as `searching: jajangmyeon… 3 s`, "" when there is nothing to say."""
        if not self._doing:
            return ""
        seconds = int(now - self._started)
        return f"{self._doing}…" + (f" {seconds} s" if seconds else "")


def _search(item: Mapping[str, Any]) -> str | None:
    action = item.get("action")
    if item.get("type") != "web_search_call" or not isinstance(action, Mapping):
        return None
    queries = action.get("queries") or [action.get("query")]
    query = queries[0] if isinstance(queries, list) and queries else None
    if isinstance(query, str) and query.strip():
        return f"searching: {' '.join(query.split())[:_LONGEST_QUERY]}"
    url = action.get("url")
    return f"reading {url[:_LONGEST_QUERY]}" if isinstance(url, str) else None
