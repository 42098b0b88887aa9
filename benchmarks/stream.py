"""Typed events per second of one stream of 508. `python benchmarks/stream.py`

The upstream hands out the whole body at once, so what is measured is parsing, typing and
assembling. The plain peer splits on blank lines and loads the JSON: no types, no assembly, no
limits. Under half a minute.
"""

from __future__ import annotations

import asyncio
import json

import httpx
import openai
from measure import Peer, Target, async_turn, blocking_turn, compare
from upstream import EVENTS, TEXT, running

from kit.connect import AsyncClient, Client


def main() -> None:
    with running() as base_url, asyncio.Runner() as runner:
        plain = httpx.AsyncClient()
        body = {"model": "bench", "input": "hi", "stream": True}
        async_sdk = openai.AsyncOpenAI(base_url=base_url, api_key="none")
        sdk = openai.OpenAI(base_url=base_url, api_key="none")
        async_ours = AsyncClient(base_url, "none", "bench")
        ours = Client(base_url, "none", "bench")

        async def by_splitting() -> int:
            events, rest = 0, b""
            async with plain.stream("POST", base_url + "/responses", json=body) as answer:
                async for piece in answer.aiter_raw():
                    *frames, rest = (rest + piece).split(b"\n\n")
                    for frame in frames:
                        data = frame.partition(b"data: ")[2]
                        if not data.startswith(b"["):
                            events += bool(json.loads(data))
            return checked(events, TEXT)

        async def with_async_sdk() -> int:
            events, text = 0, ""
            stream = await async_sdk.responses.create(model="bench", input="hi", stream=True)
            async for event in stream:
                events += 1
                if event.type == "response.completed":
                    text = event.response.output_text
            return checked(events, text)

        async def with_async_kit() -> int:
            events, stream = 0, async_ours.stream("hi")
            async for _ in stream:
                events += 1
            return checked(events, stream.answer.text)

        def with_sdk() -> int:
            events, text = 0, ""
            for event in sdk.responses.create(model="bench", input="hi", stream=True):
                events += 1
                if event.type == "response.completed":
                    text = event.response.output_text
            return checked(events, text)

        def with_kit() -> int:
            events, stream = 0, ours.stream("hi")
            for _ in stream:
                events += 1
            return checked(events, stream.answer.text)

        peers = [
            Peer("httpx, split, json.loads", async_turn(runner, by_splitting)),
            Peer("openai AsyncOpenAI", async_turn(runner, with_async_sdk)),
            Peer("kit AsyncClient", async_turn(runner, with_async_kit)),
            Peer("openai OpenAI", blocking_turn(with_sdk)),
            Peer("kit Client", blocking_turn(with_kit)),
        ]
        targets = [
            Target("kit AsyncClient", "openai AsyncOpenAI", 8),
            Target("kit Client", "openai OpenAI", 8),
        ]
        compare("One stream", "events/s", peers, targets)


def checked(events: int, text: str) -> int:
    assert events == EVENTS and text == TEXT
    return events


if __name__ == "__main__":
    main()
