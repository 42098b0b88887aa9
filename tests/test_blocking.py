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
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

import pytest

from kit.blocking import AHEAD, Batches, blocking, blocking_batches, iterate, run
from kit.errors import InputError, Interrupted
from tests.growth import assert_cheap
from tests.waiting import until

LONG = 60.0
"""Seconds; only what hangs takes them."""


@dataclass
class AsyncWorker:
    """An async client of the smallest kind; it notes what happened to it."""

    seen: list[str] = field(default_factory=list)
    waiting: threading.Event = field(default_factory=threading.Event)

    async def double(self, number: int, *, plus: int = 0) -> int:
        """Twice the number."""
        await asyncio.sleep(0)
        return 2 * number + plus

    async def fail(self) -> None:
        raise ZeroDivisionError("no such thing")

    async def wait(self, entered: threading.Event | None = None) -> None:
        """For ever."""
        try:
            if entered is not None:
                entered.set()
            await asyncio.Event().wait()
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
        await self.wait(self.waiting)

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


def interrupt_when(entered: threading.Event) -> threading.Thread:
    """What the stop button does: SIGINT to the main thread, which waits by then, or is about to."""
    main = threading.get_ident()

    def stop() -> None:
        assert entered.wait(LONG)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=stop)
    thread.start()
    return thread


def finished(code: str, *, timeout: float = 2 * LONG) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter that ran `code`."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def settled(worker: Worker) -> list[str]:
    """What has happened to it, once it is closed: a stop is not kept waiting for that for long."""
    until(lambda: "closed" in worker.inner.seen)
    return worker.inner.seen


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
    """Each of them waits for all the others."""
    met = asyncio.Barrier(10)

    async def meet() -> None:
        await met.wait()

    threads = [threading.Thread(target=run, args=(meet,), daemon=True) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert not any(thread.is_alive() for thread in threads)


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


def test_a_stop_cancels_the_coroutine_and_is_raised() -> None:
    worker, entered = Worker(), threading.Event()
    stopping = interrupt_when(entered)
    with pytest.raises(KeyboardInterrupt):
        worker.wait(entered)
    assert settled(worker) == ["cancelled", "closed"]
    stopping.join()


@pytest.mark.parametrize(
    "wait",
    [lambda worker: worker.wait(worker.inner.waiting), lambda worker: list(worker.silent())],
    ids=["for a result", "for an item"],
)
def test_a_stop_that_ends_no_wait_is_raised_all_the_same(wait: Callable[[Worker], object]) -> None:
    """A signal just before a thread waits for a lock is noted and ends nothing.

    One that another thread receives is the same, and comes at any time.
    """
    worker, ended, missed = Worker(), threading.Event(), threading.Event()
    main = threading.get_ident()

    def receive() -> None:
        assert worker.inner.waiting.wait(LONG)
        time.sleep(0.2)  # the caller waits by then; where it does not, nothing is tried
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        if not ended.wait(LONG):
            missed.set()
            signal.pthread_kill(main, signal.SIGINT)

    receiving = threading.Thread(target=receive)
    receiving.start()
    with pytest.raises(KeyboardInterrupt):
        wait(worker)
    ended.set()
    receiving.join()
    assert not missed.is_set()
    assert settled(worker) == ["cancelled", "closed"]


def test_a_stop_is_raised_even_when_the_coroutine_ignores_it() -> None:
    entered, released = threading.Event(), threading.Event()

    async def stubborn() -> None:
        entered.set()
        while not released.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    stopping = interrupt_when(entered)
    with pytest.raises(KeyboardInterrupt):
        run(stubborn)  # it would never come back by itself
    released.set()
    stopping.join()


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
    assert worker.inner.waiting.wait(LONG)
    stream.close()
    assert settled(worker) == ["cancelled", "closed"]


def test_a_stop_while_waiting_for_an_item_ends_the_stream() -> None:
    worker = Worker()
    stopping = interrupt_when(worker.inner.waiting)
    with pytest.raises(KeyboardInterrupt):
        list(worker.silent())
    assert settled(worker) == ["cancelled", "closed"]
    stopping.join()


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
    assert batches.next(LONG) == [1]
    assert worker.inner.waiting.wait(LONG)
    late = batches.next(0.1)  # nothing will ever come
    assert late is not None and len(late) == 0
    batches.close()
    assert settled(worker) == ["cancelled", "closed"]
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
        import asyncio, threading
        from kit.blocking import run
        entered = threading.Event()
        async def forever():
            try:
                entered.set()
                await asyncio.Event().wait()
            finally:
                print("closed", flush=True)
        threading.Thread(target=lambda: run(forever), daemon=True).start()
        entered.wait()
    """
    done = finished(code)
    assert done.stdout == "closed\n" and done.returncode == 0


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


def test_a_hundred_blocking_calls_cost_little_work() -> None:
    """40 to 100 µs each on an idle machine."""
    worker = Worker()
    assert_cheap(lambda: [worker.double(1) for _ in range(100)], 5)


def test_the_io_thread_is_a_daemon_of_this_process() -> None:
    async def where() -> tuple[str, bool, int]:
        thread = threading.current_thread()
        return thread.name, thread.daemon, os.getpid()

    assert run(where) == ("kit-io", True, os.getpid())
