"""One research run, from its arguments to its last event.

Rule: whatever happens, the run either ends here with a terminal event, or is left as the log says
it stands, for the next worker to go on from there.
"""

from __future__ import annotations

from dataclasses import dataclass

from relay_lite.hold import Hold
from relay_lite.store import Invocation, Store
from relay_lite.upstream import Upstream

__all__ = ["Limits", "Pace", "conduct", "settle_cancelled"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may take. `resubmit`: send anew what may have been sent (at least once).

    run_seconds: from the submission to the end. max_stream_bytes: of text, as UTF-8.
    """

    run_seconds: float = 10_800.0
    max_stream_bytes: int = 1_000_000
    resubmit: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the relay waits for what, in seconds. Only tests want others."""

    drain: float = 10.0


async def conduct(hold: Hold, upstream: Upstream, limits: Limits, pace: Pace | None = None) -> None:
    """Work on the run until it has a terminal event.

    Raises Fenced when the hold is lost; by then a gateway whose run was cancelled has been told,
    where it could be. Cancelled (the relay stops) it writes nothing more, but a submission that
    is under way is waited for, ten seconds at most, so that its id is saved.
    """
    raise NotImplementedError


async def settle_cancelled(store: Store, upstream: Upstream, invocation: Invocation) -> bool:
    """Tell the gateway that a cancelled run is not wanted any more.

    True: there is nothing left to tell, and the store knows. False: it could not be told now.
    """
    raise NotImplementedError
