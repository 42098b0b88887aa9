"""What a relay says instead of an answer, as the toolkit's errors.

Rule: what a relay says is somebody else's text: one line of it is shown, bounded, without keys and
without the token that opened the run. A status that says it all is put into our own words.
"""

from __future__ import annotations

from kit import errors
from kit.gateway.events import Wire
from kit.gateway.refusal import shown

__all__ = ["AGAIN", "no_relay", "refusal"]

AGAIN = frozenset({502, 503, 504, 507})
"""Statuses of a relay, or of what stands before one, that is away for a moment."""


def refusal(
    status: int, body: Wire | None, url: str, *secrets: str, of_a_run: bool
) -> errors.KitError:
    """The error for a status of 300 and more. `of_a_run`: the request named one."""
    detail = (body or {}).get("detail")
    said = shown(detail, *secrets) if isinstance(detail, str) else ""
    match status:
        case 401:
            return errors.ConfigError("The relay wants a key, or another one: set RELAY_API_KEY.")
        case 403:
            allows = "The relay does not allow this"
            return errors.AuthenticationFailed(f"{allows}: {said}" if said else f"{allows}.")
        case 404 if of_a_run:
            return errors.NotFound(
                "The relay does not know this run: it was deleted, or belongs to another relay."
            )
        case 404 | 405:
            return errors.ConfigError(f"{no_relay(url)} Check RELAY_BASE_URL.")
        case 400 | 409 | 413 | 415 | 422:
            return errors.InputError(f"The relay refuses this: {said or f'status {status}'}")
        case 503 | 507:
            return errors.ServerFailed(
                f"The relay cannot take it now: {said or f'status {status}'}", status=status
            )
        case _:
            more = f": {said}" if said else ""
            return errors.ServerFailed(f"The relay failed (status {status}){more}", status=status)


def no_relay(url: str) -> str:
    return f"What answers at {url} is no relay."
