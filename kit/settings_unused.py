"""A key that is set and goes nowhere: without an address the sandbox answers, and nobody says why.

Rule: no value is repeated, only names and where they are set.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from kit.settings import KEY, places
from kit.sources import ADDRESS, OURS, find

__all__ = ["unused_key"]


def unused_key(
    environ: Mapping[str, str] | None = None, folder: Path | None = None, home: Path | None = None
) -> str | None:
    """What to say of a key without an address, in one line; None where there is no such key.

    environ, folder, home: else those of this process. Raises ConfigError as `load` does.
    """
    every = places({}, environ, folder, home)
    key = find(KEY, every)
    if key is None or find(ADDRESS, every) is not None:
        return None
    set_here = {name for place in every for name in place.values if name.startswith(OURS)}
    near = difflib.get_close_matches(ADDRESS, sorted(set_here), n=1, cutoff=0.8)
    what = f"rename {near[0]} to {ADDRESS}" if near else f"set {ADDRESS} to the gateway's address"
    return (
        f"{KEY} ({key.source.name}) is not used: there is no {ADDRESS}, so the sandbox answers. "
        f"To use it, {what}."
    )
