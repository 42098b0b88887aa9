"""What is configured of the relay: `RELAY_*`, from the places that `settings` reads.

Two rules beside those of `settings`. A relay's key, too, goes only to an address from the same
place or from a more trusted one. And a folder's `.env` speaks for a relay that somebody starts in
that folder, never for the one in a notebook's kernel, which starts by itself: a folder that a
stranger made would otherwise say where this user's runs are written, and when they are deleted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from kit.address import normalise
from kit.errors import ConfigError, KeyWithheld
from kit.secret import Secret, checked_key
from kit.settings import path_from, places
from kit.sources import Found, Source, Trust, allows_http, find, user_folder

__all__ = ["RelaySettings", "Uncertain", "load_relay"]

Uncertain = Literal["fail_unknown", "resubmit"]

ADDRESS = "RELAY_BASE_URL"
KEY = "RELAY_API_KEY"
HOST = "RELAY_HOST"
PORT = "RELAY_PORT"
STORE = "RELAY_STORE"
FILE = "relay.sqlite3"
SHORTEST_SECRET = 16  # characters; who has one token could find a shorter secret by trying
A_YEAR = 366 * 24 * 3600

_CALLER = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HOST_NAME = re.compile(r"[a-z0-9._-]{1,253}|[0-9a-f:.]{2,45}")
_PASTED_END = re.compile(r"(/api(/v1(/(tool-invocations|chat)(/.*)?)?)?)?$")


def _no_keys() -> Mapping[str, Secret]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """How a relay serves, and where one is that already runs.

    user_data: the user's folder, for what lies beside no store. store: an SQLite file, or a
    `postgresql://` address, which may hold a password.
    base_url: a relay to call, without a slash at its end; None: the one in this process.
    base_url_source: the place that names it, as a person knows it.
    keys: caller -> the key they send; a key without a name is of the caller "".
    turn_seconds, research_seconds: one turn with tools; a foreground call. run_seconds: a run.
    allowed_hosts: names in a `Host` header, lower case, that are this relay beside loopback's.
    uncertain: what becomes of a run that the gateway may have taken, when nobody knows its id.
    retention_days: how long a run is kept after its end; None: until there is no room.
    """

    user_data: Path
    store: Path | Secret
    base_url: str | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    turn_seconds: float = 30.0
    research_seconds: float = 300.0
    run_seconds: float = 10_800.0
    max_invocations: int = 1024
    max_stream_bytes: int = 1_000_000
    keys: Mapping[str, Secret] = field(default_factory=_no_keys, hash=False)
    secret: Secret | None = None
    allowed_hosts: tuple[str, ...] = ()
    uncertain: Uncertain = "fail_unknown"
    retention_days: float | None = None
    concurrency: int = 64
    call_key: Secret | None = None
    withheld: str | None = None
    base_url_source: str | None = None

    def key_to_call(self) -> Secret | None:
        """The key that `base_url` gets; of several, the first.

        Raises KeyWithheld when the only key there is must not go to that address.
        """
        if self.withheld is not None:
            raise KeyWithheld(self.withheld)
        return self.call_key


def load_relay(
    base_url: str | None = None,
    *,
    host: str | None = None,
    port: int | str | None = None,
    store: str | Path | None = None,
    standalone: bool = False,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    home: Path | None = None,
    user_data: Path | None = None,
) -> RelaySettings:
    """Read what is configured of the relay; arguments win. Nothing is written or asked.

    standalone: for a relay that somebody starts, so that a folder's `.env` counts in everything.
    Raises ConfigError, with the name of the variable, for a value that does not work.
    """
    given = {ADDRESS: base_url, HOST: host, PORT: port, STORE: store}
    arguments = {name: None if value is None else str(value) for name, value in given.items()}
    found = places(arguments, environ, folder, home)
    return _Reader(found, standalone, user_data or user_folder()).settings()


class _Reader:
    """One reading of all places."""

    def __init__(self, every: Sequence[Source], standalone: bool, user_data: Path) -> None:
        self.every = every
        self.serving = [one for one in every if standalone or one.trust > Trust.FOLDER]
        self.user_data = user_data

    def settings(self) -> RelaySettings:
        base_url, call_key, withheld = self.whom_to_call()
        address = find(ADDRESS, self.every)
        return RelaySettings(
            user_data=self.user_data,
            store=self.store(),
            base_url=base_url,
            base_url_source=address.source.name if address else None,
            call_key=call_key,
            withheld=withheld,
            host=self.text(HOST) or "127.0.0.1",
            port=int(self.number(PORT, 8080, 0, 65_535, whole=True)),
            turn_seconds=self.seconds("RELAY_TIMEOUT_SECONDS", 30),
            research_seconds=self.seconds("RELAY_RESEARCH_TIMEOUT_SECONDS", 300),
            run_seconds=self.number("RELAY_RUN_SECONDS", 10_800, 1, A_YEAR),
            max_invocations=self.whole("RELAY_MAX_INVOCATIONS", 1024, 1_000_000_000),
            max_stream_bytes=self.whole("RELAY_MAX_STREAM_BYTES", 1_000_000, 1_000_000_000),
            keys=self.keys(),
            secret=self.secret(),
            allowed_hosts=self.allowed_hosts(),
            uncertain=self.uncertain(),
            retention_days=self.retention(),
            concurrency=self.whole("RELAY_CONCURRENCY", 64, 10_000),
        )

    # -- whom to call ----------------------------------------------------------------------

    def whom_to_call(self) -> tuple[str | None, Secret | None, str | None]:
        """The address of a relay, its key, and why it gets none although there is one."""
        address = find(ADDRESS, self.every)
        if address is None:
            return None, None, None
        base_url = _relay_address(address, self.every)
        found = [one for place in self.every if (one := find(KEY, [place]))]
        free = [one for one in found if address.source.trust >= one.source.trust]
        if free:
            return base_url, next(iter(_keys(free[0]).values())), None
        return base_url, None, _withheld(base_url, address, found[0]) if found else None

    # -- how to serve ----------------------------------------------------------------------

    def text(self, name: str) -> str | None:
        found = find(name, self.serving)
        return found.value if found else None

    def store(self) -> Path | Secret:
        found = find(STORE, self.serving)
        if found is None:
            return self.user_data / FILE
        if found.value.startswith(("postgresql://", "postgres://")):
            return Secret(found.value)
        if "://" in found.value:  # not repeated: it may hold a password
            raise ConfigError(
                f"{STORE} ({found.source.name}) is neither a file nor a postgresql:// address."
            )
        return path_from(found.value, found.source)

    def keys(self) -> Mapping[str, Secret]:
        found = find(KEY, self.serving)
        return _keys(found) if found else _no_keys()

    def secret(self) -> Secret | None:
        text = self.text("RELAY_SECRET")
        if text is None:
            return None
        if len(text) < SHORTEST_SECRET:
            raise ConfigError(
                f"RELAY_SECRET is shorter than {SHORTEST_SECRET} characters. This makes one:\n"
                '  python -c "import secrets; print(secrets.token_hex(32))"'
            )
        return Secret(text)

    def allowed_hosts(self) -> tuple[str, ...]:
        names = [name.strip(" []").lower() for name in _listed(self.text("RELAY_ALLOWED_HOSTS"))]
        for name in names:
            if not _HOST_NAME.fullmatch(name):
                raise ConfigError(
                    "RELAY_ALLOWED_HOSTS takes host names, separated by commas, without scheme "
                    "and port: relay.example.com,10.0.0.7."
                )
        return tuple(dict.fromkeys(names))

    def uncertain(self) -> Uncertain:
        text = self.text("RELAY_ON_UNCERTAIN") or "fail_unknown"
        if text not in ("fail_unknown", "resubmit"):
            raise ConfigError(
                "RELAY_ON_UNCERTAIN is fail_unknown (a run is never paid for twice) or resubmit "
                "(it always goes on)."
            )
        return text

    def retention(self) -> float | None:
        if self.text("RELAY_RETENTION_DAYS") is None:
            return None
        return self.number("RELAY_RETENTION_DAYS", 0, 0.01, 100_000)

    # -- numbers ---------------------------------------------------------------------------

    def seconds(self, name: str, default: float) -> float:
        """How long a caller waits: a folder's `.env` may say that."""
        return self.number(name, default, 0.01, A_YEAR, among=self.every)

    def whole(self, name: str, default: int, high: int) -> int:
        return int(self.number(name, default, 1, high, whole=True))

    def number(
        self,
        name: str,
        default: float,
        low: float,
        high: float,
        *,
        whole: bool = False,
        among: Sequence[Source] | None = None,
    ) -> float:
        found = find(name, self.serving if among is None else among)
        if found is None:
            return float(default)
        try:
            value = float(found.value)
        except ValueError:
            value = math.nan
        if not low <= value <= high or (whole and value != int(value)):
            kind = "a whole number" if whole else "a number"
            usual = f"; {default:g} is the default" if default else ""
            raise ConfigError(
                f"{name} ({found.source.name}) is not {kind} from {low:g} to {high:.10g}{usual}."
            )
        return value


def _listed(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _keys(found: Found) -> Mapping[str, Secret]:
    """`key`, or `alice:key,bob:key`: caller -> key. No part of it is ever repeated."""
    keys: dict[str, Secret] = {}
    place = f"{KEY} ({found.source.name})"
    for entry in _listed(found.value):
        name, colon, key = entry.rpartition(":")
        if colon and not _CALLER.fullmatch(name):
            raise ConfigError(
                f"{place} is one key, or name:key pairs separated by commas. A name is made of "
                "letters, digits, dots and dashes; a key holds neither comma nor colon."
            )
        if name in keys:
            raise ConfigError(f"{place} has two keys for one name: every caller has one.")
        keys[name] = checked_key(key, place)
    if not keys or len({*keys.values()}) < len(keys):
        raise ConfigError(f"{place} has no key, or one key for two names: every caller has one.")
    return MappingProxyType(keys)


def _relay_address(found: Found, sources: Sequence[Source]) -> str:
    """The found address without what was pasted behind the relay's root, and without a slash."""
    try:
        address = normalise(
            _PASTED_END.sub("", found.value.rstrip("/")), allow_http=allows_http(found, sources)
        )
    except ConfigError:
        raise ConfigError(
            f"{ADDRESS} ({found.source.name}) is no relay's address. It looks like "
            "https://relay.example.com, or http://127.0.0.1:8080 on this machine, and holds no "
            "user name or password (http to another machine: KIT_ALLOW_INSECURE_HTTP=1)."
        ) from None
    return address.removesuffix("/v1")


def _withheld(base_url: str, address: Found, key: Found) -> str:
    return (
        f"The relay's key from {key.source.name} was not sent: the address {base_url} comes from "
        f"the {address.source.name}.\n"
        f"If that relay may have the key: set {ADDRESS} in the environment."
    )
