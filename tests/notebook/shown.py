"""What a page shows after what it was told: web/parts.js, in a few lines of Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import html5lib


class Shown:
    """A page with a live card."""

    def __init__(self) -> None:
        self.settled = self.tail = self.raw = ""
        self.rows: dict[int, dict[str, str]] = {}
        self.facts: dict[str, Any] = {}
        self.letters_told = 0

    def take(self, told: Mapping[str, Any]) -> None:
        """What the page does with a message."""
        self.letters_told += sum(len(one) for one in told.values() if isinstance(one, str))
        if told.get("all"):
            self.rows.clear()
        if told.get("clear"):
            self.settled = self.tail = self.raw = ""
        self.settled += told.get("settled", "")
        if "tail" in told:
            self.tail, self.raw = told["tail"], ""
        if "raw" in told:
            self.tail, self.raw = "", told["raw"]
        if "more" in told:
            assert self.raw, "more of a text that the page has not"
            self.raw += told["more"]
        self.rows.update(dict(told.get("rows", ())))
        self.facts = told.get("facts", self.facts)

    @property
    def html(self) -> str:
        """What it made of HTML it was told; the rest, `raw`, is text and nothing else."""
        return self.settled + self.tail

    @property
    def text(self) -> str:
        """What a person reads."""
        return text_of(self.html) + self.raw

    @property
    def picture(self) -> tuple[Any, ...]:
        facts = {**self.facts, "seconds": 0, "silent": 0}
        return self.html, self.raw, sorted(self.rows.items()), facts


def text_of(html: str) -> str:
    """The text of some HTML, as a browser reads it."""
    tree = html5lib.parseFragment(html, treebuilder="etree", namespaceHTMLElements=False)
    return "".join(tree.itertext())


def letters(text: str) -> str:
    """The text without spaces and marks of Markdown: what no way of cutting it may lose."""
    return "".join(one for one in text if one.isalnum())
