"""A key that does not slip out.

Rule: whoever wants the key writes `.reveal()`, and that is where to look in a review. Printing,
formatting, copying, pickling and comparing never show it.
"""

from __future__ import annotations

import hmac
from typing import Any, NoReturn, final

from kit.errors import ConfigError

__all__ = ["Secret", "checked_key"]

LONGEST_KEY = 16 * 1024


@final
class Secret:
    """Wraps a key. Equal to another Secret with the same key, and to nothing else."""

    __slots__ = ("__key",)
    __key: str

    def __init__(self, key: str) -> None:
        object.__setattr__(self, "_Secret__key", key)

    def reveal(self) -> str:
        """The key itself: for the one header it belongs into."""
        return self.__key

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        """Takes as long for a near miss as for any other."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.reveal().encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash((Secret, self.reveal()))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("A Secret cannot be changed: make a new one.")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("A Secret cannot be pickled: a key does not belong into a file.")


def checked_key(raw: str, place: str) -> Secret:
    """The key without the blanks, quotes and `Bearer` that were copied with it.

    place: where it comes from, for the message. Raises ConfigError for one that no header can
    carry.
    """
    key = raw.strip().strip("\"'").strip()
    if key[:7].lower() == "bearer ":
        key = key[7:].strip()
    sendable = key.isascii() and key.isprintable() and " " not in key
    if not key or len(key) > LONGEST_KEY or not sendable:
        raise ConfigError(
            f"The key from {place} cannot be sent: it holds blanks, line breaks, control "
            "characters or letters outside ASCII, or is empty or far too long. Copy it again."
        )
    return Secret(key)
