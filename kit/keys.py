"""Keys that a person typed once: kept for one address, and given to that address only.

Rule: the system keyring where there is a usable one, else the memory of this process. A keyring
may be locked, ask questions on a screen nobody sees, or hang on a bus that is not there: every
call to it is bounded, and after the first one that fails or hangs this process asks it no more.

The address is the user name of the entry, so whoever finds a key has named its address.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Literal, TypeVar

__all__ = ["forget", "kept_in", "recall", "remember", "typed_here"]

Place = Literal["keyring", "memory"]
Result = TypeVar("Result")

SERVICE = "responses-kit"
PATIENCE = 3.0  # seconds for one call to the keyring
RECOMMENDED = 1  # keyring's own line: backends below it keep keys in plain text, or not at all

_in_memory: dict[str, str] = {}
_from_keyring: dict[str, str] = {}
_typed_here: set[str] = set()
_lock = threading.Lock()
_keyring_failed = threading.Event()


def remember(address: str, key: str) -> Place:
    """Keep `key` for `address` (normalised), and say where it is kept."""
    forget(address)
    _typed_here.add(address)
    backend = _backend()
    if backend is not None and _bounded(lambda: _stored(backend, address, key), False):
        with _lock:
            _from_keyring[address] = key
        return "keyring"
    with _lock:
        _in_memory[address] = key
    return "memory"


def recall(address: str) -> str | None:
    """The key kept for exactly this address, or None.

    A key that was found is asked for once per process: some systems ask the person every time.
    """
    with _lock:
        if address in _in_memory:
            return _in_memory[address]
        if address in _from_keyring:
            return _from_keyring[address]
    backend = _backend()
    key = None
    if backend is not None:
        key = _bounded(lambda: backend.get_password(SERVICE, address), None)
    if not key:
        return None
    with _lock:
        return _from_keyring.setdefault(address, key)


def forget(address: str) -> bool:
    """Throw the key of `address` away, wherever it is kept; False when there was none."""
    had_one = recall(address) is not None
    with _lock:
        _typed_here.discard(address)
        _in_memory.pop(address, None)
        in_keyring = _from_keyring.pop(address, None) is not None
    if in_keyring and (backend := _backend()) is not None:
        _bounded(lambda: backend.delete_password(SERVICE, address), None)
    return had_one


def typed_here(address: str) -> bool:
    """Whether the key of `address` was typed into this very process."""
    return address in _typed_here


def kept_in(address: str) -> Place | None:
    """Where the key of `address` is kept, or None when there is none."""
    if recall(address) is None:
        return None
    with _lock:
        return "memory" if address in _in_memory else "keyring"


def _stored(backend: Any, address: str, key: str) -> bool:
    """Write and read back: some backends take a key and keep nothing."""
    backend.set_password(SERVICE, address, key)
    return backend.get_password(SERVICE, address) == key


def _backend() -> Any:
    """The system keyring, or None where there is none that keeps anything."""
    if _keyring_failed.is_set():
        return None
    return _bounded(_usable_backend, None)


def _usable_backend() -> Any:
    import keyring
    from keyring.backends import fail, null

    backend = keyring.get_keyring()
    if isinstance(backend, fail.Keyring | null.Keyring) or backend.priority < RECOMMENDED:
        return None
    return backend


def _bounded(call: Callable[[], Result], otherwise: Result) -> Result:
    """What `call` returns within the patience, else `otherwise`; never what it raises.

    A daemon thread, because a hanging call cannot be ended: it must not keep the kernel alive.
    The error is dropped on purpose: a backend may put what it was given into its message.
    """
    results: list[Result] = []

    def run() -> None:
        try:
            results.append(call())
        except Exception:
            _keyring_failed.set()

    thread = threading.Thread(target=run, name="kit-keyring", daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if thread.is_alive():
        _keyring_failed.set()
    return results[0] if results else otherwise
