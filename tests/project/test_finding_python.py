"""`make` finds a Python that works, whatever the PATH says, or says in one line what to install."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import interpreters

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]

WORKS = f'exec "{sys.executable}" "$@"'
OLD = f'''"{sys.executable}" - "$@" <<'END'
import sys
sys.exit(1 if "version_info" in sys.argv[2] else 0)
END'''
SHIM = "echo 'pyenv: python: command not found' >&2; exit 127"
NO_VENV = f'case "$2" in *ensurepip*) exit 1;; esac; {WORKS}'


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A checkout with nothing but the script, and a PATH with nothing but what sh needs."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/python", tmp_path / "scripts")
    (tmp_path / "bin").mkdir()
    for tool in ("dirname", "ls"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    return tmp_path


def run(machine: Path, **commands: str) -> subprocess.CompletedProcess[str]:
    """`scripts/python -c ...` where these commands are on the PATH; `_` stands for a dot."""
    for name, body in commands.items():
        command = machine / "bin" / name.replace("_", ".")
        command.write_text(f"#!/bin/sh\n{body}\n")
        command.chmod(0o755)
    environment = {"PATH": str(machine / "bin"), "HOME": str(machine)}
    code = "import sys; print(sys.stdin.read(), sys.argv[1:])"
    return subprocess.run(
        ["/bin/sh", machine / "scripts/python", "-c", code, "a b"],
        env=environment,
        input="asked",
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    "commands",
    [
        {"python3": WORKS},
        {"python3": SHIM, "python3_12": WORKS},
        {"python3": OLD, "python3_13": SHIM, "python3_11": WORKS},
        {"python3": NO_VENV, "python3_11": WORKS},
    ],
    ids=["the first", "behind a shim", "behind an old one", "behind one without venv"],
)
def test_the_first_that_works_is_run(machine: Path, commands: dict[str, str]) -> None:
    """With its arguments whole and its standard input untouched."""
    done = run(machine, **commands)
    assert (done.stdout, done.stderr) == ("asked ['a b']\n", "")


def test_without_any_one_line_says_what_to_install(machine: Path) -> None:
    done = run(machine, python3=OLD)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "No Python 3.11, 3.12 or 3.13 here" in done.stderr


def test_without_venv_one_line_names_the_package(machine: Path) -> None:
    done = run(machine, python3=NO_VENV)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert f"install python3.{sys.version_info[1]}-venv" in done.stderr


def test_the_tests_find_the_interpreter_below_an_environment() -> None:
    found = interpreters.find()
    version = "{}.{}".format(*sys.version_info)
    assert found[version].exists()
    assert ".venv" not in found[version].parts
    assert list(found) == sorted(found)


@pytest.mark.parametrize("wanted", ["3.9", "3.11; touch x", "python3.12"])
def test_a_version_that_is_not_supported_is_named_and_nothing_is_made(wanted: str) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/run_tests.py"],
        env=os.environ | {"PYTHONS": wanted},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "supported are 3.11, 3.12, 3.13" in done.stderr
    assert len(done.stderr.splitlines()) == 1
