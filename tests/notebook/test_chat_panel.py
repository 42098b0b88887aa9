"""The chat panel from the kernel's side: messages in, messages out, against a real gateway."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas
import pytest

import kit
from kit import connect
from kit.errors import InputError
from kit.notebook.chat_display import kept_bundle
from kit.notebook.chat_panel import ChatPanel, ChatSettings
from kit.sandbox.app import open_sandbox
from kit.serving import serve_in_thread
from kit.tools.schema import forget
from tests.notebook.conftest import FREELY, Dripping
from tests.waiting import until

pytestmark = pytest.mark.once

KEY = "sk-the-key-0123456789"


class Page:
    """A page that shows a panel: what it was told, and what stands there now."""

    def __init__(self, panel: ChatPanel) -> None:
        self.panel = panel
        self.heard: list[dict[str, Any]] = []
        self.kept: list[Any] = []
        panel.show_in(self.heard.append, self.kept.append)

    def say(self, word: str, **said: Any) -> None:
        self.panel.hear(word, {"latest": self.latest("latest") or 0, **said})

    def latest(self, name: str) -> Any:
        return next((one[name] for one in reversed(self.heard) if name in one), None)

    @property
    def turns(self) -> list[dict[str, Any]]:
        """What the page shows: the turns of the path, each as it was told last."""
        told = {turn["turn"]: turn for one in self.heard for turn in one.get("turns", ())}
        return [{**told[place["turn"]], **place} for place in self.latest("path") or ()]

    def wait(self, done: Callable[[], bool] | None = None) -> None:
        """Until it holds; by default, until nothing runs and the conversation is kept."""
        done = done or (lambda: self.latest("running") is None and len(self.kept) > 0)
        until(done)

    def ask(self, text: str, **said: Any) -> dict[str, Any]:
        self.kept.clear()
        self.say("ask", text=text, **said)
        self.wait()
        return self.turns[-1]


@pytest.fixture(autouse=True)
def fresh_client() -> Iterator[None]:
    connect.forget_client()
    yield
    connect.forget_client()


@pytest.fixture
def page() -> Page:
    sales = pandas.DataFrame({"city": ["Seoul"], "sold": [31337]})
    return Page(ChatPanel(ChatSettings(), {"sales": sales, "number": 3, "_hidden": sales}))


@pytest.fixture
def dripping(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dripping]:
    gateway = Dripping()
    served = serve_in_thread(gateway)
    monkeypatch.setenv("LITELLM_BASE_URL", served.url)
    monkeypatch.setenv("LITELLM_API_KEY", KEY)
    monkeypatch.setenv("LITELLM_MODEL", "drip")
    yield gateway
    served.stop()


def test_a_question_is_answered_and_shown_cleaned(page: Page) -> None:
    turn = page.ask("Reply with exactly: OK")
    assert (turn["state"], turn["text"]) == ("completed", "OK")
    assert "<p>OK</p>" in turn["html"] and "sandbox" in turn["html"]
    assert page.panel.answer is not None and page.panel.answer.text == "OK"
    assert kit.last is page.panel.answer


def test_the_conversation_goes_along(page: Page) -> None:
    page.ask("Tell me about kimchi")
    turn = page.ask("and how is it stored?")
    assert "kimchi" in turn["text"].lower()


def test_an_edited_question_is_a_branch_and_the_first_can_be_chosen_again(page: Page) -> None:
    first = page.ask("Reply with exactly: ONE")
    page.kept.clear()
    page.say("edit", turn=first["turn"], text="Reply with exactly: TWO")
    page.wait()
    assert [(one["text"], one["place"], one["places"]) for one in page.turns] == [("TWO", 2, 2)]
    page.say("choose", turn=page.turns[0]["turn"], steps=-1)
    assert [one["text"] for one in page.turns] == ["ONE"]


def test_a_retry_asks_the_same_again_beside_it(page: Page) -> None:
    first = page.ask("Reply with exactly: ONE")
    page.kept.clear()
    page.say("retry", turn=first["turn"])
    page.wait()
    assert [(one["prompt"], one["places"]) for one in page.turns] == [(first["prompt"], 2)]


def test_stop_keeps_what_had_arrived(page: Page, dripping: Dripping) -> None:
    page.say("set", api="chat")
    page.say("ask", text="Tell me")
    page.wait(lambda: "word word" in str(page.latest("live")))
    page.say("stop")
    page.wait(lambda: page.latest("running") is None)
    assert page.turns[0]["state"] == "stopped"
    assert page.turns[0]["text"].startswith("word word")
    assert dripping.left.wait(60)


def test_what_is_shown_while_it_streams_is_what_is_new(page: Page, dripping: Dripping) -> None:
    page.say("set", api="chat")
    dripping.allowed = 4
    page.say("ask", text="Tell me briefly")
    page.wait(lambda: "word word word word" in str(page.latest("live")))
    dripping.allowed = FREELY
    page.wait()
    live = [one["live"] for one in page.heard if "live" in one]
    assert all(one["turn"] == page.turns[0]["turn"] for one in live)


def test_a_page_that_opens_in_the_middle_is_told_everything(page: Page, dripping: Dripping) -> None:
    page.say("set", api="chat")
    page.say("ask", text="Tell me")
    page.wait(lambda: "word word" in str(page.latest("live")))
    page.heard.clear()
    page.say("hello")
    told = next(one for one in page.heard if one.get("all"))
    assert told["running"] == 1 and told["turns"][0]["prompt"] == "Tell me"
    assert "word" in told["live"]["tail"] and told["live"]["all"] is True
    page.say("stop")
    page.wait(lambda: page.latest("running") is None)


@pytest.mark.parametrize("word", ["ask", "retry", "edit", "choose", "clear"])
def test_one_answer_at_a_time(page: Page, dripping: Dripping, word: str) -> None:
    page.say("set", api="chat")
    page.say("ask", text="Tell me")
    with pytest.raises(InputError, match="stop it first"):
        page.say(word, turn=1, text="another", steps=1)
    page.say("stop")
    page.wait(lambda: page.latest("running") is None)


def test_an_error_is_shown_in_its_turn_and_the_panel_goes_on(page: Page) -> None:
    page.say("set", model="sandbox:429")
    turn = page.ask("Tell me")
    assert turn["state"] == "failed"
    assert "too many requests" in turn["problem"]
    page.say("set", model="")
    assert page.ask("Reply with exactly: OK")["text"] == "OK"


def test_a_panel_that_is_shown_twice_tells_both_pages(page: Page) -> None:
    other = Page(page.panel)
    page.ask("Reply with exactly: OK")
    assert [one["text"] for one in other.turns] == ["OK"]
    assert [turn.text for turn in other.kept[-1]] == ["OK"]


def test_no_key_is_in_what_a_page_is_told(page: Page, dripping: Dripping) -> None:
    page.say("set", api="chat")
    page.ask("Tell me briefly")
    page.say("hello")
    assert KEY not in json.dumps(page.heard)


def test_frames_and_pictures_are_offered_by_name(page: Page) -> None:
    page.say("offer")
    assert page.latest("offers") == [{"name": "sales", "kind": "data"}]


def test_an_attached_frame_is_sent_and_only_its_name_is_shown(page: Page) -> None:
    turn = page.ask("What is sold?", attached=["sales"])
    assert turn["attached"] == ["sales"] and "31337" not in turn["prompt"]
    assert "31337" in str(page.panel._turns[1].items)


@pytest.mark.parametrize("names", [["number"], ["gone"], [7], [None]])
def test_what_cannot_be_attached_is_said(page: Page, names: list[Any]) -> None:
    with pytest.raises(InputError, match="no DataFrame and no picture"):
        page.say("ask", text="Hello", attached=names)


def test_a_picture_is_sent_as_one(page: Page, dripping: Dripping) -> None:
    from IPython.display import Image

    pixel = Image(data=b"\x89PNG\r\n\x1a\n" + b"\0" * 30)
    page.panel._variables = {"pixel": pixel}
    page.say("set", api="chat")
    page.ask("Describe it briefly", attached=["pixel"])
    assert "data:image/png;base64" in json.dumps(dripping.requests[-1])


@pytest.mark.parametrize("yes", [True, False])
def test_what_costs_money_waits_for_a_yes_in_the_panel(
    page: Page, monkeypatch: pytest.MonkeyPatch, yes: bool
) -> None:
    served = serve_in_thread(open_sandbox(pace=0.0))
    monkeypatch.setenv("LITELLM_BASE_URL", served.url)
    monkeypatch.setenv("LITELLM_MODEL", "sandbox")
    monkeypatch.setenv("LITELLM_RESEARCH_MODEL", "sandbox-research")
    page.say("set", tools=True)
    page.say("ask", text="짜장면의 역사와 기원에 대해 상세히 조사해줘")
    page.wait(lambda: page.latest("consent") is not None)
    assert "deep_research" in str(page.latest("consent"))
    page.say("consent", number=page.latest("consent")["number"], yes=yes)
    page.wait()
    (call,) = page.panel.answer.tool_calls
    assert (call.error is None, call.error == "declined") == (yes, not yes)
    served.stop()


def test_what_is_pressed_twice_is_done_once(page: Page) -> None:
    """A double click is sent before the page hears what came of the first."""
    latest = page.latest("latest") or 0
    page.kept.clear()
    for _ in range(3):
        page.say("ask", text="Reply with exactly: OK", latest=latest)
    page.wait()
    assert [one["places"] for one in page.turns] == [1]
    assert page.latest("latest") == 1


def test_a_yes_counts_for_its_question_alone() -> None:
    from kit.gateway.answer import ToolCall
    from kit.notebook.chat_consent import Consent

    consent = Consent(lambda: None)
    said: list[bool] = []
    call = ToolCall("deep_research", "{}", "c1")
    for number in (1, 2):
        asking = threading.Thread(target=lambda: said.append(consent.ask(call, "It costs.")))
        asking.start()
        while consent.question is None or consent.question["number"] != number:
            time.sleep(0.001)
        if number == 2:
            consent.answer(1, True)  # the second press of a double click
            consent.answer(2, False)
        else:
            consent.answer(1, True)
        asking.join(60)
    assert said == [True, False]


def test_a_stop_before_the_question_is_a_no() -> None:
    from kit.gateway.answer import ToolCall
    from kit.notebook.chat_consent import Consent

    consent = Consent(lambda: None)
    consent.stop()
    assert consent.ask(ToolCall("deep_research", "{}", "c1"), "It costs.") is False


def test_a_function_that_leaves_the_process_leaves_the_panel_usable(page: Page) -> None:
    @kit.tool
    def total_sales(region: str) -> int:
        """The total sales of a region.

        Args:
            region: the region
        """
        raise SystemExit(3)

    try:
        page.say("set", tools=True)
        turn = page.ask("What were the total sales in the region north?")
        assert turn["state"] in ("failed", "completed")
        page.say("set", tools=False)
        assert page.ask("Reply with exactly: OK")["text"] == "OK"
    finally:
        forget("total_sales")


@pytest.fixture
def sales() -> Iterator[list[str]]:
    """A function that the model may call, and the threads it ran in."""
    ran: list[str] = []

    @kit.tool
    def total_sales(region: str) -> int:
        """The total sales of a region.

        Args:
            region: the region
        """
        ran.append(threading.current_thread().name)
        return 120

    yield ran
    forget("total_sales")


@pytest.fixture
def configured() -> Iterator[Callable[[str], None]]:
    """`%config KitMagics.approve = …` in a shell of this process."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    from kit.notebook.magics import KitMagics

    module = ModuleType("a_notebook")  # or it would be the __main__ of the tests
    config = Config(HistoryManager={"enabled": False})
    shell = InteractiveShell.instance(config=config, user_module=module)
    magics = KitMagics(shell)
    shell.register_magics(magics)
    yield lambda approve: setattr(magics, "approve", approve)
    InteractiveShell.clear_instance()


SALES = "What were the total sales in the region north?"


@pytest.mark.parametrize(
    ("approve", "answers", "error"),
    [
        ("paid", [], None),
        ("always", [], None),
        ("never", [], "declined"),
        ("ask", [True], None),
        ("ask", [False], "declined"),
    ],
)
def test_who_says_yes_is_as_it_is_configured_for_cells(
    page: Page,
    sales: list[str],
    configured: Callable[[str], None],
    approve: str,
    answers: list[bool],
    error: str | None,
) -> None:
    configured(approve)
    page.say("set", tools=True)
    page.say("ask", text=SALES)
    for yes in answers:
        page.wait(lambda: page.latest("consent") is not None)
        assert page.latest("consent")["name"] == "total_sales"
        page.say("consent", number=page.latest("consent")["number"], yes=yes)
    page.wait()
    (call,) = page.panel.answer.tool_calls
    assert call.error == error
    assert len(sales) == (error is None)
    assert any(one.get("consent") for one in page.heard) == bool(answers)


@pytest.mark.parametrize("costs", [True, False])
def test_where_every_call_is_asked_for_research_says_what_it_costs(
    page: Page,
    configured: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    costs: bool,
) -> None:
    served = serve_in_thread(open_sandbox(pace=0.0))
    if costs:
        monkeypatch.setenv("LITELLM_BASE_URL", served.url)
        monkeypatch.setenv("LITELLM_MODEL", "sandbox")
        monkeypatch.setenv("LITELLM_RESEARCH_MODEL", "sandbox-research")
    configured("ask")
    page.say("set", tools=True)
    page.say("ask", text="짜장면의 역사와 기원에 대해 상세히 조사해줘")
    page.wait(lambda: page.latest("consent") is not None)
    asked = page.latest("consent")
    assert ("What it costs is not known" in asked["paid"]) == costs
    page.say("consent", number=asked["number"], yes=False)
    page.wait()
    served.stop()


class Held:
    """A function that goes on until it is let go, however the conversation ends."""

    def __init__(self) -> None:
        self.began, self.let_go, self.ended = (threading.Event() for _ in range(3))


@pytest.fixture
def held() -> Iterator[Held]:
    held = Held()

    @kit.tool
    def total_sales(region: str) -> int:
        """The total sales of a region.

        Args:
            region: the region
        """
        held.began.set()
        held.let_go.wait(300)
        held.ended.set()
        return 120

    yield held
    held.let_go.set()
    forget("total_sales")


def test_a_stop_leaves_a_function_behind_that_cannot_be_stopped(page: Page, held: Held) -> None:
    page.say("set", tools=True)
    page.say("ask", text=SALES)
    page.wait(held.began.is_set)
    page.say("stop")
    page.wait(lambda: page.latest("running") is None)
    assert page.turns[0]["state"] == "stopped" and not held.ended.is_set()
    (call,) = page.panel.answer.tool_calls
    assert (call.started, call.error, call.seconds) == (True, None, None)
    assert "it goes on in the background; what it does cannot be stopped" in page.turns[0]["html"]


def test_the_next_question_is_answered_while_it_goes_on_and_nobody_hears_of_it(
    page: Page, held: Held
) -> None:
    page.say("set", tools=True)
    page.say("ask", text=SALES)
    page.wait(held.began.is_set)
    page.say("stop")
    page.wait(lambda: page.latest("running") is None)
    page.say("set", tools=False)
    assert page.ask("Reply with exactly: OK")["text"] == "OK"
    held.let_go.set()
    until(held.ended.is_set)
    until(lambda: not [one for one in threading.enumerate() if one.name == "kit-chat-call"])
    assert [one["state"] for one in page.turns] == ["stopped", "completed"]


def test_functions_of_a_turn_run_in_one_thread(page: Page, sales: list[str]) -> None:
    page.say("set", tools=True)
    page.ask(SALES)
    assert sales == ["kit-chat-call"]


def test_stopping_while_a_yes_is_waited_for_is_a_no(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve_in_thread(open_sandbox(pace=0.0))
    monkeypatch.setenv("LITELLM_BASE_URL", served.url)
    monkeypatch.setenv("LITELLM_MODEL", "sandbox")
    page.say("set", tools=True)
    page.say("ask", text="짜장면의 역사와 기원에 대해 상세히 조사해줘")
    page.wait(lambda: page.latest("consent") is not None)
    page.say("stop")
    page.wait(lambda: page.latest("running") is None)
    assert page.turns[0]["state"] == "stopped"
    served.stop()


def test_the_conversation_is_saved_beside_the_notebook_and_nothing_is_written_over(
    page: Page,
) -> None:
    page.ask("Reply with exactly: OK")
    first, second = page.panel.save(), page.panel.save()
    assert first != second and first.parent == Path()
    assert "Reply with exactly" in first.read_text("utf-8")


def test_with_nothing_said_nothing_is_saved(page: Page) -> None:
    with pytest.raises(InputError, match="Nothing has been said"):
        page.panel.save()


def test_clearing_leaves_an_empty_panel(page: Page) -> None:
    page.ask("Reply with exactly: OK")
    page.say("clear")
    assert page.turns == [] and page.panel.answer is None and page.kept[-1] == []


def test_what_a_saved_notebook_keeps_is_cleaned_and_folded(page: Page) -> None:
    page.ask("<img src=x onerror=attack()> Reply with exactly: OK")
    kept = kept_bundle(page.kept[-1])
    assert kept["text/html"].startswith("<details><summary>")
    assert "<img" not in kept["text/html"] and "<img" not in kept["text/markdown"]
    assert "OK" in kept["text/plain"]


@pytest.mark.parametrize(
    "said",
    [
        {"do": 7},
        {"do": "ask", "text": 7},
        {"do": "ask", "text": " \n"},
        {"do": "ask", "text": "x" * 200_001},
        {"do": "edit", "turn": 99, "text": "x"},
        {"do": "choose", "turn": None},
        {"do": "set", "model": ["x"], "api": "rm", "tools": "yes"},
        {"do": "consent", "yes": True},
        {"do": "unheard of"},
    ],
)
def test_whatever_a_page_says_is_an_error_in_words_or_nothing(
    page: Page, said: dict[str, Any]
) -> None:
    try:
        page.panel.hear(str(said["do"]), {"latest": 0, **said})
    except InputError as error:
        assert str(error)
    assert page.latest("running") is None


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("```python\nx = 1\n```", "x = 1"),
        ("see:\n~~~\ny\n~~~", "y"),
        ("Use ``` to open a fence.", "%%markdown\nUse &#96;&#96;&#96; to open a fence.\n"),
        ("plain *words*", "%%markdown\nplain *words*\n"),
        ("<script>a()</script>", "%%markdown\n&lt;script&gt;a()&lt;/script&gt;\n"),
        ("", ""),
    ],
)
def test_an_answer_as_a_cell_is_its_code_or_its_cleaned_text(text: str, cell: str) -> None:
    from kit.notebook.chat_page import cell_of

    assert cell_of(text) == cell
