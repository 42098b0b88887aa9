"""Whom a research run is taken to, and what it may cost: the relay of a client's gateway.

Rule: a relay that is configured (RELAY_BASE_URL) is used, else the one of this process. It gets
its own key and never the gateway's.
"""

from __future__ import annotations

import functools
from typing import Any

from kit import errors, local
from kit.gateway.client import AsyncClient
from kit.gateway.events import Wire
from kit.gateway.proxies import Proxies
from kit.gateway.transport import open_transport
from kit.relay.book import Book, Entry
from kit.relay.client import RelayClient
from kit.relay.contracts import Format
from kit.relay.handle import AsyncRun, Desk, begin
from kit.relay.research_work import ResearchWork
from kit.secret import Secret
from kit.settings import Endpoint, Settings
from kit.settings_relay import RelaySettings

__all__ = [
    "book_of",
    "desk_of",
    "is_free",
    "price_range",
    "quote",
    "research_work",
    "started",
    "told_cost",
]

FREE = ("sandbox", "local")
SHORT_RUN = {"searches": 5, "pages": 3, "text": 4_000}
LONG_RUN = {"searches": 60, "pages": 40, "text": 40_000}
"""What runs were seen to do, from a quick question to a thorough report; characters of text."""

PRICES_SECONDS = 10.0
LONGEST_QUESTION = 300
MOST_CONSTRAINTS, LONGEST_CONSTRAINT = 5, 80
"""Of what is shown: the model wrote it, and the price below must be seen."""


def book_of(settings: Settings) -> Book:
    """Where this user's runs are written down."""
    return Book(settings.user_data / "runs")


def desk_of(settings: Settings, endpoint: Endpoint, configured: RelaySettings) -> Desk:
    """The desk for runs of this gateway; nothing is started before it is used."""

    def client_for(entry: Entry) -> RelayClient:
        if not entry.relay:
            own = local.relay_of(settings, endpoint, configured)
            return _client(own.url, own.key, settings.ca_file, ())
        same = configured.base_url == entry.relay
        key = configured.key_to_call() if same else None
        return _client(entry.relay, key, settings.ca_file, tuple(settings.proxies.items()))

    return Desk(book_of(settings), client_for, endpoint.identity)


@functools.lru_cache(maxsize=32)
def _client(
    url: str, key: Secret | None, ca_file: str | None, proxies: tuple[tuple[str, str], ...]
) -> RelayClient:
    """One for each relay, so that connections are kept."""
    ways = Proxies.from_variables(dict(proxies))
    return RelayClient(url, key, open_transport(ca_file=ca_file, proxies=ways))


async def started(
    settings: Settings, endpoint: Endpoint, relay: RelaySettings, arguments: Wire
) -> AsyncRun:
    """Begin a run at that relay, or at the one of this process."""
    desk = desk_of(settings, endpoint, relay)
    gateway = "" if relay.base_url else endpoint.identity
    return await begin(desk, arguments, relay=relay.base_url or "", gateway=gateway)


def is_free(endpoint: Endpoint, relay: RelaySettings) -> bool:
    """Whether a run costs nothing: the sandbox, the local model. Not of a relay elsewhere."""
    return endpoint.identity in FREE and relay.base_url is None


async def price_range(client: AsyncClient, arguments: Wire) -> tuple[float, float] | None:
    """US dollars of a short and of a long run by the gateway's prices; None where it tells none."""
    from relay_lite.spending import estimate, prices_in

    endpoint = client.endpoint
    try:
        listed = prices_in(await client.model_info(timeout=PRICES_SECONDS))
        model = arguments.get("model") or endpoint.research_model or endpoint.model
        prices = listed.get(str(model or await client.only_model()))
    except errors.KitError:
        return None
    if prices is None:
        return None
    prompt = len(str(arguments.get("research_question") or ""))
    low, high = (
        estimate(prices, prompt=prompt, **size).cost or 0.0 for size in (SHORT_RUN, LONG_RUN)
    )
    budget = arguments.get("budget_usd")
    most = float(budget) if isinstance(budget, int | float) else high
    return min(low, most), min(high, most)


async def told_cost(client: AsyncClient, arguments: Wire, *, known: bool) -> str:
    """What a run costs, in a sentence; `known` as `quote` has it."""
    if not known:
        return "What it costs is not known: it runs at a relay elsewhere."
    prices = await price_range(client, arguments)
    if prices is None:
        return "What it costs is not known: the gateway names no price."
    return f"It costs about ${prices[0]:.2f} to ${prices[1]:.2f}, by the gateway's prices."


async def quote(client: AsyncClient, arguments: Wire, *, known: bool = True) -> str:
    """What a person is asked before a run that costs money.

    known: the gateway that runs it is the client's; of a relay elsewhere nobody here can say.
    """
    cost = await told_cost(client, arguments, known=known)
    constraints = list(arguments.get("constraints") or ())
    more = len(constraints) - MOST_CONSTRAINTS
    return "\n".join(
        [
            "The model wants to start deep_research.",
            f"  question: {_line(arguments.get('research_question') or '', LONGEST_QUESTION)}",
            f"  format:   {arguments.get('deliverable_format', 'markdown_brief')}",
            *(
                f"  keep to:  {_line(one, LONGEST_CONSTRAINT)}"
                for one in constraints[:MOST_CONSTRAINTS]
            ),
            *([f"            and {more} more"] if more > 0 else []),
            f"  {cost}",
        ]
    )


def _line(text: Any, longest: int) -> str:
    words = " ".join(str(text).split())
    return words if len(words) <= longest else words[: longest - 1] + "…"


def research_work(
    client: AsyncClient,
    settings: Settings,
    relay: RelaySettings,
    *,
    budget: float | None = None,
    deliverable_format: Format | None = None,
) -> ResearchWork:
    """`deep_research` for the tool loop. A budget is a yes to what it allows."""
    endpoint = client.endpoint

    async def asked(arguments: Wire) -> str | None:
        if budget is not None or is_free(endpoint, relay):
            return None
        return await quote(client, arguments, known=relay.base_url is None)

    return ResearchWork(
        functools.partial(started, settings, endpoint, relay),
        asked,
        deliverable_format=deliverable_format,
        budget=None if is_free(endpoint, relay) else budget,
    )
