"""The research panel in JupyterLab: asked, followed, kept, compared; reloaded and reopened."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.conftest import LOAD
from tests.browser.test_first_notebook import errors_in
from tests.waiting import until

pytestmark = pytest.mark.browser

PANEL = "panel = kit.research_panel()\npanel"
QUESTION = "짜장면의 역사와 기원을 조사해줘"
COMMAND = "name => window.jupyterapp.commands.execute(name)"


def opened(
    open_notebook: Any, name: str, *cells: str, pace: str = "2", **options: Any
) -> tuple[Any, Any]:
    """A notebook with a panel in its last cell, and the panel."""
    shown = open_notebook(name, [LOAD.format(pace=pace, name=name), *cells, PANEL], **options)
    for cell in range(2 + len(cells)):
        shown.run_cell(cell)
    panel = shown.output(1 + len(cells))
    until(lambda: "It costs nothing" in panel.inner_text())
    return shown, panel


def start(panel: Any, question: str = QUESTION) -> None:
    panel.get_by_label("Question").fill(question)
    panel.get_by_role("button", name="Start").click()
    until(lambda: "searching" in panel.inner_text())


def ended(shown: Any, panel: Any) -> None:
    shown.let_time_pass()
    until(lambda: "Checks:" in panel.inner_text())


def test_a_question_is_asked_and_its_run_followed_to_the_report(
    lab: Any, open_notebook: Any
) -> None:
    frame = "import pandas\ncities = pandas.DataFrame({'city': ['인천', '서울']})"
    shown, panel = opened(open_notebook, "panel.ipynb", frame)
    panel.get_by_label("cities").check()
    panel.get_by_label("Constraints").fill("출처는 한국어로")
    panel.get_by_label("Question").fill(QUESTION)
    shown.picture("panel-form")
    start(panel)
    shown.picture("panel-live")
    ended(shown, panel)
    for fold in ("Sources (", "Checks:"):
        panel.locator("summary", has_text=fold).click()
    shown.picture("panel-ended")
    assert panel.get_by_role("row").filter(has_text="opened").count() >= 2
    for name in ("Save as Markdown", "Save as notebook", "Save as Markdown"):
        before = panel.locator(".kit-done").inner_text()
        panel.get_by_role("button", name=name).click()
        until(lambda before=before: panel.locator(".kit-done").inner_text() != before)
    until(lambda: len([*lab.folder.glob("research-*.md")]) == 2)
    assert len([*lab.folder.glob("research-*.ipynb")]) == 1
    start_another_and_compare(shown, panel)
    assert errors_in(shown.outputs()) == []


def start_another_and_compare(shown: Any, panel: Any) -> None:
    panel.locator("summary", has_text="Ask for research").click()
    start(panel, "짜장면의 이름")
    ended(shown, panel)
    choice = panel.get_by_label("Compare with")
    until(lambda: choice.locator("option").count() == 2)
    choice.select_option(index=1)
    panel.get_by_role("button", name="Compare").click()
    until(lambda: panel.locator(".kit-difference ins").count() > 0)
    shown.picture("panel-compared")


def test_stop_asks_once_more_and_ends_the_run(open_notebook: Any) -> None:
    shown, panel = opened(open_notebook, "stop.ipynb", theme="JupyterLab Dark")
    start(panel, "The history of coffee")
    stop = panel.locator(".kit-standing button")
    stop.click()
    assert stop.inner_text() == "End the run for good?"
    shown.picture("panel-stop-dark")
    stop.press("Enter")  # the button's, and no key of the notebook's
    until(lambda: "cancelled" in panel.inner_text())
    shown.picture("panel-stopped-dark")
    assert errors_in(shown.outputs()) == []


def test_questions_are_asked_back_and_answered(open_notebook: Any) -> None:
    shown, panel = opened(open_notebook, "clarify.ipynb", theme="JupyterLab Dark")
    panel.get_by_label("Question").fill("the history of tea")
    panel.get_by_role("button", name="Clarify").click()
    answers = panel.locator(".kit-questions input")
    until(lambda: answers.count() == 3)
    answers.nth(0).fill("the 19th century")
    shown.picture("panel-asked-dark")
    answers.nth(0).press("Enter")
    assert answers.nth(1).evaluate("node => node === document.activeElement")
    answers.nth(1).press("Control+Enter")
    until(lambda: panel.locator(".kit-question").count() == 1)
    assert "19th century" in panel.locator(".kit-question").inner_text()
    ended(shown, panel)
    shown.picture("panel-ended-dark")
    assert len(shown.outputs()) == 2  # no key of ours was one of the notebook's


def test_start_pressed_twice_begins_one_run(open_notebook: Any) -> None:
    """A double click, and Enter twice: the kernel answers between the two."""
    shown, panel = opened(open_notebook, "twice.ipynb", "1", pace="0")
    panel.get_by_label("Question").fill("The history of coffee")
    panel.get_by_role("button", name="Start").dblclick(delay=20)
    ended(shown, panel)
    fold = panel.locator("summary", has_text="Ask for research")
    fold.click()
    until(lambda: panel.get_by_role("button", name="Start").is_enabled())
    panel.get_by_label("Budget").evaluate(TWICE)
    shown.edit(1).fill("len(kit.runs())")

    def runs() -> str:
        shown.run_cell(1)
        return shown.outputs()[1][0]["data"]["text/plain"]

    until(lambda: runs() == "2")
    shown.page.wait_for_timeout(2000)
    assert runs() == "2"


TWICE = """node => {
  node.form.requestSubmit();
  setTimeout(() => node.form.requestSubmit(), 150);
}"""


def test_the_price_is_that_of_the_model_that_is_filled_in(open_notebook: Any) -> None:
    other = (
        "from kit.notebook import price_tag\n"
        "price_tag.price_of = lambda model: f'It costs nothing with {model}.'"
    )
    shown, panel = opened(open_notebook, "price.ipynb", other)
    price = panel.locator(".kit-price")
    panel.get_by_label("Model", exact=True).fill("deep")
    assert price.inner_text() == ""
    until(lambda: price.inner_text() == "It costs nothing with deep.")
    panel.get_by_label("Model", exact=True).fill("")
    until(lambda: price.inner_text() == "It costs nothing with None.")
    panel.get_by_label("Question").fill("tea")
    shown.edit(1).fill("price_tag.price_of = lambda model: '$90.'")
    shown.run_cell(1)
    panel.get_by_role("button", name="Start").click()
    until(lambda: "not what was shown" in panel.get_by_role("alert").inner_text())
    assert price.inner_text() == "$90."
    shown.picture("panel-price")
    until(lambda: panel.get_by_role("button", name="Start").is_enabled())
    panel.get_by_role("button", name="Start").click()
    until(lambda: panel.locator(".kit-question").count() == 1)


def test_the_focus_stays_while_the_variables_are_drawn_anew(open_notebook: Any) -> None:
    shown, panel = opened(open_notebook, "focus.ipynb", "first = 'a'; second = 'b'")
    panel.get_by_label("second").focus()
    shown.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets[1]"
                        ".model.sharedModel.setSource('third = \"c\"')")  # fmt: skip
    shown.run_cell(1)
    panel.get_by_label("second").focus()
    panel.locator(".kit-names").dispatch_event("pointerenter")
    until(lambda: panel.get_by_label("third").count() == 1)
    assert shown.page.evaluate("() => document.activeElement.name") == "second"


def test_what_does_not_fit_is_said_in_the_panel(open_notebook: Any) -> None:
    shown, panel = opened(open_notebook, "wrong.ipynb")
    panel.get_by_label("Question").fill("tea")
    panel.get_by_label("Budget").fill("much")
    panel.get_by_label("Budget").press("Enter")
    until(lambda: panel.get_by_role("alert").is_visible())
    assert "US dollars" in panel.get_by_role("alert").inner_text()
    shown.picture("panel-wrong")
    assert errors_in(shown.outputs()) == []


def test_a_page_that_is_reloaded_goes_on_and_a_second_view_shows_the_same(
    open_notebook: Any,
) -> None:
    shown, panel = opened(open_notebook, "reload.ipynb", "1 + 1")
    start(panel)
    shown.page.evaluate(COMMAND, "docmanager:save")
    shown.load_again("reload.ipynb")
    panel = shown.output(2)
    until(lambda: QUESTION in panel.locator(".kit-question").inner_text())
    shown.picture("panel-reloaded")
    ended(shown, panel)
    shown.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets[1]"
                        ".model.sharedModel.setSource('panel')")  # fmt: skip
    shown.run_cell(1)
    again = shown.output(1)
    ended(shown, again)
    assert "산둥" in again.inner_text()
    assert panel.get_by_label("Question").input_value() == QUESTION
    assert errors_in(shown.outputs()) == []


def test_a_reopened_notebook_has_the_report_and_no_token(lab: Any, open_notebook: Any) -> None:
    shown, panel = opened(open_notebook, "reopened.ipynb", pace="0")
    panel.get_by_label("Question").fill(QUESTION)
    panel.get_by_role("button", name="Start").click()
    ended(shown, panel)
    until(lambda: "산둥" in json.dumps(shown.outputs(), ensure_ascii=False))
    shown.page.evaluate(COMMAND, "docmanager:save")
    saved = (lab.folder / "reopened.ipynb").read_text()
    assert "산둥" in saved
    assert "token" not in saved.lower()
    shown.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    shown.page.close()
    again = open_notebook("reopened.ipynb")
    panel = again.output(1)
    fold = panel.locator("details > summary").first
    until(lambda: QUESTION in fold.inner_text())
    again.picture("panel-reopened")
    fold.click()
    assert "산둥" in panel.inner_text()
    again.picture("panel-reopened-open")
