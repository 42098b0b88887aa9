"""The folders a person trusts to name a gateway's address, one address each.

Rule: trust is given to a folder *and* the address its `.env` named that day. When the file names
another address, it has to be given again. The record is a private file (0600) of the user; one that
cannot be read, or that others may have written, trusts nobody.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from kit.errors import ConfigError
from kit.secret_file import alone, read_private, write_private
from kit.sources import (
    ADDRESS,
    Source,
    Trust,
    find,
    folder_file,
    gateway_address,
    read_file,
    user_folder,
)

__all__ = ["trust", "trusted"]

LARGEST_RECORD = 1 << 20  # bytes


def trust(folder: Path | None = None, *, user_data: Path | None = None) -> tuple[Path, str]:
    """Let the `.env` that holds in `folder` (default: the working folder) name its address.

    Returns the folder of that file and the address, to be shown. Raises ConfigError when there
    is no such file, when it names no address, and when the trust cannot be noted.
    """
    start = (folder or Path.cwd()).resolve()
    file = folder_file(start)
    if file is None:
        raise ConfigError(f"There is no .env in {start} or above it: there is nothing to trust.")
    source = Source(str(file), Trust.FOLDER, read_file(file), file.parent)
    found = find(ADDRESS, [source])
    if found is None:
        raise ConfigError(f"{file} names no {ADDRESS}: there is nothing to trust.")
    address = gateway_address(found, [source])
    _record(_record_file(user_data), file.parent, address)
    return file.parent, address


def trusted(folder: Path, address: str, *, user_data: Path | None = None) -> bool:
    """Whether the user allowed the `.env` of exactly `folder` to name `address`."""
    return _recorded(_record_file(user_data)).get(str(folder.resolve())) == address


def _record_file(user_data: Path | None) -> Path:
    return (user_data or user_folder()) / "trusted.json"


def _record(file: Path, folder: Path, address: str) -> None:
    try:
        with alone(file.parent):
            folders = {**_recorded(file), str(folder): address}
            write_private(file, json.dumps({"folders": folders}, indent=1))
    except OSError as error:
        raise ConfigError(f"The trust could not be noted in {file}: {error.strerror}.") from None


def _recorded(file: Path) -> Mapping[str, str]:
    """Folder -> address, of everything trusted so far."""
    try:
        found: Any = json.loads(read_private(file, LARGEST_RECORD))
        folders: Any = found["folders"]
        pairs = cast("dict[object, object]", dict(folders)).items()
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return {}
    return {
        folder: address
        for folder, address in pairs
        if isinstance(folder, str) and isinstance(address, str)
    }
