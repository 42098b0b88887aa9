"""What is known of a gateway before it is asked.

Rule: what nobody has seen is None, and callers then take the way that works everywhere.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from kit.settings import Endpoint

__all__ = ["keeps_history"]

_KEEPING = ("api.openai.com",)
_KEEPING_DOMAINS = (".openai.azure.com",)
"""Services whose documentation promises `previous_response_id`."""


def keeps_history(endpoint: Endpoint) -> bool | None:
    """Whether `previous_response_id` holds there; None where it is not known.

    A LiteLLM may stand before anything: with some providers it takes the id and forgets the rest.
    """
    if endpoint.identity in ("sandbox", "local"):
        return endpoint.identity == "sandbox"
    host = urlsplit(endpoint.base_url).hostname or ""
    return True if host in _KEEPING or host.endswith(_KEEPING_DOMAINS) else None
