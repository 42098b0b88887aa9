"""Renew constraints.txt: exact versions for every supported Python and system, no addresses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from installing import ROOT

LOCK = ROOT / "constraints.txt"
HEADER = "# Exact versions for every extra, on Python 3.11-3.13. Made by `make lock`.\n"


def main() -> None:
    command = [
        *(str(Path(sys.executable).parent / "uv"), "pip", "compile", "pyproject.toml"),
        *("--universal", "--python-version", "3.11", "--all-extras", "--upgrade"),
        *("--no-header", "--no-annotate", "--no-emit-index-url", "--quiet"),
    ]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    LOCK.write_text(HEADER + done.stdout, encoding="utf-8")


if __name__ == "__main__":
    main()
