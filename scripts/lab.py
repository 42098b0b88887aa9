"""Open JupyterLab on the first notebook. Arguments are JupyterLab's own."""

from __future__ import annotations

import os
import subprocess
import sys

from environment import prepare
from installing import ROOT

# Named as the page to open and not as a file, or the file's folder would be all one sees.
FIRST = "--LabApp.default_url=/lab/tree/notebooks/00-start.ipynb"
QUIETLY = (
    "--LabApp.log_level=WARN",
    "--ServerApp.log_level=WARN",
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
)


def main(arguments: list[str]) -> int:
    python = prepare()
    command = [str(python), "-m", "jupyterlab", FIRST, *QUIETLY, *as_root(), *arguments]
    # `!pip` and friends in a cell mean this environment's.
    environment = os.environ | {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    os.chdir(ROOT)
    if os.name == "nt":
        return subprocess.run(command, env=environment).returncode
    # In place of this process, so that whoever stops it stops the server.
    os.execve(python, command, environment)


def as_root() -> list[str]:
    """In a container one usually is root, and there Jupyter wants to hear that it is meant."""
    return ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
