"""Calls per second: one at a time, and 64 at a time. `python benchmarks/calls.py`

Every peer sends the same request and gets the same answer from the same loopback upstream, and
hands back the answer's text. Under a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable

import aiohttp
import httpx
import openai
from measure import Peer, Target, async_turn, blocking_turn, compare
from upstream import running

from kit.connect import AsyncClient, Client

MANY = 64
Call = Callable[[], Awaitable[int]]


def checked(text: str) -> int:
    assert text == "OK"
    return 1


def text_of(answer: bytes) -> str:
    return json.loads(answer)["output"][0]["content"][0]["text"]


def async_calls(
    base_url: str, runner: asyncio.Runner, stack: contextlib.ExitStack
) -> dict[str, Call]:
    """One call of each asynchronous peer, by its name; `stack` closes what they open."""
    url, body = base_url + "/responses", {"model": "bench", "input": "hi"}
    headers = {"authorization": "Bearer none"}

    async def make_session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(headers=headers)

    session = runner.run(make_session())
    plain = httpx.AsyncClient(headers=headers, limits=httpx.Limits(max_connections=100))
    sdk = openai.AsyncOpenAI(base_url=base_url, api_key="none")
    ours = AsyncClient(base_url, "none", "bench")

    for close in (session.close, plain.aclose, sdk.close, ours.aclose):
        stack.callback(lambda close=close: runner.run(close()))

    async def with_aiohttp() -> int:
        async with session.post(url, json=body) as answer:
            return checked(text_of(await answer.read()))

    async def with_httpx() -> int:
        return checked(text_of((await plain.post(url, json=body)).content))

    async def with_sdk() -> int:
        return checked((await sdk.responses.create(model="bench", input="hi")).output_text)

    async def with_kit() -> int:
        return checked((await ours.respond("hi")).text)

    return {
        "httpx, its own transport": with_httpx,
        "openai AsyncOpenAI": with_sdk,
        "kit AsyncClient": with_kit,
        "aiohttp": with_aiohttp,
    }


def main() -> None:
    with running() as base_url, asyncio.Runner() as runner, contextlib.ExitStack() as stack:
        sdk = openai.OpenAI(base_url=base_url, api_key="none")
        ours = Client(base_url, "none", "bench")

        def with_sdk() -> int:
            return checked(sdk.responses.create(model="bench", input="hi").output_text)

        calls = async_calls(base_url, runner, stack)
        single = [Peer(name, async_turn(runner, call)) for name, call in calls.items()]
        single.append(Peer("openai OpenAI", blocking_turn(with_sdk)))
        single.append(Peer("kit Client", blocking_turn(lambda: checked(ours.respond("hi").text))))
        targets = [Target("kit Client", "openai OpenAI", 1.5)]
        compare("One at a time", "calls/s", single, targets)

        many = [Peer(name, async_turn(runner, call, MANY)) for name, call in calls.items()]
        targets = [
            Target("kit AsyncClient", "openai AsyncOpenAI", 4),
            Target("kit AsyncClient", "aiohttp", 0.5),
        ]
        compare(f"{MANY} at a time", "calls/s", many, targets)


if __name__ == "__main__":
    main()
