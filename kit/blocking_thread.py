"""Threads of a process that each run one event loop: the I/O thread, and what is kept away from it.

One starts when it is first asked for and lives as long as the process, unless it is let go. It is
a daemon, so it never keeps a process from ending, and what is still open is closed on the way out.
In a forked child the threads are gone: the child gets its own, and lets the parent's loops alone.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading

__all__ = ["LoopThread", "io_thread", "let_go", "loop_thread", "on_io_thread"]

_IO = "kit-io"


class LoopThread(threading.Thread):
    """A thread and its loop."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.loop = asyncio.new_event_loop()
        self.stopping = False

    def run(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self.stopping:
            # A KeyboardInterrupt that some task raised comes out here; the thread outlives it.
            with contextlib.suppress(KeyboardInterrupt, SystemExit):
                self.loop.run_forever()
        # One more turn, so that what was just begun (closing, mostly) is not cancelled unstarted.
        self.loop.run_until_complete(asyncio.sleep(0))
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    def stop(self) -> None:
        """Close what is still open; a task that does not end is left to the process's end."""
        self.stopping = True
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.join(timeout=0.5)

    async def end(self) -> None:
        """End it, from inside, as soon as nothing is done in it any more."""
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)
        self.stopping = True
        self.loop.stop()


_lock = threading.Lock()
_threads: dict[str, LoopThread] = {}
_of_the_parent: list[LoopThread] = []


def io_thread() -> LoopThread:
    """The thread over which the toolkit's own calls go."""
    return loop_thread(_IO)


def on_io_thread() -> bool:
    """Whether this is that thread."""
    return threading.current_thread() is _threads.get(_IO)


def loop_thread(name: str) -> LoopThread:
    """The thread of that name of this process, started where there is none."""
    if (there := _threads.get(name)) is not None:
        return there
    with _lock:
        if name not in _threads:
            thread = LoopThread(name)
            thread.start()
            if not _threads:
                atexit.register(_stop)
            _threads[name] = thread
        return _threads[name]


def let_go(thread: LoopThread) -> None:
    """Leave a thread to what is done in it: whoever asks for its name gets another one."""
    with _lock:
        if _threads.get(thread.name) is thread:
            del _threads[thread.name]
            asyncio.run_coroutine_threadsafe(thread.end(), thread.loop)


def _stop() -> None:
    for thread in [*_threads.values()]:
        thread.stop()


def _after_fork() -> None:
    """They are gone in a child. Their loops are kept: closing one would reach the parent's."""
    global _lock
    _lock = threading.Lock()
    _of_the_parent.extend(_threads.values())
    _threads.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
