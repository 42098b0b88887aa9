"""Research of earlier kernels, when the next one loads the extension: what there is, and on it.

Rule: loading waits for nothing and fails for nothing. What is said at once is read off this user's
own files; a thread looks a moment later, when the load and what a person runs with it have had the
processor, and starts the relay where there is work.
"""

from __future__ import annotations

import logging
import threading
import time

__all__ = ["go_on_behind", "news_of_runs"]

LATER_SECONDS = 0.5

log = logging.getLogger(__name__)


def news_of_runs() -> str | None:
    """One line on runs that go on or have ended since the user looked; None where there are none.

    Nothing but one folder is looked at where this user has no runs.
    """
    try:
        from kit.sources import user_folder

        folder = user_folder() / "runs"
        if not folder.is_dir():
            return None
        from kit.connect_news import counts

        going_on, ended = counts(folder)
    except Exception as error:
        log.debug("Runs were not looked for (%s).", type(error).__name__)
        return None
    told = [
        *([f"{_runs(going_on)} {'is' if going_on == 1 else 'are'} going on"] if going_on else []),
        *([f"{_runs(ended)} finished since you last looked"] if ended else []),
    ]
    return f"kit: {', '.join(told)}. kit.runs() lists them." if told else None


def _runs(count: int) -> str:
    return f"{count} research run{'' if count == 1 else 's'}"


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
