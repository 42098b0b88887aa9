"""A conversation with functions that is closed while one of them runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from kit import blocking
from kit.notebook.chat_functions import AbandonableStream
from kit.notebook.leaving import GOES_ON, unfinished
from kit.tools.happenings import CallStarted
from tests.tools.conftest import Open, opened
from tests.tools.loops import call, client_of, loop_of, replies, text
from tests.waiting import until

__all__ = ["opened"]

pytestmark = pytest.mark.once


class Functions:
    """One that is held until it is let go, and one that follows it."""

    def __init__(self) -> None:
        self.began, self.let_go = threading.Event(), threading.Event()
        self.ran: list[str] = []

    def pay(self) -> str:
        """Pay."""
        self.began.set()
        self.let_go.wait(300)
        self.ran.append("pay")
        return "paid"

    def mail(self) -> str:
        """Mail."""
        self.ran.append("mail")
        return "sent"


@pytest.fixture
def functions() -> Iterator[Functions]:
    functions = Functions()
    yield functions
    functions.let_go.set()


@pytest.fixture
def stream(opened: Open, functions: Functions) -> Iterator[AbandonableStream]:
    made = [call("pay"), call("mail", call_id="b")]
    client = client_of(opened(*replies([made, [text("Done.")]], "responses")))
    with AbandonableStream(loop_of(client, tools=[functions.pay, functions.mail])) as stream:
        yield stream
    blocking.run(client.aclose)


def at_work() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name == "kit-chat-call"]


def test_what_had_begun_goes_on_and_what_had_not_never_begins(
    stream: AbandonableStream, functions: Functions
) -> None:
    heard: list[Any] = []
    while not functions.began.is_set():
        heard += stream.poll(0.01) or []
    assert stream.poll(0.01) == []
    assert [one.call.name for one in heard if isinstance(one, CallStarted)] == ["pay"]
    stream.close()
    pay, mail = unfinished(stream.partial, "stopped", stream.left_behind).tool_calls
    assert (pay.started, pay.error, pay.note) == (True, None, GOES_ON)
    assert (mail.started, mail.error) == (False, "not_carried_out")
    assert functions.ran == []
    functions.let_go.set()
    until(lambda: not at_work())
    assert functions.ran == ["pay"]
    assert stream.poll(0.01) is None


def test_to_its_end_it_is_like_any_other(stream: AbandonableStream, functions: Functions) -> None:
    functions.let_go.set()
    while stream.poll(0.01) is not None:
        pass
    assert functions.ran == ["pay", "mail"]
    assert stream.answer.text == "Done."
    stream.close()
    assert stream.left_behind is None
    until(lambda: not at_work())
