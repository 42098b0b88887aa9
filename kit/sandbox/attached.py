"""Files in a message: text is read, and laid on a shelf of the library for as long as one answer.

Nothing is fetched, and what is not text stays unread. A file's name is a label here and never a
path.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
import tempfile
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kit.sandbox.excerpt import SUMMARISE
from kit.sandbox.shelves import ENDINGS
from kit.sandbox.steps import Ask

LONGEST = 1_000_000
READABLE = ("text/", "application/json", "application/x-ndjson", "application/xml")


@dataclass(frozen=True, slots=True)
class Attached:
    """A text file of the conversation."""

    name: str
    text: str


def read_file(part: Mapping[str, Any]) -> Attached | None:
    """The text file in an `input_file`, or None: an address, an id, a picture, anything binary."""
    encoded = part.get("file_data")
    if not isinstance(encoded, str):
        return None
    head, comma, body = encoded.partition(",")
    if head.startswith("data:") and comma:
        kind = head.removeprefix("data:")
        if not kind.startswith((";", *READABLE)):
            return None
        encoded = body
    try:
        text = base64.b64decode(encoded, validate=True)[:LONGEST].decode("utf-8-sig", "replace")
    except (binascii.Error, ValueError):
        return None
    if "\0" in text or text.count("\ufffd") > len(text) / 20:
        return None
    return Attached(str(part.get("filename") or "file"), text)


@contextlib.contextmanager
def on_a_shelf(files: Sequence[Attached]) -> Generator[tuple[Path, ...]]:
    """A folder that holds the files while it is open; no folder when there are none."""
    if not files:
        yield ()
        return
    with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
        for number, file in enumerate(files):
            (place := Path(folder, str(number))).mkdir()
            (place / _label(file.name)).write_text(file.text, "utf-8", "replace")
        yield (Path(folder),)


def with_text(ask: Ask, files: Sequence[Attached]) -> Ask:
    """`ask` with the files' text in the prompt, when the prompt wants it summarised."""
    places = [place for place, turn in enumerate(ask.turns) if turn.role == "user"]
    if not files or not places or not SUMMARISE.search(ask.turns[places[-1]].text):
        return ask
    prompt = ask.turns[places[-1]]
    text = "\n\n".join([prompt.text, *(file.text for file in files)])
    turns = list(ask.turns)
    turns[places[-1]] = replace(prompt, text=text)
    return replace(ask, turns=tuple(turns))


def _label(name: str) -> str:
    """A file name of ours that reads like `name`, with an ending that the library knows."""
    kept = re.sub(r"[^\w.\- ]", "_", re.split(r"[\\/]", name)[-1]).lstrip(". ")[-60:] or "file"
    return kept if kept.lower().endswith(ENDINGS) else f"{kept}.txt"
