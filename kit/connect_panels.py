"""What the research widgets ask before and beside a run: its price, what it leaves open, what to
compare it with.

Rule: none of this starts anything, and each is one call that blocks: for a thread of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from kit import connect
from kit.blocking import run as wait_for
from kit.connect_desk import book_of, is_free, quote, told_cost
from kit.gateway.card import printable
from kit.relay.book import Entry
from kit.relay.clarifying import brief_of, questions_about
from kit.relay.research_tool import research_arguments
from kit.settings_relay import load_relay

__all__ = ["answered", "asked_before", "ended_entries", "left_open", "price_of"]

MOST_OFFERED = 100


def price_of(model: str | None = None) -> str:
    """What a run would cost and where it would run, in a sentence."""
    client = connect.client()
    relay = load_relay(user_data=client.inner.settings.user_data)
    where = printable(relay.base_url or client.endpoint.identity)
    if is_free(client.endpoint, relay):
        return f"It costs nothing: it runs on this machine ({where})."
    arguments = {"model": model} if model else {}
    cost = wait_for(told_cost, client.inner, arguments, known=relay.base_url is None)
    return f"Start is a yes to what it costs at {where}. {cost}"


def asked_before(arguments: str) -> str:
    """What to ask before a run that a model wants to start, its cost in it; "" where it is free.

    arguments: as the model wrote them. Raises InputError where they are none.
    """
    client = connect.client()
    relay = load_relay(user_data=client.inner.settings.user_data)
    if is_free(client.endpoint, relay):
        return ""
    wanted = research_arguments(arguments, None).document()
    return wait_for(quote, client.inner, wanted, known=relay.base_url is None)


def left_open(question: str) -> list[str]:
    """At most three questions whose answers would change what is looked for."""
    return [printable(one) for one in wait_for(questions_about, connect.client().inner, question)]


def answered(question: str, answers: Sequence[tuple[str, str]]) -> str:
    """The question with these answers in it."""
    return wait_for(brief_of, connect.client().inner, question, answers) if answers else question


def ended_entries() -> list[Entry]:
    """Your runs that brought a report, as far as it is written down; the newest first."""
    book = book_of(connect.client().inner.settings)
    return [entry for entry in book.entries() if entry.ended == "completed"][:MOST_OFFERED]
