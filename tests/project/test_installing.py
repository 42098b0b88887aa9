"""Environments are filled by uv as pip would fill them, and by pip where uv cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from installing import translate

ROOT = Path(__file__).parents[2]

# An interpreter of a test's machine: it writes down what it is asked for, and brings a uv or not.
PYTHON = """#!/bin/sh
echo "python $*" >> "{log}"
case "$*" in
    *'config list') echo "{settings}" ;;
    *'install --no-compile --only-binary'*) {brings} ;;
esac
"""
UV = """#!/bin/sh
echo "uv $* $UV_INDEX_URL" >> "{log}"
exit {status}
"""
MIRROR = "global.index-url='https://mirror.invalid/simple'"


def test_uv_is_told_where_packages_come_from_as_pip_sees_it() -> None:
    """The environment comes before a file, and a file's `install` before its `global`."""
    listed = """
:env:.cert='/ours.pem'
:env:.timeout='9'
global.cert='/theirs.pem'
global.extra-index-url='\\nhttps://a.invalid/simple\\nhttps://b.invalid/simple'
global.find-links='/wheels https://c.invalid/wheels'
global.index-url='https://d.invalid/simple'
install.index-url='https://e.invalid/simple?x=1'
list.format='json'
"""
    assert translate(listed.strip()) == {
        "SSL_CERT_FILE": "/ours.pem",
        "UV_EXTRA_INDEX_URL": "https://a.invalid/simple https://b.invalid/simple",
        "UV_FIND_LINKS": "/wheels,https://c.invalid/wheels",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_INDEX_URL": "https://e.invalid/simple?x=1",
        "UV_SYSTEM_CERTS": "1",
    }


@pytest.mark.parametrize("setting", ["proxy", "client-cert", "no-index", "only-binary", "unheard"])
def test_what_uv_cannot_be_told_leaves_it_to_pip(setting: str) -> None:
    assert translate(f"{MIRROR}\nglobal.{setting}='x'") is None


def install(machine: Path, *, settings: str = "", brings: str = ":") -> list[str]:
    """Who was asked for what, where `installing` installs `thing` on a machine without uv."""
    log = machine / "log"
    shutil.copytree(ROOT / "scripts", machine / "scripts")
    (machine / "bin").mkdir()
    executable(machine / "bin/python", PYTHON.format(log=log, settings=settings, brings=brings))
    code = "from pathlib import Path; from installing import install; install(Path({!r}), 'thing')"
    subprocess.run(
        [sys.executable, "-c", code.format(str(machine / "bin/python"))],
        env={"PATH": os.defpath, "PYTHONPATH": str(machine / "scripts")},
        check=True,
        capture_output=True,
    )
    return log.read_text().splitlines()


def executable(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o755)


def bringing(machine: Path, status: int) -> str:
    """What pip does when it installs a uv that ends with `status`."""
    executable(machine / "uv", UV.format(log=machine / "log", status=status))
    return f'cp "{machine}/uv" "{machine}/bin/uv"'


def test_where_there_is_no_uv_pip_brings_one_and_it_does_the_rest(tmp_path: Path) -> None:
    """From where pip would have taken it; the address is no argument, which others can see."""
    [*_, last] = install(tmp_path, settings=MIRROR, brings=bringing(tmp_path, 0))
    python = tmp_path / "bin/python"
    assert last == (f"uv pip install --quiet --python {python} thing https://mirror.invalid/simple")


@pytest.mark.parametrize("case", ["none to be had", "it fails", "it cannot be told"])
def test_otherwise_pip_does_it(tmp_path: Path, case: str) -> None:
    brings = ":" if case == "none to be had" else bringing(tmp_path, 1)
    settings = "global.proxy='x'" if case == "it cannot be told" else ""
    asked = install(tmp_path, settings=settings, brings=brings)
    assert asked[-1].endswith("--quiet install --no-compile thing")
    assert any(line.startswith("uv") for line in asked) == (case == "it fails")
