"""Bring what `make test-gateway` needs beside the local model: LiteLLM and a Redis.

LiteLLM has an environment of its own: it wants other versions of what we use than we do. Redis
comes from the system, and is installed where it is missing and we may.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from environment import create, interpreter, works
from installing import ROOT, install, run, say

LITELLM = "litellm[proxy]==1.106.2"
CONSTRAINTS = ROOT / "constraints-gateway.txt"
ENVIRONMENT = ROOT / ".venv-gateway"

HOW_TO_INSTALL = (
    "Error: redis-server is missing, and installing it needs root. Debian, Ubuntu: "
    "sudo apt install redis-server; macOS: brew install redis."
)


def main() -> None:
    bring_litellm()
    bring_redis()


def bring_litellm() -> Path:
    """The interpreter of the environment with LiteLLM; made where it is missing or old."""
    python = interpreter(ENVIRONMENT)
    stamp = ENVIRONMENT / "installed"
    if works(python) and stamp.exists() and stamp.read_text() == fingerprint():
        return python
    create(ENVIRONMENT, Path(sys.executable))
    say(f"Installing {LITELLM} into {ENVIRONMENT.name}: two minutes at most, 600 MB, once.")
    install(python, "--constraint", str(CONSTRAINTS), LITELLM)
    stamp.write_text(fingerprint())
    return python


def fingerprint() -> str:
    wanted = LITELLM.encode() + CONSTRAINTS.read_bytes()
    return hashlib.sha256(wanted).hexdigest()[:16]


def bring_redis() -> None:
    """Install redis-server where it is missing; ends, saying how, where we may not."""
    if shutil.which("redis-server"):
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        sys.exit(HOW_TO_INSTALL)
    say("Installing redis-server.")
    quietly = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=quietly, stdout=subprocess.DEVNULL)
    run(["apt-get", "install", "-y", "-qq", "redis-server"])


if __name__ == "__main__":
    main()
