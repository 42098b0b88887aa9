"""The research panel from the kernel's side: what a page says, and what it is told."""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pandas
import pytest

import kit
from kit import errors
from kit.notebook import price_tag, research_desk
from kit.notebook.errands import Errands
from kit.notebook.export_run import notebook_of
from kit.notebook.open_run import result_of
from kit.notebook.research_desk import ResearchDesk
from kit.notebook.research_form import FORMATS, Form, offered
from kit.notebook.slate import Slate
from kit.relay.run import Run
from tests.notebook.pages import PageOf
from tests.relay.caller import callers
from tests.relay.caller.callers import Elsewhere

pytestmark = pytest.mark.once

QUESTION = "김치의 역사는?"
HOSTILE = (
    "# Report\n\n<script>window.kitAttacked=1</script> <img src=x onerror=alert(1)> "
    "[a](javascript:alert(1)) [김치](https://a.example/1)"
)


@pytest.fixture(scope="module")
def one_for_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    with Elsewhere(tmp_path_factory.mktemp("relay")) as there:
        yield there


@pytest.fixture
def elsewhere(one_for_all: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    return one_for_all.known_to(monkeypatch)


@pytest.fixture
def panel() -> Iterator[Callable[..., tuple[PageOf, ResearchDesk]]]:
    """`panel(name=value)`: a panel in a notebook with these variables, and a page of it."""
    desks: list[ResearchDesk] = []

    def open_it(**variables: Any) -> tuple[PageOf, ResearchDesk]:
        page = PageOf()
        desk = ResearchDesk(page.tell, lambda: (variables, {}), lambda run: None)
        page.hear = desk.hear
        page.say("hello")
        desks.append(desk)
        return page, desk

    yield open_it
    for desk in desks:
        desk.close()


def form(question: str = QUESTION, **more: Any) -> dict[str, Any]:
    return {**Form(question).document(), **more}


def start(page: PageOf, number: int | None = None, **filled: Any) -> None:
    """Press Start, once it stands there what that costs."""
    told = {"model": filled.get("model", "")}
    page.say("draft", form=form(**filled))
    page.until(lambda page: page["price"] and page["price"]["model"] == told["model"])
    number = page["number"] if number is None else number
    page.say("start", form=form(**filled), number=number, price=page["price"]["words"])


# -- it starts -----------------------------------------------------------------------------------


def test_start_begins_a_run_and_tells_it_to_its_end(elsewhere: Elsewhere, panel: Any) -> None:
    page, desk = panel()
    start(page)
    page.until(lambda page: page["run"])
    assert page["run"]["question"] == QUESTION
    page.until(lambda page: page["run"]["status"] == "pending" and page["live"])
    elsewhere.complete(desk.run)
    page.until(lambda page: page["result"])
    assert page["run"]["status"] == "completed"
    result = page["result"]
    assert "발효 음식" in result["html"]
    first = result["sources"][0]
    assert (first["opened"], first["cited"]) == ("opened", "cited")
    assert {one["verdict"] for one in result["checks"]} == {"opened", "never seen"}
    assert page["busy"] == "" and page["problem"] == ""


def test_what_is_filled_in_goes_along(elsewhere: Elsewhere, panel: Any) -> None:
    frame = pandas.DataFrame({"city": ["Seoul"]})
    page, desk = panel(cities=frame, notes="The court kept records.")
    filled = {
        **{"format": "markdown_report", "context": "Known: salt.", "names": ["cities", "notes"]},
        **{"constraints": "Korean sources\n\n since 1900 ", "model": "deep"},
    }
    start(page, **filled)
    page.until(lambda page: page["run"])
    asked = desk.run.inner.entry.arguments
    assert asked["deliverable_format"] == "markdown_report"
    assert asked["constraints"] == ["Korean sources", "since 1900"]
    assert asked["model"] == "deep"
    known, cities, notes = asked["context"]
    assert (known, notes) == ("Known: salt.", "The court kept records.")
    assert "Seoul" in cities


def test_no_key_and_no_token_is_told(elsewhere: Elsewhere, panel: Any) -> None:
    page, desk = panel()
    start(page)
    page.until(lambda page: page["run"])
    elsewhere.complete(desk.run)
    page.until(lambda page: page["result"])
    page.say("hello")
    assert len(desk.run.token) > 20
    for secret in (desk.run.token, "relay-key-0123456789"):
        assert secret not in page.everything


def test_a_page_that_opens_later_is_told_everything(elsewhere: Elsewhere, panel: Any) -> None:
    page, desk = panel()
    page.say("draft", form=form("half a question", budget="2"))
    desk.open(elsewhere.research())
    elsewhere.complete(desk.run)
    page.until(lambda page: page["result"])
    told = page.parts
    page.parts = {}
    page.say("hello")
    assert page["all"] is True
    assert page["form"]["question"] == "half a question"
    assert page["form"]["budget"] == "2"
    for part in ("run", "result", "offers"):
        assert page[part] == told[part]
    assert page["live"]["facts"]["status"] == "completed"


def test_hearing_does_not_wait_for_the_relay(panel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes the connection and says nothing: the page has been heard all the same."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("RELAY_BASE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        page, _ = panel()
        start(page)
        assert page["busy"] == "start"


def test_a_panel_that_is_closed_while_its_run_starts_watches_nothing(
    elsewhere: Elsewhere, panel: Any
) -> None:
    """Else it would read the run for ever, and nobody sees it."""
    page, desk = panel()
    desk.close()
    desk.open(kit.research(QUESTION))
    assert page["live"] is None and desk.run is not None
    page.say("hello", view="again")  # shown again, it does
    page.until(lambda page: page["live"])


def test_one_thing_is_done_at_a_time() -> None:
    page = PageOf()
    slate = Slate(page.tell)
    slate.greet()
    errands, held = Errands(slate), [True]

    def wait() -> None:
        while held:
            time.sleep(0.005)

    assert errands.do("first", wait) is True
    assert page["busy"] == "first"
    assert errands.do("second", wait) is False
    assert "first" in page["problem"]  # what is refused is said
    held.clear()
    page.idle()
    assert errands.do("third", lambda: None) is True


# -- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filled", "says"),
    [
        ({"question": "  "}, "The question is empty"),
        ({"budget": "much"}, "budget: US dollars, a number"),
        ({"budget": "-1"}, "budget has to be above 0."),
        ({"names": ["gone"]}, "no variable gone any more"),
    ],
)
def test_what_does_not_fit_is_said_in_the_panel(
    elsewhere: Elsewhere, panel: Any, filled: dict[str, Any], says: str
) -> None:
    page, desk = panel()
    start(page, **filled)
    page.until(lambda page: page["problem"])
    page.idle()
    assert says in page["problem"]
    assert desk.run is None


@pytest.mark.parametrize(
    "said",
    [None, 7, "form", [], {"question": 7}, {"question": ["a"], "names": {"a": 1}, "format": "x"}],
)
def test_a_page_may_say_anything(panel: Any, said: Any) -> None:
    page, _ = panel()
    for word in ("draft", "start", "clarify", "compare", "stop", "markdown", "nonsense", "hello"):
        page.say(word, form=said, id=said)
        page.idle()
    assert "bug in the toolkit" not in page.everything
    assert page["form"]["format"] in FORMATS


def test_an_error_nobody_foresaw_is_a_line_without_its_words() -> None:
    page = PageOf()
    slate = Slate(page.tell)
    slate.greet()

    def fail() -> None:
        raise ZeroDivisionError("sk-secret")

    Errands(slate).do("fail", fail)
    page.until(lambda page: page["problem"])
    assert "bug in the toolkit" in page["problem"]
    assert "sk-secret" not in page.everything


# -- before it starts ----------------------------------------------------------------------------


def test_variables_are_offered_by_name_and_kind(elsewhere: Elsewhere) -> None:
    variables = {
        **{"frame": pandas.DataFrame({"a": [1, 2]}), "text": "abc", "blank": " ", "number": 7},
        **{
            "answer": kit.Answer("x", id="r", status="completed", model="m"),
            "run": elsewhere.research(),
            "_text": "x",
            "exit": "x",
        },
    }
    assert offered(variables, {"exit": None}) == [
        {"name": "answer", "kind": "an answer"},
        {"name": "frame", "kind": "DataFrame, 2 rows"},
        {"name": "run", "kind": "a run's report"},
        {"name": "text", "kind": "text, 3 characters"},
    ]


def test_variables_are_offered_while_a_thread_loads_pandas(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", types.ModuleType("pandas"))
    assert offered({"text": "abc"}, {}) == [{"name": "text", "kind": "text, 3 characters"}]


def test_three_questions_are_asked_back_and_their_answers_become_part_of_it(
    elsewhere: Elsewhere, panel: Any
) -> None:
    """The sandbox asks; a question that is left blank stays open."""
    page, desk = panel()
    page.say("clarify", form=form("the history of tea"))
    page.until(lambda page: page["asked"])
    assert len(page["asked"]) == 3
    page.idle()
    start(page, question="the history of tea", answers=["the 19th century", " ", ""])
    page.until(lambda page: page["run"])
    question = desk.run.question
    assert "the history of tea" in question
    assert "the 19th century" in question
    page.idle()
    assert page["asked"] == []


def test_a_question_that_leaves_nothing_open_says_so(panel: Any) -> None:
    page, _ = panel()
    whole = "Tea in Japan in the 19th century, for beginners, in three bullet points"
    page.say("clarify", form=form(whole))
    page.until(lambda page: page["said"] or page["asked"])
    assert page["said"].startswith("Nothing is asked back")


# -- Start is a yes to what it costs -------------------------------------------------------------


def costs(monkeypatch: pytest.MonkeyPatch, words: Callable[[str | None], str]) -> None:
    monkeypatch.setattr(price_tag, "price_of", words)


def priced(page: PageOf) -> str:
    page.until(lambda page: page["price"])
    return page["price"]["words"]


def test_the_price_is_said_before_and_where(panel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    page, _ = panel()
    assert priced(page) == "It costs nothing: it runs on this machine (sandbox)."
    monkeypatch.setenv("RELAY_BASE_URL", "http://127.0.0.1:9")
    page, _ = panel()
    assert priced(page).startswith("Start is a yes to what it costs at http://127.0.0.1:9. What it")


def test_the_price_is_that_of_the_chosen_model(panel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    costs(monkeypatch, lambda model: f"It costs {len(model or '')} dollars.")
    page, _ = panel()
    assert priced(page) == "It costs 0 dollars."
    page.say("draft", form=form(model="deep"))
    page.until(lambda page: page["price"] == {"model": "deep", "words": "It costs 4 dollars."})


def test_the_price_is_asked_anew_by_each_page(panel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    page, _ = panel()
    assert "nothing" in priced(page)
    costs(monkeypatch, lambda model: "Much.")
    page.say("hello")
    page.until(lambda page: page["price"]["words"] == "Much.")


def test_while_a_price_is_asked_for_the_last_model_counts(
    panel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, asked = threading.Event(), []

    def slowly(model: str | None) -> str:
        asked.append(model)
        held.wait(300)
        return f"{model}."

    costs(monkeypatch, slowly)
    page, _ = panel()
    page.until(lambda page: asked)
    for model in ("a", "ab", "abc"):
        page.say("draft", form=form(model=model))
    held.set()
    page.until(lambda page: page["price"])
    page.until(lambda page: page["price"]["words"] == "abc.")
    assert asked == [None, "abc"]
    assert '"None."' not in page.everything


@pytest.mark.parametrize("changes", ["price", "gateway"])
def test_a_price_that_is_no_more_what_was_shown_is_no_yes(
    elsewhere: Elsewhere, panel: Any, monkeypatch: pytest.MonkeyPatch, changes: str
) -> None:
    page, desk = panel()
    shown = priced(page)
    before = len(elsewhere.all_runs())
    if changes == "price":
        costs(monkeypatch, lambda model: "It costs about $90.")
    else:
        monkeypatch.setenv("RELAY_BASE_URL", "http://127.0.0.1:9")
    page.say("start", form=form(), number=page["number"], price=shown)
    page.until(lambda page: page["problem"])
    page.idle()
    assert "not what was shown" in page["problem"]
    assert page["price"]["words"] in page["problem"] and page["price"]["words"] != shown
    assert desk.run is None and len(elsewhere.all_runs()) == before
    if changes == "price":  # the new one was shown, so this is a yes
        start(page)
        page.until(lambda page: page["run"])


@pytest.mark.parametrize("shown", [None, "", 7, ["x"]])
def test_nothing_starts_before_a_price_was_shown(
    elsewhere: Elsewhere, panel: Any, shown: Any
) -> None:
    page, desk = panel()
    page.say("start", form=form(), number=page["number"], price=shown)
    page.until(lambda page: page["problem"])
    page.idle()
    assert "not been shown" in page["problem"]
    assert desk.run is None


def test_a_form_is_sent_once_however_often_start_is_pressed(
    elsewhere: Elsewhere, panel: Any
) -> None:
    """A double click, Enter twice, two pages of one panel."""
    page, desk = panel()
    before, number = len(elsewhere.all_runs()), page["number"]
    start(page)
    page.until(lambda page: page["run"] and not page["busy"])
    run = desk.run
    start(page, number)
    page.say("start", form=form())
    time.sleep(0.3)
    assert len(elsewhere.all_runs()) == before + 1
    assert desk.run is run and page["problem"] == ""
    start(page)  # with the number that it was told: another run, on purpose
    page.until(lambda page: len(elsewhere.all_runs()) == before + 2)


# -- the run that is open ------------------------------------------------------------------------


@pytest.fixture
def done(elsewhere: Elsewhere, panel: Any) -> tuple[PageOf, Run]:
    """A panel whose run has ended."""
    page, desk = panel()
    run = elsewhere.research()
    elsewhere.complete(run)
    desk.open(run)
    page.until(lambda page: page["result"])
    return page, run


def test_stop_ends_the_run(elsewhere: Elsewhere, panel: Any) -> None:
    page, desk = panel()
    desk.open(elsewhere.research())
    page.until(lambda page: page["live"])
    page.say("stop")
    page.until(lambda page: page["run"]["status"] == "cancelled")
    assert desk.run.status == "cancelled"


def test_stop_waits_for_nothing(
    elsewhere: Elsewhere, panel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that costs money by the minute is stopped while something else takes its time."""
    held = threading.Event()
    monkeypatch.setattr(research_desk, "left_open", lambda question: held.wait(300) and [])
    page, desk = panel()
    desk.open(elsewhere.research())
    page.until(lambda page: page["live"])
    page.say("clarify", form=form())
    page.until(lambda page: page["busy"] == "clarify")
    page.say("stop")
    page.until(lambda page: page["run"]["status"] == "cancelled")
    page.until(lambda page: page["ending"] == [])
    assert page["busy"] == "clarify"
    page.say("markdown")
    page.until(lambda page: "clarify" in page["problem"])
    held.set()


def test_a_failed_run_says_why_and_keeps_what_had_come(elsewhere: Elsewhere, panel: Any) -> None:
    page, desk = panel()
    run = elsewhere.research()
    elsewhere.fail(run, "The gateway is out of paper.")
    desk.open(run)
    page.until(lambda page: page["result"])
    assert page["run"]["status"] == "failed"
    assert "half of" in page["result"]["html"]
    page.say("hello")
    assert "out of paper" in json.dumps(page["live"])


def test_a_report_is_saved_beside_the_notebook_and_never_over_another(
    done: tuple[PageOf, Run],
) -> None:
    page, run = done
    for count, ending in enumerate(["", "-2", "-3"], 1):
        page.say("markdown")
        page.until(lambda page, ending=ending: page["said"].endswith(f"{run.id[-6:]}{ending}.md"))
        page.idle()
        assert len([*Path.cwd().glob("*.md")]) == count
    name = page["said"].removeprefix("Saved as ")
    assert name.startswith("research-김치의-역사는-")
    assert "발효 음식" in Path(name).read_text("utf-8")


def test_a_saved_notebook_is_valid_and_finds_the_run(done: tuple[PageOf, Run]) -> None:
    page, run = done
    page.say("notebook")
    page.until(lambda page: page["said"])
    text = Path(page["said"].removeprefix("Saved as ")).read_text("utf-8")
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    whole = "\n".join(cell["source"] for cell in notebook.cells)
    for part in (QUESTION, "발효 음식", "https://a.example/1", f"kit.run({run.id!r})", "opened"):
        assert part in whole
    assert run.token not in text


def test_a_run_is_compared_with_another_that_has_ended(
    elsewhere: Elsewhere, done: tuple[PageOf, Run]
) -> None:
    page, run = done
    older = elsewhere.research("An older one")
    elsewhere.complete(older, "# 김치\n\n김치는 <b>채소</b>이다.")
    assert older.wait().status == "completed"
    page.say("others")
    page.idle()
    assert older.id in [one["id"] for one in page["others"]]
    assert run.id not in [one["id"] for one in page["others"]]
    page.say("compare", id=older.id)
    page.until(lambda page: page["compared"])
    html = page["compared"]["html"]
    assert "<ins" in html and "<del" in html and "<b>" not in html


def test_what_a_model_wrote_is_cleaned_before_it_is_told(elsewhere: Elsewhere) -> None:
    run = elsewhere.research("<img src=x onerror=alert(1)>")
    elsewhere.complete(run, HOSTILE)
    result = result_of(run.wait())
    for part in ("<script", "<img", 'href="javascript'):
        assert part not in result["html"]
    assert all(one["url"].startswith("https://") or not one["url"] for one in result["checks"])
    cells = [cell["source"] for cell in notebook_of(run)["cells"]]
    assert cells[0].startswith("# \\<img")  # which shows it
    for part in ("<script", "<img", "](javascript"):
        assert part not in "\n".join(cells[1:]).replace("\\<", "")


def test_a_source_is_linked_in_a_saved_notebook_where_its_address_is_one_of_the_web(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = ["https://bank.example@evil.example/", "http://a b.example/", "https://c.example/"]
    action = {"type": "search", "query": "x", "sources": [{"type": "url", "url": u} for u in named]}
    item = {"type": "web_search_call", "status": "completed", "action": action}
    monkeypatch.setattr(callers, "ITEMS", [item])
    run = elsewhere.research()
    elsewhere.complete(run)
    (cell,) = [one for one in notebook_of(run.wait())["cells"] if one["id"] == "sources"]
    assert "bank.example@evil" in cell["source"]
    targets = re.findall(r"\]\(([^)]*)\)", cell["source"])
    assert targets == ["https://a.example/1", "https://c.example/"]


def test_a_closed_panel_leaves_its_run_alone(elsewhere: Elsewhere, panel: Any) -> None:
    page, desk = panel()
    desk.open(elsewhere.research())
    page.until(lambda page: page["live"])
    desk.close()
    elsewhere.complete(desk.run)
    assert desk.run.wait().status == "completed"
    time.sleep(0.3)
    assert page["result"] is None


# -- what stays in a notebook --------------------------------------------------------------------


def test_only_a_run_or_the_id_of_one_is_opened(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()
    opened: Any = kit.research_panel(run.id)
    assert opened.run.id == run.id
    opened.close()
    for wrong in ("inv_nowhere", 7):
        with pytest.raises(errors.InputError):
            kit.research_panel(wrong)  # type: ignore[arg-type]


def test_where_no_widget_is_shown_a_plain_output_says_what_does_the_same(kernel: Any) -> None:
    cell = kernel.run("kit.research_panel()")
    assert cell.error is None
    (shown,) = cell.displays
    assert "%%research" in shown["text/plain"]
    assert [*shown] == ["text/plain", "text/html"]


def test_a_run_that_ended_is_in_the_plain_output(kernel: Any) -> None:
    kernel.run("run = kit.research('The history of coffee').wait()")
    (shown,) = kernel.run("kit.research_panel(run)").displays
    assert "deep research: The history of coffee" in shown["text/plain"]
    assert "<h1>" in shown["text/html"]
    assert kernel.value("run.token") not in json.dumps(shown)
