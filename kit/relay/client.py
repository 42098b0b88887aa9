"""The relay's HTTP face, as its callers use it: one method for each of its routes.

Rule: every request may be sent again, because a start carries an idempotency key and the rest
changes nothing twice; so it is, for a while, when the relay is away or starting. What a relay says
is somebody else's text: bounded, and without keys before it is shown.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, cast
from urllib.parse import quote

import httpx

from kit import errors
from kit.gateway.body import read_bounded, stream_of
from kit.gateway.events import Wire, objects
from kit.gateway.json_text import read_json
from kit.gateway.refusal import shown
from kit.gateway.sse import Decoder
from kit.gateway.transport import UNSENT, open_transport
from kit.relay.view import RunEvent, View, event_of, view_of
from kit.secret import Secret

__all__ = ["RelayClient"]

RUNS = "/api/v1/tool-invocations"
MOST_BYTES = 64 * 2**20
MOST_ERROR_BYTES = 64 * 1024
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
SILENT_SECONDS = 60.0
"""Of a stream: the relay sends a comment every 15 s."""
TRIES = 4
FIRST_PAUSE = 0.3


class RelayClient:
    """Talks to the relay at `url`, which ends in no slash; `key` is what callers of it send."""

    def __init__(
        self,
        url: str,
        key: Secret | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url
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
        InputError for what the relay does not take.
        """
        body = {"tool_name": "deep_research", "arguments": arguments}
        headers = {"Idempotency-Key": key, "Prefer": f"wait={wait:.0f}"}
        return _run_in(await self._json("POST", RUNS, headers=headers, body=body))

    async def started(self, key: str) -> bool | None:
        """Whether the relay has a run of this idempotency key; None where it does not tell."""
        try:
            raw = await self._json("GET", f"{RUNS}?idempotency_key={quote(key, safe='')}")
        except (errors.GatewayError, errors.ConfigError, errors.InputError) as error:
            if isinstance(error, errors.ConnectionFailed | errors.ServerFailed):
                raise
            return None
        return bool(objects(raw.get("data"))) if "idempotency_key" in raw else None

    async def view(self, id: str, token: Secret) -> View:
        """The run as it stands."""
        return _run_in(await self._json("GET", _path(id), headers=_opened_by(token)))

    async def wait(self, id: str, token: Secret, seconds: float) -> View:
        """The run when it has ended, or as it stands after `seconds`."""
        path = f"{_path(id)}/wait?timeout={seconds:.1f}"
        patience = seconds + ANSWER_SECONDS
        raw = await self._json("GET", path, headers=_opened_by(token), seconds=patience)
        return _run_in(raw)

    async def cancel(self, id: str, token: Secret) -> View:
        """End the run; one that has ended comes back as it ended."""
        raw = await self._json("POST", f"{_path(id)}/cancel", headers=_opened_by(token), body={})
        return _run_in(raw)

    async def delete(self, id: str, token: Secret) -> None:
        """Remove a run that has ended. Raises InputError for one that has not."""
        await self._json("DELETE", _path(id), headers=_opened_by(token))

    async def events(
        self, id: str, token: Secret, after: int = 0
    ) -> AsyncGenerator[list[RunEvent], None]:
        """The events behind number `after`, as they come: those that came together, together.

        Ends behind the terminal event. Raises ConnectionBroken when the stream ends before it.
        """
        path = f"{_path(id)}/events?starting_after={after}"
        response = await self._send("GET", path, _opened_by(token), None, ANSWER_SECONDS)
        try:
            if response.status_code == 204:
                return
            async with aclosing(_lists(response)) as lists:
                async for events in lists:
                    yield events
                    if any(event.ends for event in events):
                        return
        finally:
            await response.aclose()
        raise errors.ConnectionBroken("The relay's stream of events broke off.")

    # -- one request -------------------------------------------------------------------------

    async def _json(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Wire | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Wire:
        response = await self._send(method, path, headers or {}, body, seconds)
        try:
            async with asyncio.timeout(seconds):
                content = await read_bounded(response, MOST_BYTES)
        except (TimeoutError, httpx.TransportError):
            raise errors.ConnectionBroken("The relay's answer broke off; try again.") from None
        finally:
            await response.aclose()
        raw = _object(content)
        if raw is None and content:
            raise errors.ProtocolError(f"What answers at {self.url} is no relay.")
        return raw or {}

    async def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Wire | None,
        seconds: float,
    ) -> httpx.Response:
        """The response, its body not read; its status is below 300."""
        tries, pause = TRIES, FIRST_PAUSE
        while True:
            try:
                response = await self._once(method, path, headers, body, seconds)
            except (TimeoutError, httpx.TransportError) as error:
                problem: errors.KitError = self._unreached(error)
            else:
                if response.status_code < 300:
                    return response
                problem = await self._refusal(response)
                if response.status_code not in (503, 507):
                    raise problem
            tries -= 1
            if not tries:
                raise problem from None
            await asyncio.sleep(pause)
            pause *= 2

    async def _once(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Wire | None,
        seconds: float,
    ) -> httpx.Response:
        content = b"" if body is None else json.dumps(body).encode()
        sent = {"accept-encoding": "gzip, deflate", "user-agent": "responses-kit", **headers}
        if body is not None:
            sent |= {"content-type": "application/json", "content-length": str(len(content))}
        if self._key is not None:
            sent["authorization"] = f"Bearer {self._key.reveal()}"
        request = httpx.Request(
            method,
            self.url + path,
            headers=sent,
            stream=httpx.ByteStream(content),
            extensions={"timeout": {"connect": CONNECT_SECONDS, "pool": seconds}},
        )
        del sent
        async with asyncio.timeout(seconds):
            return await self._transport.handle_async_request(request)

    def _unreached(self, error: Exception) -> errors.GatewayError:
        if isinstance(error, UNSENT):
            return errors.ConnectionFailed(
                f"No relay answers at {self.url}. Start one with python -m relay_lite, or unset "
                "RELAY_BASE_URL: the notebook then brings its own."
            )
        return errors.ConnectionBroken(f"The connection to the relay at {self.url} broke.")

    async def _refusal(self, response: httpx.Response) -> errors.KitError:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                content = await read_bounded(response, MOST_ERROR_BYTES, cut=True)
        except (TimeoutError, httpx.TransportError):
            content = b""
        finally:
            await response.aclose()
        secrets = [self._key.reveal()] if self._key is not None else []
        detail = shown(str((_object(content) or {}).get("detail") or ""), *secrets)[:500]
        return _error(response.status_code, detail)


def _error(status: int, detail: str) -> errors.KitError:
    match status:
        case 401:
            return errors.ConfigError("The relay wants a key, or another one: set RELAY_API_KEY.")
        case 403:
            return errors.AuthenticationFailed(detail or "The relay does not allow this.")
        case 404:
            return errors.NotFound(
                "The relay does not know this run: it was deleted, or belongs to another relay."
            )
        case 400 | 409 | 413 | 415 | 422:
            return errors.InputError(f"The relay refuses this: {detail or f'status {status}'}")
        case 503 | 507:
            return errors.ServerFailed(
                f"The relay cannot take it now: {detail or f'status {status}'}", status=status
            )
        case _:
            said = f": {detail}" if detail else ""
            return errors.ServerFailed(f"The relay failed (status {status}){said}", status=status)


def _run_in(raw: Wire) -> View:
    view = view_of(raw)
    if view is None:
        raise errors.ProtocolError("The relay's answer names no run. Check RELAY_BASE_URL.")
    return view


def _path(id: str) -> str:
    return f"{RUNS}/{quote(id, safe='')}"


def _opened_by(token: Secret) -> dict[str, str]:
    return {"X-Invocation-Token": token.reveal()}


def _object(content: bytes) -> Wire | None:
    try:
        raw: Any = read_json(content.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return cast(Wire, raw) if isinstance(raw, dict) else None


async def _lists(response: httpx.Response) -> AsyncGenerator[list[RunEvent], None]:
    decoder = Decoder()
    pieces = stream_of(response)
    while True:
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                piece = await anext(pieces)
        except (StopAsyncIteration, TimeoutError, httpx.TransportError):
            return
        frames = [
            (frame.data.encode("utf-8", "replace"), frame.id) for frame in decoder.feed(piece)
        ]
        read = [event_of(_object(data), _number(id)) for data, id in frames]
        events = [event for event in read if event is not None]
        if events:
            yield events


def _number(id: str) -> int:
    return int(id) if id.isascii() and id.isdigit() and len(id) < 16 else 0
