"""The research panel in JupyterLab: asked, followed, kept, compared; reloaded and reopened."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.test_first_notebook import errors_in, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

LOAD = "import os; os.environ['KIT_SANDBOX_PACE'] = '0.3'\n%load_ext kit"
QUESTION = "짜장면의 역사와 기원을 조사해줘"


def opened(open_notebook: Any, name: str, *cells: str, **options: Any) -> Any:
    shown = open_notebook(name, [LOAD, *cells], **options)
    for cell in range(1 + len(cells)):
        shown.run_cell(cell)
    return shown


def test_a_question_is_asked_and_its_run_followed_to_the_report(open_notebook: Any) -> None:
    shown = opened(open_notebook, "panel.ipynb", "panel = kit.research_panel()\npanel")
    panel = shown.output(1)
    panel.get_by_label("Question").fill(QUESTION)
    wait_until(lambda: "It costs nothing" in panel.inner_text(), 20)
    shown.picture("panel-form")
    panel.get_by_role("button", name="Start").click()
    wait_until(lambda: "searching" in panel.inner_text(), 20)
    shown.picture("panel-live")
    wait_until(lambda: "Checks:" in panel.inner_text(), 30)
    shown.picture("panel-ended")
    assert errors_in(shown.outputs()) == []
