"""Who may look into which library: one for everybody, another for a question that brings files."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kit.sandbox.library import Library


class Lending:
    """Opens the library over `folders` at the first question, once for all threads."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        self._folders = tuple(folders)
        self._lock = threading.Lock()
        self._library: Library | None = None

    @contextlib.contextmanager
    def __call__(self, brought: Sequence[Path] = ()) -> Generator[Library]:
        """The library; with `brought` folders one of its own, which nobody else can search."""
        from kit.sandbox.library import Library

        if not brought:
            yield self._shared()
            return
        with contextlib.closing(Library.open([*self._folders, *brought])) as library:
            yield library

    def close(self) -> None:
        """Close the library; the next question opens it again."""
        with self._lock:
            if self._library is not None:
                self._library.close()
            self._library = None

    def _shared(self) -> Library:
        from kit.sandbox.library import Library

        with self._lock:
            if self._library is None:
                self._library = Library.open(self._folders)
            return self._library
