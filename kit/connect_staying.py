"""Whether a run needs this process: what its gateway does not run in the background ends with us.

Rule: the relay of this process wrote down how it follows a run, and nothing else is asked. A relay
elsewhere stays when we leave.
"""

from __future__ import annotations

import asyncio

from kit import connect
from kit.blocking import run as wait_for
from kit.relay.handle import AsyncRun
from kit.relay.run import Run
from kit.settings_relay import RelaySettings, load_relay

__all__ = ["needs_us"]

LOOK_SECONDS = 0.2


def needs_us(run: Run, *, wait: bool = False) -> bool | None:
    """Whether it ends when this process does; None where its gateway has not taken it yet.

    wait: until it has. Raises GatewayError where the store cannot be asked.
    """
    relay = load_relay(user_data=connect.client().inner.settings.user_data)
    return wait_for(_needs_us, run.inner, relay, wait)


async def _needs_us(run: AsyncRun, relay: RelaySettings, wait: bool) -> bool | None:
    if run.entry.relay or run.entry.id is None:
        return False
    from relay_lite.app_opening import store_of

    store = store_of(relay)
    await store.open()
    try:
        while True:
            now = await store.get(run.entry.id)
            if now is None or now.ended:
                return False
            if now.progress.way is not None:
                return now.progress.way == "plain"
            if not wait:
                return None
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        await store.aclose()
