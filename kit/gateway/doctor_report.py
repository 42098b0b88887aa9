"""What the doctor found, as values that show themselves.

Rule: everything in a table is escaped; it holds no script and fetches nothing, so that a saved
notebook shows what the living one did.
"""

from __future__ import annotations

import html
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kit.gateway.capabilities import Seen, Verdict
from kit.gateway.card import literal, printable
from kit.gateway.doctor_words import words_for

if TYPE_CHECKING:
    import pandas

__all__ = ["Finding", "Report", "finding"]

_COLOURS = {"yes": "#2e7d32", "no": "#c62828", "partly": "#b26a00", "unknown": "#757575"}
_CELL = "padding:2px 10px 2px 0;text-align:left;vertical-align:top"
_UNASKED = {"not asked": "", "dear": ", since it may cost (--all asks)"}
_COLUMNS = ("name", "verdict", "means", "instead")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `means` and `instead` (what kit does then) are a line each."""

    name: str
    verdict: Verdict
    means: str
    instead: str = ""
    how: str = ""

    @property
    def told(self) -> str:
        """Both lines as one."""
        return f"{self.means} kit {self.instead}." if self.instead else self.means


def finding(name: str, seen: Seen, detail: str = "") -> Finding:
    means, instead = words_for(name, seen, detail)
    return Finding(name, seen.verdict, means, instead, seen.how)


@dataclass(frozen=True, slots=True)
class Report:
    """What a gateway really does with one model. `at`: when, in seconds since 1970.

    `tokens` is what the gateway counted, None where it counts none. As the last line of a cell it
    is a table, as text too; `frame` is the same for pandas.
    """

    gateway: str
    model: str
    findings: tuple[Finding, ...]
    at: float
    calls: int = 0
    tokens: int | None = None
    seconds: float = 0.0

    def __getitem__(self, name: str) -> Finding:
        """The finding of that name. Raises KeyError."""
        found = next((one for one in self.findings if one.name == name), None)
        if found is None:
            raise KeyError(name)
        return found

    @property
    def usable(self) -> bool:
        """Whether a cell would get an answer: the key holds, and one of the two APIs answers."""
        verdicts = {one.name: one.verdict for one in self.findings}
        answers = "yes" in (verdicts.get("chat"), verdicts.get("responses"))
        return answers and "no" not in (verdicts.get("reachable"), verdicts.get("key"))

    @property
    def frame(self) -> pandas.DataFrame:
        """One row for each finding: `name`, `verdict`, `means`, `instead`."""
        import pandas

        rows = [[getattr(one, column) for column in _COLUMNS] for one in self.findings]
        return pandas.DataFrame(rows, columns=list(_COLUMNS))

    @property
    def title(self) -> str:
        """Whom it is about, and what it took."""
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.at))
        model = f", model {printable(self.model)}" if self.model else ""
        counted = "" if self.tokens is None else f", {self.tokens:,} tokens"
        took = f"{self.calls} calls{counted}, {self.seconds:.1f} s"
        return f"{printable(self.gateway)}{model} ({day}; {took})"

    def __str__(self) -> str:
        asked = self._asked
        names = max((len(one.name) for one in asked), default=0)
        rows = [f"  {one.name:<{names}}  {one.verdict:<7}  {one.told}" for one in asked]
        return "\n".join([self.title, *rows, "", *self._ending])

    __repr__ = __str__

    @property
    def _asked(self) -> list[Finding]:
        """What there is something to say about."""
        return [one for one in self.findings if one.how not in _UNASKED]

    @property
    def _ending(self) -> list[str]:
        """What was not asked, and what follows from it all."""
        lines: list[str] = []
        for how, why in _UNASKED.items():
            names = [one.name for one in self.findings if one.how == how]
            if names:
                lines.append(f"Not asked{why}: {', '.join(names)}.")
        if self.usable:
            return [*lines, "It can be used, and kit goes by what it saw here for a week."]
        return [*lines, "It cannot be used as it is: see what is not `yes` above."]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {
            "text/plain": str(self),
            "text/markdown": self._markdown(),
            "text/html": self._html(),
        }

    def _markdown(self) -> str:
        rows = [[one.name, one.verdict, one.means, one.instead] for one in self._asked]
        lines = [f"| {' | '.join(map(literal, row))} |" for row in rows]
        head = ["| | | what it means | what kit does |", "|---|---|---|---|"]
        ending = "  \n".join(map(literal, self._ending))
        return "\n".join([literal(self.title), "", *head, *lines, "", ending])

    def _html(self) -> str:
        rows = "".join(map(_row, self._asked))
        head = "".join(
            f'<th style="{_CELL}">{one}</th>' for one in ("", "", "what it means", "what kit does")
        )
        return (
            # The class: JupyterLab looks for formulas in HTML as well.
            f'<div class="mathjax_ignore"><div>{html.escape(self.title)}</div>'
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
            + "".join(f"<div>{html.escape(line)}</div>" for line in self._ending)
            + "</div>"
        )


def _row(one: Finding) -> str:
    verdict = f'<strong style="color:{_COLOURS[one.verdict]}">{one.verdict}</strong>'
    cells = (html.escape(one.name), verdict, html.escape(one.means), html.escape(one.instead))
    return "<tr>" + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells) + "</tr>"
