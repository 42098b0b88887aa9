"""How an answer is asked for: as a stream, and in one piece where streams are known to break off;
in one piece, and as a stream where there is nothing else.

Rule: a memory may be wrong. What is refused on a way that memory alone has chosen is sent once more
in the way of a client that knows nothing. So is what is refused with the order to stream. What may
have been taken is not sent again: it might be paid for twice.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable

import httpx

from kit import errors
from kit.gateway.answer import Answer
from kit.gateway.capabilities import Capabilities
from kit.gateway.events import Wire
from kit.gateway.exchange import Exchange
from kit.gateway.wire import Api

__all__ = ["A_DAY", "CALL_SECONDS", "PATHS", "STREAMS_ONLY", "Asking", "api_of", "might_stream"]

STREAMS_ONLY = "streams only"
"""How the doctor calls an API that has no answer in one piece."""

CALL_SECONDS = 600.0
"""The deadline of a call that names none. A stream that names none is bounded by silence alone."""
A_DAY = 86_400.0

PATHS: dict[Api, str] = {"responses": "/responses", "chat": "/chat/completions"}

_STREAMS_ALONE = re.compile(
    r"(?i)\bstream(?:ing)?\b\W{0,3}(?:(?:parameter|option|mode)\W{0,3})?"
    r"(?:(?:must|has to|needs to) be \W?(?:true|set|enabled|used)\b"
    r"|(?:=\s?true\W{0,3})?is required\b)"
    r"|\bonly (?:supports?|accepts?|allows?|takes?) (?:the )?\W?stream"
    r"|\bonly stream(?:ing|s)?(?: (?:mode|requests?|calls?))? (?:is|are) (?:supported|accepted)\b"
    r"|\bnon-?\s?stream(?:ing)?(?: (?:mode|requests?|calls?))? (?:is|are) (?:not |un)supported\b"
    r"|\bnot support non-?\s?stream"
)
"""How gateways that fail say that they refuse what is no stream: as an order. A mere word about
streams may stand in any failure, also in one behind thousands of tokens."""

_CLIENT_CLOSED = 499
"""What proxies say of a request that was at work when it was ended."""


def api_of(path: str) -> Api:
    """Which API a path is of."""
    return "chat" if path == PATHS["chat"] else "responses"


class Asking:
    """Asks for the answers of one client. `idle`: seconds that a stream may be silent."""

    def __init__(self, exchange: Exchange, idle: float) -> None:
        self._exchange = exchange
        self._idle = idle
        self._wrong: set[tuple[str, Api]] = set()  # models of which the memory was
        self._alone: dict[tuple[str, Api], bool] = {}  # whether a model was met that only streams

    async def send(
        self, api: Api, body: Wire, known: Capabilities, deadline: float
    ) -> httpx.Response:
        """The response, its body not yet read; its `extensions` say how long that may be silent."""
        which = (str(body["model"]), api)
        if known.verdict(f"{api} stream") != "no" or which in self._wrong:
            return await self._send(api, body, deadline, stream=True)
        try:
            return await self._send(api, body, deadline, stream=False)
        except errors.GatewayError as error:
            if not might_stream(error):
                raise
        response = await self._send(api, body, deadline, stream=True)
        self._wrong.add(which)
        return response

    async def whole(
        self,
        api: Api,
        body: Wire,
        known: Capabilities,
        call: Callable[[Wire], Awaitable[Answer]],
    ) -> Answer:
        """The answer that `call` gives to the body; where there are only streams, to one that
        asks for a stream."""
        which = (str(body["model"]), api)
        alone = self._alone.get(which, known.how(api) == STREAMS_ONLY)
        ways = (body, _as_stream(api, body))
        try:
            return await call(ways[alone])
        except errors.GatewayError as error:
            if not (might_stream(error) if alone else _orders_stream(error)):
                raise
        answer = await call(ways[not alone])
        self._alone[which] = not alone
        return answer

    async def _send(self, api: Api, body: Wire, deadline: float, *, stream: bool) -> httpx.Response:
        body = _as_stream(api, body) if stream else {**body, "stream": False}
        idle = self._idle if stream else max(self._idle, CALL_SECONDS)
        response = await self._exchange.send(
            "POST",
            PATHS[api],
            body,
            deadline=min(deadline, time.monotonic() + A_DAY),
            model=body["model"],
            first_byte=idle,
        )
        response.extensions["idle"] = idle
        return response


def _as_stream(api: Api, body: Wire) -> Wire:
    usage: Wire = {"stream_options": {"include_usage": True}} if api == "chat" else {}
    return {**usage, **body, "stream": True}


def might_stream(error: errors.GatewayError) -> bool:
    """Whether the gateway took nothing of what was asked in one piece, and might take a stream."""
    return _is_refusal(error) or _orders_stream(error)


def _orders_stream(error: errors.GatewayError) -> bool:
    """Whether it says that it takes streams alone, and that this is why it failed."""
    failed = isinstance(error, errors.ServerFailed) and error.status == 500
    return (failed or _is_refusal(error)) and bool(_STREAMS_ALONE.search(str(error)))


def _is_refusal(error: errors.GatewayError) -> bool:
    if isinstance(error, errors.ModelUnknown) or error.status == _CLIENT_CLOSED:
        return False
    return isinstance(error, errors.BadRequest | errors.NotFound)
