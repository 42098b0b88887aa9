"""What a user keeps of research runs: one private file for each, with the token that opens it.

    asked      the idempotency key and the arguments, before the first request leaves
    accepted   the run's id and token, as soon as the relay says them
    seen       how it ended, once the user has been shown it

Rule: files are 0600 in a folder of 0700, whole or not there, and only ever replaced. So any kernel
of this user finds every run again, also one whose kernel died before the relay's answer came; and
neither a notebook nor the relay's store holds a token.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from kit.errors import ConfigError
from kit.gateway.events import Wire
from kit.secret import Secret
from kit.secret_file import write_private

__all__ = ["Book", "Entry"]

LARGEST_FILE = 16 * 2**20
MOST_KEPT = 5_000

_KEY = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One run. `relay`: its address, "" for the user's own one, which every kernel brings.

    gateway: whose run it is, as `Endpoint.identity`. asked: seconds since 1970. ended: the status
    that it ended in, as far as anybody has heard; seen: the user has been shown that.
    """

    key: str
    question: str
    arguments: Wire = field(repr=False)
    relay: str
    gateway: str
    asked: float
    id: str | None = None
    token: Secret | None = field(default=None, repr=False)
    ended: str | None = None
    cost: float | None = None
    seen: bool = False

    @property
    def name(self) -> str:
        """What a person calls it: its id, or its key while the relay has not answered."""
        return self.id or self.key


class Book:
    """The files in `folder`, which is made at the first writing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, entry: Entry) -> Entry:
        """Keep it, in place of what was kept of it. Raises ConfigError where that fails."""
        new = not self._file(entry.key).exists()
        try:
            write_private(self._file(entry.key), json.dumps(_document(entry)))
        except OSError as error:
            raise ConfigError(
                f"The run cannot be written down in {self.folder}: {error.strerror}.\n"
                "It was not started, because nobody could find it again."
            ) from None
        if new:
            self._drop_oldest()
        return entry

    def entries(self) -> list[Entry]:
        """All runs, the newest first. What cannot be read is passed over."""
        found = [entry for file in self._files() if (entry := _read(file))]
        return sorted(found, key=lambda entry: entry.asked, reverse=True)

    def find(self, name: str) -> list[Entry]:
        """The runs whose id or key is `name`, or begins so (six letters at least)."""
        every = self.entries()
        same = [entry for entry in every if name in (entry.id, entry.key)]
        if same or len(name.removeprefix("inv_")) < 6:
            return same
        ids = (name, f"inv_{name}")
        return [one for one in every if one.name.startswith(ids) or one.key.startswith(name)]

    def forget(self, entry: Entry) -> None:
        """Keep nothing of it any more."""
        with contextlib.suppress(OSError):
            self._file(entry.key).unlink(missing_ok=True)

    def open_entries(self) -> list[Entry]:
        """Those whose end the user has not been shown: quick where there is none."""
        return [entry for entry in self.entries() if not entry.seen]

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    def _files(self) -> Iterator[Path]:
        with contextlib.suppress(OSError):
            yield from (
                file for file in self.folder.iterdir()
                if file.suffix == ".json" and _KEY.fullmatch(file.stem)
            )  # fmt: skip

    def _drop_oldest(self) -> None:
        """Of more runs than anybody looks through, those that ended and were seen go first."""
        files = list(self._files())
        if len(files) <= MOST_KEPT:
            return
        over = [entry for entry in self.entries()[::-1] if entry.seen]
        for entry in over[: len(files) - MOST_KEPT]:
            self.forget(entry)


def _document(entry: Entry) -> Wire:
    token = entry.token.reveal() if entry.token else None
    shallow = {one.name: getattr(entry, one.name) for one in dataclasses.fields(entry)}
    return {**shallow, "token": token, "version": 1}


def _read(file: Path) -> Entry | None:
    try:
        if file.stat().st_size > LARGEST_FILE:
            return None
        raw: Any = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return _entry(cast(Wire, raw), file.stem) if isinstance(raw, dict) else None


def _entry(raw: Wire, key: str) -> Entry | None:
    arguments, token, cost = raw.get("arguments"), raw.get("token"), raw.get("cost")
    if not isinstance(arguments, dict):
        return None
    asked = raw.get("asked")
    return Entry(
        key=key,
        question=str(raw.get("question") or ""),
        arguments=cast(Wire, arguments),
        relay=str(raw.get("relay") or ""),
        gateway=str(raw.get("gateway") or ""),
        asked=float(asked) if isinstance(asked, int | float) else time.time(),
        id=str(raw["id"]) if raw.get("id") else None,
        token=Secret(token) if isinstance(token, str) and token else None,
        ended=str(raw["ended"]) if raw.get("ended") else None,
        cost=float(cost) if isinstance(cost, int | float) else None,
        seen=raw.get("seen") is True,
    )
