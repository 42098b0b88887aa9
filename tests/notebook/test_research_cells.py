"""`%%research`: the cell comes back, the run goes on, and the next kernel finds it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.notebook.conftest import Kernel
from tests.sandbox.passing import let_time_pass
from tests.waiting import until

pytestmark = pytest.mark.waits

QUESTION = "짜장면의 역사와 기원을 조사해줘"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Any]:
    """Kernels of one user, in a home of their own; at pace 1 a run takes half a minute."""
    kernels: list[Kernel] = []

    def start(pace: str) -> Kernel:
        kernel = Kernel({"HOME": str(tmp_path), **places(tmp_path), "KIT_SANDBOX_PACE": pace})
        kernels.append(kernel)
        return kernel

    yield start
    for kernel in kernels:
        kernel.close()


def places(home: Path) -> dict[str, str]:
    return {"XDG_DATA_HOME": str(home / "data"), "XDG_CACHE_HOME": str(home / "cache")}


def test_the_cell_comes_back_and_the_run_ends_by_itself(kernel: Any) -> None:
    cell = kernel.run(f"%%research -o run\n{QUESTION}")
    assert cell.error is None
    (shown,) = cell.displays
    assert shown["text/plain"].startswith(f"deep research: {QUESTION}")
    assert "kit.run(" in shown["text/plain"]
    assert kernel.value("_ is run") is True
    assert kernel.value("run.wait().status") == "completed"
    assert kernel.value("'산둥' in run.text") is True
    assert kernel.value("[*run.sources.columns]") == ["n", "title", "url", "opened", "cited"]
    assert kernel.value("run.check()['verdict'].unique().tolist()") == ["opened"]


def test_a_card_ends_as_the_report(kernel: Any) -> None:
    """The same display, updated by a thread when the cell has long been over."""
    cell = kernel.run(f"%%research -o run\n{QUESTION}")
    assert cell.error is None
    kernel.run("run.wait()")
    until(lambda: kernel.run("1") and "completed" in cell.displays[0]["text/plain"])
    (shown,) = cell.displays
    assert cell.updates >= 1
    assert "산둥" in shown["text/plain"] and "<h2>" in shown["text/html"]


def test_a_killed_kernel_loses_nothing(own: Any, tmp_path: Path) -> None:
    """The kernel is killed in the middle of a run; the next gets the whole report."""
    first = own("1")
    cell = first.run(f"%%research -o run\n{QUESTION}")
    assert cell.error is None
    id = first.value("run.id")
    until(lambda: first.value("len(run.events)") > 4)
    assert first.value("run.status") == "running"
    first.manager.signal_kernel(9)
    first.manager.provisioner.process.wait()
    let_time_pass(tmp_path)
    second = own("1")
    assert "1 research run is going on" in second.loaded.printed
    listed = second.value("kit.runs()[['id', 'status']].values.tolist()")
    assert [one for one, _ in listed] == [id]
    assert second.value(f"kit.run({id!r}).wait().status") == "completed"
    text = second.value(f"kit.run({id!r}).text")
    assert "산둥" in text and text.rstrip().endswith("*")
    log = second.value(f"[[e.number, e.type] for e in kit.run({id!r}).events]")
    assert [number for number, _ in log] == [*range(1, len(log) + 1)]
    assert [kind for _, kind in log].count("completed") == 1
    assert [kind for _, kind in log].count("request") == 1  # submitted once


def test_loading_says_what_has_finished_since(own: Any) -> None:
    first = own("0")
    assert first.loaded.printed == ""
    first.run(f"%%research -q -o run\n{QUESTION}")
    first.run("import time\nwhile run.status != 'completed': time.sleep(0.1)")
    second = own("0")
    assert "1 research run finished since you last looked. kit.runs()" in second.loaded.printed
    second.run("kit.runs()")
    assert own("0").loaded.printed == ""


def test_a_saved_notebook_holds_no_token(kernel: Any) -> None:
    cells = [
        kernel.run(f"%%research -o run --wait\n{QUESTION}"),
        kernel.run("run"),
        kernel.run("kit.runs()"),
        kernel.run("run.events, run.sent, run.answer"),
        kernel.run("%research list"),
    ]
    token = kernel.value("run.token")
    assert len(token) > 20
    for cell in cells:
        assert cell.error is None
        assert token not in json.dumps(cell.outputs)


def test_a_context_that_goes_in_part_is_said(kernel: Any) -> None:
    kernel.run(
        "import pandas\norders = pandas.DataFrame({'n': range(200)})\nfew = orders[:50]\n"
        "text = 'x' * 200\nrecord = {'n': 1}"
    )
    contexts = "--context orders --context few --context text --context record"
    cell = kernel.run(f"%%research -q {contexts}\n{QUESTION}")
    assert cell.error is None
    assert cell.printed == "--context orders was sent in part: the first 50 of 200 rows.\n"


def test_context_constraints_and_form_go_along(kernel: Any) -> None:
    kernel.run("notes = 'Known: the court.'")
    cell = kernel.run(
        "%%research -q -f markdown_report --context notes --constraint 'Korean sources' -o run\n"
        "The history of kimchi, with {{notes}}"
    )
    assert cell.error is None
    kernel.run("run.wait()")
    body = kernel.value("run.sent['body']")
    assert body["input"].startswith("Research question: The history of kimchi, with Known: the")
    assert "Known: the court." in body["input"].split("<material 1>")[1]
    assert "- Korean sources" in body["input"]
    assert "Write a report in Markdown" in body["instructions"]


def test_a_run_can_be_cancelled_and_deleted_by_its_name(kernel: Any) -> None:
    kernel.run(f"%%research -q -o run\n{QUESTION}")
    id = kernel.value("run.id")
    told = kernel.run(f"%research cancel {id}").printed
    assert told.startswith(id)
    assert kernel.run(f"%research delete {id}").printed == f"{id} is deleted.\n"
    gone = kernel.run(f"%research show {id}")
    assert gone.error is not None
    assert "No run of yours is called" in gone.error["evalue"]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("%%research\n", "The question is empty"),
        ("%%research -f essay\nWhat?", "there is no format 'essay'"),
        ("%%research --context nowhere\nWhat?", "there is no variable nowhere"),
        ("%%research --web-search\nWhat?", "--web-search is an option of %%responses"),
        ("%%research --budget none\nWhat?", "US dollars above 0"),
        ("%research lsit", "did you mean %research list?"),
        ("%research show", "%research show ID"),
        ("%research What is kimchi", "A question goes below %%research"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line_or_two(kernel: Any, code: str, says: str) -> None:
    cell = kernel.run(code)
    assert cell.error is not None
    assert says in cell.error["evalue"]
    assert len(cell.error["traceback"]) <= 3


def test_help_lists_the_options(kernel: Any) -> None:
    assert "--constraint TEXT" in kernel.run("%%research --help").printed
    assert "%research cancel ID" in kernel.run("%research help").printed
    assert kernel.complete("%research sh") == ["show"]


def test_waiting_can_be_stopped_and_the_run_goes_on(own: Any) -> None:
    kernel = own("2")
    cell = kernel.run(
        f"%%research --wait -o run\n{QUESTION}",
        stop_when=lambda cell: "searching:" in str(cell.displays),
    )
    assert cell.error is not None
    assert "the research goes on" in cell.error["evalue"]
    assert kernel.value("run.status") == "running"


def test_waiting_for_a_run_that_fails_fails_the_cell(kernel: Any) -> None:
    """So that a program that executes notebooks stops there; the card says what came."""
    cell = kernel.run(f"%%research --wait -o run -m sandbox-research:429-quota\n{QUESTION}")
    assert cell.error is not None and cell.error["ename"] == "ResponseFailed"
    assert "A budget or quota at the gateway is used up." in cell.error["evalue"]
    assert "failed" in str(cell.displays)
    assert kernel.value("run.status") == "failed"


def test_a_run_can_be_awaited_in_a_cell(kernel: Any) -> None:
    cell = kernel.run("run = await kit.research('The history of coffee')\nprint(run.status)")
    assert (cell.error, cell.printed) == (None, "completed\n")
