"""What a person fills in on the research panel, and what of the notebook can go along (pure).

Rule: a page may say anything: what it says is read into a Form of bounded text, and what does not
fit is said as a sentence. Variables are offered by name and kind; a value leaves the kernel with
the run alone.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

from kit.errors import InputError

__all__ = ["FORMATS", "Form", "offered"]

FORMATS = ("markdown_brief", "markdown_report", "json_outline")
LONGEST = 200_000
MOST_NAMES = 200
MOST_OFFERED = 200


@dataclass(frozen=True, slots=True)
class Form:
    """The fields as they are typed: `constraints` one a line, `budget` as text."""

    question: str = ""
    format: str = FORMATS[0]
    context: str = ""
    names: tuple[str, ...] = ()
    constraints: str = ""
    budget: str = ""
    model: str = ""
    answers: tuple[str, ...] = ()

    @classmethod
    def read(cls, said: Any) -> Form:
        """What a page says, as far as it is a form."""
        given = cast(dict[str, Any], said) if isinstance(said, dict) else {}
        texts = {
            name: given[name][:LONGEST]
            for name in ("question", "context", "constraints", "budget", "model")
            if isinstance(given.get(name), str)
        }
        form = given.get("format")
        names, answers = (_texts(given.get(name)) for name in ("names", "answers"))
        kind = form if form in FORMATS else FORMATS[0]
        return cls(**texts, format=kind, names=names, answers=answers)

    def document(self) -> dict[str, Any]:
        """As a page is told it."""
        return {**asdict(self), "names": [*self.names], "answers": [*self.answers]}

    def asked(self) -> str:
        """The question. Raises InputError for none."""
        if not self.question.strip():
            raise InputError("The question is empty: write what is to be found out.")
        return self.question.strip()

    def options(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """What `kit.research` takes beside the question. Raises InputError."""
        gone = [name for name in self.names if name not in variables]
        if gone:
            raise InputError(f"There is no variable {gone[0][:60]} any more: take it off the list.")
        texts = [self.context.strip()] if self.context.strip() else []
        lines = [line.strip() for line in self.constraints.splitlines()]
        return {
            "format": self.format,
            "context": [*texts, *(variables[name] for name in self.names)],
            "constraints": [line for line in lines if line],
            "budget": _dollars(self.budget),
            "model": self.model.strip() or None,
        }


def offered(variables: Mapping[str, Any], hidden: Mapping[str, Any]) -> list[dict[str, str]]:
    """The variables that can go along as context: DataFrames, texts, Answers and Runs, by name."""
    found: list[dict[str, str]] = []
    for name, value in [*variables.items()]:  # a cell may be running
        if name.startswith("_") or name in hidden or len(found) >= MOST_OFFERED:
            continue
        if kind := _kind(value):
            found.append({"name": name, "kind": kind})
    return sorted(found, key=lambda one: one["name"].lower())


def _kind(value: Any) -> str:
    from kit.gateway.answer import Answer
    from kit.relay.run import Run

    # Where nobody has loaded pandas, or a thread is about to, nobody has a frame.
    frame = getattr(sys.modules.get("pandas"), "DataFrame", None)
    if frame is not None and isinstance(value, frame):
        return f"DataFrame, {len(value):,} rows"
    if isinstance(value, str):
        return f"text, {len(value):,} characters" if value.strip() else ""
    if isinstance(value, Answer | Run):
        return "an answer" if isinstance(value, Answer) else "a run's report"
    return ""


def _dollars(text: str) -> float | None:
    text = text.strip().removeprefix("$").strip()
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise InputError("budget: US dollars, a number such as 2 or 0.50.") from None


def _texts(value: Any) -> tuple[str, ...]:
    listed = cast(list[Any], value)[:MOST_NAMES] if isinstance(value, list) else []
    return tuple(one[:LONGEST] for one in listed if isinstance(one, str))
