"""What the doctor has seen, kept for this user: a private file for each gateway and model.

Rule: a file holds verdicts and when they were seen; no key, nothing made of one, and nothing that
a model said. One that is damaged, foreign or old is as good as none: then nothing is known. It is
read before each stream, so nothing in its place is waited for.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from kit.gateway.capabilities import NOTHING, Capabilities, Known, Seen
from kit.gateway.events import Wire, objects
from kit.secret_file import alone, read_private, sweep, write_private

__all__ = ["NO_SECONDS", "YES_SECONDS", "forget", "recall", "remember", "remembered"]

YES_SECONDS = 7 * 86_400.0
"""How long "yes" and "partly" are believed: gateways are upgraded, an alias gets another model."""
NO_SECONDS = 86_400.0
"""How long a "no" is: a gateway that is not well for an hour refuses what it knows."""
LARGEST_FILE = 64 * 1024
MOST_FINDINGS = 200
MOST_MODELS = 500
LONGEST_WORD = 40
AHEAD_SECONDS = 60.0
"""How far in the future a finding may lie; farther, and a clock was wrong."""

_VERDICTS = ("yes", "no", "partly")


def remembered(user_data: Path, gateway: str) -> Known:
    """What is known of each model of that gateway, read whenever it is asked for."""
    return lambda model: recall(user_data, gateway, model)


def recall(user_data: Path, gateway: str, model: str, *, now: float | None = None) -> Capabilities:
    """What is kept and not too old. `gateway`: as `Endpoint.identity` has it."""
    now = time.time() if now is None else now
    found: dict[str, Seen] = {}
    findings = objects(_read(_file(user_data, gateway, model), gateway, model).get("findings"))
    for name, one in map(_finding, findings[:MOST_FINDINGS]):
        believed = NO_SECONDS if one.verdict == "no" else YES_SECONDS
        if one.verdict in _VERDICTS and -AHEAD_SECONDS <= now - one.at <= believed:
            found[name] = one
    return Capabilities(MappingProxyType(found)) if found else NOTHING


def remember(user_data: Path, gateway: str, model: str, seen: Mapping[str, Seen]) -> None:
    """Keep what was seen; what is unknown now stays as it was known before. Raises OSError."""
    file = _file(user_data, gateway, model)
    with alone(user_data):  # or what another kernel writes meanwhile is lost
        news = {name: one for name, one in seen.items() if one.verdict in _VERDICTS}
        before = recall(user_data, gateway, model).seen
        known = [*news.items(), *((name, one) for name, one in before.items() if name not in news)]
        findings = [
            {"name": name, "verdict": one.verdict, "how": one.how, "at": one.at}
            for name, one in known[:MOST_FINDINGS]
        ]
        document = {"gateway": gateway, "model": model, "findings": findings}
        write_private(file, json.dumps(document, indent=1) + "\n")
        for old in _by_age(file.parent)[MOST_MODELS:]:
            with contextlib.suppress(OSError):
                old.unlink()
        sweep(file.parent)


def forget(user_data: Path, gateway: str, model: str | None = None) -> int:
    """Forget one model, or all of the gateway; how many were known. Raises OSError."""
    folder = _folder(user_data, gateway)
    if not folder.exists():
        return 0
    with alone(user_data):
        files = _by_age(folder) if model is None else [_file(user_data, gateway, model)]
        files = [file for file in files if os.path.lexists(file) and not _is_folder(file)]
        for file in files:
            file.unlink(missing_ok=True)
        sweep(folder)
        with contextlib.suppress(OSError):  # something lies in it
            folder.rmdir()
            folder.parent.rmdir()
    return len(files)


def _is_folder(file: Path) -> bool:
    return file.is_dir() and not file.is_symlink()


def _finding(one: Wire) -> tuple[str, Seen]:
    """The name and what was seen; unknown where anything in it is not as it is written here."""
    name, verdict, how, at = (one.get(key) for key in ("name", "verdict", "how", "at"))
    fits = all(isinstance(text, str) and len(text) <= LONGEST_WORD for text in (name, how))
    seconds = _seconds(at)
    if not fits or verdict not in _VERDICTS or seconds is None:
        return "", Seen()
    return cast(str, name), Seen(verdict, cast(str, how), seconds)


def _seconds(at: object) -> float | None:
    """JSON has integers that no float holds, and Python's reads NaN and Infinity."""
    if isinstance(at, bool) or not isinstance(at, int | float):
        return None
    try:
        seconds = float(at)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) else None


def _folder(user_data: Path, gateway: str) -> Path:
    return user_data / "gateways" / _digest(gateway)


def _file(user_data: Path, gateway: str, model: str) -> Path:
    return _folder(user_data, gateway) / f"{_digest(model)}.json"


def _digest(text: str) -> str:
    """A file's name: addresses and models hold what no file system takes."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _by_age(folder: Path) -> list[Path]:
    """The files in it, the newest first."""
    dated: list[tuple[float, Path]] = []
    with contextlib.suppress(OSError):
        for file in folder.glob("*.json"):
            with contextlib.suppress(OSError):
                dated.append((file.lstat().st_mtime, file))
    return [file for _, file in sorted(dated, reverse=True)]


def _read(file: Path, gateway: str, model: str) -> Wire:
    try:
        raw: Any = json.loads(read_private(file, LARGEST_FILE))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(raw, dict):
        return {}
    found = cast(Wire, raw)
    return found if (found.get("gateway"), found.get("model")) == (gateway, model) else {}
