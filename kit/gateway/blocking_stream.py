"""The blocking face of a stream, for notebooks and scripts."""

from __future__ import annotations

from collections.abc import Iterator

from kit.blocking import Batches
from kit.gateway.answer import Answer
from kit.gateway.events import Event
from kit.gateway.stream import AsyncStream

__all__ = ["Stream"]


class Stream:
    """Iterate it for events; afterwards `answer` is the whole.

    `text` is what a person can read so far, `partial` the answer so far, also after an error.
    Leaving a `with` block, `close()`, and a stop (■, Ctrl-C) close the connection at once.
    """

    def __init__(self, inner: AsyncStream) -> None:
        self._inner = inner
        self._batches = Batches(inner.batches)
        self._waiting: list[Event] = []

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        try:
            while (batch := self.poll(None)) is not None:
                self._waiting = batch[::-1]
                while self._waiting:
                    yield self._waiting.pop()
        except GeneratorExit:  # the loop was left early
            self.close()
            raise

    def poll(self, seconds: float | None) -> list[Event] | None:
        """The events that come within `seconds`, perhaps none; None when the stream has ended."""
        if self._waiting:
            events, self._waiting = self._waiting[::-1], []
            return events
        batch = self._batches.next(seconds)
        return None if batch is None else list(batch)

    def close(self) -> None:
        """Close the connection; what has arrived stays in `partial`."""
        self._batches.close()

    @property
    def text(self) -> str:
        """The visible text so far."""
        return self._inner.text

    @property
    def partial(self) -> Answer:
        """The answer as far as it has come."""
        return self._inner.partial

    @property
    def answer(self) -> Answer:
        """The whole answer. Raises what the stream failed with; InputError before its end."""
        return self._inner.answer
