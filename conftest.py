"""What every test and every notebook under test starts from: an empty home and no configuration.

The environment is emptied once, before any test module is imported, so that a fixture of a
whole module cannot see the developer's gateway either; each test then gets a home of its own.
"""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Generator, MutableMapping
from pathlib import Path
from typing import TypeVar

import pytest

# Blank is missing to the settings, but the variables of other programs must really be gone.
OURS = ("LITELLM_", "KIT_", "RELAY_", "OPENAI_")
THEIRS = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
)

# What `make test` runs in a process of its own, or on one Python: see scripts/run_tests.py.
BESIDE = ("once", "waits", "services")

SERVICES = {"notebook", "relay"}
"""Folders of tests that start kernels, relays and databases, and wait for them."""


def empty_environment(environment: MutableMapping[str, str], home: Path) -> None:
    """Point `environment` at an empty `home` and take every setting of ours out of it."""
    for name in list(environment):
        if name.startswith((*OURS, "JUPYTER")) or name.upper() in THEIRS:
            del environment[name]
    environment.update(
        HOME=str(home),
        USERPROFILE=str(home),
        APPDATA=str(home / "AppData/Roaming"),
        LOCALAPPDATA=str(home / "AppData/Local"),
        XDG_CONFIG_HOME=str(home / ".config"),
        XDG_CACHE_HOME=str(home / ".cache"),
        XDG_DATA_HOME=str(home / ".local/share"),
        XDG_STATE_HOME=str(home / ".local/state"),
        # The keyring of whoever runs the tests stays closed.
        PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring",
        # Without it jupyter_core warns on import, and a warning is an error here.
        JUPYTER_PLATFORM_DIRS="1",
        KIT_SANDBOX_PACE="0",
    )


@pytest.fixture(autouse=True)
def fresh_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home for one test, which also is where it runs: no `.env` lies above it."""
    home = tmp_path_factory.mktemp("home")
    environment = dict(os.environ)
    empty_environment(environment, home)
    for name in os.environ.keys() - environment.keys():
        monkeypatch.delenv(name)
    for name in environment:
        if environment[name] != os.environ.get(name):
            monkeypatch.setenv(name, environment[name])
    monkeypatch.chdir(home)
    return home


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-skips",
        action="store_true",
        help="a test that is skipped fails: for runs that must show that everything ran",
    )
    parser.addoption(
        "--without",
        action="append",
        choices=BESIDE,
        help="leave out the tests with this marker: another process of `make test` runs them",
    )
    parser.addoption("--only", choices=BESIDE, help="the tests with this marker and no others")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    without: list[str] = config.getoption("--without") or []
    only: str | None = config.getoption("--only")

    def is_wanted(item: pytest.Item) -> bool:
        marks = {mark.name for mark in item.iter_markers()}
        if not SERVICES.isdisjoint(item.path.parts):
            marks.add("services")
        return marks.isdisjoint(without) and (only is None or only in marks)

    config.hook.pytest_deselected(items=[item for item in items if not is_wanted(item)])
    items[:] = [item for item in items if is_wanted(item)]


def pytest_configure(config: pytest.Config) -> None:
    home = tempfile.TemporaryDirectory(prefix="kit-tests-", ignore_cleanup_errors=True)
    config.add_cleanup(home.cleanup)
    empty_environment(os.environ, Path(home.name))


@pytest.fixture(scope="module", autouse=True)
def settled() -> None:
    """What is here between two files is here to stay, half a million objects.

    Without them a test's `gc.collect()` takes a millisecond, and not a tenth of a second.
    """
    gc.collect()
    gc.freeze()


Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def refuse_skip(report: Report, config: pytest.Config) -> Report:
    """Under --no-skips a skip is a failure that gives its reason; an expected failure is not."""
    if report.skipped and config.getoption("--no-skips") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and --no-skips is set: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return refuse_skip((yield), item.config)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return refuse_skip((yield), collector.config)
