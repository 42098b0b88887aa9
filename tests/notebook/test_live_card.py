"""A live card, from a front end that can show one: fed while the model works, gone at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import pytest

from relay_lite.hold import Hold
from tests.notebook.conftest import FREELY, MANY, Cell, Dripping, Kernel
from tests.notebook.frontends import VIEW, FrontEnd, is_static
from tests.relay.caller.callers import RELAY_KEY, Elsewhere

pytestmark = pytest.mark.once

KEY = "sk-loopback-0123456789abcdef"
QUESTION = "짜장면의 역사와 기원을 조사해줘"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontEnd]:
    home = str(tmp_path_factory.mktemp("kernel-home"))
    kernel = FrontEnd({"HOME": home, "LITELLM_API_KEY": KEY})
    yield kernel
    kernel.close()


@pytest.fixture(autouse=True)
def afresh(kernel: FrontEnd) -> None:
    """Each test meets a front end that greets, and a kernel that has missed no hello."""
    kernel.greets = True
    kernel.widgets.clear()
    kernel.run("from kit.notebook import frontend; frontend._missed.clear()")
    waits_for_a_hello(kernel)


def waits_for_a_hello(kernel: FrontEnd) -> None:
    """However busy the machine is."""
    kernel.run("frontend.HELLO_SECONDS = 1000.0")


def waits_for_no_hello(kernel: FrontEnd) -> None:
    kernel.greets = False
    kernel.run("frontend.HELLO_SECONDS = 0.2")


def grows(kernel: FrontEnd, words: float = 3) -> bool:
    """Whether the live card has so many words by now."""
    return bool(kernel.widgets) and len(kernel.widget.page.text.split()) >= words


def steps(
    kernel: FrontEnd, gateway: Dripping, step: int = 5, seen: list[str] | None = None
) -> Callable[[Cell], None]:
    """Lets the gateway send `step` words more, whenever the card has what was sent (`seen`)."""
    gateway.allowed = step

    def go_on(cell: Cell) -> None:
        if grows(kernel, gateway.allowed):
            if seen is not None:
                seen.append(kernel.widget.page.text)
            gateway.allowed += step

    return go_on


def stops(kernel: FrontEnd) -> Any:
    """Presses Stop, once, as soon as three words are there."""
    pressed: list[bool] = []

    def press(cell: Cell) -> None:
        if not pressed and grows(kernel):
            pressed.append(True)
            kernel.say(kernel.widget, {"do": "stop"})

    return press


def test_a_card_grows_and_ends_as_one_static_output(kernel: FrontEnd, dripping: Any) -> None:
    seen: list[str] = []
    cell = kernel.run(
        "%%chat\nTalk at length", meanwhile=steps(kernel, dripping, step=15, seen=seen)
    )
    assert cell.error is None
    assert [text.count("word") for text in seen] == [15, 30, 45, 60]
    (shown,) = cell.displays
    assert is_static(cell)
    assert shown["text/plain"].count("word") == shown["text/html"].count("word") == 60
    assert kernel.widget.closed


def test_it_is_told_what_is_new_and_not_all_again(kernel: FrontEnd, dripping: Any) -> None:
    kernel.run("%%chat\nTalk at length", meanwhile=steps(kernel, dripping))
    first, *rest = kernel.widget.told
    assert len(rest) > 10
    assert first["all"] is True
    assert not any("all" in one or "clear" in one for one in rest)


def test_many_deltas_at_once_lose_none(kernel: FrontEnd, dripping: Any) -> None:
    together = steps(kernel, dripping, step=160)
    cell = kernel.run("%%chat -o answer\nTalk at once", meanwhile=together)
    text = "".join(f"{number} " for number in range(MANY))
    assert kernel.value("answer.text") == text
    assert cell.displays[0]["text/plain"].startswith(text.strip())
    on_the_way = kernel.widget.page.text.strip()
    assert len(kernel.widget.told) > 10 and text.startswith(on_the_way)


def test_its_stop_ends_the_answer_as_a_stop_of_the_cell_does(
    kernel: FrontEnd, dripping: Any
) -> None:
    cell = kernel.run("%%chat -o part\nTalk", meanwhile=stops(kernel))
    assert dripping.left.wait(300), "the gateway was not left"
    assert cell.error is not None
    assert cell.error["ename"] == "Interrupted"
    assert cell.error["evalue"].startswith("Stopped; the request is closed.")
    (shown,) = cell.displays
    assert shown["text/plain"].startswith("word word word")
    assert "not finished: stopped" in shown["text/plain"]
    assert is_static(cell) and kernel.widget.closed
    assert kernel.value("part is kit.last and part.text.startswith('word word word')")


def test_a_second_page_sees_the_same(kernel: FrontEnd, dripping: Any) -> None:
    """Of the same notebook in another tab, say; and one that says hello twice is told once."""
    greeted: list[bool] = []
    dripping.allowed = 20

    def greet(cell: Cell) -> None:
        if not greeted and grows(kernel, 20):
            greeted.append(True)
            for view in ("2", "2", "1", "3"):
                kernel.say(kernel.widget, {"do": "hello", "view": view})
        elif len(wholes_in(kernel)) == 3:  # also the last hello has been heard
            dripping.allowed = FREELY

    kernel.run("%%chat\nTalk at length", meanwhile=greet)
    told, wholes = kernel.widget.told, wholes_in(kernel)
    assert len(wholes) == 3
    late = type(kernel.widget.page)()
    for one in told[wholes[1] :]:
        late.take(one)
    assert late.picture == kernel.widget.page.picture


def wholes_in(kernel: FrontEnd) -> list[int]:
    """Where, in what the card was told, a page was told everything."""
    if not kernel.widgets:
        return []
    return [place for place, one in enumerate(kernel.widget.told) if one.get("all")]


NONSENSE: list[Any] = [
    *(None, [], "stop", {}, {"do": 5}, {"do": "x" * 1_000}),
    *({"do": "hello"}, {"do": "hello", "view": 1}, {"do": "hello", "view": "1"}),
]


def test_what_a_page_should_not_say_does_nothing(kernel: FrontEnd, dripping: Any) -> None:
    unsaid = [*NONSENSE, {"do": "hello", "view": "the last"}]
    dripping.allowed = 3

    def speak(cell: Cell) -> None:
        if unsaid and grows(kernel):
            kernel.say(kernel.widget, unsaid.pop(0))
        elif len(wholes_in(kernel)) == 2:  # also the last has been heard
            dripping.allowed = FREELY

    cell = kernel.run("%%chat\nTalk at length", meanwhile=speak)
    assert unsaid == [] and cell.error is None and cell.printed == ""
    assert len(wholes_in(kernel)) == 2


def test_where_no_page_says_hello_the_text_comes_as_markdown(
    kernel: FrontEnd, dripping: Any
) -> None:
    """And the next cell does not try again, until a hello comes after all."""
    waits_for_no_hello(kernel)
    cell = kernel.run("%%chat\nTalk", stop_when=is_shown)
    late = kernel.widget
    assert is_static(cell) and cell.displays[0]["text/plain"].count("word") > 3
    assert late.told == [] and late.closed
    kernel.widgets.clear()
    kernel.run("%%chat\nTalk", stop_when=is_shown)
    assert kernel.widgets == {}


def test_a_hello_that_is_only_slow_lets_the_next_cell_try_again(
    kernel: FrontEnd, dripping: Any
) -> None:
    waits_for_no_hello(kernel)
    said: list[bool] = []

    def say_late(cell: Cell) -> None:
        if not said and is_shown(cell):
            said.append(True)
            kernel.say(kernel.widget, {"do": "hello", "view": "1"})

    kernel.run(
        "%%chat\nTalk",
        meanwhile=say_late,
        stop_when=lambda cell: bool(kernel.widgets and kernel.widget.told),
    )
    kernel.greets = True
    waits_for_a_hello(kernel)
    kernel.widgets.clear()
    kernel.run("%%chat\nTalk", stop_when=lambda cell: grows(kernel))
    assert kernel.widget.page.text.startswith("word word word")


def is_shown(cell: Cell) -> bool:
    """Whether the text is in the output itself, as Markdown."""
    return any("word word word word" in one.get("text/markdown", "") for one in cell.displays)


def test_a_front_end_that_names_no_cells_is_sent_no_widget(
    kernel: FrontEnd, dripping: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FrontEnd, "_execute", Kernel._execute)
    kernel.run("%%chat\nTalk", stop_when=is_shown)
    assert kernel.widgets == {}


def test_no_trait_and_no_message_holds_the_key(kernel: FrontEnd, dripping: Any) -> None:
    kernel.heard.clear()
    cell = kernel.run("%%chat\nTalk at length", meanwhile=steps(kernel, dripping))
    assert {one.decode() for one in dripping.keys} == {f"Bearer {KEY}"}
    assert cell.error is None and len(kernel.widget.told) > 10
    assert not [one for one in kernel.heard if KEY in one]


def test_no_trait_holds_what_the_model_said(kernel: FrontEnd, dripping: Any) -> None:
    """A notebook that is saved with its widgets' state keeps traits."""
    kernel.run("%%chat\nTalk at length", meanwhile=steps(kernel, dripping))
    assert kernel.widget.told
    assert "word word" not in json.dumps(kernel.widget.state)
    assert kernel.widget.state["options"] == {"sure": ""}


def test_a_card_says_the_same_of_itself_in_any_session(kernel: FrontEnd) -> None:
    """nbval compares the plain form of a widget."""
    kernel.run("from kit.notebook.live import LiveCard; card = LiveCard(busy=False)")
    assert kernel.value("repr(card._page)") == "live card"
    assert kernel.run("card._page").displays[0]["text/plain"] == "live card"


# -- a run -------------------------------------------------------------------------------------


class Asked(NamedTuple):
    """A run that a cell has started, as far as its worker has to know it."""

    id: str


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    with Elsewhere(tmp_path_factory.mktemp("relay")) as there:
        yield there


@pytest.fixture
def elsewhere(kernel: FrontEnd, relay: Elsewhere) -> Elsewhere:
    """A relay whose worker is the test: a run goes on when what came so far has been seen."""
    where = {"RELAY_BASE_URL": relay.url, "RELAY_API_KEY": RELAY_KEY}
    kernel.run(f"import os; os.environ |= {where!r}")
    return relay


def begun(kernel: FrontEnd, elsewhere: Elsewhere) -> tuple[Cell, Hold]:
    cell = kernel.run(f"%%research -o run\n{QUESTION}")
    assert cell.error is None
    return cell, elsewhere.begin(cast(Any, Asked(kernel.value("run.id"))))


def test_the_card_of_a_run_goes_on_without_its_cell_and_ends_static(
    kernel: FrontEnd, elsewhere: Elsewhere
) -> None:
    cell, hold = begun(kernel, elsewhere)
    kernel.listen(lambda: "발효 음식" in kernel.widget.page.text)
    kinds = {row["kind"] for row in kernel.widget.page.rows.values()}
    assert {"search", "page", "source"} <= kinds
    elsewhere.end(hold)
    kernel.listen(lambda: "completed" in str(cell.displays))
    kernel.listen(lambda: kernel.widget.closed)
    assert is_static(cell)
    card, gone = cell.displays
    assert "발효 음식" in card["text/plain"] and gone == {}
    token = kernel.value("run.token")
    assert len(token) > 20
    assert not [one for one in kernel.heard if token in one and "stdout" not in one]


def test_stop_in_the_card_of_a_run_cancels_it(kernel: FrontEnd, elsewhere: Elsewhere) -> None:
    cell, _ = begun(kernel, elsewhere)
    kernel.listen(lambda: kernel.widgets and kernel.widget.page.rows)
    kernel.say(kernel.widget, {"do": "stop"})
    kernel.listen(lambda: "cancelled" in str(cell.displays))
    assert kernel.value("run.status") == "cancelled"
    assert is_static(cell) and kernel.widget.closed


def test_a_run_is_shown_without_a_widget_where_no_page_says_hello(
    kernel: FrontEnd, elsewhere: Elsewhere
) -> None:
    waits_for_no_hello(kernel)
    cell, hold = begun(kernel, elsewhere)
    kernel.listen(lambda: "발효 음식" in str(cell.displays))
    assert VIEW not in cell.displays[0]
    elsewhere.end(hold)
    kernel.listen(lambda: "completed" in str(cell.displays))
    assert is_static(cell) and kernel.widget.closed
    assert kernel.widget.told == []
