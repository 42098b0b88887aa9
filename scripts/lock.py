"""Renew constraints.txt and constraints-gateway.txt: exact versions for every supported Python
and system, no addresses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import gateway
from installing import CONSTRAINTS, ROOT

HEADER = "# Exact versions for every extra, on Python 3.11-3.13. Made by `make lock`.\n"
GATEWAY_HEADER = "# Exact versions for .venv-gateway, on Python 3.11-3.13. Made by `make lock`.\n"


def main() -> None:
    CONSTRAINTS.write_text(HEADER + compiled("pyproject.toml", "--all-extras"), encoding="utf-8")
    litellm = compiled("-", wanted=gateway.LITELLM)
    gateway.CONSTRAINTS.write_text(GATEWAY_HEADER + litellm, encoding="utf-8")


def compiled(source: str, *options: str, wanted: str | None = None) -> str:
    """What `source`, or `wanted` where that is "-", comes to."""
    command = [
        *(str(Path(sys.executable).parent / "uv"), "pip", "compile", source, *options),
        *("--universal", "--python-version", "3.11", "--upgrade"),
        *("--no-header", "--no-annotate", "--no-emit-index-url", "--quiet"),
    ]
    done = subprocess.run(
        command, cwd=ROOT, check=True, input=wanted, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


if __name__ == "__main__":
    main()
