"""Run the tests on every interpreter that is here.

The version of `.venv`, which is the one that runs this, has everything: the tests and then the
notebooks. The others have the tests but those marked `once`; they run beside it, in a process of
their own that is heard when it is done. PYTHONS="3.11 3.12" narrows the choice. Arguments go to
pytest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path

import interpreters
from environment import prepare
from installing import ROOT, say

OWN = "{}.{}".format(*sys.version_info)
NOTEBOOKS = ("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=120")


def main(arguments: list[str]) -> int:
    wanted = os.environ.get("PYTHONS", "").split() or interpreters.SUPPORTED
    if unknown := [version for version in wanted if version not in interpreters.SUPPORTED]:
        supported = ", ".join(interpreters.SUPPORTED)
        sys.exit(f"Error: PYTHONS names {' '.join(unknown)}; supported are {supported}.")
    found = interpreters.find(wanted)
    if not found:
        sys.exit(f"Error: none of Python {', '.join(wanted)} is here.")
    if len(found) == 1 or OWN not in found:
        return max(test(version, base, arguments) for version, base in found.items())
    prepare(".venv", found[OWN], "dev")  # first: the others are made with its uv
    with beside(found.keys() - {OWN}, arguments) as others:
        failed = test(OWN, found[OWN], arguments)
        return max(failed, others.wait())


@contextmanager
def beside(versions: Iterable[str], arguments: list[str]):
    """This program for `versions` in a second process, whose output is shown when it ends."""
    environment = os.environ | {"PYTHONS": " ".join(sorted(versions))}
    say(f"Testing with Python {OWN}, and beside it {environment['PYTHONS']}.")
    with tempfile.TemporaryFile("w+") as heard:
        command = [sys.executable, __file__, "--without-once", *arguments]
        process = subprocess.Popen(command, env=environment, stdout=heard, stderr=heard)
        try:
            yield process
        finally:
            process.terminate()
            process.wait()
            heard.seek(0)
            print(heard.read(), flush=True)


def test(version: str, base: Path, arguments: list[str]) -> int:
    """Tests on one interpreter, and the notebooks on our own; 0 when all pass."""
    started = time.monotonic()
    python = prepare(".venv" if version == OWN else f".venv-{version}", base, "dev")
    say(f"Python {version}: tests")
    failed = pytest(python, [*arguments, "tests"])
    if version == OWN and not failed:
        say(f"Python {version}: notebooks")
        failed = test_notebooks(python)
    verdict = "FAILED" if failed else "passed"
    say(f"Python {version}: {verdict}, {time.monotonic() - started:.0f} s with the set-up")
    return failed


def test_notebooks(python: Path) -> int:
    """On a copy elsewhere, where no `.env` of the developer's lies above them."""
    with tempfile.TemporaryDirectory(prefix="kit-notebooks-") as folder:
        copy = shutil.copytree(ROOT / "notebooks", Path(folder, "notebooks"))
        return pytest(python, ["-p", "conftest", *NOTEBOOKS, str(copy)])


def pytest(python: Path, arguments: list[str]) -> int:
    command = [python, "-m", "pytest", "-q", "-c", "pyproject.toml", "--rootdir=.", *arguments]
    return subprocess.run(command, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
