"""What to say while nothing can be read yet: one quiet line, from the events that went by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Progress"]

_LONGEST_QUERY = 80


class Progress:
    """What the model does at the moment. `line` is "" while its text is arriving."""

    urgent = False
    """Whether it has to be shown at once: nothing of an answer has."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._doing = "waiting"

    def note(self, event: Any) -> None:
        """Take an event in."""
        from kit.gateway import events

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
