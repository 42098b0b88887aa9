"""What is known of a gateway before it is asked: from its documentation, or from the doctor.

Rule: what nobody has seen is "unknown", and callers then take the way that works everywhere. A
"no" chooses that way too, and what is refused on a way that memory alone has chosen is asked once
more as if nothing were known. So no refusal that memory brings about ends a call that would have
worked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal
from urllib.parse import urlsplit

from kit.settings import Endpoint

__all__ = ["NOTHING", "Capabilities", "Known", "Seen", "Verdict", "keeps_history"]

Verdict = Literal["yes", "no", "partly", "unknown"]

_KEEPING = ("api.openai.com",)
_KEEPING_DOMAINS = (".openai.azure.com",)
"""Services whose documentation promises `previous_response_id`."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of one probe. `how`: in one word, such as "refused" or "ignored".

    at: when, in seconds since 1970.
    """

    verdict: Verdict = "unknown"
    how: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the doctor has seen of one model at one gateway, by the names of its findings."""

    seen: Mapping[str, Seen] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    def verdict(self, name: str) -> Verdict:
        """ "unknown" also for what nobody has asked."""
        return self.seen.get(name, _UNSEEN).verdict

    @property
    def answers(self) -> bool:
        """Whether one of the two APIs does, be it as a stream alone."""
        return any(self.verdict(api) in ("yes", "partly") for api in ("chat", "responses"))

    def how(self, name: str) -> str:
        """The verdict more closely, "" where there is no more."""
        return self.seen.get(name, _UNSEEN).how

    def refuses(self, name: str) -> bool:
        """Whether the gateway said no to it, rather than ignoring it."""
        one = self.seen.get(name, _UNSEEN)
        return one.verdict == "no" and one.how == "refused"


_UNSEEN = Seen()
NOTHING = Capabilities()

Known = Callable[[str], Capabilities]
"""What is known of a model, by its name, at the moment it is asked for."""


def keeps_history(endpoint: Endpoint, known: Capabilities = NOTHING) -> bool | None:
    """Whether a turn with functions may name the one before; None where it is not known.

    A LiteLLM may stand before anything: with some providers it takes the id and forgets the rest.
    What was seen comes before what is promised.
    """
    verdict = known.verdict("tools by id")
    if verdict in ("yes", "no"):
        return verdict == "yes"
    if endpoint.identity in ("sandbox", "local"):
        return endpoint.identity == "sandbox"
    host = urlsplit(endpoint.base_url).hostname or ""
    return True if host in _KEEPING or host.endswith(_KEEPING_DOMAINS) else None
