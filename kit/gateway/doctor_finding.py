"""One finding of the doctor, and which of them is why a gateway cannot be used (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kit.gateway.capabilities import Verdict
from kit.gateway.doctor_words import LABELS, Told, words_for

__all__ = ["Finding", "culprit", "finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    means: what was seen. instead: what kit does then, by itself. advice: what you can do. Each is
    a line, or "". how: the verdict more closely, in one word, for programs ("refused", "ignored").
    """

    name: str
    verdict: Verdict
    means: str
    instead: str = ""
    how: str = ""
    advice: str = ""

    @property
    def label(self) -> str:
        """What people call it."""
        return LABELS.get(self.name, self.name)

    @property
    def told(self) -> str:
        """All of it as one line."""
        does = f"kit {self.instead}." if self.instead else ""
        return " ".join(filter(None, (self.means, does, self.advice)))


def finding(name: str, told: Told) -> Finding:
    means, instead, advice = words_for(name, told)
    return Finding(name, told.seen.verdict, means, instead, told.seen.how, advice)


_UNREACHED = {
    "no gateway": "no gateway",
    "certificate": "its certificate",
    "header": "its headers",
}
_UNANSWERED = {
    "model": "the model",
    "quota": "quota",
    "provider": "the provider's key",
    "key": "the key",
    "busy": "too busy",
    "strange": "no answer of a model",
    "header": "its headers",
    "failed": "it failed",
    "broken": "the connection broke",
    "late": "no answer in time",
    "refused": "refused",
}
"""What keeps an API from answering, the most telling first, in a word or two."""


def culprit(findings: Mapping[str, Finding], model: str) -> tuple[str, Finding] | None:
    """The one cause of a gateway that cannot be used: in a word or two, and what was found."""
    reachable, key, models = (findings.get(name) for name in ("reachable", "key", "models"))
    if reachable is not None and reachable.verdict != "yes":
        return _UNREACHED.get(reachable.how, "not reachable"), reachable
    if key is not None and key.verdict == "no":
        return "the key", key
    if models is not None and not model:
        return _UNANSWERED.get(models.how, "no model"), models
    ranks = list(_UNANSWERED)
    apis = [findings[name] for name in ("chat", "responses") if name in findings]
    telling = sorted((ranks.index(one.how), one.name) for one in apis if one.how in ranks)
    if not telling:
        return None
    one = findings[telling[0][1]]
    return _UNANSWERED[one.how], one
