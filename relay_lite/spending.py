"""What a run has cost so far, and what it cost in the end (pure).

Rules: what the gateway says of a cost is the truth; what its prices and the tokens give comes
next; before there are tokens the figures are an estimate, and are called one. A price that is not
known is None and never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from kit.gateway.answer import Answer, Usage
from kit.gateway.events import Wire, objects

__all__ = ["FREE", "Prices", "Spent", "cost_of", "estimate", "prices_in"]

USUAL_SEARCH_USD = 0.01
"""Of one hosted search, where the gateway prices tokens but not searches."""

CHARACTERS_PER_TOKEN = 3.0
READ_TOKENS = 4_000
"""Input that a search or an opened page adds: its results, and the conversation read again."""
THOUGHT_TOKENS = 300
"""Output that goes with it: the reasoning nobody sees."""

MAX_MODELS = 5_000
MOST_DOLLARS = 1_000.0
"""For one token, or one search: what is said beyond that is no price."""


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars: of one input token, one output token, one search."""

    input: float
    output: float
    search: float


FREE = Prices(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run has used. `cost` in US dollars, None unknown; `estimate`: nobody has said so."""

    input_tokens: int
    output_tokens: int
    searches: int
    cost: float | None
    estimate: bool

    def plus(self, answer: Answer) -> Spent:
        """With one more call."""
        usage = answer.usage or Usage()
        both = self.cost is not None and answer.cost is not None
        return Spent(
            self.input_tokens + usage.input_tokens,
            self.output_tokens + usage.output_tokens,
            self.searches,
            (self.cost or 0.0) + (answer.cost or 0.0) if both else self.cost,
            self.estimate or not both,
        )


def prices_in(listed: Mapping[str, Any]) -> dict[str, Prices]:
    """The prices in LiteLLM's `/model/info`, by the name callers use.

    Of several deployments behind one name the dearest counts, price by price.
    """
    found: dict[str, Prices] = {}
    for entry in objects(listed.get("data"))[:MAX_MODELS]:
        name, told = entry.get("model_name"), entry.get("model_info")
        if not isinstance(name, str) or not isinstance(told, dict):
            continue
        prices = _prices(cast(Wire, told))
        if prices is not None:
            known = found.get(name, prices)
            found[name] = Prices(
                max(known.input, prices.input),
                max(known.output, prices.output),
                max(known.search, prices.search),
            )
    return found


def estimate(prices: Prices | None, *, prompt: int, text: int, searches: int, pages: int) -> Spent:
    """What a run has used so far, by rule of thumb.

    `prompt` and `text` are characters that went out and came in. A token is three characters;
    every search and every opened page adds 4,000 tokens read and 300 thought; a search costs its
    price besides. The figure is rough, and rather high for short runs.
    """
    steps = searches + pages
    read = round(prompt / CHARACTERS_PER_TOKEN) + READ_TOKENS * steps
    written = round(text / CHARACTERS_PER_TOKEN) + THOUGHT_TOKENS * steps
    return Spent(read, written, searches, _cost(prices, read, written, searches), estimate=True)


def cost_of(usage: Usage, said: float | None, prices: Prices | None, searches: int) -> Spent:
    """What an ended run used; `said` is the cost as the gateway told it, None where it did not."""
    read, written = usage.input_tokens, usage.output_tokens
    cost = _cost(prices, read, written, searches) if said is None else said
    return Spent(
        read, written, searches, cost, estimate=said is None and prices not in (None, FREE)
    )


def _cost(prices: Prices | None, read: int, written: int, searches: int) -> float | None:
    if prices is None:
        return None
    return read * prices.input + written * prices.output + searches * prices.search


def _prices(told: Wire) -> Prices | None:
    read, written = (
        _dollars(told.get("input_cost_per_token")),
        _dollars(told.get("output_cost_per_token")),
    )
    if read is None or written is None:
        return None
    return Prices(read, written, _search_price(told.get("search_context_cost_per_query")))


def _search_price(told: Any) -> float:
    """One figure, or one for each size of the search; we ask for no size, which is `medium`."""
    if isinstance(told, dict):
        sizes = cast(Wire, told)
        told = sizes.get("search_context_size_medium", next(iter(sizes.values()), None))
    price = _dollars(told)
    return USUAL_SEARCH_USD if price is None else price


def _dollars(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= MOST_DOLLARS else None
