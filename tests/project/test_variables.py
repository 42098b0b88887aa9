"""docs/variables.md is the one table of all variables, and it is complete."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs/variables.md").read_text("utf-8")
OURS = re.compile(r"\b(?:KIT|LITELLM|RELAY)_[A-Z][A-Z_]*[A-Z]\b")
OF_OTHERS = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")


def documented() -> set[str]:
    """The variables that have a row: those in the first cell of one."""
    cells = re.findall(r"^\| *(`[^|]+`) *\|", TABLE, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def named_in(*patterns: str) -> set[str]:
    """The variables of ours that files of the repository name, prefixes left out."""
    files = [file for pattern in patterns for file in ROOT.glob(pattern) if file.is_file()]
    assert files
    return {name for file in files for name in OURS.findall(file.read_text("utf-8"))}


def test_every_variable_that_the_code_names_has_a_row() -> None:
    assert named_in("kit/**/*.py", "relay_lite/**/*.py") - documented() == set()


def test_every_variable_that_a_page_names_has_a_row() -> None:
    assert named_in("README.md", "docs/*.md", "notebooks/*.ipynb") - documented() == set()


def test_the_variables_of_other_programs_have_a_row() -> None:
    assert set(OF_OTHERS) <= documented()
