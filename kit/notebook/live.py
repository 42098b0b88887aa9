"""The card of a run, live: it goes on when its cell has long been over, and ends as plain output.

    show     one display, with how the run stands
    go_on    a thread follows the run and updates it, at a pace that the page can follow
    watch    the same in the caller's thread, for a cell that waits

Rule: the card watches and nothing more. Closing the tab, restarting the kernel and stopping a cell
that waits end the card; the run goes on.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from kit.blocking import Batches
from kit.errors import Interrupted, KitError
from kit.notebook.render import pause_for, plain
from kit.relay.card import run_bundle, run_card
from kit.relay.report import text_of
from kit.relay.run import Run

__all__ = ["LiveCard", "publishes"]

LOOK_SECONDS = 0.25
LONGEST_LIVE = 20_000
"""Characters of a growing report that a card shows; the rest waits for its end."""

log = logging.getLogger(__name__)


def publishes(shell: Any) -> bool:
    """Whether displays can be updated: in a notebook, and not while a cell is captured."""
    return hasattr(shell.display_pub, "pub_socket")


class LiveCard:
    """The card of one run, in the output of the cell that made it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._handle: Any = None
        self._due = 0.0

    def show(self) -> None:
        """Put the card where the cell is."""
        self._place(self._bundle())

    def go_on(self) -> threading.Thread:
        """Follow the run in a thread of its own."""
        # Without this cell's context: an update then counts as the running cell's, and programs
        # that execute notebooks (nbclient) hear of that one alone. Its display id says where.
        thread = threading.Thread(target=self._follow, name="kit-card", daemon=True)
        thread.start()
        return thread

    def watch(self) -> None:
        """Follow the run here. Raises Interrupted when that is stopped; the run goes on."""
        try:
            self._watch()
        except KeyboardInterrupt:
            again = f"kit.run({self.run.id!r}) finds it again."
            raise Interrupted(f"Stopped waiting; the research goes on: {again}") from None

    def _follow(self) -> None:
        try:
            self._watch()
        except KitError as error:
            self._place(_plain_bundle(f"{error}\nkit.run({self.run.id!r}) looks again."))
        except Exception as error:  # a thread's traceback would land in some other cell
            log.debug("A card stopped (%s).", type(error).__name__)

    def _watch(self) -> None:
        batches = Batches(self.run.inner.follow)
        try:
            while batches.next(LOOK_SECONDS) is not None:
                if time.monotonic() >= self._due:
                    self._place(self._bundle())
        finally:
            batches.close()
        self._place({kind: form for kind, form in self.run._repr_mimebundle_().items()})

    def _bundle(self) -> dict[str, str]:
        began, inner = time.monotonic(), self.run.inner
        text = text_of(None, inner.events)[:LONGEST_LIVE]
        card = run_card(self.run.question, self.run.id, inner.glance, self.run.seconds, time.time())
        bundle = run_bundle(card, None, text)
        now = time.monotonic()
        self._due = now + max(LOOK_SECONDS, pause_for(len(text), now - began))
        return bundle

    def _place(self, bundle: dict[str, str]) -> None:
        from IPython.display import DisplayHandle

        bundle = {**bundle, "text/plain": plain(bundle["text/plain"])}
        if self._handle is None:
            self._handle = DisplayHandle()
            self._handle.display(bundle, raw=True)
        else:
            self._handle.update(bundle, raw=True)


def _plain_bundle(text: str) -> dict[str, str]:
    return {"text/plain": text}
