"""What the network did instead of bringing an answer, in words of the person who waits for it.

Rule: the type of a transport's error says how far the request came; its chain of causes says why.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import httpx

from kit import errors
from kit.errors import redact
from kit.gateway.transport import UNSENT

__all__ = ["CONNECT_SECONDS", "broken", "distrusted", "is_overlong", "unreached"]

CONNECT_SECONDS = 10.0


def unreached(
    error: httpx.TransportError, address: str, *secrets: str, create: bool
) -> errors.GatewayError:
    """The error of a request that brought no answer from the gateway at `address`."""
    if "Bad status line" in str(error):  # aiohttp's parser, of what came instead
        return errors.ConnectionBroken(
            f"What answers at {address} does not speak HTTP. Check LITELLM_BASE_URL."
        )
    if str(error).startswith("Got more than"):  # the same parser, of a header
        return errors.ConnectionBroken(_OVERLONG)  # a create may have been taken
    if not isinstance(error, UNSENT):
        return broken(error, *secrets, create=create)
    if (unsafe := _unsafe(error)) is not None:
        return errors.ConnectionFailed(unsafe.format(address=address))
    if distrusted(error):
        return errors.ConnectionFailed(
            f"The certificate of {address} is not trusted here ({_why(error, secrets)}).\n"
            "If your company signs its own, set SSL_CERT_FILE to its CA file."
        )
    if isinstance(error, httpx.PoolTimeout):
        return errors.ConnectionFailed("Too many requests were waiting for a free connection.")
    return errors.ConnectionFailed(
        f"No gateway answers at {address} ({_why(error, secrets)}). "
        "Check LITELLM_BASE_URL and that the gateway runs; %kit use sandbox needs none."
    )


def broken(error: httpx.TransportError, *secrets: str, create: bool) -> errors.ConnectionBroken:
    """The error of a connection that broke; a `create` may have been taken."""
    told = "The gateway may have taken it, so it was not sent again." if create else "Try again."
    return errors.ConnectionBroken(
        f"The connection broke after the request had left ({_why(error, secrets)}). {told}"
    )


_OVERLONG = (
    "The gateway, or a proxy before it, sends a header longer than 64 KiB, so that its answer "
    "cannot be read. Tell whoever runs it: asking again does not help, and may cost again."
)


def is_overlong(error: BaseException) -> bool:
    """Whether a header was too long to be read: the next answer would have it too."""
    return isinstance(error, errors.ConnectionBroken) and str(error) == _OVERLONG


def distrusted(error: BaseException) -> bool:
    """Whether a certificate, or TLS itself, is at fault: trying again would change nothing."""
    return any(isinstance(cause, ssl.SSLError) for cause in _causes(error)) or (
        "CERTIFICATE_VERIFY_FAILED" in str(error)
    )


def _unsafe(error: BaseException) -> str | None:
    """What to say where TLS did not come about, and no certificate is why."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return None
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return None
        # aiohttp's own kind of it has no such attribute
        reason = getattr(cause, "reason", None) if isinstance(cause, ssl.SSLError) else None
        if reason in _PLAIN:
            return _NO_HTTPS
        if isinstance(reason, str):
            reason = reason.replace("_", " ").lower()
            return f"No safe connection to {{address}} came about ({reason}). {_CHECK}"
    return None


_CHECK = "Check LITELLM_BASE_URL, and that the gateway runs."
_PLAIN = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
_NO_HTTPS = (
    "What answers at {address} does not speak https.\n"
    "Check LITELLM_BASE_URL: perhaps it begins with http://, or has another port."
)


def _why(error: BaseException, secrets: tuple[str, ...]) -> str:
    for cause in _causes(error):
        # aiohttp's own kind of it has no such attribute
        if said := getattr(cause, "verify_message", None):
            return str(said)
        for kind, words in _WORDS:
            if isinstance(cause, kind):
                return words
    said = redact(str(error) or type(error).__name__, *secrets)
    return " ".join(said.split())[:160].rstrip(". ")


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "there is no host of that name"),
    (ConnectionRefusedError, "connection refused"),
    (ConnectionResetError, "connection reset by the other side"),
    (httpx.ConnectTimeout, f"no answer within {CONNECT_SECONDS:g} s"),
)
