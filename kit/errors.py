"""What can go wrong, as one tree.

A message says what happened and what to do now, in one to three lines. It never holds a key, a
token or a gateway's internals. Whose fault it is decides the branch:

    KitError
    ├── ConfigError              what is configured does not work
    │   ├── KeyMissing           the gateway wants a key and there is none
    │   ├── KeyWithheld          there is a key, but the address is less trusted than it
    │   └── ModelMissing         several models and none chosen
    ├── InputError               what the caller passed does not work
    │   └── ConsentMissing       something costs money, and nobody is there to say yes
    ├── GatewayError             the gateway, or the way to it, said no
    │   ├── ConnectionFailed     no byte of the request left
    │   ├── ConnectionBroken     the request had left when the connection broke
    │   ├── TimedOut             the deadline passed, or a stream fell silent
    │   ├── BadRequest           400 and its kind
    │   │   └── ModelUnknown     the gateway does not have that model
    │   ├── AuthenticationFailed 401, 403, and LiteLLM's 400 for a wrong key
    │   ├── NotFound             404: an id that is unknown or has expired, a wrong path
    │   ├── RateLimited          429: later
    │   │   └── QuotaExceeded    429: not before somebody pays
    │   ├── ServerFailed         5xx
    │   ├── ProtocolError        an answer that is none: HTML, half a JSON, too large
    │   ├── StreamInterrupted    a stream ended without saying how
    │   └── ResponseFailed       the model's response ended `failed` or `cancelled`
    └── Interrupted              the person pressed stop; also a KeyboardInterrupt

`.answer` holds what had arrived, wherever something had.
"""

from __future__ import annotations

import re
from types import TracebackType
from typing import Any

__all__ = [
    "AuthenticationFailed",
    "BadRequest",
    "ConfigError",
    "ConnectionBroken",
    "ConnectionFailed",
    "ConsentMissing",
    "GatewayError",
    "InputError",
    "Interrupted",
    "KeyMissing",
    "KeyWithheld",
    "KitError",
    "ModelMissing",
    "ModelUnknown",
    "NotFound",
    "ProtocolError",
    "QuotaExceeded",
    "RateLimited",
    "ResponseFailed",
    "ServerFailed",
    "StreamInterrupted",
    "TimedOut",
    "redact",
]


class KitError(Exception):
    """The root of every error this toolkit raises on purpose.

    `.answer` is the partial `Answer` when some of it had arrived, else None.
    """

    answer: Any = None

    def _render_traceback_(self) -> list[str]:
        """The lines IPython shows instead of a traceback: what, and where in the cell."""
        place = _place_in_cell(self.__traceback__)
        return [f"{type(self).__name__}: {self}", *([place] if place else [])]


class ConfigError(KitError):
    """What is configured does not work."""


class KeyMissing(ConfigError):
    """The gateway wants a key and none is configured."""


class KeyWithheld(ConfigError):
    """A key was not sent, because the address comes from a less trusted place than the key."""


class ModelMissing(ConfigError):
    """The gateway offers several models, or none, and no model is configured."""


class InputError(KitError):
    """What the caller passed does not work: an empty prompt, an unknown option or variable."""


class ConsentMissing(InputError):
    """Something costs money and needs a yes, and nobody can be asked here."""


class GatewayError(KitError):
    """The gateway, or the way to it, said no.

    `.status` is the HTTP status (None before there was one), `.code` the gateway's own code,
    `.request_id` what to quote to the people who run the gateway.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after


class ConnectionFailed(GatewayError):
    """No byte of the request left: a wrong address, a gateway that is down, a TLS failure."""


class ConnectionBroken(GatewayError):
    """The request had left, no answer came: the gateway may have taken it."""


class TimedOut(GatewayError):
    """The deadline of the call passed, or a stream sent nothing for the idle time-out."""


class BadRequest(GatewayError):
    """The gateway refused the request as it is; sending it again would change nothing."""


class ModelUnknown(BadRequest):
    """The gateway does not offer that model."""


class AuthenticationFailed(GatewayError):
    """The key is missing, wrong, or may not do this."""


class NotFound(GatewayError):
    """An id that is unknown or has expired, or a path the gateway does not serve."""


class RateLimited(GatewayError):
    """Too many requests. `.retry_after` is in seconds where the gateway said so."""


class QuotaExceeded(RateLimited):
    """A budget is used up; waiting does not help."""


class ServerFailed(GatewayError):
    """The gateway or the provider behind it failed (5xx)."""


class ProtocolError(GatewayError):
    """The answer cannot be read: HTML where JSON belongs, half a body, more than the limit."""


class StreamInterrupted(GatewayError):
    """A stream ended without saying how; `.answer` holds what had arrived."""


class ResponseFailed(GatewayError):
    """The response itself ended `failed` or `cancelled`; `.answer` holds what there is."""


class Interrupted(KitError, KeyboardInterrupt):
    """The person pressed stop. The request was closed; `.answer` holds what had arrived."""


def _place_in_cell(trace: TracebackType | None) -> str | None:
    """Where in the user's own cell the error arose, or None outside notebooks and in magics."""
    place = None
    while trace is not None:
        code = trace.tb_frame.f_code
        if "ipykernel_" in code.co_filename or code.co_filename.startswith("<ipython-input"):
            place = f"  in this cell, line {trace.tb_lineno}"
        if code.co_name in ("run_cell_magic", "run_line_magic"):
            return None
        trace = trace.tb_next
    return place


_KEY_SHAPES = re.compile(
    r"(?i)\b(?:bearer\s+\S+|(?:sk|pk|rk|key|ghp|gho|xox[abp])[-_][A-Za-z0-9_\-*.]{6,}|eyJ[\w\-]{10,}[\w\-.]*)"
)


def redact(text: str, *secrets: str | None) -> str:
    """`text` without the given secrets and without anything that has the shape of a key."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return _KEY_SHAPES.sub("***", text)
