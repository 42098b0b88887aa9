"""Which proxy a request goes through: a pure function of a URL and three settings.

The variables are read by whoever reads the environment; here they are values. `NO_PROXY` is
understood as curl and Go understand it: names match whole labels and what is below them, `*` is
everything, an address may be a network, an entry may end in a port. As in Go, and unlike httpx and
curl, a loopback address is never sent to a proxy: the sandbox, the relay and a local model live
there, and the proxy's loopback is another machine.
"""

from __future__ import annotations

import base64
import functools
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import httpx

from kit.errors import ConfigError

__all__ = ["Proxies", "Route"]


@dataclass(frozen=True, slots=True)
class Route:
    """A proxy's address without credentials, and the header value that carries them."""

    address: str
    authorization: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Proxies:
    """Proxy addresses as configured; they may hold a password, so a repr does not show them."""

    http: str | None = field(default=None, repr=False)
    https: str | None = field(default=None, repr=False)
    no_proxy: str = ""

    @classmethod
    def from_variables(cls, variables: Mapping[str, str]) -> Proxies:
        """The values of `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`.

        Lower case wins, as in curl. In a CGI process `HTTP_PROXY` is a header that a stranger
        sent, so only the lower-case name counts there.
        """

        def value(name: str) -> str | None:
            forged = name == "HTTP_PROXY" and "REQUEST_METHOD" in variables
            upper = None if forged else variables.get(name)
            return (variables.get(name.lower()) or upper or "").strip() or None

        every = value("ALL_PROXY")
        http, https = value("HTTP_PROXY") or every, value("HTTPS_PROXY") or every
        return cls(http, https, value("NO_PROXY") or "")

    def route(self, url: httpx.URL) -> Route | None:
        """The proxy for `url`, None to go directly. Raises ConfigError for one it cannot use."""
        address = self.https if url.scheme == "https" else self.http
        if address is None or bypassed(url.host, url.port or _port(url.scheme), self.no_proxy):
            return None
        route = parse_proxy(address)
        del address  # it may hold a password, and some tracebacks print local variables
        if isinstance(route, str):
            raise ConfigError(route)
        return route


@functools.lru_cache(maxsize=16)
def parse_proxy(address: str) -> Route | str:
    """A proxy's address taken apart, or what is wrong; one without a scheme is http."""
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        _ = parts.port  # ValueError where it is none
    except ValueError:
        return "The address of the proxy cannot be read: check HTTP_PROXY and HTTPS_PROXY."
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return (
            f"A proxy of the kind {parts.scheme}:// cannot be used. "
            "Set HTTP_PROXY and HTTPS_PROXY to an http:// or https:// address."
        )
    host = parts.netloc.rpartition("@")[2]
    if parts.username is None:
        return Route(f"{parts.scheme}://{host}")
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Route(f"{parts.scheme}://{host}", "Basic " + base64.b64encode(pair.encode()).decode())


@functools.lru_cache(maxsize=256)
def bypassed(host: str, port: int, no_proxy: str) -> bool:
    """Whether `host` is reached without a proxy."""
    host = host.lower().rstrip(".")
    ip = _address(host)
    if host == "localhost" or host.endswith(".localhost") or (ip and ip.is_loopback):
        return True
    return any(_matches(entry, host, port, ip) for entry in re.split(r"[,\s]+", no_proxy.lower()))


Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _matches(entry: str, host: str, port: int, ip: Address | None) -> bool:
    if not entry or entry == "*":
        return entry == "*"
    with_port = re.fullmatch(r"(\[[^\]]*\]|[^:]*):(\d+)", entry)
    if with_port:
        entry, only = with_port[1], int(with_port[2])
        if only != port:
            return False
    entry = entry.strip("[]")
    if ip is not None:
        return _holds(entry, ip)
    name = entry.lstrip("*").strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _holds(network: str, ip: Address) -> bool:
    try:
        return ip in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _port(scheme: str) -> int:
    return 443 if scheme == "https" else 80
