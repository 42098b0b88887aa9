"""Events per second that are durable: 200 runs of 100 events, at once.

Three ways in turns, in one process: through the engine (submitted, streamed by the gateway,
written, ended), straight into the store by 200 workers, and one plain insert with one commit
after another, which tells what the machine's disk gives today.
"""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psycopg
from relay_process import NOBODY, engine_over, order, started

from relay_lite.engine import Engine
from relay_lite.store import Draft, Invocation

RUNS, EVENTS, ROUNDS = 200, 100, 3
PLAIN_EVENTS = 500
LIMIT = 120.0  # seconds of one turn

MAKE = "create table {0} (run text, sequence integer, type text, data text)"
INSERT = "insert into {0} values ('run', {1}, 'output_text', '{{\"text\": \"token 1234.5 \"}}')"


async def through_engine(engine: Engine) -> float:
    """Events per second of runs from their submission to their end."""
    start = time.perf_counter()
    ids: list[str] = []
    for _ in range(RUNS):
        wanted = order(engine.upstream.gateway, model=f"bench {EVENTS} 0")
        ids.append((await engine.submit(wanted))[0].id)
    runs = await asyncio.gather(*(engine.wait(id, LIMIT) for id in ids))
    seconds = time.perf_counter() - start
    unfinished = [run for run in runs if run is None or run.status != "completed"]
    assert not unfinished, unfinished[0]
    return sum(run.last for run in runs if run) / seconds


async def into_store(engine: Engine) -> float:
    """Events per second of workers that only append, one event a time each."""
    for _ in range(RUNS):
        await engine.store.create(order(NOBODY), limit=1_000_000)
    runs = await engine.store.claim("bench", NOBODY, lease=600, limit=RUNS)

    async def work(run: Invocation) -> None:
        text = Draft("output_text", {"text": "token 1234.5 "})
        for number in range(EVENTS):
            await engine.store.append(run.id, run.epoch, [text], after=run.last + number)

    start = time.perf_counter()
    await asyncio.gather(*(work(run) for run in runs))
    return RUNS * EVENTS / (time.perf_counter() - start)


def plainly(place: str) -> float:
    """Events per second of one connection that commits every single one."""
    if place.startswith("postgresql://"):
        with psycopg.connect(place, autocommit=True) as postgres:
            return timed(lambda command: postgres.execute(command.encode()))
    db = sqlite3.connect(f"{place}-plain", isolation_level=None)
    try:
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = full")
        return timed(db.execute)
    finally:
        db.close()


def timed(execute: Callable[[str], object]) -> float:
    execute(MAKE.format("plain"))
    start = time.perf_counter()
    for number in range(PLAIN_EVENTS):
        execute(INSERT.format("plain", number))
    rate = PLAIN_EVENTS / (time.perf_counter() - start)
    execute("drop table plain")
    return rate


async def measure_throughput(name: str, places: Iterator[str], folder: Path, target: int) -> None:
    """Measure all ways in turns, and print the table."""
    ways: dict[str, Callable[[Engine], Awaitable[float]]] = {
        "through the engine": through_engine,
        "straight into the store": into_store,
    }
    rates: dict[str, list[float]] = {way: [] for way in (*ways, "one insert, one commit")}
    for _ in range(ROUNDS):
        for way, measure in ways.items():
            place = next(places)
            gc.collect()
            async with started(engine_over(place, folder)) as engine:
                rates[way].append(await measure(engine))
        rates["one insert, one commit"].append(plainly(place))
    print_rates(name, rates, target)


def print_rates(name: str, rates: dict[str, list[float]], target: int) -> None:
    print(f"\n{name}: {RUNS} runs x {EVENTS} events, durable, events/s (median of {ROUNDS} turns)")
    for way, turns in rates.items():
        print(f"  {way:<36}{statistics.median(turns):8.0f}   {min(turns):.0f} to {max(turns):.0f}")
    reached = statistics.median(rates["through the engine"]) >= target
    verdict = "reached" if reached else "MISSED"
    print(f"  through the engine: target at least {target}: {verdict}")
    plain = rates["one insert, one commit"]
    for way in ("through the engine", "straight into the store"):
        ratio = statistics.median(a / b for a, b in zip(rates[way], plain, strict=True))
        print(f"  {way} / one insert, one commit: {ratio:.2f}")
