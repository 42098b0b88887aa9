"""Where a setting may come from, and how far each place is trusted with a key.

    read:     argument, environment, the .env of the working folder or of its nearest parent, ~/.env
    trusted:  argument > environment > ~/.env > the folder's .env

Rule: the place read first wins, blank counts as missing, and reading changes nothing: a file never
reaches the real environment. A file is the work of whoever wrote the folder, maybe a stranger.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from io import StringIO
from pathlib import Path

from kit.address import normalise
from kit.errors import ConfigError

__all__ = [
    "ADDRESS",
    "Found",
    "Source",
    "Trust",
    "allows_http",
    "find",
    "folder_file",
    "gateway_address",
    "home_folder",
    "read_file",
    "user_folder",
]

ADDRESS = "LITELLM_BASE_URL"
ALLOW_HTTP = "KIT_ALLOW_INSECURE_HTTP"
LARGEST_FILE = 64 * 1024  # bytes
OURS = ("LITELLM_", "KIT_", "RELAY_")


class Trust(IntEnum):
    """How far a place is trusted: a higher one may be given the keys of a lower one."""

    FOLDER = 0
    HOME = 1
    ENVIRONMENT = 2
    ARGUMENT = 3


@dataclass(frozen=True, slots=True)
class Source:
    """One place and what it says. `folder` is where its file is, None without a file."""

    name: str
    trust: Trust
    values: Mapping[str, str] = field(repr=False)
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A setting and the place that gave it. The value may be a key: it is not in the repr."""

    value: str = field(repr=False)
    source: Source


def find(name: str, sources: Iterable[Source]) -> Found | None:
    """The first value of `name` that is not blank."""
    for source in sources:
        value = (source.values.get(name) or "").strip()
        if value:
            return Found(value, source)
    return None


def gateway_address(found: Found, sources: Iterable[Source]) -> str:
    """The found address, normalised. Only a place as trusted as its own may allow plain http."""
    try:
        return normalise(found.value, allow_http=allows_http(found, sources))
    except ConfigError as error:
        raise ConfigError(f"{ADDRESS} ({found.source.name}): {error}") from None


def allows_http(found: Found, sources: Iterable[Source]) -> bool:
    """Whether the found address may be plain http to another machine."""
    needed = min(found.source.trust, Trust.ENVIRONMENT)  # an argument cannot allow it itself
    allowed = find(ALLOW_HTTP, [source for source in sources if source.trust >= needed])
    return allowed is not None and allowed.value == "1"


def home_folder() -> Path | None:
    """The user's home, or None: some containers run users that have none."""
    try:
        return Path.home().resolve()
    except (RuntimeError, OSError):
        return None


def user_folder() -> Path:
    """Where the toolkit keeps what it has to remember for this user."""
    import platformdirs

    return platformdirs.user_data_path("responses-kit", appauthor=False)


def folder_file(folder: Path) -> Path | None:
    """The `.env` of `folder` or of its nearest parent that has one.

    One that belongs to neither the user, nor root, nor the owner of `folder` is passed over:
    anybody can leave a file in `/tmp`.
    """
    for parent in (folder, *folder.parents):
        file = parent / ".env"
        try:
            if file.is_file() and _has_a_known_owner(file, folder):
                return file
        except OSError:
            continue
    return None


def _has_a_known_owner(file: Path, folder: Path) -> bool:
    if not hasattr(os, "geteuid"):
        return True
    return file.stat().st_uid in {0, os.geteuid(), folder.stat().st_uid}


def read_file(file: Path) -> Mapping[str, str]:
    """The assignments in a `.env`; nothing where there is no readable file.

    Raises ConfigError, naming file and line, when it is too large, or when a line that is meant
    for this toolkit is broken or no UTF-8. Other lines belong to other programs.
    """
    try:
        if not file.is_file():
            return {}
        with file.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except OSError:
        return {}
    if len(content) > LARGEST_FILE:
        raise ConfigError(f"{file} is larger than {LARGEST_FILE // 1024} KiB and was not read.")
    for number, line in enumerate(content.split(b"\n"), 1):
        if any(name.encode() in line for name in OURS) and "\ufffd" in line.decode(
            "utf-8", "replace"
        ):
            raise ConfigError(f"{file}, line {number} is not UTF-8: save the file as UTF-8.")
    return _assignments(file, content.decode("utf-8-sig", "replace"))


def _assignments(file: Path, text: str) -> Mapping[str, str]:
    from dotenv.parser import parse_stream  # only who has a .env pays for it

    values: dict[str, str] = {}
    for binding in parse_stream(StringIO(text)):
        if binding.error and any(name in binding.original.string for name in OURS):
            raise ConfigError(
                f"{file}, line {binding.original.line} cannot be read: write NAME=value, "
                "and close every quote."
            )
        if binding.key and binding.value is not None:
            values[binding.key] = binding.value
    return values
