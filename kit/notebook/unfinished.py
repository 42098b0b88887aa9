"""Research that an earlier kernel left unfinished goes on when the next one loads the extension.

Rule: loading waits for nothing and fails for nothing. A thread looks a moment later, when the load
and what a person runs with it have had the processor, and starts the relay where there is work.
"""

from __future__ import annotations

import logging
import threading
import time

__all__ = ["go_on_behind"]

LATER_SECONDS = 0.5

log = logging.getLogger(__name__)


def go_on_behind() -> threading.Thread:
    """Start the thread that looks for unfinished runs."""
    thread = threading.Thread(target=_go_on, name="kit-unfinished", daemon=True)
    thread.start()
    return thread


def _go_on() -> None:
    time.sleep(LATER_SECONDS)
    try:
        from kit.local import go_on  # with its settings 30 ms, which the load does not pay

        go_on()
    except Exception as error:  # who asks for research is told; nobody has asked yet
        log.debug("Unfinished research was not looked for (%s).", type(error).__name__)
