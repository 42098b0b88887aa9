"""The live card in JupyterLab: it grows, it stops what it shows, and it leaves plain output."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import LOAD, PANEL, OpenNotebook
from tests.browser.test_first_notebook import errors_in
from tests.waiting import until

pytestmark = pytest.mark.browser

RESEARCH = "%%research -o run\n짜장면의 역사와 기원을 조사해줘"
SAVE = "() => window.jupyterapp.commands.execute('docmanager:save')"
RESTART = """() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"""
NO_WIDGETS = "model not found"


def text_in(shown: OpenNotebook, cell: int, selector: str = "") -> str:
    """What a person reads in an output, or in a part of it."""
    there = shown.output(cell).locator(selector) if selector else shown.output(cell)
    return there.first.inner_text() if there.count() else ""


def views_in(outputs: list[list[dict[str, Any]]]) -> list[str]:
    """The widgets that a saved notebook would hold."""
    return [
        kind for cell in outputs for one in cell for kind in one.get("data", {}) if "view" in kind
    ]


def started(open_notebook: Any, name: str, cell: str, pace: float, **how: Any) -> OpenNotebook:
    """A notebook with the extension loaded and its second cell under way."""
    shown = open_notebook(name, [LOAD.format(pace=pace, name=name), cell, "run.status"], **how)
    shown.run_cell(0)
    shown.start_cell(1)
    return shown


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_its_stop_ends_an_answer_and_what_had_come_stays(open_notebook: Any, theme: str) -> None:
    name = theme.split()[1].lower()
    prompt = "%%responses --web-search -o partial\nWhat is photosynthesis?"
    shown = started(open_notebook, f"stop-{name}.ipynb", prompt, pace=20, theme=theme)
    until(lambda: len(text_in(shown, 1, ".kit-text")) > 40)
    before = text_in(shown, 1, ".kit-text")
    until(lambda: len(text_in(shown, 1, ".kit-text")) > len(before) + 20)
    assert "searched" in text_in(shown, 1, ".kit-rows")
    shown.picture(f"live-{name}")
    shown.output(1).get_by_role("button", name="Stop").click()
    until(lambda: bool(errors_in(shown.outputs())))
    until(lambda: shown.output(1).locator(".kit-live").count() == 0)
    shown.picture(f"live-stopped-{name}")
    assert errors_in(shown.outputs())[0].startswith("Interrupted: Stopped")
    assert before[:40] in text_in(shown, 1)
    assert views_in(shown.outputs()) == []


def test_its_stop_ends_a_run_at_the_second_press(open_notebook: Any) -> None:
    shown = started(open_notebook, "cancel.ipynb", RESEARCH, pace=2)
    until(lambda: "searched" in text_in(shown, 1, ".kit-rows"))
    stop = shown.output(1).locator(".kit-live .kit-button")
    stop.click()
    assert stop.inner_text() == "End the run for good?"
    shown.picture("live-sure")
    stop.click()
    until(lambda: "cancelled" in text_in(shown, 1))
    until(lambda: shown.output(1).locator(".kit-live").count() == 0)
    shown.run_cell(2)
    assert "cancelled" in text_in(shown, 2)


def test_a_page_that_is_loaded_again_goes_on(open_notebook: Any) -> None:
    """JupyterLab gives no updates of displays to a page that did not see them made: so there the
    card stays, with the report."""
    shown = started(open_notebook, "reload.ipynb", RESEARCH, pace=2)
    until(lambda: "searched" in text_in(shown, 1, ".kit-rows"))
    shown.page.evaluate(SAVE)
    shown.load_again("reload.ipynb")
    until(lambda: "searched" in text_in(shown, 1, ".kit-rows"))
    shown.picture("live-reloaded")
    shown.let_time_pass()
    until(lambda: "산둥" in text_in(shown, 1, ".kit-text"))
    until(lambda: text_in(shown, 1, ".kit-phase") == "completed")
    shown.picture("live-reloaded-ended")
    assert "finds it again, in any kernel of yours" in text_in(shown, 1)
    assert "산둥" in text_in(shown, 1, ".kit-text")
    assert shown.output(1).get_by_role("button", name="Stop").count() == 0


def test_a_saved_notebook_is_read_without_its_kernel(open_notebook: Any) -> None:
    shown = started(open_notebook, "saved.ipynb", RESEARCH, pace=2)
    until(lambda: "searched" in text_in(shown, 1, ".kit-rows"))
    shown.let_time_pass()
    until(lambda: "completed" in text_in(shown, 1))
    until(lambda: shown.output(1).locator(".kit-live").count() == 0)
    assert views_in(shown.outputs()) == []
    shown.page.evaluate(SAVE)
    shown.page.evaluate(RESTART)
    shown.load_again("saved.ipynb")
    shown.picture("live-reopened")
    assert "산둥" in text_in(shown, 1) and "completed" in text_in(shown, 1)
    assert NO_WIDGETS not in text_in(shown, 1)
    assert shown.output(1).locator(".kit-widget").count() == 0


def said_to_be_gone(phase: str) -> bool:
    return "The kernel ended or was restarted. The run goes on: kit.run('inv_" in phase


def test_a_kernel_that_restarts_leaves_how_to_find_the_run(open_notebook: Any) -> None:
    shown = started(open_notebook, "restart.ipynb", RESEARCH, pace=2)
    until(lambda: "searched" in text_in(shown, 1, ".kit-rows"))
    shown.page.evaluate(RESTART)
    until(lambda: shown.is_idle())
    until(
        lambda: (
            text_in(shown, 1, ".kit-phase") == ""
            or said_to_be_gone(text_in(shown, 1, ".kit-phase"))
        )
    )
    shown.picture("live-restarted")
    weights = "rows => rows.map(row => getComputedStyle(row).fontWeight)"
    rows = shown.output(1).locator(".kit-row").evaluate_all(weights)
    assert set(rows) <= {"400"}, "what was heard is no warning"
    assert shown.output(1).get_by_role("button", name="Stop").count() == 0
    assert "finds it again, in any kernel of yours" in text_in(shown, 1)
    shown.page.evaluate(SAVE)
    shown.load_again("restart.ipynb")
    shown.picture("live-restarted-reopened")
    assert "finds it again, in any kernel of yours" in text_in(shown, 1)


MANY = """import time
from IPython.display import display
from kit.notebook.board import Facts
from kit.notebook.live import LiveCard
card, text = LiveCard(busy=True), ""
display({"text/plain": "", **card.display()}, raw=True)
while not card.heard:
    time.sleep(0.01)
for number in range(2000):
    text += f"{number} " + ("\\n\\n" if number % 40 == 39 else "")
    card.show(text, Facts(phase=f"at {number}"))
    time.sleep(0.0015)  # a server lets a thousand messages a second through"""


def test_two_thousand_deltas_are_all_in_the_page(open_notebook: Any) -> None:
    shown = started(open_notebook, "many.ipynb", MANY, pace=1)
    until(lambda: text_in(shown, 1, ".kit-phase") == "at 1999")
    told = shown.output(1).locator(".kit-text").text_content()  # also of what is out of sight
    assert told.split() == [str(number) for number in range(2000)]
    assert shown.page.locator(f"{PANEL} .kit-live").count() == 1
