"""The gateway as the relay sees it: its client, whose it is, and what its models cost.

Rule: whoever opens the relay decides once which gateway that is. `free` is said of the sandbox and
the local model: what runs there may be run again without asking anybody.
"""

from __future__ import annotations

import time

from kit import errors
from kit.gateway.client import AsyncClient
from relay_lite.spending import FREE, Prices, prices_in
from relay_lite.store import Gateway

__all__ = ["Upstream"]

PRICES_SECONDS = 600.0
"""How long prices are believed."""


class Upstream:
    """`client` talks to the gateway, `gateway` says whose runs they are."""

    def __init__(self, client: AsyncClient, gateway: Gateway, *, free: bool) -> None:
        self.client = client
        self.gateway = gateway
        self.free = free
        self._listed: tuple[float, dict[str, Prices]] | None = None

    async def model(self, wanted: str | None = None) -> str:
        """The model of a run: the one wanted, else the one configured, else the only one.

        Raises ModelMissing where the gateway offers several, and GatewayError.
        """
        endpoint = self.client.endpoint
        chosen = wanted or endpoint.research_model or endpoint.model
        return chosen or await self.client.only_model()

    async def prices(self, model: str) -> Prices | None:
        """What the model costs; None where the gateway does not say. Asked every ten minutes.

        Raises GatewayError when the gateway cannot be asked now.
        """
        if self.free:
            return FREE
        if self._listed is None or time.monotonic() - self._listed[0] > PRICES_SECONDS:
            self._listed = (time.monotonic(), await self._ask())
        return self._listed[1].get(model)

    async def _ask(self) -> dict[str, Prices]:
        try:
            return prices_in(await self.client.model_info(timeout=30.0))
        except (errors.BadRequest, errors.NotFound, errors.AuthenticationFailed):
            return {}  # it is no LiteLLM, or does not tell this key
        except errors.ProtocolError:
            return {}
