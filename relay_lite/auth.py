"""Who may do what: the token of a run, the keys of callers, and the relay's own secret.

Rule: nothing that lets somebody in is stored. A run's token is made from the secret and its id,
whenever it is asked for; a gateway's key leaves a fingerprint that nobody without the secret can
make. Every comparison takes as long for a near miss as for any other.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path

from kit.errors import ConfigError
from kit.secret import Secret
from kit.secret_file import kept
from kit.settings_relay import RelaySettings

__all__ = ["Callers", "Tokens", "fingerprint", "secret_of"]

SECRET_FILE = "relay.secret"


class Tokens:
    """The tokens of all runs; every relay with the same secret makes the same ones."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def token(self, id: str) -> str:
        """What whoever started the run gets, and shows to read or end it: 43 characters."""
        return base64.urlsafe_b64encode(self._digest(id)).rstrip(b"=").decode()

    def check(self, id: str, given: str | None) -> bool:
        return hmac.compare_digest(self.token(id).encode(), (given or "").encode())

    def _digest(self, id: str) -> bytes:
        return hmac.digest(self._secret, b"invocation " + id.encode(), "sha256")

    def __repr__(self) -> str:
        return "Tokens(***)"


class Callers:
    """The keys of callers, by their names; without any, everybody is the caller ""."""

    def __init__(self, keys: Mapping[str, Secret]) -> None:
        self._digests = {name: _digest(key.reveal().encode()) for name, key in keys.items()}

    @property
    def known(self) -> bool:
        """Whether callers have keys at all, so that one can be told from another."""
        return bool(self._digests)

    def named(self, authorization: str | None) -> str | None:
        """The caller whose key an `Authorization` header holds; None: nobody's.

        Every key is compared, so that the time says nothing of which it was.
        """
        if not self._digests:
            return ""
        kind, _, key = (authorization or "").partition(" ")
        given = _digest(key.strip().encode("utf-8", "replace"))
        fitting = [name for name, kept in self._digests.items() if hmac.compare_digest(kept, given)]
        return fitting[0] if fitting and kind.lower() == "bearer" else None

    def __repr__(self) -> str:
        return f"Callers({len(self._digests)})"


def fingerprint(secret: bytes, key: Secret | None) -> str:
    """What tells one gateway key from another in a store, and is no help to find the key."""
    if key is None:
        return ""
    return hmac.digest(secret, b"gateway key " + key.reveal().encode(), "sha256").hex()[:32]


def secret_of(settings: RelaySettings, folder: Path) -> bytes:
    """RELAY_SECRET, else what a file (0600) in `folder` holds, which is made where it is missing.

    Two processes that make it at once get the same. Raises ConfigError where the file cannot be
    made or read.
    """
    if settings.secret is not None:
        return settings.secret.reveal().encode()
    try:
        return kept(folder / SECRET_FILE).reveal().encode()
    except ConfigError as error:
        raise ConfigError(f"{error}\nOr set RELAY_SECRET, which tokens are made from.") from None


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()
