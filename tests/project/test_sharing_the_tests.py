"""`make test` shares the tests out to processes: nothing is run twice, and nothing left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import run_tests

pytestmark = pytest.mark.once
pytest_plugins = ["pytester"]

CONFTEST = Path(__file__).parents[2] / "conftest.py"

# A test of every kind: what decides is its marks, its file's and its parameter's included.
TESTS = """
import pytest

def test_unmarked(): pass

@pytest.mark.once
def test_once(): pass

@pytest.mark.waits
def test_waits(): pass

@pytest.mark.once
@pytest.mark.waits
def test_both(): pass

@pytest.mark.parametrize("store", ["a", pytest.param("b", marks=pytest.mark.once)])
def test_table(store): pass
"""
CELLS = """
import pytest

def test_cell(): pass

@pytest.mark.once
def test_cell_once(): pass

@pytest.mark.waits
def test_killed_kernel(): pass
"""
FILE = "import pytest\npytestmark = pytest.mark.waits\ndef test_of_a_file(): pass"


@pytest.fixture
def chosen(pytester: pytest.Pytester) -> Callable[..., list[str]]:
    """The names of the tests that options choose, in order."""

    def choose(*options: str) -> list[str]:
        done = pytester.inline_run("--collect-only", *options)
        (finish,) = done.getcalls("pytest_collection_finish")
        return sorted(item.name for item in finish.session.items)

    pytester.makeconftest(CONFTEST.read_text("utf-8"))
    pytester.makeini("[pytest]\nmarkers =\n    once\n    waits")
    pytester.makepyfile(test_marks=TESTS, test_file=FILE)
    folder = pytester.mkpydir("notebook")
    (folder / "test_cells.py").write_text(CELLS)
    return choose


def test_three_processes_have_every_test_of_one_python_once(
    chosen: Callable[..., list[str]],
) -> None:
    works, services, waits = (
        chosen(*options) for options in (run_tests.WORKS, run_tests.SERVICES, run_tests.WAITS)
    )
    assert sorted(works + services + waits) == chosen()
    assert services == ["test_cell", "test_cell_once"]
    assert waits == ["test_both", "test_killed_kernel", "test_of_a_file", "test_waits"]


def test_the_other_pythons_have_what_is_not_marked(
    chosen: Callable[..., list[str]],
) -> None:
    assert chosen(*run_tests.OTHERS) == ["test_cell", "test_table[a]", "test_unmarked"]


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [
        ([0, 0, 0], 0),
        ([0, 1, 0], 1),
        ([0, 5, 5], 0),  # `-k` chose from one process alone
        ([5, 5, 5], 5),
        ([0, 0, -9], 9),  # one was killed
    ],
)
def test_all_must_pass(statuses: list[int], worst: int) -> None:
    assert run_tests.worst(statuses) == worst


def test_bytecode_is_kept_where_a_machine_forbids_it_beside_the_sources() -> None:
    python, other = Path("/here/.venv/bin/python"), {"PATH": "/bin"}
    forbidding = {**other, "PYTHONDONTWRITEBYTECODE": "1"}
    kept = {**other, "PYTHONPYCACHEPREFIX": str(Path("/here/.venv/bytecode"))}
    assert run_tests.with_bytecode(forbidding, python) == kept
    assert run_tests.with_bytecode(other, python) == other
