"""A conversation with functions as the chat panel follows it: a Stop is heard while one runs.

    the turn's thread       polls, shows, hears the Stop
    a thread beside it      carries out the errands of this turn, one after the other

Rule: a thread cannot be stopped. What runs when the conversation is closed is left behind, goes on
by itself, and nobody hears what comes of it; what has not begun by then never does.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from typing import Any

from kit.blocking import Batches
from kit.tools.happenings import Errand, Happening
from kit.tools.stream import AsyncToolStream

__all__ = ["AbandonableStream"]


class AbandonableStream:
    """Like `ToolStream`, for a reader that is never kept waiting by a function.

    left_behind: the id of the call whose function goes on after `close`; None for none.
    """

    def __init__(self, inner: AsyncToolStream) -> None:
        self._inner = inner
        self._batches = Batches(inner.batches)
        self._waiting: deque[Happening] = deque()
        self._errands: queue.SimpleQueue[Errand | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._at_work: Errand | None = None
        self._idle = threading.Event()
        self._idle.set()
        self._raised: BaseException | None = None
        self._closed = False
        self.left_behind: str | None = None

    def __enter__(self) -> AbandonableStream:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def poll(self, seconds: float) -> list[Happening] | None:
        """What happens within `seconds`, perhaps nothing; None when it has ended.

        What happened before an errand is given first, so that it can be shown, and what is behind
        it when it is done. Raises what a function left with (SystemExit), and what the
        conversation failed with.
        """
        if not self._idle.wait(seconds):
            return []
        if self._raised is not None:
            raise self._raised
        if not self._waiting:
            batch = None if self._closed else self._batches.next(seconds)
            if batch is None:
                return None
            self._waiting.extend(batch)
        happened: list[Happening] = []
        while self._waiting and not isinstance(self._waiting[0], Errand):
            happened.append(self._waiting.popleft())
        if self._waiting and not happened:
            self._send(self._waiting.popleft())
        return happened

    def _send(self, errand: Any) -> None:
        self._idle.clear()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="kit-chat-call", daemon=True)
            self._thread.start()
        self._errands.put(errand)

    def _work(self) -> None:
        while (errand := self._errands.get()) is not None:
            # Both are noted before it is asked whether to go on: whoever closes it in between
            # says too much of a call, and never too little.
            self._at_work = errand
            errand.begins()
            if self._closed:
                return
            try:
                errand.carry_out()
            except BaseException as error:  # SystemExit: the reader's to tell
                self._raised = error
            self._at_work = None
            self._idle.set()

    def close(self) -> None:
        """Stop now; what has arrived stays in `partial`."""
        if self._closed:
            return
        self._closed = True
        self._waiting.clear()
        at_work = self._at_work
        if at_work is not None and at_work.call is not None:
            self.left_behind = at_work.call.call_id
        self._errands.put(None)
        self._batches.close()

    @property
    def text(self) -> str:
        """The visible text of the turn that is under way."""
        return self._inner.text

    @property
    def partial(self) -> Any:
        """The answer as far as it has come, with the calls; None before the first turn."""
        return self._inner.partial

    @property
    def answer(self) -> Any:
        """The whole answer. Raises what it failed with; InputError before its end."""
        return self._inner.answer
