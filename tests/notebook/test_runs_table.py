"""The runs table from the kernel's side: what a page says, and what it is told."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from kit.connect_desk import book_of
from kit.notebook import runs_desk
from kit.notebook.runs_desk import RunsDesk
from kit.notebook.runs_table import table_bundle
from kit.relay.book import Entry
from kit.secret import Secret
from kit.settings import load
from tests.notebook.pages import PageOf
from tests.relay.caller.callers import Elsewhere

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def one_for_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    with Elsewhere(tmp_path_factory.mktemp("relay")) as there:
        yield there


@pytest.fixture
def elsewhere(one_for_all: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    monkeypatch.setattr(runs_desk, "LOOK_SECONDS", 0.0)
    return one_for_all.known_to(monkeypatch)


class Table(PageOf):
    """A page of a runs table: `rows` as it would show them, and how often the plain one changed."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, dict[str, Any]] = {}
        self.placed: list[int] = []
        self.desk = RunsDesk(self.tell, lambda rows: self.placed.append(len(rows)))
        self.hear = self.desk.hear

    def tell(self, news: dict[str, Any]) -> None:
        super().tell(news)
        self.rows = {} if "rows" in news else self.rows
        for id in news.get("gone", ()):
            self.rows.pop(id, None)
        self.rows |= {row["id"]: row for row in news.get("rows") or news.get("news") or ()}

    def statuses(self) -> dict[str, str]:
        return {id: row["status"] for id, row in self.rows.items()}


@pytest.fixture
def table() -> Iterator[Table]:
    page = Table()
    yield page
    page.desk.close()


def looked(table: Table, run: Any, status: str) -> None:
    """Look until the table shows that run so."""

    def holds(page: Any) -> bool:
        table.say("look")
        return table.statuses().get(run.id) == status

    table.until(holds)


def test_it_tells_the_runs_and_then_what_is_new_alone(elsewhere: Elsewhere, table: Table) -> None:
    one, other = elsewhere.research("one"), elsewhere.research("other")
    table.say("hello")
    table.until(lambda page: len(table.rows) == 2)
    assert set(table.statuses().values()) == {"pending"}
    elsewhere.complete(one)
    table.told.clear()
    looked(table, one, "completed")
    told = [row["id"] for news in table.told for row in news.get("news", ())]
    assert told == [one.id]
    assert table.rows[one.id]["money"] == "$0.2500"
    other.cancel()
    other.delete()
    table.until(lambda page: table.say("look") or other.id not in table.rows)


def test_a_page_that_opens_later_has_them_at_once(elsewhere: Elsewhere, table: Table) -> None:
    run = elsewhere.research()
    table.say("hello")
    table.until(lambda page: table.rows)
    table.told.clear()
    table.say("hello")
    first = next(news for news in table.told if news.get("all"))
    assert [row["id"] for row in first["rows"]] == [run.id]
    assert run.token not in table.everything


def test_it_looks_only_when_a_page_asks(elsewhere: Elsewhere, table: Table) -> None:
    elsewhere.research()
    table.say("hello")
    table.until(lambda page: table.rows)
    before = len(elsewhere.heard)
    time.sleep(0.5)
    assert len(elsewhere.heard) == before
    table.desk.close()
    table.say("look")
    time.sleep(0.2)
    assert len(elsewhere.heard) == before


def test_many_pages_that_ask_at_once_are_one_look(
    elsewhere: Elsewhere, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere.research()
    table.say("hello")
    table.until(lambda page: table.desk._looked)
    monkeypatch.setattr(runs_desk, "LOOK_SECONDS", 1_000_000)
    before = len(elsewhere.heard)
    for _ in range(100):
        table.say("look")
    time.sleep(0.3)
    assert len(elsewhere.heard) == before


def test_a_run_is_cancelled_from_its_row(elsewhere: Elsewhere, table: Table) -> None:
    run = elsewhere.research()
    table.say("hello")
    table.say("cancel", id=run.id)
    table.until(lambda page: page["said"])
    assert table["said"] == f"{run.id} is cancelled."
    looked(table, run, "cancelled")


def test_a_failed_run_is_started_anew_and_opened(elsewhere: Elsewhere, table: Table) -> None:
    run = elsewhere.research("again, please")
    elsewhere.fail(run)
    table.say("hello")
    looked(table, run, "failed")
    table.say("retry", id=run.id, number=table["number"])
    table.until(lambda page: page["run"])
    assert table["run"]["id"] != run.id
    assert table["run"]["question"] == "again, please"
    table.until(lambda page: len(table.rows) == 2)


def test_retry_is_done_once_however_often_it_is_pressed(elsewhere: Elsewhere, table: Table) -> None:
    run = elsewhere.research()
    elsewhere.fail(run)
    table.say("hello")
    before, number = len(elsewhere.all_runs()), table["number"]
    table.say("retry", id=run.id, number=number)
    table.until(lambda page: page["run"] and not page["busy"])
    table.say("retry", id=run.id, number=number)
    table.say("retry", id=run.id)
    time.sleep(0.3)
    assert len(elsewhere.all_runs()) == before + 1
    assert table["problem"] == ""


def test_runs_are_cancelled_while_something_else_takes_its_time(
    elsewhere: Elsewhere, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while another one is being cancelled; pressed twice, the second is said."""
    held, slow, quick = threading.Event(), elsewhere.research(), elsewhere.research()
    opened = elsewhere.research()
    table.say("hello")
    table.say("open", id=opened.id)
    table.until(lambda page: page["live"] and not page["busy"])
    really = runs_desk.find_run

    def find(id: str) -> Any:
        return held.wait(300) and really(id) if id == slow.id else really(id)

    monkeypatch.setattr(runs_desk, "find_run", find)
    table.say("cancel", id=slow.id)
    table.until(lambda page: page["ending"] == [slow.id])
    table.say("cancel", id=slow.id)
    assert f"{slow.id} is being ended already" in table["problem"]
    table.say("cancel", id=quick.id)
    table.say("stop")
    looked(table, quick, "cancelled")
    looked(table, opened, "cancelled")
    held.set()
    looked(table, slow, "cancelled")
    table.until(lambda page: page["ending"] == [])


def test_one_that_was_not_sent_is_sent(elsewhere: Elsewhere, table: Table) -> None:
    asked = {"research_question": "unsent"}
    entry = Entry(uuid.uuid4().hex, "unsent", asked, elsewhere.url, "", time.time())
    book_of(load()).write(entry)
    table.say("hello")
    table.until(lambda page: table.rows)
    assert [*table.statuses().values()] == ["not sent"]
    table.say("retry", id=entry.key, number=table["number"])
    table.until(lambda page: page["run"] and page["run"]["status"] == "pending")


def test_a_run_is_opened_below_and_closed(elsewhere: Elsewhere, table: Table) -> None:
    run = elsewhere.research()
    elsewhere.complete(run)
    table.say("hello")
    table.say("open", id=run.id)
    table.until(lambda page: page["result"])
    assert "발효 음식" in table["result"]["html"]
    table.say("close")
    assert (table["run"], table["result"]) == (None, None)


def test_what_goes_wrong_is_said_in_the_table(elsewhere: Elsewhere, table: Table) -> None:
    table.say("hello")
    table.say("open", id="inv_nowhere")
    table.until(lambda page: page["problem"])
    assert "No run of yours is called" in table["problem"]
    for id in (None, 7, ["x"], {}):
        table.say("open", id=id)
    table.say("stop")
    table.idle()
    assert "bug in the toolkit" not in table.everything


def test_of_many_runs_the_newest_five_hundred_are_shown(elsewhere: Elsewhere, table: Table) -> None:
    many(600)
    table.say("hello")
    table.until(lambda page: len(table.rows) == 500)
    assert table["most"] == 500


def many(count: int) -> None:
    """Runs that ended, one a minute."""
    book = book_of(load())
    for number in range(count):
        key, asked = f"{number:032x}", time.time() - 60 * number
        arguments = {"research_question": f"Question {number}"}
        known: Any = {"id": f"inv_{key}", "token": Secret("t" * 43), "ended": "completed"}
        entry = Entry(key, f"Question {number}", arguments, "", "sandbox", asked, **known)
        book.folder.mkdir(parents=True, exist_ok=True)
        book._put(entry)


@pytest.mark.parametrize(("cost", "says"), [(0.0, "$0"), (0.25, "$0.2500"), (None, "")])
def test_nothing_is_a_price_and_unknown_is_none(cost: float | None, says: str) -> None:
    entry = Entry("k" * 32, "Question", {}, "", "sandbox", 0.0, cost=cost)
    assert runs_desk._row(entry, "completed")["money"] == says


# -- what stays in a notebook --------------------------------------------------------------------


def test_the_plain_table_has_the_newest_and_counts_the_rest() -> None:
    rows: list[dict[str, Any]] = [
        {
            "question": f"<b>{n}</b>",
            "status": "completed",
            "asked": 0,
            "money": "",
            "id": f"inv_{n}",
        }
        for n in range(60)
    ]
    bundle = table_bundle(rows)
    assert "&lt;b&gt;0&lt;/b&gt;" in bundle["text/html"] and "<b>" not in bundle["text/html"]
    assert "and 10 more" in bundle["text/plain"]
    assert "%%research" in table_bundle([])["text/plain"]


def test_where_no_widget_is_shown_the_plain_table_is(kernel: Any) -> None:
    kernel.run("run = kit.research('The history of coffee').wait()")
    (shown,) = kernel.run("kit.runs_table()").displays
    assert "The history of coffee  completed" in shown["text/plain"]
    assert "%research list" in shown["text/plain"]
    assert "<td>completed</td>" in shown["text/html"]
