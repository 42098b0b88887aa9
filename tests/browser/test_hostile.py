"""Hostile texts in JupyterLab: nothing of them runs, nothing is fetched, and all of it is read.

A place that shows what a model said is one line in PLACES: the cells that show it there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from kit.serving import serve_in_thread
from tests.browser.conftest import PANEL, PICTURES, Lab, OpenNotebook, opened
from tests.browser.hostile import ANSWERS, JUDGE, PIXEL, RUN
from tests.browser.hostile_gateway import Hostile
from tests.browser.test_first_notebook import errors_in
from tests.waiting import until

pytestmark = pytest.mark.browser

SET_UP = """import os
os.environ.update(LITELLM_BASE_URL={url!r}, LITELLM_MODEL='m', LITELLM_API_KEY='sk-test')
%load_ext kit
from kit.notebook import frontend
frontend.HELLO_SECONDS = 1000.0
def a_function(x: str) -> str:
    "One to be called."
    return x
"""


@dataclass(frozen=True)
class Place:
    """Where hostile text is shown. `{name}` in `cell` is the answer that is asked for.

    live: what shows it while it grows; ended: what shows it at the end. ask: what a person does in
    a panel that the cell shows, and which stays.
    """

    cell: str
    answers: tuple[str, ...] = tuple(ANSWERS)
    live: str = ".kit-live"
    ended: str = ".jp-OutputArea-output"
    ask: Callable[[Any, str], None] | None = None


def ask_the_chat(output: Any, prompt: str) -> None:
    area = output.get_by_label("Your question", exact=True)
    area.fill(prompt)
    area.press("Enter")


def ask_for_research(output: Any, prompt: str) -> None:
    until(lambda: "is a yes to what it costs" in output.inner_text())
    output.get_by_label("Question").fill(prompt)
    output.get_by_role("button", name="Start").click()


ATTACK = f"<img src=x onerror={RUN}> [x](javascript:{RUN}) ![x]({PIXEL})"
PLACES = {
    "chat": Place("%%chat\nanswer {name}"),
    "responses": Place("%%responses\nanswer {name}"),
    "functions": Place("%%responses --tools a_function --yes\nanswer {name}", ("first",)),
    "chat panel": Place(
        "kit.chat_panel()  # {name}", ("first", "more"), ended=".kit-said", ask=ask_the_chat
    ),
    "research panel": Place(
        "kit.research_panel()  # {name}", ("first",), ended=".kit-report", ask=ask_for_research
    ),
    "research": Place("%%research -o run\nanswer {name}", ("first", "more")),
}


@dataclass
class Attacked:
    """A notebook on the hostile gateway, and every request that its page made."""

    gateway: Hostile
    shown: OpenNotebook
    lab: Lab
    cells: dict[tuple[str, str], int]
    requests: list[str] = field(default_factory=list[str])

    def harm(self) -> list[Any]:
        """What has happened that must not."""
        there = self.shown.page.evaluate("() => [window.kitAttacked ?? null, window.kitFound]")
        attacked, found = there
        own = (self.lab.url, f"blob:{self.lab.url}", "data:")  # a widget's program is a blob
        fetched = [one for one in self.requests if not one.startswith(own)]
        return [*([attacked] if attacked else []), *found, *fetched]


@pytest.fixture(scope="module")
def attacked(lab: Lab, browser: Any) -> Iterator[Attacked]:
    gateway = Hostile()
    served = serve_in_thread(gateway)
    named = [(name, answer) for name, place in PLACES.items() for answer in place.answers]
    cells = [SET_UP.format(url=served.url)]
    cells += [PLACES[name].cell.format(name=answer) for name, answer in named]
    shown = opened(lab, browser, "hostile-texts.ipynb", [*cells, EXPORT])
    places = {one: number for number, one in enumerate(named, 1)}
    attacked = Attacked(gateway, shown, lab, places)
    shown.page.on("request", lambda request: attacked.requests.append(request.url))
    shown.page.evaluate(JUDGE)
    shown.run_cell(0)
    yield attacked
    shown.page.close()
    served.stop()


EXPORT = "for kind in ('html', 'md', 'json'): run.save(f'hostile.{kind}')"
WORDS = """([cell, selector, words]) => [...cell.querySelectorAll(selector)]
  .some(place => words.every(word => place.textContent.includes(word)))"""


def last_words(answer: str) -> list[str]:
    """What an answer has to say after the worst of it."""
    return [ANSWERS[answer].rsplit(maxsplit=1)[-1].rstrip(".")]


@pytest.mark.parametrize("name", PLACES)
def test_nothing_hostile_gets_through(attacked: Attacked, name: str) -> None:
    """Neither while it grows nor at the end; and what it says is there to be read."""
    place, shown = PLACES[name], attacked.shown
    for answer in place.answers:
        cell = attacked.cells[name, answer]

        def says(selector: str, *words: str, cell: int = cell) -> None:
            there = shown.page.locator(f"{PANEL} .jp-Notebook .jp-CodeCell").nth(cell)
            handle = there.element_handle()
            shown.page.wait_for_function(WORDS, arg=[handle, selector, words])

        if place.ask is None:
            shown.start_cell(cell)
        else:
            shown.run_cell(cell)
            place.ask(shown.output(cell), f"{ATTACK} answer {answer}")
        says(place.live, "Beginning now.")
        attacked.gateway.go.set()
        says(place.live, *last_words(answer))
        assert attacked.harm() == []
        if answer == "first":
            shown.page.screenshot(path=PICTURES / f"hostile-{name}-live.png")
        attacked.gateway.go.set()
        says(place.ended, "Beginning now.", "Ending now.", *last_words(answer))
        if place.ask is None:
            until(lambda cell=cell: shown.output(cell).locator(".kit-widget").count() == 0)
        assert attacked.harm() == []
        outputs = shown.output(cell).locator(".jp-OutputArea-output")
        assert outputs.count() >= 1
        judged = [one.evaluate("root => kitJudge(root)") for one in outputs.all()]
        assert [found for found in judged if found] == []
    assert errors_in(shown.outputs()) == []


def test_nothing_hostile_is_in_a_saved_report(attacked: Attacked, browser: Any) -> None:
    """Opened as files, the Markdown with a renderer that lets all HTML through."""
    attacked.shown.run_cell(len(attacked.cells) + 1)
    folder = attacked.lab.folder
    for file in (folder / "hostile.html", rendered(folder / "hostile.md")):
        page, requests = browser.new_page(), []
        page.add_init_script("window.alert = () => { window.kitAttacked = 'dialog'; }")
        page.on("request", lambda request, seen=requests: seen.append(request.url))
        page.goto(file.as_uri())
        page.evaluate(JUDGE)
        assert "Ending now." in page.inner_text("body")
        assert requests == [file.as_uri()]
        assert page.evaluate("() => kitJudge(document.body)") == []
        assert page.evaluate("() => window.kitAttacked ?? null") is None
        page.close()


def rendered(file: Path) -> Path:
    permissive = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    permissive.validateLink = lambda url: True  # type: ignore[method-assign]
    place = file.with_suffix(".md.html")
    body = permissive.render(file.read_text("utf-8"))
    place.write_text(f"<!doctype html><meta charset=utf-8><body>{body}", "utf-8")
    return place


def test_the_judge_sees_an_attack(attacked: Attacked, browser: Any) -> None:
    """It has teeth: what is put into an output without cleaning is found."""
    page = browser.new_page()
    page.set_content("<div class=jp-OutputArea-output></div>")
    page.evaluate(JUDGE)
    page.evaluate(
        "html => { document.querySelector('div').innerHTML = html; }",
        f"<img src=x onerror={RUN}><a href='javascript:{RUN}'>x</a><b onclick=x>y</b>",
    )
    page.wait_for_function("() => window.kitAttacked")
    assert len(page.evaluate("() => window.kitFound")) == 3
    page.close()
