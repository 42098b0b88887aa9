"""The blocking face: what a caller's thread sees of work done on the I/O thread."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest

from kit.blocking import AHEAD, Batches, blocking, blocking_batches, iterate, run
from kit.errors import InputError, Interrupted


@dataclass
class AsyncWorker:
    """An async client of the smallest kind; it notes what happened to it."""

    seen: list[str] = field(default_factory=list)

    async def double(self, number: int, *, plus: int = 0) -> int:
        """Twice the number."""
        await asyncio.sleep(0)
        return 2 * number + plus

    async def fail(self) -> None:
        raise ZeroDivisionError("no such thing")

    async def wait(self, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.seen.append("cancelled")
            raise
        finally:
            self.seen.append("closed")

    async def count(self, batches: int, size: int = 2) -> AsyncGenerator[list[int], None]:
        """Whole numbers, some at a time."""
        try:
            for start in range(0, batches * size, size):
                self.seen.append(f"batch {start // size}")
                yield list(range(start, start + size))
        finally:
            await asyncio.sleep(0)
            self.seen.append("closed")

    async def silent(self) -> AsyncGenerator[list[int], None]:
        yield [1]
        await self.wait(60)

    async def broken(self) -> AsyncGenerator[list[int], None]:
        yield [1, 2]
        raise ZeroDivisionError("half way")


@dataclass
class Worker:
    inner: AsyncWorker = field(default_factory=AsyncWorker)

    double = blocking(AsyncWorker.double)
    fail = blocking(AsyncWorker.fail)
    wait = blocking(AsyncWorker.wait)
    count = blocking_batches(AsyncWorker.count)
    silent = blocking_batches(AsyncWorker.silent)
    broken = blocking_batches(AsyncWorker.broken)


def interrupt_after(seconds: float) -> threading.Timer:
    """What the stop button does: SIGINT to the main thread."""
    timer = threading.Timer(seconds, signal.pthread_kill, (threading.get_ident(), signal.SIGINT))
    timer.start()
    return timer


def finished(code: str, *, timeout: float = 20) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter that ran `code`."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def test_a_twin_returns_what_the_coroutine_returns() -> None:
    assert Worker().double(4, plus=1) == 9


def test_a_twin_keeps_the_name_the_signature_and_the_docstring() -> None:
    assert Worker.double.__doc__ == "Twice the number."
    assert list(inspect.signature(Worker.double).parameters) == ["self", "number", "plus"]
    assert Worker.count.__doc__ == "Whole numbers, some at a time."


def test_an_error_keeps_its_type_and_shows_the_line_that_raised_it() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        Worker().fail()
    assert "in fail" in "".join(traceback.format_tb(caught.value.__traceback__))


def test_an_interrupt_raised_by_the_coroutine_reaches_the_caller_and_not_the_loop() -> None:
    async def stopped() -> None:
        raise Interrupted("Stopped.")

    with pytest.raises(Interrupted):
        run(stopped)
    assert Worker().double(1) == 2


def test_it_works_inside_a_running_event_loop() -> None:
    """A notebook cell runs in the kernel's loop."""

    async def cell() -> int:
        return Worker().double(21)

    assert asyncio.run(cell()) == 42


def test_several_threads_call_at_the_same_time() -> None:
    worker, seconds = Worker(), 0.2
    threads = [threading.Thread(target=worker.wait, args=(seconds,)) for _ in range(10)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - start < 5 * seconds
    assert worker.inner.seen == ["closed"] * 10


def test_the_callers_context_variables_hold_in_the_coroutine() -> None:
    colour: contextvars.ContextVar[str] = contextvars.ContextVar("colour", default="none")

    async def look() -> str:
        return colour.get()

    colour.set("green")
    assert run(look) == "green"


def test_a_blocking_call_on_the_io_thread_is_refused_rather_than_stuck() -> None:
    async def inside() -> int:
        return Worker().double(1)

    with pytest.raises(InputError, match="AsyncClient"):
        run(inside)


def test_a_stop_cancels_the_coroutine_and_is_raised_within_200_ms() -> None:
    worker = Worker()
    timer = interrupt_after(0.2)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        worker.wait(60)
    assert time.monotonic() - start < 0.2 + 0.2
    assert worker.inner.seen == ["cancelled", "closed"]
    timer.join()


def test_a_stop_is_raised_even_when_the_coroutine_ignores_it() -> None:
    released = threading.Event()

    async def stubborn() -> None:
        while not released.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    timer = interrupt_after(0.1)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(stubborn)
    assert time.monotonic() - start < 0.5
    released.set()
    timer.join()


def test_a_stream_gives_the_items_of_its_batches_in_order() -> None:
    assert list(Worker().count(100, 3)) == list(range(300))


def test_nothing_runs_before_the_first_item_is_asked_for() -> None:
    worker = Worker()
    stream = worker.count(3)
    assert worker.inner.seen == []
    assert next(stream) == 0
    stream.close()


def test_leaving_a_loop_early_closes_the_async_generator_at_once() -> None:
    worker = Worker()
    for _ in worker.count(1000):
        break
    gc.collect()
    assert worker.inner.seen[-1] == "closed"


def test_closing_a_stream_that_waits_ends_its_wait() -> None:
    worker = Worker()
    stream = worker.silent()
    assert next(stream) == 1
    start = time.monotonic()
    stream.close()
    assert time.monotonic() - start < 0.2
    assert worker.inner.seen == ["cancelled", "closed"]


def test_a_stop_while_waiting_for_an_item_ends_the_stream() -> None:
    worker = Worker()
    timer = interrupt_after(0.2)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(worker.silent())
    assert time.monotonic() - start < 0.2 + 0.2
    assert worker.inner.seen == ["cancelled", "closed"]
    timer.join()


def test_an_error_in_a_stream_comes_after_the_items_before_it() -> None:
    items: list[int] = []
    with pytest.raises(ZeroDivisionError, match="half way") as caught:
        items.extend(iter(Worker().broken()))
    assert items == [1, 2]
    assert "in broken" in "".join(traceback.format_tb(caught.value.__traceback__))


def test_a_slow_reader_slows_the_stream() -> None:
    """The I/O thread is never more than `AHEAD` batches ahead, and goes on when there is room."""
    worker = Worker()
    stream = worker.count(10 * AHEAD, 1)
    assert next(stream) == 0
    time.sleep(0.2)
    assert len(worker.inner.seen) <= AHEAD + 2
    assert list(stream) == list(range(1, 10 * AHEAD))


def test_waiting_for_a_batch_can_be_bounded() -> None:
    """An empty batch says that nothing came in time; the stream goes on."""
    worker = Worker()
    batches = Batches(worker.inner.silent)
    assert batches.next(5) == [1]
    start = time.monotonic()
    late = batches.next(0.1)
    assert late is not None and len(late) == 0
    assert 0.05 < time.monotonic() - start < 0.5
    batches.close()
    assert worker.inner.seen == ["cancelled", "closed"]
    assert batches.next() is None


def test_a_stream_of_another_threads_reader_works_too() -> None:
    got: list[int] = []
    thread = threading.Thread(target=lambda: got.extend(iterate(AsyncWorker().count, 50)))
    thread.start()
    thread.join()
    assert got == list(range(100))


def test_a_forked_child_gets_a_thread_of_its_own() -> None:
    code = """
        import os
        from kit.blocking import run
        async def answer():
            return os.getpid()
        assert run(answer) == os.getpid()
        child = os.fork()
        if child == 0:
            os._exit(0 if run(answer) == os.getpid() else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert run(answer) == os.getpid()
        print("fine")
    """
    assert finished(code).stdout == "fine\n"


def test_a_process_ends_though_a_call_still_runs() -> None:
    """And what the coroutine holds is closed on the way."""
    code = """
        import asyncio, threading, time
        from kit.blocking import run
        async def forever():
            try:
                await asyncio.sleep(600)
            finally:
                print("closed", flush=True)
        threading.Thread(target=lambda: run(forever), daemon=True).start()
        time.sleep(0.3)
    """
    start = time.monotonic()
    done = finished(code)
    assert done.stdout == "closed\n" and done.returncode == 0
    assert time.monotonic() - start < 5


def test_what_was_begun_at_the_end_is_still_done() -> None:
    code = """
        import atexit
        from kit.blocking import run
        from kit.blocking_thread import io_thread
        async def nothing():
            pass
        async def close():
            print("closed", flush=True)
        def begin():
            loop = io_thread().loop
            loop.call_soon_threadsafe(lambda: loop.create_task(close()))
        run(nothing)
        atexit.register(begin)
    """
    assert finished(code).stdout == "closed\n"


def test_it_works_where_nest_asyncio_patched_the_loops() -> None:
    code = """
        import warnings
        warnings.simplefilter("ignore")
        import nest_asyncio, asyncio
        nest_asyncio.apply()
        from kit.blocking import run, iterate
        async def one():
            await asyncio.sleep(0)
            return 1
        async def batches():
            yield [1, 2]
        async def cell():
            return run(one) + sum(iterate(batches))
        print(asyncio.run(cell()))
    """
    done = finished(code)
    assert done.stdout == "4\n", done.stderr


def test_one_blocking_call_costs_less_than_a_millisecond() -> None:
    """It is 40 to 100 µs on an idle machine; the bound here holds on a busy one."""
    worker = Worker()
    costs: list[float] = []
    for _ in range(200):
        start = time.perf_counter()
        worker.double(1)
        costs.append(time.perf_counter() - start)
    assert sorted(costs)[20] < 0.001


def test_the_io_thread_is_a_daemon_of_this_process() -> None:
    async def where() -> tuple[str, bool, int]:
        thread = threading.current_thread()
        return thread.name, thread.daemon, os.getpid()

    assert run(where) == ("kit-io", True, os.getpid())
