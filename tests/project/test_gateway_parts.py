"""What `make test-gateway` brings: pinned, in an environment of its own, or said how."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "constraints-gateway.txt").read_text("utf-8").splitlines()
PINS = [Requirement(line) for line in LINES if not line.startswith("#")]
ASK = "import sys; sys.path.insert(0, 'scripts'); import gateway; {}"


def asked(what: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", ASK.format(what)],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
    )


def test_litellm_is_pinned_with_all_that_it_needs() -> None:
    wanted = Requirement(asked("print(gateway.LITELLM)").stdout.strip())
    (pin,) = [pin for pin in PINS if pin.name == "litellm"]
    assert pin.specifier == wanted.specifier
    assert {"fastapi", "openai", "redis", "uvicorn"} <= {pin.name for pin in PINS}


def test_a_constraint_is_one_exact_version_and_no_address() -> None:
    assert all(re.fullmatch(r"==[0-9][0-9a-z.+!]*", str(pin.specifier)) for pin in PINS)
    assert [line for line in LINES if re.search(r"://|file:|--|\\|@", line)] == []


def test_a_missing_redis_that_cannot_be_installed_is_asked_for(tmp_path: Path) -> None:
    done = asked("gateway.bring_redis()", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "apt install redis-server" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_living_gateways_are_tested_by_their_own_target_alone() -> None:
    """They cost a minute and a gigabyte: plain pytest, and so `make test`, leaves them out."""
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "tests/gateway-live"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "no tests collected" in done.stdout and "deselected" in done.stdout
