"""What a wheel brings to somebody who has no checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this checkout, built offline by the build backend itself."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [built] = folder.glob("responses_kit-*-py3-none-any.whl")
    return zipfile.ZipFile(built)


def below(root: Path, pattern: str) -> set[str]:
    return {file.relative_to(root).as_posix() for file in root.glob(pattern)}


def test_the_wheel_has_both_packages_and_their_types(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    code = below(ROOT, "kit/**/*.py") | below(ROOT, "relay_lite/**/*.py")
    assert code | {"kit/py.typed"} <= names


def test_the_wheel_has_what_the_sandbox_searches(wheel: zipfile.ZipFile) -> None:
    """Its corpus, and the toolkit's own README, docs and notebooks."""
    names = set(wheel.namelist())
    own = {"README.md"} | below(ROOT, "docs/*.md") | below(ROOT, "notebooks/*.ipynb")
    assert {f"kit/sandbox/toolkit/{name}" for name in own} <= names
    corpus = below(ROOT, "kit/sandbox/corpus/*.md")
    assert corpus and corpus <= names


def test_the_wheel_has_what_is_shown_in_a_browser(wheel: zipfile.ZipFile) -> None:
    assert below(ROOT, "kit/**/*.js") | below(ROOT, "kit/**/*.css") <= set(wheel.namelist())


def test_the_wheel_has_nothing_else(wheel: zipfile.ZipFile) -> None:
    """No tests, scripts, caches or secrets: two packages and their metadata."""
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"kit", "relay_lite"}
    strays = ("__pycache__", ".env", ".ipynb_checkpoints", "/tests/")
    assert [name for name in wheel.namelist() if any(stray in name for stray in strays)] == []


def test_the_metadata_says_who_we_are(wheel: zipfile.ZipFile) -> None:
    [path] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = HeaderParser().parsestr(wheel.read(path).decode())
    assert metadata["Name"] == "responses-kit"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"
    assert {"local", "team", "dev"} == set(metadata.get_all("Provides-Extra", []))
