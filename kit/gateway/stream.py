"""A stream of typed events that ends in an answer, or says why not.

Rules: bytes that stop are not an answer; only a terminal event is. Whoever leaves early closes the
connection. What arrived is never lost: `partial` has it at any time, and so has the error.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from types import AsyncGeneratorType
from typing import cast

import httpx

from kit import errors
from kit.gateway import failures
from kit.gateway.answer import Answer, answer_of
from kit.gateway.assembly import ResponseAssembly
from kit.gateway.body import (
    MAX_BODY_BYTES,
    answer_in,
    decoded,
    headers_of,
    not_json,
    read_bounded,
    scrubbed,
    stream_of,
)
from kit.gateway.completion import ChatAssembly
from kit.gateway.events import (
    TERMINAL,
    Event,
    Finished,
    Snapshot,
    Wire,
    chat_events,
    response_event,
)
from kit.gateway.json_text import read_json
from kit.gateway.refusal import shown
from kit.gateway.sse import Decoder, Frame

__all__ = ["AsyncStream", "Terms"]

MAX_STREAM_BYTES = 512 * 2**20
MAX_BAD_FRAMES = 3
"""Frames in a row that are no JSON, before the stream is given up."""

AFTER_ERROR_SECONDS = 2.0
"""How long to read on after an `error` frame: `response.failed` with the reason tends to follow."""

AFTER_FINISH_SECONDS = 2.0
"""How long to wait after a chat's `finish_reason`: its usage and `[DONE]` tend to follow."""

AFTER_END_SECONDS = 0.1
"""How long to wait for the body's end after the answer's, so that the connection can be kept."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for one stream. `deadline` is on `time.monotonic`'s clock."""

    api: str
    idle: float
    deadline: float
    secrets: tuple[str, ...] = field(default=(), repr=False)
    finish: Callable[[Answer], Answer] = lambda answer: answer
    follow: Callable[[Answer], AsyncIterator[Answer]] | None = None


class AsyncStream:
    """Iterate it for events; afterwards `answer` is the whole.

    `text` is what a person can read so far, `partial` the answer so far, also after an error.
    Leaving an `async with` block, or `aclose()`, closes the connection.
    """

    def __init__(self, send: Callable[[], Awaitable[httpx.Response]], terms: Terms) -> None:
        self._send = send
        self._terms = terms
        self._assembly = ResponseAssembly() if terms.api == "responses" else ChatAssembly()
        self._lock = threading.Lock()  # `text` and `partial` are read from other threads
        self._headers: Mapping[str, str] = {}
        self._began = time.monotonic()
        self._answer: Answer | None = None
        self._whole: Answer | None = None  # what came in one piece instead of a stream
        self._response: httpx.Response | None = None
        self._error: errors.KitError | None = None
        self._ended = False
        self._closed = False
        self._heard = False  # whether anything of an answer has arrived
        self._bad_frames = 0
        self._size = 0
        self._grace: float | None = None  # what is left to wait for, once the end was seen
        self._until = terms.deadline
        self._running: AsyncGenerator[list[Event], None] | None = None

    @property
    def text(self) -> str:
        """The visible text so far."""
        if self._whole is not None:
            return self._whole.text
        with self._lock:
            return self._assembly.text

    @property
    def partial(self) -> Answer:
        """The answer as far as it has come."""
        return self._answer or self._whole or self._read_answer()

    @property
    def answer(self) -> Answer:
        """The whole answer. Raises what the stream failed with; InputError before its end."""
        if self._answer is not None:
            return self._answer
        if self._error is not None:
            raise self._error
        raise errors.InputError("The stream has not ended: iterate it first, or read .partial.")

    async def __aenter__(self) -> AsyncStream:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def __aiter__(self) -> AsyncIterator[Event]:
        try:
            async for events in self.batches():
                for event in events:
                    yield event
        finally:  # the loop was left early
            await self.aclose()

    async def aclose(self) -> None:
        """Close the connection now; what has arrived stays in `partial`."""
        self._closed = True
        running = cast(AsyncGeneratorType[list[Event], None], self.batches())
        if not running.ag_running:
            await running.aclose()
        elif self._response is not None:  # another task waits in it, and sees the connection go
            await self._response.aclose()

    def batches(self) -> AsyncGenerator[list[Event], None]:
        """The events that arrived together, together: one list for each piece of the body."""
        if self._running is None:
            self._running = self._run()
        return self._running

    async def _run(self) -> AsyncGenerator[list[Event], None]:
        try:
            async for events in self._read():
                yield events
            self._answer = self._terms.finish(self._outcome())
        except errors.KitError as error:
            self._error = error
            if error.answer is None and (self._heard or self._whole):
                error.answer = self.partial
            raise

    async def _read(self) -> AsyncGenerator[list[Event], None]:
        if self._closed:
            return
        response = self._response = await self._send()
        self._headers = headers_of(response, self._terms.secrets)
        try:
            if "json" in self._headers.get("content-type", ""):
                self._whole = await self._read_json(response)
                yield [_event_of(self._whole)]
                async for events in self._follow(self._whole):
                    yield events
                return
            if "html" in self._headers.get("content-type", ""):
                raise not_json(self._headers)
            decoder = Decoder()
            async with contextlib.aclosing(self._pieces(response)) as pieces:
                async for piece in pieces:
                    events = [event for frame in decoder.feed(piece) for event in self._take(frame)]
                    if events:
                        yield events
            if not self._heard and self._size:
                self._check_is_stream()
        finally:
            await response.aclose()

    async def _read_json(self, response: httpx.Response) -> Answer:
        """JSON instead of a stream: the response as it stands, in one piece."""
        left = self._terms.deadline - time.monotonic()
        idle = float(response.extensions.get("idle", self._terms.idle))
        try:
            async with asyncio.timeout(max(min(idle, left), 0.001)):
                body = scrubbed(await read_bounded(response, MAX_BODY_BYTES), self._terms.secrets)
                raw = decoded(body, self._headers)
        except (TimeoutError, httpx.TransportError) as error:
            raise self._cut(error) from None
        whole = answer_in(raw, *self._terms.secrets)
        return answer_of(whole, self._headers, seconds=self._seconds())

    async def _follow(self, answer: Answer) -> AsyncGenerator[list[Event], None]:
        """A response that runs in the background instead, until it has ended."""
        if self._terms.follow is None:
            return
        async for now in self._terms.follow(answer):
            if self._closed:
                raise self._cut(None)
            self._whole = replace(now, seconds=self._seconds())
            yield [_event_of(now)]

    async def _pieces(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        pieces = stream_of(response)
        while True:
            try:
                async with asyncio.timeout(self._patience()):
                    piece = await anext(pieces)
            except StopAsyncIteration:
                return
            except (TimeoutError, httpx.TransportError) as error:
                if self._ended or self._assembly.terminal or self._assembly.error:
                    return
                raise self._cut(error) from None
            self._size += len(piece)
            if self._size > MAX_STREAM_BYTES:
                raise errors.ProtocolError(f"The stream is larger than {MAX_STREAM_BYTES:,} bytes.")
            yield piece

    def _patience(self) -> float:
        """How long to wait for the next piece. Raises TimeoutError when the time is over.

        What follows the end has one span of time as a whole: single bytes would never end.
        """
        now = time.monotonic()
        grace = self._grace_now()
        if grace is not None and grace != self._grace:
            self._grace = grace
            self._until = min(self._until, now + grace)
        if now >= self._until:  # a wait of no time still gives a piece that is there
            raise TimeoutError
        return min(self._terms.idle, self._until - now)

    def _grace_now(self) -> float | None:
        """Seconds to read on after the end, or after an error; None before either."""
        if self._ended or (self._assembly.terminal and self._terms.api == "responses"):
            return AFTER_END_SECONDS
        if self._assembly.error:
            return AFTER_ERROR_SECONDS
        return AFTER_FINISH_SECONDS if self._assembly.terminal else None

    def _take(self, frame: Frame) -> list[Event]:
        responses = isinstance(self._assembly, ResponseAssembly)
        if self._ended or (responses and self._assembly.terminal) or not frame.data.strip():
            return []
        if frame.data.startswith("[DONE]"):
            self._ended = True
            if isinstance(self._assembly, ChatAssembly):
                self._assembly.finish()
            return []
        data = frame.data
        for secret in self._terms.secrets:
            if secret in data:
                data = data.replace(secret, "***")
        try:
            raw = read_json(data)
        except (ValueError, RecursionError):
            self._bad_frames += 1
            if self._bad_frames >= MAX_BAD_FRAMES and not self._assembly.terminal:
                raise errors.ProtocolError(
                    f"The stream holds what is no JSON, {MAX_BAD_FRAMES} times in a row; "
                    "what had arrived is kept (kit.last in a cell, the error's .answer in code)."
                ) from None
            return [Event("kit.unreadable", {"data": data[:1000]})]
        self._bad_frames = 0
        if not isinstance(raw, dict):
            return []
        raw = cast(Wire, raw)
        self._heard = self._heard or not (raw.get("error") or raw.get("type") == "error")
        with self._lock:
            self._assembly.feed(raw)
        if self._terms.api == "chat":
            return chat_events(raw)
        return [response_event(raw, frame.event)]

    def _outcome(self) -> Answer:
        """The answer, if the gateway said that it is one."""
        if self._whole is not None:
            return self._whole
        error = self._assembly.error
        if error is not None and not (
            self._assembly.terminal and isinstance(self._assembly, ResponseAssembly)
        ):
            raise failures.error_from(error, *self._terms.secrets)
        if not self._assembly.terminal:
            raise self._cut(None)
        return self._read_answer()

    def _cut(self, error: BaseException | None) -> errors.GatewayError:
        size = len(self.text)
        got = f"{size:,} characters had arrived and are kept." if size else "nothing had arrived."
        if isinstance(error, TimeoutError | httpx.ReadTimeout):
            if time.monotonic() >= self._terms.deadline:
                return errors.TimedOut(f"The time for the whole call is over; {got}")
            return errors.TimedOut(f"The gateway sent nothing for {self._terms.idle:g} s; {got}")
        return errors.StreamInterrupted(f"The stream broke off before the answer's end; {got}")

    def _check_is_stream(self) -> None:
        kind = self._headers.get("content-type", "").partition(";")[0].strip()
        if kind not in ("", "text/event-stream"):
            raise errors.ProtocolError(
                f"The gateway answered with {shown(kind)[:60]} where a stream belongs. "
                "Check that LITELLM_BASE_URL is the gateway itself and not a page before it."
            )

    def _read_answer(self) -> Answer:
        with self._lock:
            raw, ended = self._assembly.response(), self._assembly.terminal
        answer = answer_of(raw, self._headers, seconds=self._seconds())
        if not ended and answer.status == "completed":  # chat says nothing of a status so far
            return replace(answer, status="in_progress")
        return answer

    def _seconds(self) -> float:
        return time.monotonic() - self._began


def _event_of(whole: Answer) -> Event:
    type_ = f"response.{whole.status}"
    return (Finished if type_ in TERMINAL else Snapshot)(type_, whole.raw, whole.raw)
