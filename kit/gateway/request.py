"""What a request carries: its headers, its body as bytes, and what in them is secret.

Rule: what cannot be sent is refused here, in words, before anything is opened.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any, cast

import httpx

from kit.errors import InputError
from kit.gateway.events import Wire
from kit.settings import Endpoint

__all__ = ["add_headers", "checked_seconds", "encoded", "headers_for", "path_of", "secrets_in"]

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CREDENTIAL = re.compile(r"(?i)authorization|cookie|api-?key|secret|token$")
_LONGEST_ID = 8 * 1024
_SHORTEST_SECRET = 8
"""Shorter values (`none`, `EMPTY`) are no secrets, and stand in many an honest text."""


def headers_for(endpoint: Endpoint, given: Mapping[str, str]) -> httpx.Headers:
    """The headers of every request to `endpoint`: ours, those `given`, and the key."""
    own = {
        "host": httpx.URL(endpoint.base_url).netloc.decode("ascii"),
        "user-agent": "responses-kit",
        "accept-encoding": "gzip, deflate",
        "content-type": "application/json",
    }
    for name, value in given.items():
        _check(name, value)
    headers = httpx.Headers({**own, **{name.lower(): given[name] for name in given}})
    # no local variable holds the key: some tracebacks print them
    if endpoint.api_key and endpoint.api_key.reveal():
        if not _fits("authorization", endpoint.api_key.reveal()):
            raise InputError("The key cannot be sent: it holds more than printable ASCII.")
        headers["authorization"] = f"Bearer {endpoint.api_key.reveal()}"
    return headers


def add_headers(headers: httpx.Headers, given: Mapping[str, str]) -> None:
    """Put those of one request in. Raises InputError for what cannot be sent."""
    for name, value in given.items():
        _check(name, value)
        headers[name] = value


def checked_seconds(seconds: Any, name: str = "timeout") -> float | None:
    """A time-out as it was given. Raises InputError for one that is no positive number."""
    if seconds is None:
        return None
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not number or not seconds > 0:  # false for NaN as well
        raise InputError(f"`{name}` is a number of seconds above zero, or None.")
    return float(min(seconds, 1e9))


def path_of(id: Any) -> str:
    """The path of a response. Ids are opaque, may be long, and may hold anything."""
    if not isinstance(id, str) or len(id) > _LONGEST_ID:
        raise InputError("The id of a response is text, as `answer.id` has it.")
    try:
        quoted = urllib.parse.quote(id, safe="")
    except UnicodeEncodeError:
        quoted = ""
    if not quoted or id in (".", ".."):  # those two would name another path
        raise InputError(f"{id[:60]!a} is no id of a response.")
    return "/responses/" + quoted


def secrets_in(headers: httpx.Headers) -> tuple[str, ...]:
    """The values that must never be shown, the longest first."""
    values = [value for name, value in headers.items() if _CREDENTIAL.search(name)]
    bare = [value.partition(" ")[2] for value in values]  # without `Bearer`, `Basic`
    found = {
        one
        for one in (*values, *bare)
        if len(one) >= _SHORTEST_SECRET or (one.startswith("sk-") and len(one) > 4)
    }
    return _Hidden(sorted(found, key=len, reverse=True))


class _Hidden(tuple[str, ...]):
    """Secrets that a debugger or a traceback with locals does not print."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} secrets>"


def encoded(body: Wire) -> bytes:
    """`body` as JSON. Raises InputError for what JSON cannot hold."""
    try:
        text = _encode(body)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"The request cannot be sent as JSON: {error}.") from None
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, from a broken copy: only escapes hold it
        return json.dumps(body, default=_plain).encode()


def _check(name: Any, value: Any) -> None:
    fits = _fits(name, value)
    del value  # it may be a key
    if not fits:
        raise InputError(
            f"The header {str(name)[:60]!r} cannot be sent: names and values are printable ASCII."
        )


def _fits(name: Any, value: Any) -> bool:
    if not (isinstance(name, str) and _NAME.fullmatch(name) and isinstance(value, str)):
        return False
    return value.isascii() and all(one.isprintable() or one == "\t" for one in value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(cast(Mapping[str, Any], value))
    raise TypeError(f"a {type(value).__name__}")


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_plain).encode
