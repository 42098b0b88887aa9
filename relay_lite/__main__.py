"""`python -m relay_lite`: a relay of its own, a team's worker, or a purge of what is old.

Rule: nothing listens for other machines without a key. Standard output gets one line, where the
relay is; a key is in none.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kit.connect import AsyncClient
from kit.errors import ConfigError, KitError
from kit.secret import Secret
from kit.serving import is_loopback, serve
from kit.settings_relay import RelaySettings, load_relay
from relay_lite.app import create_app
from relay_lite.app_opening import FREE, engine_of, secret_beside, store_of
from relay_lite.auth import Tokens
from relay_lite.engine import Engine

if TYPE_CHECKING:
    from relay_lite.team import Team

__all__ = ["main"]

A_DAY = 86_400.0
EVERYWHERE = frozenset({"0.0.0.0", "::"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; 0, or 1 with one line on stderr when that cannot be done."""
    options = _parser().parse_args(arguments)
    commands = {"serve": _serve, "worker": _work, "purge": _purge}
    try:
        settings = load_relay(
            host=getattr(options, "host", None),
            port=getattr(options, "port", None),
            store=options.store,
            standalone=True,
        )
        commands[options.command or "serve"](settings, options)
    except KitError as problem:
        print(f"Error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m relay_lite",
        description="Research runs that go on whatever dies.",
        epilog="RELAY_* and LITELLM_* variables say the rest: docs/variables.md.",
        allow_abbrev=False,
    )
    store = argparse.ArgumentParser(add_help=False)
    store.add_argument(
        "--store",
        metavar="PLACE",
        default=argparse.SUPPRESS,
        help="an SQLite file or a postgresql:// address (RELAY_STORE)",
    )
    parser.set_defaults(store=None)
    parser.add_argument("--host", help="the address to listen on (RELAY_HOST, 127.0.0.1)")
    parser.add_argument("--port", type=int, help="0 takes a free one (RELAY_PORT, 8080)")
    parser.add_argument(
        "--store", metavar="PLACE", help="an SQLite file or a postgresql:// address"
    )
    commands = parser.add_subparsers(dest="command", title="instead of serving")
    commands.add_parser("worker", parents=[store], help="work on the runs of a team's relays")
    purge = commands.add_parser("purge", parents=[store], help="delete runs that ended long ago")
    purge.add_argument(
        "--older-than", type=_days, default=30.0, metavar="DAYS", help="after their end (30)"
    )
    purge.add_argument("--unread", action="store_true", help="those nobody has read as well")
    return parser


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days <= 100_000:
        raise argparse.ArgumentTypeError(f"a number of days from 0 is needed, not {text!r}")
    return days


def _serve(settings: RelaySettings, _options: argparse.Namespace) -> None:
    _check_address(settings)
    parts = _parts(settings)
    app = create_app(
        parts.engine,
        settings,
        Tokens(secret_beside(settings)),
        hosts={settings.host.lower()} - EVERYWHERE,
        started=parts.team.open if parts.team else None,
    )

    def announce(url: str) -> None:
        _announce(url, settings, parts.engine)

    serve(app, settings.host, settings.port, announce=announce, closing=parts.close)


def _check_address(settings: RelaySettings) -> None:
    if not is_loopback(settings.host) and not settings.keys:
        raise ConfigError(
            f"A relay on {settings.host} can be reached from other machines, and RELAY_API_KEY is"
            " not set: anybody there could spend your money. Set it, or leave RELAY_HOST out."
        )


def _announce(url: str, settings: RelaySettings, engine: Engine) -> None:
    in_a_file = isinstance(settings.store, Path)
    place = f"in {settings.store}" if in_a_file else "in PostgreSQL"
    gateway = engine.upstream.gateway.identity
    answers = "the sandbox answers, no language model" if gateway in FREE else f"over {gateway}"
    print(f"Relay on {url}, runs {place}, {answers}. Ctrl-C stops it.", flush=True)
    if engine.store.note:
        print(engine.store.note, file=sys.stderr, flush=True)


def _work(settings: RelaySettings, _options: argparse.Namespace) -> None:
    if isinstance(settings.store, Path):
        raise ConfigError(
            "A worker is for relays that share a database: set RELAY_STORE=postgresql://…"
            " A relay with a file works by itself."
        )
    asyncio.run(_working(settings, settings.store))


async def _working(settings: RelaySettings, address: Secret) -> None:
    """Work until a signal says to stop; then give back what is under way."""
    engine, team = _team(settings, address)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C cancels us instead
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await engine.start()
    try:
        await team.open()
        gateway = engine.upstream.gateway.identity
        print(f"Worker on the runs in PostgreSQL, over {gateway}. Ctrl-C stops it.", flush=True)
        work = asyncio.create_task(team.work(engine, concurrency=settings.concurrency))
        stop = asyncio.create_task(stopped.wait())
        await asyncio.wait([work, stop], return_when=asyncio.FIRST_COMPLETED)
        for task in (work, stop):
            task.cancel()
        await asyncio.wait([work, stop])
    finally:
        await _Parts(engine, team).close()


@dataclass
class _Parts:
    """What serves and works: an engine, over a database with a queue to tell workers."""

    engine: Engine
    team: Team | None = None

    async def close(self) -> None:
        """Readers end, runs are given back, connections are closed."""
        if self.team is not None:
            await self.team.aclose()
        await self.engine.stop()
        await self.engine.upstream.client.aclose()


def _parts(settings: RelaySettings) -> _Parts:
    if isinstance(settings.store, Path):
        return _Parts(engine_of(settings, AsyncClient(), secret_beside(settings)))
    engine, team = _team(settings, settings.store)
    return _Parts(engine, team)


def _team(settings: RelaySettings, address: Secret) -> tuple[Engine, Team]:
    """An engine that works on what it is told to, and the queue that tells."""
    secret = secret_beside(settings)

    async def dispatch(id: str) -> None:
        await team.dispatch(id)

    engine = engine_of(settings, AsyncClient(), secret, works=False, dispatch=dispatch)
    from relay_lite.team import Team

    team = Team(address.reveal(), engine.store, engine.upstream.gateway)
    return engine, team


def _purge(settings: RelaySettings, options: argparse.Namespace) -> None:
    before = time.time() - options.older_than * A_DAY
    if isinstance(settings.store, Path) and not settings.store.exists():
        raise ConfigError(f"There is no store {settings.store}. Name the relay's own with --store.")

    async def purge() -> int:
        store = store_of(settings)
        await store.open()
        async with contextlib.aclosing(store):
            return await store.purge(before=before, unread=options.unread)

    gone = asyncio.run(purge())
    print(f"{gone} {'run' if gone == 1 else 'runs'} deleted.")


if __name__ == "__main__":
    sys.exit(main())
