"""What a user keeps of research runs: one private file for each, with the token that opens it.

    asked      the idempotency key and the arguments, before the first request leaves
    accepted   the run's id and token, as soon as the relay says them
    seen       how it ended, once the user has been shown it

Rule: files are 0600 in a folder of 0700, whole or not there, and only ever replaced. So any kernel
of this user finds every run again, also one whose kernel died before the relay's answer came; and
neither a notebook nor the relay's store holds a token. The first writing is a condition of the run,
each later one a help: the key alone finds the run again. What is read is believed no more than what
a relay says.
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
from kit.gateway.answer import Usage
from kit.gateway.events import Wire
from kit.gateway.json_text import read_json
from kit.relay.view import is_id, is_token, number_of
from kit.secret import Secret
from kit.secret_file import read_private, sweep, write_private

__all__ = ["Book", "Entry"]

LARGEST_FILE = 16 * 2**20
MOST_KEPT = 5_000
SHORTEST_BEGINNING = 4
"""Letters of an id, behind `inv_`, that name a run."""

_KEY = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One run. `relay`: its address, "" for the user's own one, which every kernel brings.

    gateway: whose run it is, as `Endpoint.identity`. asked: seconds since 1970. ended: the status
    that it ended in, as far as anybody has heard; seen: the user has been shown how it ended; told:
    has at least been told that it did. From its end on: what it took, as far as that is known.
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
    told: bool = False
    model: str = ""
    seconds: float | None = None
    usage: Usage | None = None
    searches: int | None = None

    @property
    def name(self) -> str:
        """What a person calls it: its id, or its key while the relay has not answered."""
        return self.id or self.key


class Book:
    """The files in `folder`, which is made at the first writing. `most`: how many are kept."""

    def __init__(self, folder: Path, most: int = MOST_KEPT) -> None:
        self.folder = folder
        self._most = most

    def write(self, entry: Entry) -> Entry:
        """Keep a run that is about to be sent. Raises ConfigError where that fails."""
        try:
            self._put(entry)
        except OSError as error:
            raise ConfigError(
                f"The run cannot be written down in {self.folder}: {error.strerror}.\n"
                "It was not started, because nobody could find it again."
            ) from None
        self._drop_oldest()
        sweep(self.folder)
        return entry

    def update(self, entry: Entry, **changes: Any) -> None:
        """Keep what is new of a run, where that can be; what was forgotten stays forgotten.

        changes: these fields alone, on what the file has by now: another kernel may know more.
        """
        with contextlib.suppress(OSError):
            if not entry.key or not self._file(entry.key).is_file():
                return
            now = _read(self._file(entry.key)) if changes else None
            self._put(dataclasses.replace(now, **changes) if now else entry)

    def entries(self) -> list[Entry]:
        """All runs, the newest first. What cannot be read is passed over."""
        found = [entry for file in self._files() if (entry := _read(file))]
        return sorted(found, key=lambda entry: entry.asked, reverse=True)

    def find(self, name: str) -> list[Entry]:
        """The runs whose id or key is `name`, or begins so (four letters at least)."""
        name, every = name.lower(), self.entries()
        same = [entry for entry in every if name in (entry.id, entry.key)]
        if same or len(name.removeprefix("inv_")) < SHORTEST_BEGINNING:
            return same
        ids = (name, f"inv_{name}")
        return [one for one in every if one.name.startswith(ids) or one.key.startswith(name)]

    def forget(self, entry: Entry) -> None:
        """Keep nothing of it any more."""
        with contextlib.suppress(OSError):
            self._file(entry.key).unlink(missing_ok=True)

    def open_entries(self) -> list[Entry]:
        """Those of whose end the user has not been told: quick where there is none."""
        return [entry for entry in self.entries() if not (entry.seen or entry.told)]

    def _put(self, entry: Entry) -> None:
        write_private(self._file(entry.key), json.dumps(_document(entry)))

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
        over = sum(1 for _ in self._files()) - self._most
        if over > 0:
            for entry in [entry for entry in self.entries()[::-1] if entry.seen][:over]:
                self.forget(entry)


def _document(entry: Entry) -> Wire:
    token = entry.token.reveal() if entry.token else None
    shallow = {one.name: getattr(entry, one.name) for one in dataclasses.fields(entry)}
    usage = dataclasses.asdict(entry.usage) if entry.usage else None
    return {**shallow, "token": token, "usage": usage, "version": 1}


def _read(file: Path) -> Entry | None:
    try:
        content = read_private(file, LARGEST_FILE + 1, foreign=True)
        raw: Any = None if len(content) > LARGEST_FILE else read_json(content.decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return _entry(cast(Wire, raw), file.stem) if isinstance(raw, dict) else None


def _entry(raw: Wire, key: str) -> Entry | None:
    arguments, id, token = raw.get("arguments"), raw.get("id"), raw.get("token")
    if not isinstance(arguments, dict):
        return None
    # one without the other is no use: it is looked for by its key
    known = (id, Secret(token)) if is_id(id) and is_token(token) else (None, None)
    asked = number_of(raw.get("asked"))
    return Entry(
        key=key,
        question=_text(raw, "question"),
        arguments=cast(Wire, arguments),
        relay=_text(raw, "relay"),
        gateway=_text(raw, "gateway"),
        asked=time.time() if asked is None else asked,
        id=known[0],
        token=known[1],
        ended=_text(raw, "ended") or None,
        cost=number_of(raw.get("cost")),
        seen=raw.get("seen") is True,
        told=raw.get("told") is True,
        model=_text(raw, "model"),
        seconds=number_of(raw.get("seconds")),
        usage=_usage(raw.get("usage")),
        searches=_count(raw.get("searches")),
    )


def _usage(raw: Any) -> Usage | None:
    if not isinstance(raw, dict):
        return None
    counts = cast(Wire, raw)
    names = [field.name for field in dataclasses.fields(Usage)]
    return Usage(**{name: _count(counts.get(name)) or 0 for name in names})


def _count(value: Any) -> int | None:
    number = number_of(value)
    return None if number is None else int(number)


def _text(raw: Wire, name: str) -> str:
    value = raw.get(name)
    return value if isinstance(value, str) else ""
