"""How fast the relay is, with both stores. `python benchmarks/relay.py [sqlite] [postgresql]`

From outside, over HTTP, a relay in a process of its own: how old an event is when a reader has
it, how long callers wait, what readers cost. From inside: runs through the engine, and as a
measure of the machine the same events with one plain insert and one commit each. The PostgreSQL
is one of its own, or RELAY_BENCH_POSTGRES. About a minute for each store.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import relay_readers as readers
from measure import percentile
from relay_process import running
from relay_throughput import measure_throughput

from tests.relay import postgresql

Figure = Callable[[readers.Caller], Awaitable[list[float]]]

FIGURES: dict[str, tuple[Figure, float | None]] = {
    "event appended -> seen by a reader": (readers.appended_to_seen, 10),
    "gateway's piece -> seen by a reader": (readers.given_to_seen, None),
    "submit -> acknowledged": (readers.submitted_to_acknowledged, None),
    "submit -> running": (readers.submitted_to_running, None),
    "done -> waiter": (readers.done_to_waiter, None),
}
MEMORY_TARGET = 60


@contextlib.contextmanager
def sqlite_places(folder: Path) -> Iterator[Iterator[str]]:
    """Places for new stores, one after another."""
    yield (str(folder / f"{number}.sqlite3") for number in range(1000))


@contextlib.contextmanager
def postgresql_places(_folder: Path) -> Iterator[Iterator[str]]:
    if address := os.environ.get("RELAY_BENCH_POSTGRES"):
        yield iter(lambda: address, None)
        return
    with postgresql.running() as server, contextlib.ExitStack() as stack:
        yield iter(lambda: stack.enter_context(server.database()), None)


async def from_outside(place: str, name: str) -> None:
    """A table of times, and what readers cost."""
    with running(place) as relay:
        async with readers.calling(relay) as caller:
            idle, more = await readers.memory_of_readers(caller)
            print(f"\n{name}: milliseconds, over HTTP       p50      p99")
            for figure, (measure, target) in FIGURES.items():
                times = [1000 * seconds for seconds in await measure(caller)]
                print_times(figure, times, target if name == "SQLite" else None)
    print(f"\n{name}: memory")
    print(f"  idle relay                        {idle:8.1f} MB")
    bound = f"target at most {MEMORY_TARGET}: {verdict(more <= MEMORY_TARGET)}"
    print(f"  {readers.READERS} waiting readers, above that  {more:8.1f} MB   ({bound})")


def print_times(name: str, times: list[float], target: float | None) -> None:
    high = percentile(times, 0.99)
    line = f"  {name:<36}{percentile(times, 0.5):8.2f} {high:8.2f}"
    if target is not None:
        line += f"   (target of p99 at most {target:g}: {verdict(high <= target)})"
    print(line, flush=True)


def verdict(reached: bool) -> str:
    return "reached" if reached else "MISSED"


STORES = {
    "sqlite": ("SQLite", sqlite_places, 5000),
    "postgresql": ("PostgreSQL", postgresql_places, 2000),
}


def main(chosen: list[str]) -> None:
    for key in chosen or STORES:
        name, places, target = STORES[key]
        with tempfile.TemporaryDirectory() as folder, places(Path(folder)) as place:
            asyncio.run(from_outside(next(place), name))
            asyncio.run(measure_throughput(name, place, Path(folder), target))


if __name__ == "__main__":
    main(sys.argv[1:])
