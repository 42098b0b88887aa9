"""Which supported interpreters this machine has.

Each candidate is run before it is believed: it must start, be a CPython 3.11-3.13, and bring
what an environment needs. What counts is the interpreter below, never an environment's own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

SUPPORTED = ("3.11", "3.12", "3.13")

ASK = """
import ensurepip, sqlite3, ssl, sys, sysconfig, venv
if sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED"):
    print("%d.%d" % sys.version_info[:2], getattr(sys, "_base_executable", sys.executable))
"""


def find(wanted: Sequence[str] = SUPPORTED) -> dict[str, Path]:
    """The interpreters of the wanted versions that work, by version, oldest first."""
    found: dict[str, Path] = {}
    for candidate in candidates(wanted):
        version, path = ask(candidate)
        if version in wanted and path is not None:
            found.setdefault(version, path)
    return {version: found[version] for version in sorted(found)}


def ask(candidate: str) -> tuple[str, Path | None]:
    """What `candidate` says of itself: its version and where it lies; nothing if it fails."""
    try:
        answer = subprocess.run([candidate, "-c", ASK], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return "", None
    version, _, path = answer.stdout.strip().partition(" ")
    return (version, Path(path)) if answer.returncode == 0 and path else ("", None)


def candidates(versions: Sequence[str]) -> Iterator[str]:
    yield sys.executable
    for version in versions:
        yield from all_on_path(f"python{version}")
    yield from all_on_path("python3")
    for version in versions:
        yield from map(str, sorted(pyenv_versions().glob(f"{version}.*/bin/python3")))
        yield from from_uv(version)


def all_on_path(name: str) -> Iterator[str]:
    """Every `name` on the PATH, not only the first: the first may be a shim that fails."""
    for folder in os.get_exec_path():
        if path := shutil.which(name, path=folder):
            yield path


def pyenv_versions() -> Path:
    return Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"


def from_uv(version: str) -> Iterator[str]:
    """The interpreter uv has for `version`, without letting it fetch one."""
    if uv := shutil.which("uv"):
        command = [uv, "python", "find", "--no-project", "--no-python-downloads", version]
        yield from subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
