"""Virtual environments that hold what pyproject.toml and constraints.txt say, and no older.

A stamp inside each remembers what it was made from, so that the second call costs nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from installing import CONSTRAINTS, ROOT, install, run, say, uv_here

SOURCES = (ROOT / "pyproject.toml", CONSTRAINTS)

# JupyterLab asks a new user about news and looks for updates; this environment's does neither.
QUIET = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}


def prepare(name: str = ".venv", base: Path | None = None, *extras: str) -> Path:
    """Make environment `name` if it is missing, install into it if it is old; its interpreter.

    `extras` are the project's; an environment keeps those it was ever asked for.
    """
    folder = ROOT / name
    python = interpreter(folder)
    stamp = folder / "installed"
    before, _, had = (stamp.read_text() if works(python) and stamp.exists() else "").partition(" ")
    chosen = ",".join(sorted({*had.split(","), *extras} - {""}))
    if (before, had) == (fingerprint(), chosen):
        return python
    if not works(python):
        create(folder, base or Path(sys.executable))
    say(f"Installing into {name}: a minute at most, once.")
    project = f"{ROOT}[{chosen}]" if chosen else str(ROOT)
    install(python, "--constraint", str(CONSTRAINTS), "--editable", project)
    write_quiet_settings(folder)
    stamp.write_text(f"{fingerprint()} {chosen}")
    return python


def interpreter(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def works(python: Path) -> bool:
    """Whether `python` starts: its own base may have been removed or updated away."""
    try:
        return subprocess.run([python, "-c", ""], capture_output=True).returncode == 0
    except OSError:
        return False


def fingerprint() -> str:
    """Of what gets installed, and from where: an editable install points at this folder."""
    digest = hashlib.sha256(str(ROOT).encode())
    for source in SOURCES:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def create(folder: Path, base: Path) -> None:
    say(f"Making {folder.name} with {base}.")
    if folder.exists():
        shutil.rmtree(folder)
    if uv := uv_here():
        command = [uv, "venv", "--quiet", "--python", str(base), str(folder)]
        if subprocess.run(command).returncode == 0:
            return
    run([str(base), "-m", "venv", "--clear", str(folder)])


def write_quiet_settings(folder: Path) -> None:
    settings = folder / "share/jupyter/lab/settings/overrides.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps(QUIET))


if __name__ == "__main__":
    prepare(".venv", None, *sys.argv[1:])
