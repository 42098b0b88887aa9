"""The text of a run, as its log has it, against what a source says (pure).

Rule: the log only grows. A source that begins anew repeats what the log has, and adds to it from
there on; one that says something else adds nothing, and the run's last event has the truth.
"""

from __future__ import annotations

__all__ = ["LoggedText", "storable"]


class LoggedText:
    """`differs`: the source says something else than the log. `full`: no more fits.

    `size` is in UTF-8 bytes, `limit` bounds it.
    """

    def __init__(self, logged: str, limit: int) -> None:
        self._pieces = [logged]
        self._limit = limit
        self._repeated: str | None = None  # what a source that begins anew has to repeat
        self._place = 0
        self.size = len(logged.encode())
        self.length = len(logged)
        self.differs = False
        self.full = False

    def __str__(self) -> str:
        return "".join(self._pieces)

    @property
    def behind(self) -> bool:
        """Whether the source has not yet said all that the log has."""
        return self.differs or bool(self._repeated)

    def restart(self) -> None:
        """The next source begins at the beginning."""
        self._repeated, self._place = str(self), 0
        self.differs = False

    def add(self, text: str) -> str:
        """What of the source's next piece is new to the log, and fits into it."""
        text = storable(text)
        if self.differs or self.full:
            return ""
        if self._repeated is not None:
            expected = self._repeated[self._place : self._place + len(text)]
            if not text.startswith(expected):
                self.differs = True
                return ""
            self._place += len(expected)
            text = text[len(expected) :]
            if self._place == len(self._repeated):
                self._repeated = None
        return self._keep(text) if text else ""

    def _keep(self, text: str) -> str:
        content = text.encode()
        if self.size + len(content) > self._limit:
            self.full = True
            text = content[: max(self._limit - self.size, 0)].decode(errors="ignore")
            content = text.encode()
        self._pieces.append(text)
        self.size += len(content)
        self.length += len(text)
        return text


def storable(text: str) -> str:
    """`text` as every store can hold it: PostgreSQL takes no NUL. Halves of surrogate pairs were
    taken out where the text entered (kit.gateway.json_text)."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
