"""`python -m kit.sandbox`: the sandbox alone, for other programs on this machine."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from kit.errors import ConfigError
from kit.sandbox.app import STORE_FILE, open_sandbox
from kit.sandbox.faults import FAULTS
from kit.sandbox.store import Store
from kit.serving import is_loopback, serve
from kit.settings import load


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C; 0, or 1 with one line on stderr when that cannot be done."""
    options = _parser().parse_args(arguments)
    if options.faults:
        print("\n".join(f"sandbox:{name:<22} {fault.does}" for name, fault in FAULTS.items()))
        return 0
    try:
        _serve(options)
    except ConfigError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m kit.sandbox", description=__doc__)
    add = parser.add_argument
    add("--port", type=int, default=18080, help="the port to listen on (18080; 0 takes a free one)")
    add("--host", default="127.0.0.1", help="a loopback address (127.0.0.1)")
    add("--corpus", type=Path, nargs="+", metavar="FOLDER", help="folders to search as well")
    add("--pace", type=float, help="how slow it is: 1 as a gateway, 0 at once")
    add("--store", type=Path, metavar="FILE", help="the file of stored responses")
    add("--faults", action="store_true", help="list the models that misbehave, and end")
    return parser


def _serve(options: argparse.Namespace) -> None:
    if not is_loopback(options.host):
        raise ConfigError(
            f"The sandbox listens on loopback only, not on {options.host}: it asks for no key and"
            " can read a folder of yours."
        )
    settings = load()
    store = options.store or settings.user_data / STORE_FILE
    _warn_if_unusable(store)
    app = open_sandbox(
        folders=settings.sandbox_corpus if options.corpus is None else options.corpus,
        store=store,
        pace=settings.sandbox_pace if options.pace is None else options.pace,
    )
    serve(app, options.host, options.port, announce=_announce)


def _warn_if_unusable(path: Path) -> None:
    with contextlib.closing(Store(path)) as store:
        store.get("", now=0.0)
        if store.note:
            print(store.note, file=sys.stderr)


def _announce(url: str) -> None:
    print(f"Sandbox (no language model) on {url}/v1, any key. Ctrl-C stops it.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
