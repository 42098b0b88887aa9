"""What a terminal can be shown without asking a model: its models, this user's runs, one's report.

Rule: a line of stdout for each, nothing around it, so that it can be piped.
"""

from __future__ import annotations

import time

from kit.clean_terminal import note, shown

__all__ = ["list_models", "list_runs"]


def list_models() -> None:
    """A line for each model of the gateway."""
    from kit.connect import Client

    with Client() as client:
        names = sorted(client.models())
    for name in names:
        print(shown(_on_one_line(name)))
    if not names:
        note("The gateway lists no models.")


def list_runs() -> None:
    """A line for each run, the newest first: id, status, how long ago, question."""
    from kit.connect_research import MOST_LISTED, standing
    from kit.gateway.card import lasted

    now = time.time()
    rows = [
        (run.entry.name, status, f"{lasted(max(now - run.entry.asked, 0))} ago", run.entry.question)
        for run, status in standing(MOST_LISTED)
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = map(str.ljust, map(_on_one_line, row), widths)
        print(shown("  ".join(cells).rstrip()))
    if not rows:
        note('There are no runs yet: python -m kit --target relay "…" starts one.')


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
