"""Bytes in, frames out: server-sent events as the WHATWG defines them, and no more.

Rule: work on bytes, split at CR, LF and CRLF alone, decode whole lines. A chunk may end anywhere:
inside a code point, between CR and LF, inside the byte order mark. What the standard drops is
dropped: a frame without data, and whatever stands unfinished when the body ends.
https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

from typing import NamedTuple

from kit.errors import ProtocolError

__all__ = ["MAX_FRAME_BYTES", "Decoder", "Frame"]

MAX_FRAME_BYTES = 16 * 2**20
"""The last event of a response repeats all of it, images included; more than this is an attack."""

_BOM = b"\xef\xbb\xbf"


class Frame(NamedTuple):
    """One dispatched event; `id` is the last one seen, as the standard keeps it."""

    data: str
    event: str = "message"
    id: str = ""


class Decoder:
    """Feed it chunks; it returns the frames each completes.

    `retry` is the server's reconnection time in milliseconds, None until it names one.
    Raises ProtocolError when a single frame grows over `max_frame_bytes`.
    """

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self.retry: int | None = None
        self._limit = max_frame_bytes
        self._tail_parts: list[bytes] = []
        self._tail_size = 0
        self._after_cr = False
        self._at_start = True
        self._data: list[bytes] = []
        self._data_size = 0
        self._event = b""
        self._id = ""

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that `chunk` completes, in order."""
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk[0] == 0x0A:
                chunk = chunk[1:]
        if not chunk:
            return []
        if b"\n" not in chunk and b"\r" not in chunk:
            self._keep(chunk)
            return []
        if self._tail_parts:
            chunk = b"".join((*self._tail_parts, chunk))
            self._tail_parts.clear()
            self._tail_size = 0
        if self._at_start:
            self._at_start = False
            chunk = chunk.removeprefix(_BOM)
        # bytes.splitlines knows CR, LF and CRLF only, unlike str.splitlines
        lines = chunk.splitlines()
        last = chunk[-1:]
        if last == b"\r":
            self._after_cr = True
        elif last != b"\n":
            self._keep(lines.pop())
        return self._take(lines)

    def _keep(self, rest: bytes) -> None:
        self._tail_parts.append(rest)
        self._tail_size += len(rest)
        self._check(self._tail_size + self._data_size)

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise ProtocolError(
                f"The gateway sent a single stream event of more than {self._limit:,} bytes; "
                "the stream was closed."
            )

    def _take(self, lines: list[bytes]) -> list[Frame]:
        frames: list[Frame] = []
        for line in lines:
            if not line:
                if self._data:
                    frames.append(self._dispatch())
                self._event = b""
            elif line.startswith(b"data:"):
                self._add(line[6:] if line[5:6] == b" " else line[5:])
            else:
                self._field(line)
        return frames

    def _add(self, value: bytes) -> None:
        self._data.append(value)
        self._data_size += len(value) + 1
        if self._data_size > self._limit:
            self._check(self._data_size)

    def _dispatch(self) -> Frame:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._data = []
        self._data_size = 0
        event = self._event.decode("utf-8", "replace") if self._event else "message"
        return Frame(data.decode("utf-8", "replace"), event, self._id)

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"event":
            self._event = value
        elif name == b"data":
            self._add(value)
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) < 10:
            self.retry = int(value)
