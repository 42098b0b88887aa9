"""The one I/O thread of a process, and its event loop.

It starts at the first blocking call and lives as long as the process. It is a daemon, so it never
keeps a process from ending, and what is still open is closed on the way out. In a forked child the
thread is gone: the child gets one of its own, and lets the parent's loop alone.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading

__all__ = ["IOThread", "io_thread"]


class IOThread(threading.Thread):
    """The thread and its loop."""

    def __init__(self) -> None:
        super().__init__(name="kit-io", daemon=True)
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


_lock = threading.Lock()
_threads: list[IOThread] = []
_of_the_parent: list[IOThread] = []


def io_thread() -> IOThread:
    """The thread of this process, started where there is none."""
    if _threads:
        return _threads[0]
    with _lock:
        if not _threads:
            thread = IOThread()
            thread.start()
            atexit.register(_stop)
            _threads.append(thread)
        return _threads[0]


def _stop() -> None:
    for thread in _threads:
        thread.stop()


def _after_fork() -> None:
    """The thread is gone in a child. Its loop is kept: closing it would reach the parent's."""
    global _lock
    _lock = threading.Lock()
    _of_the_parent.extend(_threads)
    _threads.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
