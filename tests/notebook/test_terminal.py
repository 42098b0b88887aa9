"""IPython in a terminal: the text as it comes, sources and usage below it, nothing twice."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.once

CELLS = r"""
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="NoColor")
for cell in [
    "%load_ext kit",
    "%%chat -o x\nReply with exactly: one two three",
    "%%chat -f json\nReply with exactly: {\"a\":1}",
    "%%chat\nReply with exactly: a\x1b]0;title\x07b",
    "%%chat -f code\nReply with exactly: y = 1",
    "%%chat -m nobody\nhi",
]:
    print("--")
    shell.run_cell(cell)
print("--", shell.rl_next_input, shell.user_ns["x"].text)
"""


def test_cells_in_a_terminal():
    done = subprocess.run([sys.executable, "-c", CELLS], capture_output=True, check=True)
    assert done.stderr == b""
    _, loaded, chat, json, controls, code, failed, end = done.stdout.decode().split("--")
    assert loaded.strip() == ""
    assert chat.startswith("\none two three\n\nsandbox · ")
    assert chat.count("one two three") == 1
    assert json.startswith('\n{\n  "a": 1\n}\n\nsandbox · ')
    assert controls.startswith("\na]0;titleb\n")
    assert code.startswith("\ny = 1\n")
    assert failed.startswith("\nModelUnknown: ") and "Traceback" not in failed
    assert end.strip() == "y = 1 one two three"
