"""What the doctor has seen, kept for this user: a private file for each gateway and model.

Rule: a file holds verdicts and when they were seen; no key, nothing made of one, and nothing that
a model said. One that is damaged, foreign or old is as good as none: then nothing is known.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from kit.gateway.capabilities import NOTHING, Capabilities, Known, Seen
from kit.gateway.events import Wire, objects
from kit.secret_file import write_private

__all__ = ["BELIEVED_SECONDS", "forget", "recall", "remember", "remembered"]

BELIEVED_SECONDS = 7 * 86_400.0
"""Gateways are upgraded, and an alias gets another model."""
LARGEST_FILE = 64 * 1024
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
    for one in objects(_read(_file(user_data, gateway, model), gateway, model).get("findings")):
        name, verdict, how, at = (one.get(key) for key in ("name", "verdict", "how", "at"))
        fits = all(isinstance(text, str) and len(text) <= LONGEST_WORD for text in (name, how))
        if not fits or verdict not in _VERDICTS or not isinstance(at, int | float):
            continue
        if -AHEAD_SECONDS <= now - at <= BELIEVED_SECONDS:
            found[cast(str, name)] = Seen(verdict, cast(str, how), float(at))
    return Capabilities(MappingProxyType(found)) if found else NOTHING


def remember(user_data: Path, gateway: str, model: str, seen: Mapping[str, Seen]) -> None:
    """Keep what was seen; what is unknown now stays as it was known before. Raises OSError."""
    before = recall(user_data, gateway, model).seen
    known = {**before, **{name: one for name, one in seen.items() if one.verdict in _VERDICTS}}
    findings = [
        {"name": name, "verdict": one.verdict, "how": one.how, "at": one.at}
        for name, one in known.items()
    ]
    file = _file(user_data, gateway, model)
    text = json.dumps({"gateway": gateway, "model": model, "findings": findings}, indent=1)
    write_private(file, text + "\n")
    for old in _by_age(file.parent)[MOST_MODELS:]:
        with contextlib.suppress(OSError):
            old.unlink()


def forget(user_data: Path, gateway: str, model: str | None = None) -> int:
    """Forget one model, or all of the gateway; how many were known. Raises OSError."""
    if model is not None:
        files = [_file(user_data, gateway, model)]
    else:
        files = _by_age(_folder(user_data, gateway))
    files = [file for file in files if file.is_file()]
    for file in files:
        file.unlink(missing_ok=True)
    return len(files)


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
                dated.append((file.stat().st_mtime, file))
    return [file for _, file in sorted(dated, reverse=True)]


def _read(file: Path, gateway: str, model: str) -> Wire:
    try:
        with file.open("rb") as stream:
            raw: Any = json.loads(stream.read(LARGEST_FILE))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(raw, dict):
        return {}
    found = cast(Wire, raw)
    return found if (found.get("gateway"), found.get("model")) == (gateway, model) else {}
