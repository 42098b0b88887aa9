"""The chat panel as a person uses it, in JupyterLab."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import LOAD as LOAD_SLOWED
from tests.browser.test_first_notebook import errors_in
from tests.waiting import until

pytestmark = pytest.mark.browser

LOAD = """%load_ext kit
import pandas as pd
sales = pd.DataFrame({"city": ["Seoul", "Busan"], "sold": [31337, 4]})"""
SLOW = "import os; os.environ['KIT_SANDBOX_PACE'] = '40'"
SAVE = "() => window.jupyterapp.commands.execute('docmanager:save')"
SOURCES = """() => window.jupyterapp.shell.currentWidget.content.model.toJSON()
  .cells.map(cell => cell.source)"""


class Panel:
    """The panel in the output of a cell."""

    def __init__(self, output: Any) -> None:
        self.output = output
        self.area = output.get_by_label("Your question", exact=True)
        self.area.wait_for()

    def press(self, name: str, which: int = -1) -> None:
        self.output.get_by_role("button", name=name).nth(which).click()

    def count(self, name: str) -> int:
        return self.output.get_by_role("button", name=name).count()

    def ask(self, text: str) -> None:
        before = self.count("Retry")
        self.area.fill(text)
        self.area.press("Enter")
        until(lambda: self.count("Retry") > before)

    def shows(self, text: str) -> None:
        until(lambda: text in self.output.inner_text())


def open_panel(open_notebook: Any, name: str, first: str = LOAD, **options: Any) -> Any:
    shown = open_notebook(name, [first, "panel = kit.chat_panel()\npanel", "1 + 1"], **options)
    shown.run()
    return shown, Panel(shown.output(1))


def test_asking_attaching_branching_and_keeping(open_notebook: Any, lab: Any) -> None:
    shown, panel = open_panel(open_notebook, "chat.ipynb")
    panel.ask("짜장면의 역사를 정리해줘")
    panel.shows("짜장면의 역사")
    attach = panel.output.get_by_label("Attach a DataFrame")
    attach.focus()
    until(lambda: "sales" in attach.inner_text())
    attach.select_option("sales")
    panel.ask("How many were sold in Seoul?")
    panel.shows("with sales")
    panel.press("Retry")
    panel.shows("2 of 2")
    panel.press("The version before")
    panel.shows("1 of 2")
    panel.press("Edit", 0)
    panel.output.get_by_label("Your question in other words").fill("Reply with exactly: OK")
    panel.press("Ask anew")
    until(lambda: panel.count("Retry") == 1)
    panel.press("To Markdown")
    panel.shows("Saved as chat-")
    saved = next(lab.folder.glob("chat-*.md")).read_text("utf-8")
    assert "Reply with exactly: OK" in saved
    shown.picture("chat")
    assert errors_in(shown.outputs()) == []


def test_an_answer_is_put_into_a_cell_below(open_notebook: Any) -> None:
    shown, panel = open_panel(open_notebook, "to-cell.ipynb")
    panel.ask("Reply with exactly: forty-two")
    panel.press("To cell")
    panel.shows("Put into a cell below")
    assert shown.page.evaluate(SOURCES)[2] == "%%markdown\nforty-two\n"


@pytest.mark.parametrize("how", ["Escape", "the button"])
def test_stop_keeps_the_partial_answer(open_notebook: Any, how: str) -> None:
    shown, panel = open_panel(open_notebook, f"stop-{how[:3]}.ipynb", f"{SLOW}\n{LOAD}")
    panel.area.fill("Tell me about the history of coffee")
    panel.area.press("Enter")
    until(lambda: "about" in panel.output.locator(".kit-facts").inner_text())
    if how == "Escape":
        panel.area.press("Escape")
    else:
        panel.press("Stop")
    panel.shows("not finished: stopped")
    shown.picture(f"chat-stopped-{how[:3]}")
    assert panel.count("Retry") == 1


def test_the_keyboard_is_enough(open_notebook: Any) -> None:
    """Enter sends, Shift+Enter is a new line, and no key reaches the notebook's own commands."""
    shown, panel = open_panel(open_notebook, "keys.ipynb")
    cells = len(shown.page.evaluate(SOURCES))
    panel.area.click()
    shown.page.keyboard.type("a b d d x")  # commands of the notebook, were they to get there
    shown.page.keyboard.press("Shift+Enter")
    shown.page.keyboard.type("second line")
    assert panel.area.input_value() == "a b d d x\nsecond line"
    shown.page.keyboard.press("Enter")
    until(lambda: panel.count("Retry") == 1)
    assert panel.area.input_value() == ""
    assert len(shown.page.evaluate(SOURCES)) == cells


def test_a_page_that_is_reloaded_shows_the_conversation_again(open_notebook: Any) -> None:
    shown, panel = open_panel(open_notebook, "reload.ipynb")
    panel.ask("Reply with exactly: REMEMBERED")
    shown.page.evaluate(SAVE)
    again = open_notebook("reload.ipynb")
    panel = Panel(again.output(1))
    panel.shows("REMEMBERED")
    panel.ask("Reply with exactly: MORE")
    again.picture("chat-reloaded")


def test_a_notebook_without_a_kernel_still_has_the_conversation(
    open_notebook: Any, lab: Any
) -> None:
    shown, panel = open_panel(open_notebook, "kept.ipynb")
    panel.ask("Reply with exactly: KEPT")
    panel.shows("kept for a notebook without a kernel")
    shown.page.evaluate(SAVE)
    shown.page.evaluate("() => window.jupyterapp.commands.execute('kernelmenu:shutdown')")
    again = open_notebook("kept.ipynb")
    output = again.output(1)
    output.locator("summary", has_text="This conversation").click()
    until(lambda: "KEPT" in output.inner_text())
    again.picture("chat-kept")


def test_a_dark_panel_and_what_costs_money(open_notebook: Any) -> None:
    """The sandbox at an address costs money, as far as anybody can tell: the panel asks."""
    paid = (
        LOAD_SLOWED.format(pace=2, name="paid.ipynb")
        + """
from kit.serving import serve_in_thread
from kit.sandbox.app import open_sandbox
served = serve_in_thread(open_sandbox(pace=2))
os.environ.update(LITELLM_BASE_URL=served.url, LITELLM_MODEL="sandbox",
                  LITELLM_RESEARCH_MODEL="sandbox-research")"""
    )
    shown, panel = open_panel(open_notebook, "paid.ipynb", paid, theme="JupyterLab Dark")
    panel.output.get_by_label("Tools").check()
    panel.area.fill("짜장면의 역사와 기원에 대해 상세히 조사해줘")
    panel.area.press("Enter")
    until(lambda: panel.count("Allow") == 1)
    shown.picture("chat-consent")
    panel.press("Allow")
    until(lambda: "searched" in panel.output.inner_text())
    shown.picture("chat-tools")
    shown.let_time_pass()
    until(lambda: panel.count("Retry") == 1)
    shown.picture("chat-dark")


def test_panels_do_not_undress_each_other(open_notebook: Any) -> None:
    """One class of widgets has one style in a page: it is that of all of them."""
    cells = [LOAD, "kit.chat_panel()", "kit.research_panel()", "kit.runs_table()"]
    shown = open_notebook("dressed.ipynb", cells)
    shown.run()
    shown.output(3).locator(".kit-widget").wait_for()
    panel = Panel(shown.output(1))
    panel.ask("Reply with exactly: OK")
    shown.picture("panels-together")
    style = "node => getComputedStyle(node).whiteSpace"
    assert panel.output.locator(".kit-prompt").evaluate(style) == "pre-wrap"
    form = shown.output(2).locator(".kit-form").first
    assert form.evaluate("node => getComputedStyle(node).display") == "flex"


def test_keys_in_a_panel_are_no_commands_of_the_notebook(open_notebook: Any) -> None:
    """Also with the focus on a button; but the notebook can still be saved."""
    shown, panel = open_panel(open_notebook, "focus.ipynb")
    before = shown.page.evaluate(SOURCES)
    for name in ("Clear", "To Markdown", "Send"):
        panel.output.get_by_role("button", name=name).focus()
        shown.page.keyboard.type("abdd")
    assert shown.page.evaluate(SOURCES) == before
    shown.page.keyboard.press("Control+s")
    dirty = "() => window.jupyterapp.shell.currentWidget.context.model.dirty"
    until(lambda: not shown.page.evaluate(dirty))
