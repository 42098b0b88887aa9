"""The client of one gateway: ask, stream, submit, fetch, cancel.

Rule: it takes a resolved `Endpoint` and knows no default. Who has nothing configured is answered
above it (connect.py), so the core never reaches up to the sandbox.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Any, Unpack, cast

import httpx

from kit import errors
from kit.gateway.answer import Answer, answer_of
from kit.gateway.asking import A_DAY, CALL_SECONDS, PATHS, Asking, api_of
from kit.gateway.body import answer_in
from kit.gateway.capabilities import NOTHING, Capabilities, Known
from kit.gateway.checking import checked
from kit.gateway.events import Wire, objects
from kit.gateway.exchange import Exchange
from kit.gateway.following import PENDING, followed
from kit.gateway.ledger import Ledger
from kit.gateway.offered import which_model
from kit.gateway.options_by_name import takes_options
from kit.gateway.request import checked_seconds, path_of
from kit.gateway.stream import AsyncStream, Terms
from kit.gateway.transport import open_transport
from kit.gateway.unasked import read_unasked
from kit.gateway.wire import Api, Input, Options, body_of
from kit.settings import Endpoint

__all__ = ["AsyncClient"]

NEW_ID_SECONDS = 10.0
"""How long an id just created may be unknown: gateways write it down behind their answer."""


class AsyncClient:
    """Talks to one gateway. Safe to share between tasks; close it with `aclose()`.

    timeout: seconds for a whole call, retries included (default 600; streams: none).
    idle_timeout: seconds a stream may be silent.
    retries: further tries where sending again is safe.
    headers: sent with every request.
    transport: another httpx transport, for tests and replay.
    ledger: where it is noted what each answer took.
    capabilities: what is known of each of the gateway's models.

    Every method takes the options of `kit.gateway.wire.Options` by name. Raises GatewayError and
    its kind for what the gateway does, InputError for what the caller passed.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        timeout: float | None = None,
        idle_timeout: float = 120.0,
        retries: int = 2,
        headers: Mapping[str, str] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        ledger: Ledger | None = None,
        capabilities: Known | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._known = capabilities
        self._ledger = ledger
        self._timeout = checked_seconds(timeout)
        self._idle = checked_seconds(idle_timeout, "idle_timeout") or float("inf")
        self._exchange = Exchange(
            endpoint, transport or open_transport(), retries=retries, headers=headers
        )
        self._asking = Asking(self._exchange, self._idle)
        self._offered: str | None = None
        self._created: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.endpoint.identity!r}, model={self.endpoint.model!r})"

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._exchange.aclose()

    def known(self, model: str | None = None) -> Capabilities:
        """What is known of that model, else of the configured one."""
        name = model or self.endpoint.model or self._offered
        return self._known(name) if self._known and name else NOTHING

    @takes_options
    async def chat(self, prompt: Input, **options: Unpack[Options]) -> Answer:
        """Ask over chat completions. `prompt`: text, or messages."""
        return await self._ask("chat", prompt, options)

    @takes_options
    async def respond(self, prompt: Input, **options: Unpack[Options]) -> Answer:
        """Ask over the responses API. `prompt`: text, or input items."""
        return await self._ask("responses", prompt, options)

    @takes_options
    def stream(
        self, prompt: Input, *, api: Api = "responses", **options: Unpack[Options]
    ) -> AsyncStream:
        """The answer while it is made: iterate the result for events, then read `.answer`."""
        seconds = checked_seconds(options.get("timeout")) or self._timeout
        deadline = time.monotonic() + (seconds or float("inf"))

        model = None

        async def send() -> httpx.Response:
            nonlocal model
            body = await self._body(api, prompt, options)
            model = body["model"]
            return await self._asking.send(api, body, self.known(model), deadline)

        def finish(answer: Answer) -> Answer:
            self._noted(answer, PATHS[api], model)
            return checked(answer, options.get("schema"), self._exchange.secrets)

        def follow(answer: Answer) -> AsyncIterator[Answer]:
            return self._followed(answer, deadline)

        extra: Any = options.get("extra")
        background = isinstance(extra, Mapping) and cast(Wire, extra).get("background")
        secrets = self._exchange.secrets
        following = None if background else follow
        return AsyncStream(send, Terms(api, self._idle, deadline, secrets, finish, following))

    def create(
        self,
        body: Wire,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        idle: float | None = None,
    ) -> AsyncStream:
        """Send a body of the responses API as it is, once; what comes is read as it comes.

        For callers who keep their own account of what was sent: nothing is sent again, a response
        that runs on in the background is not waited for, and one that failed is an answer too.
        `idle`: seconds of silence, else the client's. `headers` are added to the client's.
        """
        return self._reading("POST", "/responses", body, headers, timeout, idle)

    def resume(
        self,
        id: str,
        *,
        starting_after: int | None = None,
        timeout: float | None = None,
        idle: float | None = None,
    ) -> AsyncStream:
        """The stream of a background response, from the event after this `sequence_number`.

        Raises, when it is read, NotFound or BadRequest where the gateway does not stream it any
        more: `retrieve` may still have it. `.answer` is assembled from what came after.
        """
        after = "" if starting_after is None else f"&starting_after={starting_after:d}"
        path = f"{path_of(id)}?stream=true{after}"
        return self._reading("GET", path, None, None, timeout, idle)

    @takes_options
    async def submit(self, prompt: Input, **options: Unpack[Options]) -> Answer:
        """Start a response in the background. `.id` fetches it; `.status` is mostly "queued".

        A gateway that knows no background answers when it is done, with status "completed".
        """
        deadline = self._deadline(options)
        body = await self._body("responses", prompt, options)
        # the run may exist although its answer was lost: this finds it at the gateway
        given: dict[str, Any] = body.get("metadata") or {}
        metadata = {**given, "kit_request_id": uuid.uuid4().hex}
        body |= {"background": True, "metadata": metadata}
        answer = await self._call("POST", "/responses", body, deadline=deadline)
        if answer.status in PENDING:  # one that has ended is not going to be known later
            self._note(answer.id)
        return answer

    async def retrieve(self, id: str, *, timeout: float | None = None) -> Answer:
        """The stored response as it stands; a failed one is returned, not raised."""
        deadline = self._deadline({"timeout": timeout})
        while True:
            try:
                answer = await self._call("GET", path_of(id), deadline=deadline)
            except errors.NotFound:
                created = self._created.get(id, float("-inf"))
                if time.monotonic() - created > NEW_ID_SECONDS:
                    raise
                await asyncio.sleep(0.5)
            else:
                self._created.pop(id, None)  # it is known from now on
                return answer

    async def cancel(self, id: str, *, timeout: float | None = None) -> Answer:
        """Cancel a background response; one that has ended comes back as it ended."""
        deadline = self._deadline({"timeout": timeout})
        try:
            return await self._call("POST", path_of(id) + "/cancel", {}, deadline=deadline)
        except errors.BadRequest as error:
            if error.status != 409:
                raise
        return await self._call("GET", path_of(id), deadline=deadline)

    async def delete(self, id: str, *, timeout: float | None = None) -> bool:
        """Delete a stored response; True when the gateway says that it did."""
        deadline = self._deadline({"timeout": timeout})
        raw, _ = await self._exchange.json("DELETE", path_of(id), deadline=deadline)
        self._created.pop(id, None)
        return bool(raw.get("deleted", True))

    async def models(self, *, timeout: float | None = None) -> list[str]:
        """The names of the models that the gateway offers to this key."""
        deadline = self._deadline({"timeout": checked_seconds(timeout) or self._timeout or 30.0})
        raw, _ = await self._exchange.json("GET", "/models", deadline=deadline)
        names = [model.get("id") for model in objects(raw.get("data"))]
        return [name for name in names if isinstance(name, str)]

    async def model_info(self, *, timeout: float | None = None) -> Wire:
        """LiteLLM's `/model/info` as it came: deployments with prices and limits, in `data`.

        Raises NotFound, or another GatewayError, where the gateway is none.
        """
        deadline = self._deadline({"timeout": checked_seconds(timeout) or self._timeout or 30.0})
        raw, _ = await self._exchange.json("GET", "/model/info", deadline=deadline)
        return raw

    async def only_model(self) -> str:
        """The one model of a gateway that offers one. Asked once. Raises ModelMissing."""
        if self._offered is None:
            offered = await self.models()
            if len(offered) != 1:
                raise errors.ModelMissing(which_model(offered, self._exchange.secrets))
            self._offered = offered[0]
        return self._offered

    # -- behind the methods ----------------------------------------------------------------

    def _reading(
        self,
        method: str,
        path: str,
        body: Wire | None,
        headers: Mapping[str, str] | None,
        timeout: float | None,
        idle: float | None,
    ) -> AsyncStream:
        seconds = checked_seconds(timeout) or self._timeout or A_DAY
        silence = checked_seconds(idle, "idle") or self._idle
        deadline = time.monotonic() + seconds

        def send() -> Awaitable[httpx.Response]:
            return self._exchange.send(
                method,
                path,
                body,
                deadline=deadline,
                model=(body or {}).get("model"),
                first_byte=silence,
                headers=headers,
                retries=0 if method == "POST" else None,
            )

        def finish(answer: Answer) -> Answer:
            return self._noted(answer, path)

        secrets = self._exchange.secrets
        return AsyncStream(send, Terms("responses", silence, deadline, secrets, finish))

    async def _ask(self, api: Api, prompt: Input, options: Options) -> Answer:
        deadline = self._deadline(options)
        body = await self._body(api, prompt, options)
        began = time.monotonic()

        def call(body: Wire) -> Awaitable[Answer]:
            return self._call("POST", PATHS[api], body, deadline=deadline)

        answer = await self._asking.whole(api, body, self.known(body["model"]), call)
        if not body.get("background"):
            async for found in self._followed(answer, deadline):
                answer = dataclasses.replace(found, seconds=time.monotonic() - began)
        return checked(answer, options.get("schema"), self._exchange.secrets)

    async def _call(
        self, method: str, path: str, body: Wire | None = None, *, deadline: float
    ) -> Answer:
        began = time.monotonic()
        model = (body or {}).get("model")
        terms = Terms(api_of(path), self._idle, deadline, self._exchange.secrets)
        raw, headers = await self._exchange.json(
            method,
            path,
            body,
            deadline=deadline,
            model=model,
            streamed=lambda response: read_unasked(response, terms),
        )
        raw = answer_in(raw, *self._exchange.secrets)
        answer = answer_of(raw, headers, seconds=time.monotonic() - began)
        return self._noted(answer, path, model)

    def _noted(self, answer: Answer, path: str, model: Any = None) -> Answer:
        """The answer, once it stands in the ledger what it took."""
        if self._ledger is not None:
            fetched, to = path not in PATHS.values(), self.endpoint.identity
            self._ledger.note(
                answer, api_of(path), to, now=time.time(), model=str(model or ""), fetched=fetched
            )
        return answer

    async def _body(self, api: Api, prompt: Input, options: Options) -> Wire:
        model = options.get("model")
        if not model and api == "chat":
            model = self.endpoint.chat_model
        return body_of(
            api, prompt, model or self.endpoint.model or await self.only_model(), options
        )

    def _followed(self, answer: Answer, deadline: float) -> AsyncIterator[Answer]:
        if answer.status in PENDING:
            self._note(answer.id)
            self._noted(answer, PATHS["responses"])
        return followed(answer, lambda id, left: self.retrieve(id, timeout=left), deadline)

    def _note(self, id: str | None) -> None:
        """Remember that this id was created just now."""
        now = time.monotonic()
        young = {i: at for i, at in self._created.items() if now - at < NEW_ID_SECONDS}
        self._created = {**young, id: now} if id else young

    def _deadline(self, options: Options) -> float:
        seconds = checked_seconds(options.get("timeout")) or self._timeout or CALL_SECONDS
        return time.monotonic() + seconds
