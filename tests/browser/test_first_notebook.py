"""What a newcomer sees: the notebooks, in JupyterLab, in a browser."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import until

pytestmark = pytest.mark.browser

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))

HOSTILE_PAGE = """# Quarterly turnips

Turnip sales rose. <script>window.kitAttacked = "script"</script>
<img src="x" onerror="window.kitAttacked = 'onerror'">
<button data-commandlinker-command="apputils:reset">Press me about turnips</button>
[Turnip link](javascript:window.kitAttacked='link') ![turnip](http://127.0.0.1:9/pixel.png)
<iframe srcdoc="<script>parent.kitAttacked = 'iframe'</script>"></iframe>
Turnip harvest was 4,210 tonnes in the third quarter.
"""


def errors_in(outputs: list[list[dict[str, Any]]]) -> list[str]:
    return [
        f"{output['ename']}: {output['evalue']}"
        for cell in outputs
        for output in cell
        if output["output_type"] == "error"
    ]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.stem)
def test_every_cell_of_a_notebook_runs(notebook: Path, lab: Any, open_notebook: Any) -> None:
    shutil.copy(notebook, lab.folder / notebook.name)
    shown = open_notebook(notebook.name)
    shown.run()
    shown.picture(notebook.stem)
    outputs = shown.outputs()
    assert errors_in(outputs) == []
    ends = [cell for cell in shown.page.evaluate(CELLS) if cell["type"] == "code"]
    assert all(cell["count"] for cell in ends)


CELLS = """() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells
  .map(cell => ({type: cell.cell_type, count: cell.execution_count}))"""


def test_an_answer_is_one_output_with_numbered_sources(open_notebook: Any) -> None:
    shown = open_notebook(
        "sources.ipynb",
        ["%load_ext kit", "%%responses --web-search\n짜장면의 역사를 웹 검색으로 정리해줘"],
    )
    shown.run()
    shown.picture("sources")
    answer = shown.outputs()[1]
    assert len(answer) == 1
    assert {"text/html", "text/markdown", "text/plain"} <= answer[0]["data"].keys()
    assert "Sources" in shown.output(1).inner_text()
    assert shown.output(1).locator("ol a[href^='https://']").count() >= 1


def test_a_page_that_attacks_is_only_read(lab: Any, open_notebook: Any) -> None:
    """A hostile document is found and quoted; nothing of it runs or is fetched."""
    folder = lab.folder / "documents"
    folder.mkdir()
    (folder / "turnips.md").write_text(HOSTILE_PAGE)
    shown = open_notebook(
        "hostile.ipynb",
        [
            f"import os; os.environ['KIT_SANDBOX_CORPUS'] = {str(folder)!r}",
            "%load_ext kit",
            "%%responses --web-search -o quoted\nWhat is known about the turnip harvest?",
            "%%chat\nTurnip sales and turnip links",
            "from IPython.display import display; display(quoted)",
        ],
    )
    fetched: list[str] = []
    shown.page.on("request", lambda request: fetched.append(request.url))
    shown.run()
    shown.picture("hostile")
    assert errors_in(shown.outputs()) == []
    assert "4,210 tonnes" in shown.output(2).inner_text()
    assert shown.page.evaluate("() => window.kitAttacked") is None
    assert [url for url in fetched if "pixel" in url] == []
    for cell in (2, 3, 4):
        found = shown.output(cell).locator("script, iframe, img, button, [onerror]")
        assert found.count() == 0


def test_stop_ends_a_stream_and_keeps_the_text(open_notebook: Any) -> None:
    shown = open_notebook(
        "stop.ipynb",
        [
            "import os; os.environ['KIT_SANDBOX_PACE'] = '40'",
            "%load_ext kit",
            "%%responses -o partial\nTell me about the history of coffee",
        ],
    )
    shown.start()
    until(lambda: len(shown.output(2).inner_text()) > 40)
    shown.interrupt()
    until(lambda: bool(errors_in(shown.outputs())))
    shown.picture("stopped")
    assert errors_in(shown.outputs())[0].startswith("Interrupted: Stopped")


def test_a_failed_cell_shows_lines_and_no_traceback(open_notebook: Any) -> None:
    shown = open_notebook("failed.ipynb", ["%load_ext kit", "%%chat -m sandbox:429\nHello"])
    shown.run()
    shown.picture("failed")
    text = shown.output(1).inner_text()
    assert text.startswith("RateLimited: ")
    assert "Traceback" not in text
    assert len(text.strip().splitlines()) <= 3


def test_the_dark_theme_shows_the_same(open_notebook: Any) -> None:
    shown = open_notebook(
        "dark.ipynb",
        ["%load_ext kit", "%%responses --web-search\nWhat is photosynthesis?"],
        theme="JupyterLab Dark",
    )
    shown.run()
    shown.picture("dark")
    assert errors_in(shown.outputs()) == []
    assert "Sources" in shown.output(1).inner_text()


def test_tab_completes_the_options(open_notebook: Any) -> None:
    shown = open_notebook("tab.ipynb", ["%load_ext kit", "%%responses --e"])
    shown.run_cell(0)
    editor = shown.edit(1)
    editor.press("End")

    def offered() -> bool:
        # JupyterLab gives a kernel one second, and its first completion may take longer
        editor.press("Tab")
        shown.page.wait_for_timeout(1200)
        return "--effort" in shown.page.locator(".jp-Completer").first.inner_text()

    until(offered)
