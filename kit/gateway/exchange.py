"""One HTTP exchange with a gateway: time-outs, limits, and sending again where that is safe.

Rule: a request goes to the endpoint's own address and nowhere else (no redirects, no cookies),
and whatever happens becomes one of kit's errors, without the key in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping

import httpx

from kit import errors
from kit.gateway import failures
from kit.gateway.body import (
    MAX_BODY_BYTES,
    decoded,
    headers_of,
    is_answer,
    read_bounded,
    scrubbed,
)
from kit.gateway.events import Wire, error_of
from kit.gateway.refusal import Refusal, read_refusal
from kit.gateway.request import add_headers, encoded, headers_for, secrets_in
from kit.gateway.transport import UNSENT
from kit.gateway.unreached import CONNECT_SECONDS, broken, distrusted, is_overlong, unreached
from kit.settings import Endpoint

__all__ = ["Exchange"]

MAX_ERROR_BYTES = 64 * 1024

FOR_MINUTES = (
    "What takes minutes runs in the background: --background with responses, submit() in code."
)


class Exchange:
    """Sends requests to one endpoint. `retries` counts further tries after the first."""

    def __init__(
        self,
        endpoint: Endpoint,
        transport: httpx.AsyncBaseTransport,
        *,
        retries: int = 2,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._transport = transport
        self._retries = retries
        self._urls: dict[str, httpx.URL] = {}
        self._headers = headers_for(endpoint, {**endpoint.headers, **(headers or {})})
        self.secrets = secrets_in(self._headers)
        self._keyed = endpoint.api_key is not None or bool(self.secrets)

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def send(
        self,
        method: str,
        path: str,
        body: Wire | None = None,
        *,
        deadline: float,
        model: str | None = None,
        first_byte: float | None = None,
        headers: Mapping[str, str] | None = None,
        retries: int | None = None,
    ) -> httpx.Response:
        """The response to the first try that gives one, its body not yet read.

        `deadline` is on `time.monotonic`'s clock; `first_byte` bounds each wait for the head of
        the answer, in seconds; without it the caller bounds the whole. `headers` and `retries`
        are of this request alone. Raises GatewayError; the response's status is below 300.
        """
        content = encoded(body) if body is not None else b""
        sent = self._headers_for(content, headers or {})
        tries = self._retries if retries is None else retries
        create = method == "POST" and not path.endswith("/cancel")
        attempt = 0
        while True:
            outcome = await self._try(method, path, content, sent, deadline, first_byte)
            if isinstance(outcome, httpx.Response):
                if outcome.status_code < 300:
                    return outcome
                refusal = await self._refusal(outcome, deadline)
                error = failures.error_for(
                    refusal, method=method, path=path, model=model, keyed=self._keyed
                )
                delay = failures.retry_delay(
                    attempt, refusal, create=create, jitter=random.random()
                )
                if path.endswith("/cancel") and refusal.status == 409:
                    delay = None  # it has ended, and stays so
            else:
                error, delay = self._unreached(outcome, attempt, create)
            attempt += 1
            late = delay is not None and time.monotonic() + delay >= deadline
            if delay is None or late or attempt > tries:
                raise error from None
            await asyncio.sleep(delay)

    def _unreached(
        self, outcome: httpx.TransportError, attempt: int, create: bool
    ) -> tuple[errors.GatewayError, float | None]:
        """The error of a try without an answer, and when to try again."""
        address = self.endpoint.base_url.removesuffix("/v1")
        error = unreached(outcome, address, *self.secrets, create=create)
        hopeless = distrusted(outcome) or is_overlong(error)
        again = not hopeless and (isinstance(outcome, UNSENT) or not create)
        return error, failures.backoff(attempt, random.random()) if again else None

    async def json(
        self,
        method: str,
        path: str,
        body: Wire | None = None,
        *,
        deadline: float,
        model: str | None = None,
        streamed: Callable[[httpx.Response], Awaitable[Wire | None]] | None = None,
    ) -> tuple[Wire, Mapping[str, str]]:
        """Send, read the whole answer, and return its object and its headers (lower-case).

        `streamed` reads what came as a stream although none was asked for; None where none came.
        """
        try:
            async with asyncio.timeout_at(_loop_time(deadline)):
                response = await self.send(method, path, body, deadline=deadline, model=model)
                headers = headers_of(response, self.secrets)
                if streamed is not None and (found := await streamed(response)) is not None:
                    return found, headers
                content = scrubbed(await read_bounded(response, MAX_BODY_BYTES), self.secrets)
                raw = decoded(content, headers) if content or method != "DELETE" else {}
        except TimeoutError:
            raise late_error() from None
        except httpx.TransportError as error:
            raise broken(error, *self.secrets, create=method == "POST") from None
        if raw.get("error") and not is_answer(raw):
            raise failures.error_from(error_of(raw), *self.secrets, status=response.status_code)
        return raw, headers

    async def _try(
        self,
        method: str,
        path: str,
        content: bytes,
        headers: httpx.Headers,
        deadline: float,
        first_byte: float | None,
    ) -> httpx.Response | httpx.TransportError:
        left = max(deadline - time.monotonic(), 0.001)
        connect = min(CONNECT_SECONDS, left)
        request = httpx.Request(
            method,
            self._url(path),
            headers=headers,
            stream=httpx.ByteStream(content),  # `content=` would parse the headers once more
            extensions={"timeout": {"connect": connect, "pool": left}},
        )
        bounded = contextlib.nullcontext()
        if first_byte is not None:
            bounded = asyncio.timeout(min(left, first_byte))
        try:
            async with bounded:
                return await self._transport.handle_async_request(request)
        except TimeoutError:
            if first_byte is not None and first_byte < left:
                raise errors.TimedOut(
                    f"The gateway sent nothing for {first_byte:g} s. It may still be at work on "
                    f"the request; ask again later. {FOR_MINUTES}"
                ) from None
            raise late_error() from None
        except httpx.TransportError as error:
            return error

    def _headers_for(self, content: bytes, more: Mapping[str, str]) -> httpx.Headers:
        headers = self._headers.copy()
        add_headers(headers, more)
        if content:
            headers["content-length"] = str(len(content))
        return headers

    def _url(self, path: str) -> httpx.URL:
        url = self._urls.get(path)
        if url is None:
            url = httpx.URL(self.endpoint.base_url + path)
            if len(self._urls) < 8:  # the few fixed paths; ids come and go
                self._urls[path] = url
        return url

    async def _refusal(self, response: httpx.Response, deadline: float) -> Refusal:
        body = b""
        try:
            async with asyncio.timeout(min(10.0, max(deadline - time.monotonic(), 0.1))):
                body = await read_bounded(response, MAX_ERROR_BYTES, cut=True)
        except (TimeoutError, httpx.TransportError):
            pass  # the status says enough
        headers = headers_of(response, self.secrets)
        return read_refusal(response.status_code, headers, body, *self.secrets)


def late_error() -> errors.TimedOut:
    return errors.TimedOut(
        "The gateway did not answer in time. It may still be at work on the request.\n"
        f"Give a longer timeout (--timeout). {FOR_MINUTES}"
    )


def _loop_time(deadline: float) -> float:
    return asyncio.get_running_loop().time() + deadline - time.monotonic()
