"""A research widget that is taken away and shown again, from a front end that can show one."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from tests.notebook.frontends import FrontEnd

pytestmark = pytest.mark.once


class Plain(FrontEnd):
    """Notes what a page is told, and makes nothing of it: no live card is all of these widgets."""

    def _tell(self, widget: Any, data: dict[str, Any]) -> None:
        if data["method"] == "custom":
            widget.told.append(data["content"])


@pytest.fixture(scope="module")
def front_end(tmp_path_factory: pytest.TempPathFactory) -> Generator[FrontEnd, None, None]:
    home = str(tmp_path_factory.mktemp("kernel-home"))
    kernel = Plain({"HOME": home, "XDG_DATA_HOME": home})
    yield kernel
    kernel.close()


@pytest.mark.parametrize(
    ("made", "part"),
    [("kit.research_panel(run)", "result"), ("kit.runs_table()", "rows")],
)
def test_a_closed_widget_is_shown_again_and_told_everything(
    front_end: FrontEnd, made: str, part: str
) -> None:
    front_end.run("run = kit.research('The history of coffee').wait()")
    assert front_end.run(f"widget = {made}\nwidget").error is None
    first = front_end.widget
    assert front_end.run("widget.close()").error is None
    assert first.closed
    assert front_end.run("widget").error is None
    again = front_end.widget
    assert again.id != first.id
    front_end.listen(lambda: any(news.get(part) for news in again.told))
    assert front_end.run("widget.close(); widget.close()").error is None


def test_a_panel_that_is_shown_again_follows_its_run(front_end: FrontEnd) -> None:
    """Closing ended the watching, and no more than that."""
    front_end.run("import os; os.environ['KIT_SANDBOX_PACE'] = '0.3'")
    front_end.run("run = kit.research('The history of tea')\npanel = kit.research_panel(run)")
    front_end.run("panel.close()")
    assert front_end.run("panel").error is None
    widget = front_end.widget
    front_end.listen(lambda: any(news.get("result") for news in widget.told))
