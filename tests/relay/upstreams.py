"""A gateway for tests that end processes: one of its own, which outlives any kill of a relay.

    with gateway() as there:
        there.script("cut", events=40, pace=0.05, cut=10)    # how runs of the model `cut` go
        ...                                                  # LITELLM_BASE_URL=there.url
        there.seen().submissions

A run goes on whether or not anybody reads. Every batch of a stream is cut inside a code point, and
the rest of it held back until the next event is due. Every request is written down.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Generator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.relay.upstream_runs import Json, Run, Script

ROOT = Path(__file__).parents[2]
MODEL = "plain"
"""The model that is there without a script of its own."""
PRICES: Json = {
    **{"input_cost_per_token": 0.00001, "output_cost_per_token": 0.00004},
    "search_context_cost_per_query": {"search_context_size_medium": 0.01},
}


@dataclass
class Seen:
    """Every request so far.

    A submission has `invocation`, `key`, `model`, `id`, `status` and `at`, a resume `id` and
    `cursor`. left: runs whose stream was closed by its reader; ended: whose last event went out.
    """

    submissions: list[Json] = field(default_factory=list[Json])
    resumes: list[Json] = field(default_factory=list[Json])
    polls: list[str] = field(default_factory=list[str])
    cancels: list[str] = field(default_factory=list[str])
    left: list[str] = field(default_factory=list[str])
    ended: list[str] = field(default_factory=list[str])

    def taken(self, invocation: str) -> list[str]:
        """What the gateway calls the runs that one invocation started."""
        mine = [one for one in self.submissions if one["invocation"] == invocation]
        return [one["id"] for one in mine if one["status"] == 200]


@dataclass(frozen=True)
class Gateway:
    """The gateway's process as a test sees it."""

    root: str

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    def script(self, model: str, **how: Any) -> Script:
        """Say how runs of `model` go from now on; the fields are those of `Script`."""
        httpx.put(f"{self.root}/control/{model}", json=how, trust_env=False).raise_for_status()
        return Script(**how)

    def seen(self) -> Seen:
        return Seen(**httpx.get(f"{self.root}/control", trust_env=False).json())


@contextlib.contextmanager
def gateway() -> Generator[Gateway]:
    """Start one, and end it."""
    command = [sys.executable, "-m", "tests.relay.upstreams"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield Gateway(process.stdout.readline().strip())
        finally:
            process.kill()


class World:
    """The other side: all runs, the scripts of the models, and what was asked for."""

    def __init__(self) -> None:
        self.scripts = {MODEL: Script()}
        self.runs: dict[str, Run] = {}
        self.refused: Counter[str] = Counter()
        self.seen = Seen()

    def app(self) -> Starlette:
        api = [
            ("/responses", self.create, "POST"),
            ("/responses/{id}", self.retrieve, "GET"),
            ("/responses/{id}/cancel", self.cancel, "POST"),
            ("/models", self.models, "GET"),
            ("/model/info", self.prices, "GET"),
        ]
        routes = [
            Route(prefix + path, act, methods=[method])
            for prefix in ("/v1", "")
            for path, act, method in api
        ]
        routes.append(Route("/control", self.tell, methods=["GET"]))
        routes.append(Route("/control/{model}", self.learn, methods=["PUT"]))
        return Starlette(routes=routes)

    async def create(self, request: Request) -> Response:
        body = await request.json()
        script = self.scripts[body["model"]]
        run = Run(f"resp_{len(self.seen.submissions):04}", script, body)
        told = self._submission(request, run)
        self.seen.submissions.append(told)
        if self.refused[body["model"]] < script.refusals:
            self.refused[body["model"]] += 1
            told["status"] = script.refusal
            return _problem(script.refusal, "Not now.", script.retry_after)
        self.runs[run.id] = run
        await asyncio.sleep(script.hold)
        if body.get("stream") and script.way != "json":
            return self._streamed(run, -1)
        await asyncio.sleep(0 if run.background else script.seconds)
        return JSONResponse(run.response())

    async def retrieve(self, request: Request) -> Response:
        run = self.runs.get(request.path_params["id"])
        if run is None or run.gone:
            return _problem(404, "Response not found.")
        if request.query_params.get("stream") == "true" and run.script.way != "json":
            cursor = int(request.query_params.get("starting_after", "-1"))
            self.seen.resumes.append({"id": run.id, "cursor": cursor})
            if not run.script.resumable:
                return _problem(400, "This response can no longer be streamed.")
            return self._streamed(run, cursor)
        self.seen.polls.append(run.id)
        run.polls += 1
        if run.polls <= run.script.missing:
            return _problem(404, "Response not found.")
        if run.polls <= run.script.missing + run.script.broken:
            return _problem(500, "The server had an error.")
        return JSONResponse(run.response())

    async def cancel(self, request: Request) -> Response:
        run = self.runs[request.path_params["id"]]
        self.seen.cancels.append(run.id)
        run.cancelled = run.cancelled or run.status() in ("queued", "in_progress")
        return JSONResponse(run.response())

    async def models(self, _request: Request) -> Response:
        data = [{"id": name, "object": "model"} for name in self.scripts]
        return JSONResponse({"object": "list", "data": data})

    async def prices(self, _request: Request) -> Response:
        data = [{"model_name": name, "model_info": PRICES} for name in self.scripts]
        return JSONResponse({"data": data})

    async def tell(self, _request: Request) -> Response:
        return JSONResponse(asdict(self.seen))

    async def learn(self, request: Request) -> Response:
        model = request.path_params["model"]
        self.scripts[model] = Script(**await request.json())
        del self.refused[model]
        return JSONResponse({})

    def _submission(self, request: Request, run: Run) -> Json:
        metadata: Json = run.request.get("metadata") or {}
        return {
            "invocation": metadata.get("invocation_id"),
            "key": request.headers.get("idempotency-key"),
            "model": run.request["model"],
            "id": run.id,
            "status": 200,
            "at": time.time(),
        }

    def _streamed(self, run: Run, cursor: int) -> Response:
        return StreamingResponse(self._bytes(run, cursor), media_type="text/event-stream")

    async def _bytes(self, run: Run, cursor: int) -> AsyncIterator[bytes]:
        """The frames behind `cursor`; the torn-off end of one goes out with the next."""
        run.streams += 1
        script, held, told = run.script, b"", 0
        cut = script.cut if run.streams <= script.cuts else 0
        try:
            for due, event in run.score()[cursor + 1 :]:
                await asyncio.sleep(max(due - run.age, 0))
                if run.cancelled:
                    return
                if script.silent and told >= script.silent:
                    await asyncio.sleep(3600)
                sent, held = _torn(held + _frame(event))
                yield sent
                told += 1
                if cut and told >= cut:
                    _end(script)
                    return
            yield held + b"data: [DONE]\n\n"
            self.seen.ended.append(run.id)
        except (asyncio.CancelledError, GeneratorExit):
            self.seen.left.append(run.id)
            run.gone = script.way == "plain"
            raise


class Dropped(Exception):
    """Ends a connection without the last chunk."""


def _end(script: Script) -> None:
    if script.drop:
        raise Dropped


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of the server's log is none of the failures that tests ask for."""
    return record.exc_info is None or record.exc_info[0] is not Dropped


def _frame(event: Json) -> bytes:
    text = json.dumps(event, ensure_ascii=False)
    return f"event: {event['type']}\ndata: {text}\n\n".encode()


def _torn(data: bytes) -> tuple[bytes, bytes]:
    """`data` in two, inside its last character of several bytes, else before its last byte."""
    place = max((at for at, byte in enumerate(data) if byte >= 0xC0), default=len(data) - 2)
    return data[: place + 1], data[place + 1 :]


def _problem(status: int, message: str, retry_after: float | None = None) -> Response:
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    error = {"type": "error", "code": None, "message": message, "param": None}
    return JSONResponse({"error": error}, status, headers)


if __name__ == "__main__":
    from kit.serving import serve

    logging.getLogger("uvicorn.error").addFilter(_is_news)
    serve(World().app(), "127.0.0.1", 0, announce=lambda url: print(url, flush=True))
