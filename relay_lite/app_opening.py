"""From what is configured to an engine: which store, whose runs, under which bounds.

Rule: a store's own parts are imported only where it is the one that is configured. A relay alone
with its file keeps its secret beside it; relays that share a database are given one.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Awaitable, Callable
from pathlib import Path

from kit.errors import ConfigError
from kit.gateway.client import AsyncClient
from kit.settings import Endpoint
from kit.settings_relay import RelaySettings
from relay_lite.auth import fingerprint, secret_of
from relay_lite.engine import Engine, Terms
from relay_lite.research import Limits
from relay_lite.store import Gateway, Store
from relay_lite.upstream import Upstream

__all__ = ["FREE", "engine_of", "gateway_of", "secret_beside", "store_of"]

FREE = frozenset({"sandbox", "local"})
"""Gateways of this machine, which cost nothing; their keys are made anew with each start."""


def store_of(settings: RelaySettings) -> Store:
    """The configured store, not open yet. Raises ConfigError where a part of it is missing."""
    if isinstance(settings.store, Path):
        from relay_lite.sqlite import SqliteStore

        return SqliteStore(settings.store)
    for needed in ("psycopg", "procrastinate"):
        if importlib.util.find_spec(needed) is None:
            raise ConfigError(
                "RELAY_STORE names a PostgreSQL database, which takes more packages:\n"
                "  pip install 'responses-kit[team]'"
            )
    from relay_lite.postgres import PostgresStore

    return PostgresStore(settings.store.reveal())


def secret_beside(settings: RelaySettings) -> bytes:
    """The relay's secret. Raises ConfigError for a shared store without RELAY_SECRET."""
    if isinstance(settings.store, Path):
        return secret_of(settings, settings.store.expanduser().absolute().parent)
    if settings.secret is None:
        raise ConfigError(
            "Relays that share a database need one secret: set RELAY_SECRET to the same for all of"
            ' them. This makes one:\n  python -c "import secrets; print(secrets.token_hex(32))"'
        )
    return secret_of(settings, settings.user_data)


def gateway_of(endpoint: Endpoint, secret: bytes) -> Gateway:
    """Whose runs those of this gateway and key are."""
    if endpoint.identity in FREE:
        return Gateway(endpoint.identity)
    return Gateway(endpoint.identity, fingerprint(secret, endpoint.api_key))


def engine_of(
    settings: RelaySettings,
    client: AsyncClient,
    secret: bytes,
    *,
    works: bool = True,
    dispatch: Callable[[str], Awaitable[None]] | None = None,
) -> Engine:
    """The engine over the configured store and the gateway of `client`, not started yet."""
    gateway = gateway_of(client.endpoint, secret)
    upstream = Upstream(client, gateway, free=gateway.identity in FREE)
    limits = Limits(
        run_seconds=settings.run_seconds,
        max_stream_bytes=settings.max_stream_bytes,
        resubmit=settings.uncertain == "resubmit",
    )
    terms = Terms(
        concurrency=settings.concurrency,
        kept=settings.max_invocations,
        retention_days=settings.retention_days,
    )
    return Engine(store_of(settings), upstream, limits, terms=terms, works=works, dispatch=dispatch)
