"""How a run shows itself: a card with what it does, then its report, as plain static output."""

from __future__ import annotations

from dataclasses import replace

from kit.clean import clean_html, clean_markdown
from kit.gateway.answer import Answer
from kit.gateway.card import Card, bundle_of_card, together
from kit.gateway.show import mimebundle
from kit.relay.glance import Glance, glance_line

__all__ = ["name_card", "run_bundle", "run_card"]


def run_card(question: str, name: str, glance: Glance, seconds: float | None, now: float) -> Card:
    """The card of a run. `name` is what `kit.run` takes."""
    lines = [glance_line(glance, seconds, now), glance.problem or ""]
    lines += [f"note: {warning}" for warning in glance.warnings]
    card = name_card(question, name)
    lines += card.lines
    return replace(card, lines=tuple(line for line in lines if line), status=glance.status)


def name_card(question: str, name: str) -> Card:
    """The card without how the run stands: what stays true whatever becomes of the kernel."""
    again = f"kit.run({name!r}) finds it again, in any kernel of yours."
    return Card("deep research", question, (again,) if name else ())


def run_bundle(card: Card, answer: Answer | None = None, text: str = "") -> dict[str, str]:
    """A card with its report below; `text`: what has come of it while there is no answer."""
    bundles = [bundle_of_card(card)]
    if answer is not None and answer.text:
        bundles.append(mimebundle(answer))
    elif text:
        plain = "".join(one for one in text if one.isprintable() or one in "\n\t")
        forms = {"text/plain": plain, "text/markdown": clean_markdown(text)}
        bundles.append({**forms, "text/html": clean_html(text)})
    return together(bundles)
