"""A page without a browser: what it says goes to the kernel's side, what it is told adds up."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.waiting import until


class PageOf:
    """Takes messages as a page does: `parts` has what it was told last of each part.

    desk = Desk(page.tell, …); page.say("hello")
    """

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.parts: dict[str, Any] = {}
        self.hear: Callable[[str, dict[str, Any]], None] | None = None

    def tell(self, news: dict[str, Any]) -> None:
        json.dumps(news)  # what goes to a page is JSON
        self.told.append(news)
        self.parts.update(news)

    def say(self, word: str, **said: Any) -> None:
        assert self.hear is not None
        self.hear(word, {"do": word, **said})

    def __getitem__(self, part: str) -> Any:
        return self.parts.get(part)

    @property
    def everything(self) -> str:
        return json.dumps(self.told, ensure_ascii=False)

    def until(self, holds: Callable[[PageOf], Any]) -> None:
        until(lambda: holds(self))

    def idle(self) -> None:
        """Wait until what was asked for is done."""
        self.until(lambda page: not page["busy"])
