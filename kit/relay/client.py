"""The relay's HTTP face, as its callers use it: one method for each of its routes.

Rule: every request may be sent again, because a start carries an idempotency key and the rest
changes nothing twice; so it is, for a while, when the relay is away or starting. And an error says
no less than is true: that nothing has left is said only where no try can have arrived.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

import httpx

from kit import errors
from kit.blocking_thread import on_io_thread
from kit.gateway.body import read_bounded, stream_of
from kit.gateway.events import Wire, objects
from kit.gateway.json_text import read_json
from kit.gateway.sse import Decoder
from kit.gateway.transport import UNSENT, open_transport
from kit.relay.client_refusals import AGAIN, no_relay, refusal
from kit.relay.view import RunEvent, View, event_of, view_of
from kit.secret import Secret

__all__ = ["Pace", "RelayClient"]

RUNS = "/api/v1/tool-invocations"
MOST_BYTES = 64 * 2**20
MOST_ERROR_BYTES = 64 * 1024
TRIES = 4
UNSENDABLE = (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the caller's side waits for what, in seconds. Only tests want others.

    connect, answer: of one request. silent: of a stream; the relay sends a comment every 15 s.
    first_pause: between two tries of a request; it doubles. look: of one wait at the relay, short,
    so that a dead one is noticed; late: how far behind its time that answer may be. patience: how
    long a relay may be away before somebody who waits for a run is told. pause, longest_pause:
    between two visits of whoever waits.
    """

    connect: float = 5.0
    answer: float = 60.0
    silent: float = 60.0
    first_pause: float = 0.3
    look: float = 20.0
    late: float = 10.0
    patience: float = 300.0
    pause: float = 0.5
    longest_pause: float = 10.0


class RelayClient:
    """Talks to the relay at `url`, which ends in no slash; `key` is what callers of it send."""

    def __init__(
        self,
        url: str,
        key: Secret | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.url = url
        self.pace = pace or Pace()
        self._key = key
        self._transport = transport or open_transport()

    def __repr__(self) -> str:
        return f"RelayClient({self.url!r})"

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def start(self, arguments: Wire, *, key: str, wait: float) -> View:
        """Start a run, or find the one that the same `key` started.

        `wait`: seconds that the relay may take until the gateway has named the run. Raises
        InputError for what the relay does not take, ConfigError where none is there.
        """
        body = {"tool_name": "deep_research", "arguments": arguments}
        headers = {"Idempotency-Key": key, "Prefer": f"wait={wait:.0f}"}
        view = _run_in(await self._json("POST", RUNS, headers=headers, body=body))
        if view.token is None:
            raise errors.ProtocolError("The relay's answer holds no token that opens the run.")
        return view

    async def started(self, key: str) -> bool | None:
        """Whether the relay has a run of this idempotency key; None where it does not tell."""
        try:
            raw = await self._json("GET", f"{RUNS}?idempotency_key={quote(key, safe='')}")
        except (errors.AuthenticationFailed, errors.ConfigError, errors.InputError):
            return None  # it keeps no lists, or is older than they are
        return bool(objects(raw.get("data"))) if "idempotency_key" in raw else None

    async def view(self, id: str, token: Secret) -> View:
        """The run as it stands."""
        return _run_in(await self._json("GET", _path(id), token))

    async def wait(self, id: str, token: Secret, seconds: float) -> View:
        """The run when it has ended, or as it stands after `seconds`."""
        path = f"{_path(id)}/wait?timeout={seconds:.1f}"
        return _run_in(await self._json("GET", path, token, seconds=seconds + self.pace.answer))

    async def cancel(self, id: str, token: Secret) -> View:
        """End the run; one that has ended comes back as it ended."""
        return _run_in(await self._json("POST", f"{_path(id)}/cancel", token, body={}))

    async def delete(self, id: str, token: Secret) -> None:
        """Remove a run that has ended. Raises InputError for one that has not."""
        await self._json("DELETE", _path(id), token)

    async def events(
        self, id: str, token: Secret, after: int = 0
    ) -> AsyncGenerator[list[RunEvent], None]:
        """The events behind number `after`, as they come: those that came together, together.

        The first list is empty: the relay answers. Ends behind a terminal event, where there is
        nothing more, and where the stream is cut: whoever has no terminal event comes back.
        """
        response = await self._send("GET", f"{_path(id)}/events?starting_after={after}", token)
        try:
            if response.status_code == 204:
                return
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise errors.ProtocolError(no_relay(self.url))
            yield []
            async with aclosing(_lists(response, self.pace.silent)) as lists:
                async for events in lists:
                    yield events
                    if any(event.ends for event in events):
                        return
        finally:
            await response.aclose()

    # -- one request -------------------------------------------------------------------------

    async def _json(
        self,
        method: str,
        path: str,
        token: Secret | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: Wire | None = None,
        seconds: float | None = None,
    ) -> Wire:
        response = await self._send(method, path, token, headers, body, seconds)
        try:
            async with asyncio.timeout(seconds or self.pace.answer):
                content = await read_bounded(response, MOST_BYTES)
        except (TimeoutError, httpx.TransportError):
            raise errors.ConnectionBroken("The relay's answer broke off; try again.") from None
        except errors.ProtocolError:
            raise errors.ProtocolError("The relay's answer is too large to be one.") from None
        finally:
            await response.aclose()
        raw = _object(content.decode("utf-8", "replace"))
        if raw is None and content:
            raise errors.ProtocolError(no_relay(self.url))
        return raw or {}

    async def _send(
        self,
        method: str,
        path: str,
        token: Secret | None = None,
        headers: Mapping[str, str] | None = None,
        body: Wire | None = None,
        seconds: float | None = None,
    ) -> httpx.Response:
        """The response, its body not read; its status is below 300."""
        tries, pause, arrived = TRIES, self.pace.first_pause, False
        while True:
            try:
                async with asyncio.timeout(seconds or self.pace.answer):
                    response = await self._transport.handle_async_request(
                        self._request(method, path, token, headers or {}, body)
                    )
            except UNSENDABLE:
                raise errors.ConfigError(f"{self.url[:200]} is no address of a relay.") from None
            except (TimeoutError, httpx.TransportError) as error:
                arrived = arrived or not isinstance(error, UNSENT)
                problem: errors.KitError = self._unreached(arrived)
            else:
                if response.status_code < 300:
                    return response
                before, arrived = arrived, True
                problem = await self._refused(response, token)
                if response.status_code not in AGAIN:
                    if before and method == "POST":  # what was refused is only this try
                        raise errors.ConnectionBroken(f"{problem}")
                    raise problem
            tries -= 1
            if not tries:
                raise problem
            await asyncio.sleep(pause)
            pause *= 2

    def _request(
        self,
        method: str,
        path: str,
        token: Secret | None,
        headers: Mapping[str, str],
        body: Wire | None,
    ) -> httpx.Request:
        content = b"" if body is None else json.dumps(body).encode()
        sent = {"accept-encoding": "gzip, deflate", "user-agent": "responses-kit", **headers}
        if body is not None:
            sent |= {"content-type": "application/json", "content-length": str(len(content))}
        if not on_io_thread():
            sent["connection"] = "close"  # the caller's own loop: it may end while we keep one open
        if token is not None:
            sent["x-invocation-token"] = token.reveal()
        if self._key is not None:
            sent["authorization"] = f"Bearer {self._key.reveal()}"
        return httpx.Request(
            method,
            self.url + path,
            headers=sent,
            stream=httpx.ByteStream(content),
            extensions={"timeout": {"connect": self.pace.connect, "pool": self.pace.answer}},
        )

    def _unreached(self, arrived: bool) -> errors.GatewayError:
        if arrived:
            return errors.ConnectionBroken(f"The connection to the relay at {self.url} broke.")
        return errors.ConnectionFailed(
            f"No relay answers at {self.url}. Start it there (python -m relay_lite, with the store "
            "of its runs), or unset RELAY_BASE_URL: for new runs the notebook brings its own."
        )

    async def _refused(self, response: httpx.Response, token: Secret | None) -> errors.KitError:
        try:
            async with asyncio.timeout(self.pace.answer):
                content = await read_bounded(response, MOST_ERROR_BYTES, cut=True)
        except (TimeoutError, httpx.TransportError):
            content = b""
        finally:
            await response.aclose()
        return refusal(
            response.status_code,
            _object(content.decode("utf-8", "replace")),
            self.url,
            *(secret.reveal() for secret in (self._key, token) if secret is not None),
            of_a_run=token is not None,
        )


def _run_in(raw: Wire) -> View:
    view = view_of(raw)
    if view is None:
        raise errors.ProtocolError("The relay's answer names no run. Check RELAY_BASE_URL.")
    return view


def _path(id: str) -> str:
    return f"{RUNS}/{quote(id, safe='')}"


def _object(text: str) -> Wire | None:
    try:
        raw: Any = read_json(text)
    except (ValueError, RecursionError):
        return None
    return cast(Wire, raw) if isinstance(raw, dict) else None


async def _lists(response: httpx.Response, silent: float) -> AsyncGenerator[list[RunEvent], None]:
    """The events that came together, together; until the stream ends, breaks off or is silent."""
    decoder = Decoder()
    pieces = stream_of(response)
    while True:
        try:
            async with asyncio.timeout(silent):
                piece = await anext(pieces)
        except (StopAsyncIteration, TimeoutError, httpx.TransportError):
            return
        frames = decoder.feed(piece)
        read = [event_of(_object(frame.data), _number(frame.id)) for frame in frames]
        events = [event for event in read if event is not None]
        if events:
            yield events


def _number(id: str) -> int:
    return int(id) if id.isascii() and id.isdigit() and len(id) < 16 else 0
