"""A gateway's address as people write it, made the one form the toolkit uses: `…/v1`.

Rule: pure text. No look-up, no request, and no message repeats a password. Whatever was pasted
(`/v1/responses`, a trailing slash, `/v1` twice) loses its end; a prefix before it is kept.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, quote, urlsplit

from kit.errors import ConfigError

__all__ = ["normalise"]

LONGEST_ADDRESS = 2048

_PASTED_ENDS = (
    "/chat/completions",
    "/completions",
    "/responses",
    "/embeddings",
    "/models",
    "/v1",
)
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0\\]")
_HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_SAFE_IN_PATH = "%:@!$&'()*+,;=~"
_DEFAULT_PORTS = {"http": 80, "https": 443}
# What servers print when they listen everywhere; a client has to name one address.
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def normalise(url: str, *, allow_http: bool = False) -> str:
    """`url` as `scheme://host[:port][/prefix]/v1`.

    `http` is for loopback only, unless `allow_http`. A query and a fragment are dropped. Raises
    ConfigError, in one line, for anything that is no such address.
    """
    parts = _split(url)
    host = _host(parts)
    if parts.scheme == "http" and not allow_http and not _is_loopback(host):
        raise ConfigError(
            f"http://{_bracketed(host)} is not on this machine, and http does not protect the key: "
            "use https://, or set KIT_ALLOW_INSECURE_HTTP=1."
        )
    port = _port(parts)
    origin = f"{parts.scheme}://{_bracketed(host)}" + ("" if port is None else f":{port}")
    return origin + _prefix(parts.path) + "/v1"


def _split(url: str) -> SplitResult:
    url = url.strip().strip("\"'").strip()
    if len(url) > LONGEST_ADDRESS or _UNPRINTABLE.search(url):
        raise ConfigError(
            "The gateway's address holds blanks, control characters or backslashes, or is too "
            "long: it looks like https://gateway.example.com."
        )
    if "@" in url.partition("?")[0].partition("#")[0]:
        raise ConfigError(
            "The gateway's address holds a user name or a password: take it out, up to the @, "
            "and put the key into LITELLM_API_KEY."
        )
    if "://" not in url:
        bare = "." not in url and ":" not in url and "/" not in url
        if bare and not _is_loopback(url):  # perhaps a key, put in its place
            raise ConfigError(
                "What is set as the gateway's address is no address: one looks like "
                "https://gateway.example.com."
            )
        shown = _shown(url)
        here = _is_loopback(url.partition("/")[0].partition(":")[0])
        scheme = "http" if here else "https"
        raise ConfigError(f'"{shown}" is no gateway address: write it as {scheme}://{shown}.')
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _no_address(url) from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise ConfigError(
            f'"{_shown(url)}" is no gateway address: it has to start with https:// '
            "(or http:// on this machine)."
        )
    return parts


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    if "[" in parts.netloc:
        return _ANY_ADDRESS.get(host) or _ip_version_6(host, parts.geturl())
    try:
        host = host.encode("idna").decode("ascii")
    except UnicodeError:
        raise _no_address(parts.geturl()) from None
    if not _HOST_NAME.fullmatch(host):
        raise _no_address(parts.geturl())
    return _ANY_ADDRESS.get(host, host)


def _ip_version_6(host: str, url: str) -> str:
    try:
        return ipaddress.IPv6Address(host.replace("%", "zone")).compressed
    except ValueError:  # a zone (fe80::1%eth0) too: no two clients write it the same way
        raise _no_address(url) from None


def _port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise _no_address(parts.geturl(), "its port is not a number from 1 to 65535")
    return None if port == _DEFAULT_PORTS[parts.scheme] else port


def _prefix(path: str) -> str:
    """The path without what was pasted behind the root of the interface, percent-encoded."""
    segments = [segment for segment in path.split("/") if segment]
    if any(segment in (".", "..") for segment in segments):
        raise ConfigError("The gateway's address holds . or .. in its path: write the path out.")
    path = "".join("/" + quote(segment, safe=_SAFE_IN_PATH) for segment in segments)
    while end := next((end for end in _PASTED_ENDS if path.endswith(end)), None):
        path = path.removesuffix(end)
    return path


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _no_address(url: str, why: str = "its host cannot be read") -> ConfigError:
    return ConfigError(
        f'"{_shown(url)}" is no gateway address ({why}): '
        "it looks like https://gateway.example.com or http://127.0.0.1:4000."
    )


def _shown(url: str) -> str:
    """As much of the address as helps: no query, where a key may be, and not a page of it."""
    bare = url.partition("?")[0].partition("#")[0]
    return bare if len(bare) <= 80 else bare[:79] + "…"
