"""Research in JupyterLab: a card that goes on when its cell is over, a model that decides."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import LOAD
from tests.browser.test_first_notebook import errors_in
from tests.waiting import until

pytestmark = pytest.mark.browser


def test_a_research_cell_ends_at_once_and_its_card_goes_on(open_notebook: Any) -> None:
    shown = open_notebook(
        "research.ipynb",
        [
            LOAD.format(pace=2, name="research.ipynb"),
            "%%research -o run\n짜장면의 역사와 기원을 조사해줘",
            "1 + 1",
            "run.wait().sources",
        ],
    )
    shown.run_cell(0)
    shown.run_cell(1)
    shown.run_cell(2)
    until(lambda: "searching" in shown.output(1).inner_text())
    assert "2" in shown.output(2).inner_text()
    shown.picture("research-live")
    shown.let_time_pass()
    shown.run_cell(3)
    until(lambda: "completed" in shown.output(1).inner_text())
    shown.picture("research-ended")
    assert errors_in(shown.outputs()) == []
    assert len([one for one in shown.outputs()[1] if one["data"]]) == 1  # the live one is empty
    assert shown.output(1).locator("ol a[href^='https://']").count() >= 1


def test_the_model_itself_starts_research(open_notebook: Any) -> None:
    shown = open_notebook(
        "auto.ipynb",
        [
            LOAD.format(pace=2, name="auto.ipynb"),
            "%%responses --auto-tool-call -o answer\n짜장면의 역사와 기원에 대해 상세히 조사해줘",
            "answer.tool_calls[0].run.check()",
        ],
    )
    shown.run_cell(0)
    shown.start()
    until(lambda: "searching" in shown.output(1).inner_text())
    shown.picture("auto-live")
    shown.let_time_pass()
    until(lambda: "opened" in shown.output(2).inner_text())
    shown.picture("auto-ended")
    assert errors_in(shown.outputs()) == []
