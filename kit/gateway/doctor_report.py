"""What the doctor found, as a value that shows itself."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kit.gateway.capabilities import Capabilities, Seen
from kit.gateway.card import printable
from kit.gateway.doctor_finding import Finding, culprit
from kit.gateway.doctor_show import as_html, as_markdown, as_text

if TYPE_CHECKING:
    import pandas

__all__ = ["Report"]

LONGEST_MODEL = 120
_UNASKED = {
    "not asked": "",
    "waited": ", since answers took too long",
    "no background": ", since there is no background",
    "dear": ", since it may cost (--all asks)",
}
_COLUMNS = ("name", "verdict", "how", "means", "instead", "advice")


@dataclass(frozen=True, slots=True)
class Report:
    """What a gateway really does with one model. `at`: when, in seconds since 1970.

    `tokens` is what the gateway counted, None where it counts none. `beside`: lines on what else
    there is to look at. As the last line of a cell it is a table, as text too; `frame` is the same
    for pandas.
    """

    gateway: str
    model: str
    findings: tuple[Finding, ...]
    at: float
    calls: int = 0
    tokens: int | None = None
    seconds: float = 0.0
    beside: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Finding:
        """The finding of that name. Raises KeyError."""
        found = self._named.get(name)
        if found is None:
            names = ", ".join(self._named)
            raise KeyError(f"There is no finding {name!r:.60}; there are: {names}.")
        return found

    @property
    def usable(self) -> bool:
        """Whether a cell would get an answer: the key holds, and one of the two APIs answers."""
        known = Capabilities({one.name: Seen(one.verdict, one.how) for one in self.findings})
        return known.answers and "no" not in (known.verdict("reachable"), known.verdict("key"))

    @property
    def cause(self) -> str:
        """Why it cannot be used, in a word or two; "" where it can."""
        found = None if self.usable else culprit(self._named, self.model)
        return found[0] if found else "" if self.usable else "nothing answered"

    @property
    def frame(self) -> pandas.DataFrame:
        """One row for each finding: `name`, `verdict`, `how`, `means`, `instead`, `advice`."""
        import pandas

        rows = [[getattr(one, column) for column in _COLUMNS] for one in self.findings]
        return pandas.DataFrame(rows, columns=list(_COLUMNS))

    @property
    def title(self) -> str:
        """Whom it is about, and what it took."""
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.at))
        model = f", model {printable(self.model)[:LONGEST_MODEL]}" if self.model else ""
        counted = "" if self.tokens is None else f", {self.tokens:,} tokens"
        calls = f"{self.calls} call" + ("" if self.calls == 1 else "s")
        return f"{printable(self.gateway)}{model} ({day}; {calls}{counted}, {self.seconds:.1f} s)"

    @property
    def ending(self) -> list[str]:
        """What was not asked, and what follows from it all: the last line."""
        if not self.usable:
            found = culprit(self._named, self.model)
            why = " ".join(filter(None, (found[1].means, found[1].advice))) if found else _NOBODY
            return [f"It cannot be used: {why}"]
        lines: list[str] = []
        for how, why in _UNASKED.items():
            labels = [one.label for one in self.findings if one.how == how]
            if labels:
                lines.append(f"Not asked{why}: {', '.join(labels)}.")
        lines += self.beside
        return [*lines, _USABLE]

    def __str__(self) -> str:
        return as_text(self.title, self._asked, self.ending)

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        shown = self.title, self._asked, self.ending
        return {
            "text/plain": as_text(*shown),
            "text/markdown": as_markdown(*shown),
            "text/html": as_html(*shown),
        }

    @property
    def _named(self) -> dict[str, Finding]:
        return {one.name: one for one in self.findings}

    @property
    def _asked(self) -> list[Finding]:
        """What there is something to say about."""
        return [one for one in self.findings if one.how not in _UNASKED]


_USABLE = "It can be used. kit goes by what it saw here for a week, by what is no for a day."
_NOBODY = "neither chat nor responses answered. Ask again later, or tell whoever runs the gateway."
