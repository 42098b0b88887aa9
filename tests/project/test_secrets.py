"""No key gets into the repository: the scan finds what looks like one and leaves the rest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
DIGITS = "0123456789abcdef"

# Put together here, so that the scan of anybody else does not stop at this file.
SECRETS = {
    "an API key": f"key = sk-{DIGITS}",
    "a bearer token": f"Authorization: Bearer {DIGITS}",
    "a value for a key's variable": f'LITELLM_API_KEY=\\"{DIGITS}\\"',
    "a token of a code host": f"ghp_{DIGITS}{DIGITS}",
    "a cloud key": f"AKIA{DIGITS.upper()}",
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "a password in an address": "https://me:" + "geheim123@proxy.example.com",
    "the state of a password field": '"_model_name": ' + '"PasswordModel"',
}
HARMLESS = [
    "LITELLM_API_KEY=...",
    "LITELLM_API_KEY is not set. Put it in ~/.env, or run %kit use sandbox.",
    "sk-your-key-goes-right-here",
    "Authorization: Bearer $LITELLM_API_KEY",
    "https://docs.example.com:8443/a?b=c@d",
    "task-0123456789abcdef0123",
]


def scan(*files: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "scripts/scan_secrets.py", *files]
    return subprocess.run(command, capture_output=True, text=True)


def test_each_kind_is_found_and_none_is_repeated(tmp_path: Path) -> None:
    file = tmp_path / "a.ipynb"
    file.write_text("\n".join(SECRETS.values()))
    done = scan(file)
    assert done.returncode == 1
    expected = [f"{file}:{line}: looks like {kind}" for line, kind in enumerate(SECRETS, 1)]
    assert set(expected) <= set(done.stdout.splitlines())
    assert DIGITS not in done.stdout


@pytest.mark.parametrize("line", HARMLESS)
def test_what_only_talks_of_keys_passes(line: str, tmp_path: Path) -> None:
    file = tmp_path / "a.ipynb"
    file.write_text(line)
    assert scan(file).stdout == ""


def test_no_committed_notebook_holds_a_key() -> None:
    done = scan(*ROOT.glob("notebooks/*.ipynb"))
    assert (done.returncode, done.stdout) == (0, "")
