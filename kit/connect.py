"""The clients people use: every argument optional, what is missing filled in.

Rule: an argument wins over what `%kit use` chose, that over what is configured, and with nothing
at all the sandbox of this process answers. The magics share one client; scripts make their own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Unpack

import httpx

from kit import local, settings
from kit.blocking import blocking
from kit.connect_tools import tool_stream
from kit.errors import ConfigError, InputError
from kit.gateway import client as gateway
from kit.gateway.blocking_stream import Stream
from kit.gateway.capabilities_file import remembered
from kit.gateway.ledger import Ledger
from kit.gateway.options_by_name import takes_options
from kit.gateway.proxies import Proxies
from kit.gateway.transport import open_transport
from kit.gateway.wire import Api, Input, Options
from kit.settings import Endpoint
from kit.tools.stream import (
    AsyncToolStream,
    blocking_stream,
    blocking_to_its_end,
    to_its_end,
)

if TYPE_CHECKING:
    from kit.relay.contracts import Format
    from kit.tools.consent import Approve
    from kit.tools.limits import Limits

__all__ = [
    "AsyncClient",
    "Client",
    "Status",
    "choose_model",
    "client",
    "ledger",
    "status",
    "use",
]

Choice = Literal["sandbox", "local", "gateway"]
CHOICES: tuple[Choice, ...] = ("sandbox", "local", "gateway")

ledger = Ledger(time.time())
"""What the clients of this process have asked, and what it took."""


class AsyncClient(gateway.AsyncClient):
    """The asynchronous client of a gateway; with nothing configured, of the sandbox.

    base_url, api_key, model: else LITELLM_BASE_URL, LITELLM_API_KEY, LITELLM_MODEL (environment,
    `.env`, `~/.env`), else the sandbox, which is started. The others as `kit.gateway.client` has
    them. Raises ConfigError when what is configured does not work.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        model: str | None = None,
        *,
        timeout: float | None = None,
        idle_timeout: float = 120.0,
        retries: int = 2,
        headers: Mapping[str, str] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        base_url = base_url or _chosen_address()
        found = settings.load(base_url, api_key, model)
        if transport is None:
            proxies = Proxies.from_variables(found.proxies)
            transport = open_transport(ca_file=found.ca_file, proxies=proxies)
        endpoint = _endpoint(found, base_url, model)
        super().__init__(
            endpoint,
            timeout=timeout,
            idle_timeout=idle_timeout,
            retries=retries,
            headers=headers,
            transport=transport,
            ledger=ledger,
            capabilities=remembered(found.user_data, endpoint.identity),
        )
        self.settings = found

    @takes_options
    def stream_tools(
        self,
        prompt: Input,
        *,
        api: Api = "responses",
        approve: Approve = None,
        limits: Limits | None = None,
        budget: float | None = None,
        deliverable_format: Format | None = None,
        **options: Unpack[Options],
    ) -> AsyncToolStream:
        """The model works with tools: iterate the result for what happens, then read `.answer`.

        tools: functions (see `kit.tool`), their names, "deep_research", and what the gateway
        hosts, as dicts; None: all that are registered, and deep_research.
        approve: who says yes before a call, see `kit.tools.consent`.
        budget: US dollars of all together, and the yes to research that costs money.
        deliverable_format: of research, where the model names none.

        Raises what `respond` raises, and ConsentMissing; the error's `.answer.tool_calls` has
        what was called.
        """
        return tool_stream(
            self,
            self.settings,
            prompt,
            api=api,
            approve=approve,
            limits=limits,
            budget=budget,
            deliverable_format=deliverable_format,
            options=options,
        )

    run_tools = to_its_end(stream_tools)


class Client:
    """The blocking client: the same as `AsyncClient`, for cells and scripts.

    It works inside a running event loop, and a stop (■, Ctrl-C) ends the request.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        model: str | None = None,
        *,
        timeout: float | None = None,
        idle_timeout: float = 120.0,
        retries: int = 2,
        headers: Mapping[str, str] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.inner = AsyncClient(
            base_url,
            api_key,
            model,
            timeout=timeout,
            idle_timeout=idle_timeout,
            retries=retries,
            headers=headers,
            transport=transport,
        )

    chat = blocking(gateway.AsyncClient.chat)
    respond = blocking(gateway.AsyncClient.respond)
    submit = blocking(gateway.AsyncClient.submit)
    retrieve = blocking(gateway.AsyncClient.retrieve)
    cancel = blocking(gateway.AsyncClient.cancel)
    delete = blocking(gateway.AsyncClient.delete)
    models = blocking(gateway.AsyncClient.models)
    close = blocking(gateway.AsyncClient.aclose)

    @takes_options
    def stream(
        self, prompt: Input, *, api: Api = "responses", **options: Unpack[Options]
    ) -> Stream:
        """The answer while it is made: iterate the result for events, then read `.answer`."""
        return Stream(self.inner.stream(prompt, api=api, **options))

    stream_tools = blocking_stream(AsyncClient.stream_tools)
    run_tools = blocking_to_its_end(AsyncClient.stream_tools)

    @property
    def endpoint(self) -> Endpoint:
        """The gateway this client talks to."""
        return self.inner.endpoint

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.endpoint.identity!r}, model={self.endpoint.model!r})"


# -- what this process has chosen --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Status:
    """Whom the magics talk to. Never holds a key: `key_source` says where one comes from."""

    kind: Choice
    address: str
    model: str | None
    key_source: str | None
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Chosen:
    kind: Choice | None = None
    model: str | None = None
    address: str | None = None  # of the gateway that was logged in to


_lock = threading.RLock()
_chosen = _Chosen()
_shared: tuple[settings.Settings, Client] | None = None


def use(kind: str, *, address: str | None = None) -> None:
    """Let the magics, and clients made without an address, talk to this kind of gateway.

    address: of the gateway, for this process; it stays known until another is given. Raises
    ConfigError when it is not there: no local model installed, no gateway configured.
    """
    if kind not in CHOICES:
        raise InputError(f"There is no {kind!r} to use: it is sandbox, local or gateway.")
    address = address or _chosen.address
    if kind == "gateway" and settings.load(address).endpoint is None:
        raise ConfigError(
            "No gateway is configured. Set LITELLM_BASE_URL (and LITELLM_API_KEY) in the "
            "environment or in ~/.env, or run %kit login https://your-gateway."
        )
    if kind == "local":
        local.model_endpoint(settings.load())
    _choose(_Chosen(kind, None, address))


def choose_model(name: str | None) -> None:
    """Use this model from now on; None for the configured one."""
    _choose(replace(_chosen, model=name))


def forget_client(logged_out: str | None = None) -> None:
    """Make the shared client anew at its next use: a key or a setting has changed.

    logged_out: an address that `use` was given, and that is not to be used any more.
    """
    if logged_out is not None and logged_out == _chosen.address:
        _choose(_Chosen())
    else:
        _choose(_chosen)


def client() -> Client:
    """The client that the magics share; a new one when what is configured has changed."""
    global _shared
    with _lock:
        found = settings.load(_chosen_address())
        if _shared is None or _shared[0] != found:
            _shared = found, Client()
        return _shared[1]


def status() -> Status:
    """Whom `client()` talks to, and where each setting comes from."""
    endpoint = client().endpoint
    sources = dict(settings.load(_chosen_address()).sources)
    if _chosen_address():
        sources[settings.ADDRESS] = "%kit login"
    kind = endpoint.identity if endpoint.identity in ("sandbox", "local") else "gateway"
    key = sources.get(settings.KEY) if endpoint.api_key else None
    return Status(kind, endpoint.base_url, endpoint.model, key, sources)  # type: ignore[arg-type]


def _chosen_address() -> str | None:
    return _chosen.address if _chosen.kind == "gateway" else None


def _choose(chosen: _Chosen) -> None:
    global _chosen, _shared
    with _lock:
        # the old client is not closed: a call of another thread may be under way in it
        _chosen, _shared = chosen, None


def _endpoint(found: settings.Settings, base_url: str | None, model: str | None) -> Endpoint:
    kind = None if base_url else _chosen.kind  # "gateway" with an address came as base_url
    if kind == "local":
        endpoint = local.model_endpoint(found)
    elif kind == "sandbox" or found.endpoint is None:
        endpoint = local.sandbox_endpoint(found)
    else:
        endpoint = found.endpoint
    own = base_url is None or base_url == _chosen_address()
    wanted = model or (_chosen.model if own else None)
    return replace(endpoint, model=wanted, chat_model=wanted) if wanted else endpoint
