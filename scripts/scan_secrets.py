"""Find keys in notebooks and recordings before they are committed. Usage: scan_secrets.py FILE ...

It says where one is and of what kind, never the key itself. Exit status 1 when there is any.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

KINDS = {
    "an API key": r"\bsk-(?=[\w-]*\d)[\w-]{16,}",
    "a bearer token": r"(?i)\bbearer\s+(?=[\w.~+/-]*\d)[\w.~+/-]{16,}=*",
    "a value for a key's variable": r"\b[A-Z_]*(?:API_KEY|SECRET|TOKEN)\b[\\\"']*\s*[=:]\s*"
    r"[\\\"']*(?=[\w.~+/-]*\d)[\w.~+/-]{16,}",
    "a token of a code host": r"\bgh[pousr]_\w{20,}|\bglpat-[\w-]{20,}",
    "a cloud key": r"\bAKIA[0-9A-Z]{16}\b|\bAIza[\w-]{35}",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a password in an address": r"\b[a-z][a-z0-9+]*://[^\s/:@\"\\]+:[^\s/@\"\\]{6,}@",
    "the state of a password field": r"\"_model_name\": *\"PasswordModel\"",
}


def main(arguments: list[str]) -> int:
    found = [line for name in arguments for line in scan(Path(name))]
    print(*found, sep="\n", end="\n" * bool(found))
    return 1 if found else 0


def scan(file: Path) -> Iterator[str]:
    """`FILE:LINE: what it looks like`, for each line that holds something like a secret."""
    for number, line in enumerate(file.read_text("utf-8", "replace").splitlines(), 1):
        for kind, pattern in KINDS.items():
            if re.search(pattern, line):
                yield f"{file}:{number}: looks like {kind}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
