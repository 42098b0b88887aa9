"""Installing into an environment: by uv in seconds, or by pip in a minute.

Rule: pip is what a machine is set up for, so uv is told what pip's settings say of where packages
come from. Where they say something uv cannot be told, or uv is not to be had, or fails, pip does
it. A uv on the PATH is somebody's own, with settings of its own, and is told nothing.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
SCRIPTS = "Scripts" if os.name == "nt" else "bin"

# pip's setting, what uv calls it, and what it puts between several.
SAID_TO_UV = {
    "index-url": ("UV_INDEX_URL", " "),
    "extra-index-url": ("UV_EXTRA_INDEX_URL", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "constraint": ("UV_CONSTRAINT", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "no-cache-dir": ("UV_NO_CACHE", " "),
}
# What changes nothing about which packages come from where.
NEED_NOT_BE_SAID = {
    *("break-system-packages", "cache-dir", "compile", "config-file", "default-timeout"),
    *(
        "disable-pip-version-check",
        "log",
        "no-color",
        "no-compile",
        "no-input",
        "no-warn-conflicts",
    ),
    *("no-warn-script-location", "progress-bar", "quiet", "require-virtualenv", "retries"),
    *("root-user-action", "timeout", "verbose"),
}
# pip takes the best of all indexes and trusts whom the system trusts; uv wants to be asked.
AS_PIP_DOES = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_SYSTEM_CERTS": "1"}


def install(python: Path, *what: str) -> None:
    """Install `what`, in pip's words, into the environment of `python`; or end, saying why not."""
    if own := shutil.which("uv"):
        done = with_uv(own, {}, python, *what)
    else:
        uv = other_uv(python)
        settings = settings_for_uv(uv) if uv else None
        done = bool(uv) and settings is not None and with_uv(uv, settings, python, *what)
    if not done:
        run([*pip(python), "--quiet", "install", "--no-compile", *what])


def uv_here() -> str | None:
    """The uv of this machine, or the one that `.venv` was given."""
    return shutil.which("uv") or shutil.which("uv", path=str(ROOT / ".venv" / SCRIPTS))


def with_uv(uv: str, settings: dict[str, str], python: Path, *what: str) -> bool:
    """Whether uv did it. Settings are not arguments: an address may hold a password."""
    command = [uv, "pip", "install", "--quiet", "--python", str(python), *what]
    if subprocess.run(command, env=settings | os.environ).returncode == 0:
        return True
    say("uv could not install that; now with pip.")
    return False


def other_uv(python: Path) -> str | None:
    """The uv of this environment or of `.venv`, else a new one in this environment."""
    folders = os.pathsep.join((str(python.parent), str(ROOT / ".venv" / SCRIPTS)))
    if uv := shutil.which("uv", path=folders):
        return uv
    command = [*pip(python), "install", "--no-compile", "--only-binary=:all:", "uv"]
    subprocess.run([*command, "--constraint", str(CONSTRAINTS)], capture_output=True)
    return shutil.which("uv", path=str(python.parent))


def settings_for_uv(uv: str) -> dict[str, str] | None:
    """What the pip that lies beside this uv is set to, as uv's; None where that does not go."""
    python = shutil.which("python", path=str(Path(uv).parent))
    if python is None:
        return None
    command = [python, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True)
    return translate(listed.stdout) if listed.returncode == 0 else None


def translate(listed: str) -> dict[str, str] | None:
    """`pip config list` as variables for uv; None when something in it has no like."""
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in filter(None, listed.splitlines()):
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        sections.setdefault(section, {})[option] = ast.literal_eval(value)
    # A later one overrides: the order is pip's.
    said = sections["global"] | sections["install"] | sections[":env:"]
    if said.keys() - SAID_TO_UV.keys() - NEED_NOT_BE_SAID:
        return None
    chosen = {SAID_TO_UV[option]: value for option, value in said.items() if option in SAID_TO_UV}
    return AS_PIP_DOES | {
        name: between.join(value.split()) for (name, between), value in chosen.items()
    }


def pip(python: Path) -> list[str]:
    """How the environment's own pip is called."""
    if subprocess.run([python, "-c", "import pip"], capture_output=True).returncode != 0:
        run([str(python), "-m", "ensurepip", "--default-pip"])  # uv made the environment
    # Like uv, without compiling: most of it is never imported, and it is half of the time.
    return [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input"]


def run(command: list[str]) -> None:
    """Run a command that has to work; otherwise it has said why, and we end."""
    if status := subprocess.run(command).returncode:
        sys.exit(f"Error: {' '.join(command[:4])} … ended with status {status}.")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
