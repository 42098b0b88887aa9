"""A test never sees the configuration of whoever runs it."""

import os
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]


def test_home_is_empty_and_is_where_the_test_runs(fresh_home: Path) -> None:
    assert Path.home() == fresh_home == Path.cwd()
    assert list(fresh_home.iterdir()) == []


def test_no_gateway_and_no_key_are_configured() -> None:
    names = [name for name in os.environ if name.startswith(("LITELLM_", "KIT_", "RELAY_"))]
    assert names == ["KIT_SANDBOX_PACE"]


SKIPS = {
    "test_marker": "import pytest\n@pytest.mark.skip(reason='tired')\ndef test_a(): pass",
    "test_call": "import pytest\ndef test_a(): pytest.skip('tired')",
    "test_import": "import pytest\npytest.importorskip('no_such_module')",
    "test_expected": "import pytest\n@pytest.mark.xfail\ndef test_a(): raise ValueError",
}


def test_no_skips_turns_every_skip_into_a_failure(pytester: pytest.Pytester) -> None:
    """A marker, a call and a missing module alike; an expected failure stays one."""
    pytester.makeconftest((Path(__file__).parents[2] / "conftest.py").read_text("utf-8"))
    pytester.makepyfile(**SKIPS)
    pytester.runpytest_inprocess().assert_outcomes(skipped=3, xfailed=1)
    strict = pytester.runpytest_inprocess("--no-skips", "--continue-on-collection-errors")
    strict.assert_outcomes(failed=1, errors=2, xfailed=1)
    strict.stdout.fnmatch_lines(["*--no-skips is set*tired*"])
