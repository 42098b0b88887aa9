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

ROOT = Path(__file__).resolve().parent.parent
SOURCES = (ROOT / "pyproject.toml", ROOT / "constraints.txt")

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
    say(f"Installing into {name}: a minute or two, once.")
    project = f"{ROOT}[{chosen}]" if chosen else str(ROOT)
    install(python, "--constraint", str(ROOT / "constraints.txt"), "--editable", project)
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
    if uv := shutil.which("uv"):
        run([uv, "venv", "--quiet", "--python", str(base), str(folder)])
    else:
        run([str(base), "-m", "venv", str(folder)])


def install(python: Path, *what: str) -> None:
    """With uv where there is one, else with the environment's own pip."""
    if uv := shutil.which("uv"):
        run([uv, "pip", "install", "--quiet", "--python", str(python), *what])
        return
    if subprocess.run([python, "-c", "import pip"], capture_output=True).returncode != 0:
        run([str(python), "-m", "ensurepip", "--default-pip"])  # uv made it, and is gone
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    # Like uv, without compiling: most of it is never imported, and it is half of the time.
    run([*pip, "install", "--no-compile", *what])


def write_quiet_settings(folder: Path) -> None:
    settings = folder / "share/jupyter/lab/settings/overrides.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps(QUIET))


def run(command: list[str]) -> None:
    """Run a command that has to work; otherwise it has said why, and we end."""
    if status := subprocess.run(command).returncode:
        sys.exit(f"Error: {' '.join(command[:4])} … ended with status {status}.")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    prepare(".venv", None, *sys.argv[1:])
