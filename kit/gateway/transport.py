"""The one seam: everything this toolkit sends over HTTP goes through an httpx transport.

`open_transport` gives the real one, over aiohttp, because httpx's own pool collapses when many
requests run at once. Tests, replay and cassettes are other transports with the same single method.
Whoever catches its errors can tell from the type alone whether a request may be sent again: after
one of `UNSENT` no byte of it has left.
"""

from __future__ import annotations

import functools
import os
import ssl

import httpx

from kit.errors import ConfigError
from kit.gateway.proxies import Proxies

__all__ = ["UNSENT", "open_transport", "tls_context"]

UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""The failures after which no byte of the request has left; every other may have been received."""

IDLE_SECONDS = 4.0
"""How long an unused connection is kept: less than the 5 s after which uvicorn hangs up."""


def open_transport(
    *,
    verify: ssl.SSLContext | None = None,
    ca_file: str | None = None,
    proxies: Proxies | None = None,
    connections: int = 100,
    idle: float = IDLE_SECONDS,
) -> httpx.AsyncBaseTransport:
    """The transport that reaches the network.

    `verify` is used as it is; without it `tls_context(ca_file)` is made at the first https
    request. `connections` bounds the requests and open streams at a time, further ones wait for
    the `pool` time-out; `idle` is in seconds. Bodies arrive decompressed, piece by piece as they
    are received; redirects are not followed and cookies not kept, so a key stays where it was
    sent. One transport serves several event loops, with connections of its own for each.
    """
    from kit.gateway.aiohttp_transport import AiohttpTransport  # 0.2 s of import, at the first call

    context = functools.partial(tls_context, ca_file) if verify is None else lambda: verify
    return AiohttpTransport(
        tls=context, proxies=proxies or Proxies(), connections=connections, idle=idle
    )


@functools.lru_cache(maxsize=8)
def tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Trust in the system's store, and in the authorities of `ca_file` (a file or a folder) too.

    Made once for each file: it costs tens of milliseconds. Raises ConfigError when the file is
    missing or holds no certificate.
    """
    context = _system_context()
    context.set_alpn_protocols(["http/1.1"])
    if ca_file:
        try:
            if os.path.isdir(ca_file):
                context.load_verify_locations(capath=ca_file)
            else:
                context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"The certificate file {ca_file} cannot be used ({error.strerror or error}). "
                "Set SSL_CERT_FILE or REQUESTS_CA_BUNDLE to a PEM file, or unset it."
            ) from error
    return context


def _system_context() -> ssl.SSLContext:
    try:
        import truststore
    except ImportError:  # a platform it does not know: OpenSSL's own paths
        return ssl.create_default_context()
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
