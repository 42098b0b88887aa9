"""Run the tests on every interpreter that is here, in processes side by side.

    the version of .venv    everything but what follows
    the same                what starts kernels and relays (their folders), and then the notebooks
    the same                what `waits`
    each other version      what is marked neither `waits` nor `once`

The first is the longest. It is heard as it goes, the others when they are done; the other versions
give way to it where there are fewer processors than processes. PYTHONS="3.11 3.12" narrows the
choice; without the version of .venv, which is the one that runs this, each has everything.
Arguments go to pytest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import interpreters
from environment import prepare
from installing import ROOT, say

OWN = "{}.{}".format(*sys.version_info)
WORKS = ("--without=waits", "--without=services")
SERVICES = ("--without=waits", "--only=services")
WAITS = ("--only=waits",)
OTHERS = ("--without=waits", "--without=once")
NOTEBOOKS = ("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=120")

GIVE_WAY = 10
"""In steps of nice."""

NO_TESTS = 5
"""pytest's status when an argument, such as `-k`, leaves it nothing to run."""


def main(arguments: list[str]) -> int:
    wanted = os.environ.get("PYTHONS", "").split() or interpreters.SUPPORTED
    if unknown := [version for version in wanted if version not in interpreters.SUPPORTED]:
        supported = ", ".join(interpreters.SUPPORTED)
        sys.exit(f"Error: PYTHONS names {' '.join(unknown)}; supported are {supported}.")
    found = interpreters.find(wanted)
    if not found:
        sys.exit(f"Error: none of Python {', '.join(wanted)} is here.")
    if OWN in found and not {*SERVICES, *WAITS, *OTHERS} & {*arguments}:
        return side_by_side(found, arguments)
    if {*OTHERS} <= {*arguments} and sys.platform != "win32":
        os.nice(GIVE_WAY)
    return worst([test(version, base, arguments) for version, base in found.items()])


def side_by_side(found: Mapping[str, Path], arguments: list[str]) -> int:
    started = time.monotonic()
    prepare(".venv", found[OWN], "dev")  # first: the others are made with its uv
    with ExitStack() as processes:
        beside = [
            processes.enter_context(running([OWN], [*those, *arguments]))
            for those in (SERVICES, WAITS)
        ]
        for other in sorted(found.keys() - {OWN}):
            beside.append(processes.enter_context(running([other], [*OTHERS, *arguments])))
        mine = test(OWN, found[OWN], [*WORKS, *arguments])
        status = worst([mine, *(one.wait() for one in beside)])
    say(f"All processes: {verdict(status)}, {time.monotonic() - started:.0f} s")
    return status


@contextmanager
def running(versions: Iterable[str], arguments: list[str]):
    """This program for `versions` in another process, whose output is shown when it ends."""
    environment = os.environ | {"PYTHONS": " ".join(versions)}
    say(f"Beside it: Python {environment['PYTHONS']} {' '.join(arguments)}")
    with tempfile.TemporaryFile("w+") as heard:
        command = [sys.executable, __file__, *arguments]
        process = subprocess.Popen(command, env=environment, stdout=heard, stderr=heard)
        try:
            yield process
        finally:
            process.terminate()
            process.wait()
            heard.seek(0)
            print(heard.read(), flush=True)


def worst(statuses: list[int]) -> int:
    """0 when all passed. That some had nothing to run is no failure; a signal, below 0, is one."""
    return max([abs(status) for status in statuses if status != NO_TESTS], default=NO_TESTS)


def verdict(status: int) -> str:
    return {0: "passed", NO_TESTS: "no tests"}.get(status, "FAILED")


def test(version: str, base: Path, arguments: list[str]) -> int:
    """Tests on one interpreter, and the notebooks on our own; pytest's status."""
    started = time.monotonic()
    python = prepare(".venv" if version == OWN else f".venv-{version}", base, "dev")
    what = " ".join((f"Python {version}", *arguments))
    say(f"{what}: tests")
    status = pytest(python, [*arguments, "tests"])
    if version == OWN and status == 0 and not {"--without=services", *WAITS} & {*arguments}:
        say(f"{what}: notebooks")
        status = test_notebooks(python)
    say(f"{what}: {verdict(status)}, {time.monotonic() - started:.0f} s with the set-up")
    return status


def test_notebooks(python: Path) -> int:
    """On a copy elsewhere, where no `.env` of the developer's lies above them."""
    with tempfile.TemporaryDirectory(prefix="kit-notebooks-") as folder:
        copy = shutil.copytree(ROOT / "notebooks", Path(folder, "notebooks"))
        return pytest(python, ["-p", "conftest", *NOTEBOOKS, str(copy)])


def pytest(python: Path, arguments: list[str]) -> int:
    command = [python, "-m", "pytest", "-q", "-c", "pyproject.toml", "--rootdir=.", *arguments]
    return subprocess.run(command, cwd=ROOT, env=with_bytecode(os.environ, python)).returncode


def with_bytecode(environment: Mapping[str, str], python: Path) -> dict[str, str]:
    """Where the environment forbids bytecode beside the sources, it is kept beside `python`.

    Otherwise each of the hundreds of processes that tests start compiles all that it imports.
    """
    kept = dict(environment)
    if kept.pop("PYTHONDONTWRITEBYTECODE", ""):
        kept["PYTHONPYCACHEPREFIX"] = str(python.parent.parent / "bytecode")
    return kept


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
