"""`kit.usage()`: one row for each answered call, whoever asked, and never one call twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio.from_thread
import pytest

import kit
from kit import connect, errors
from kit.connect_desk import book_of
from kit.gateway import following
from kit.gateway.answer import answer_of
from kit.gateway.ledger import Ledger
from kit.settings import load
from tests.gateway.gateways import Gateway, Reply, gateway, json_reply, stream_reply
from tests.relay.caller.callers import Elsewhere
from tests.relay.caller.there import entry
from tests.waiting import until

pytestmark = pytest.mark.once

COLUMNS = {
    **{"when": "datetime64[s]", "what": "str", "model": "str", "seconds": "float64"},
    **{"input": "Int64", "output": "Int64", "reasoning": "Int64", "cached": "Int64"},
    **{"searches": "Int64", "cost": "float64", "gateway": "str"},
}
USAGE = {
    **{"input_tokens": 100, "output_tokens": 20, "cost": 0.25},
    "input_tokens_details": {"cached_tokens": 60},
    "output_tokens_details": {"reasoning_tokens": 5},
}
MESSAGE = {"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}
SEARCH = {"type": "web_search_call", "status": "completed"}
DONE = {
    **{"id": "resp_1", "object": "response", "status": "completed", "model": "m-1"},
    **{"output": [SEARCH, MESSAGE], "usage": USAGE},
}
QUEUED = {"id": "resp_1", "object": "response", "status": "queued", "output": []}
CHAT = {
    **{"id": "chatcmpl-0", "object": "chat.completion", "model": "m-2"},
    "choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3},
}

Json = dict[str, Any]
Open = Callable[..., Gateway]


@pytest.fixture(autouse=True)
def nothing_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is a kernel that has just begun."""
    monkeypatch.setattr(connect, "_chosen", connect._Chosen())
    monkeypatch.setattr(connect, "_shared", None)
    monkeypatch.setattr(connect, "ledger", Ledger(time.time()))


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens gateways in a thread of their own, so that blocking calls can reach them."""
    with anyio.from_thread.start_blocking_portal() as portal, contextlib.ExitStack() as stack:

        def open_gateway(*replies: Reply) -> Gateway:
            return stack.enter_context(portal.wrap_async_context_manager(gateway(*replies)))

        yield open_gateway


def rows() -> list[Json]:
    return kit.usage().to_dict("records")


def asked(*names: str) -> list[Any]:
    """These columns of each row; what is missing is None."""
    table = kit.usage()[list(names)].astype(object)
    return [tuple(row) for row in table.where(table.notna(), None).itertuples(index=False)]


# -- the table -----------------------------------------------------------------------------------


def test_before_anything_was_asked_there_is_a_table_of_the_same_kinds() -> None:
    empty = kit.usage()
    assert {name: str(kind) for name, kind in empty.dtypes.items()} == COLUMNS
    assert len(empty) == 0
    kit.Client().chat("Reply with exactly: OK")
    assert list(kit.usage().dtypes) == list(empty.dtypes)


def test_a_look_starts_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.local.sandbox_endpoint", lambda found: pytest.fail("started"))
    assert len(kit.usage()) == 0
    assert "nothing has been asked" in repr(kit.usage_chart())


def test_what_was_asked_is_shown_where_what_is_configured_does_not_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kit.Client().chat("Reply with exactly: OK")
    monkeypatch.setenv("LITELLM_BASE_URL", "ftp://gateway.example")
    with pytest.raises(errors.ConfigError):
        kit.Client()
    assert asked("what") == [("chat",)]


def test_a_row_says_what_the_gateway_said(opened: Open) -> None:
    there = opened(json_reply(DONE))
    before = datetime.now() - timedelta(seconds=2)
    kit.Client(there.url, model="m").respond("hi")
    [row] = rows()
    assert before <= row.pop("when") <= datetime.now()
    assert 0 <= row.pop("seconds") < 60
    assert row == {
        **{"what": "responses", "model": "m-1", "input": 100, "output": 20, "reasoning": 5},
        **{"cached": 60, "searches": 1, "cost": 0.25, "gateway": there.url},
    }


def test_what_nobody_says_is_missing_and_not_nothing(opened: Open) -> None:
    there = opened(json_reply({"choices": CHAT["choices"]}))
    kit.Client(there.url, model="asked-for").chat("hi")
    assert asked("model", "input", "output", "cost") == [("asked-for", None, None, None)]


def test_the_sandbox_is_known_to_cost_nothing() -> None:
    kit.Client().chat("Reply with exactly: OK")
    assert asked("cost", "gateway") == [(0.0, "sandbox")]


# -- what counts ---------------------------------------------------------------------------------


def ask_chat(client: kit.Client) -> None:
    client.chat("hi")


def ask_respond(client: kit.Client) -> None:
    client.respond("hi")


def read_stream(client: kit.Client) -> None:
    list(client.stream("hi"))


def read_chat_stream(client: kit.Client) -> None:
    list(client.stream("hi", api="chat"))


def wait_for_background(client: kit.Client) -> None:
    id = client.submit("hi").id
    assert id
    until(lambda: client.retrieve(id).status == "completed")


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (ask_chat, "chat"),
        (ask_respond, "responses"),
        (read_stream, "responses"),
        (read_chat_stream, "chat"),
        (wait_for_background, "responses"),
    ],
)
def test_each_way_of_asking_is_one_row(ask: Callable[[kit.Client], None], what: str) -> None:
    with kit.Client() as client:
        ask(client)
    assert asked("what", "model") == [(what, "sandbox")]
    assert kit.usage()["output"].sum() > 0


def test_asynchronous_clients_count_too() -> None:
    async def ask() -> None:
        async with kit.AsyncClient() as client:
            await asyncio.gather(client.chat("hi"), client.respond("hi"))

    asyncio.run(ask())
    assert sorted(asked("what")) == [("chat",), ("responses",)]


def test_the_client_that_the_magics_share_counts_too_also_when_another_is_chosen() -> None:
    connect.client().chat("hi")
    connect.use("sandbox")
    connect.client().chat("hi")
    assert asked("what") == [("chat",)] * 2


def test_every_turn_of_a_tool_conversation_is_a_row() -> None:
    def population(city: str) -> int:
        """How many people live there.

        city: its name.
        """
        return 10

    with kit.Client() as client:
        answer = client.run_tools(
            "How many people live in Seoul? Use population.", tools=population
        )
    table = kit.usage()
    assert len(answer.tool_calls) >= 1
    assert len(table) >= 2
    assert answer.usage is not None
    assert table["input"].sum() == answer.usage.input_tokens


def test_rows_stand_in_the_order_of_the_questions(opened: Open) -> None:
    slow = opened([1.0, json_reply(CHAT)])
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(kit.Client(slow.url, model="m").chat, "hi")
        while not slow.requests:
            time.sleep(0.01)
        kit.Client().respond("Reply with exactly: OK")
        waiting.result()
    assert asked("what") == [("chat",), ("responses",)]


# -- once, and only once -------------------------------------------------------------------------


def test_a_background_response_counts_once_when_its_end_is_fetched(opened: Open) -> None:
    there = opened(json_reply(QUEUED), json_reply(QUEUED), json_reply(DONE))
    client = kit.Client(there.url, model="m")
    client.submit("hi")
    client.retrieve("resp_1")
    assert rows() == []
    client.retrieve("resp_1")
    client.retrieve("resp_1")
    kit.Client(there.url, model="m").retrieve("resp_1")
    assert asked("input", "seconds") == [(100, None)], "how long it ran, nobody has said"


def test_one_that_was_done_at_once_is_not_counted_when_it_is_fetched(opened: Open) -> None:
    client = kit.Client(opened(json_reply(DONE)).url, model="m")
    client.submit("hi")
    client.retrieve("resp_1")
    assert len(rows()) == 1


@pytest.mark.parametrize("ask", [ask_respond, read_stream])
def test_a_response_that_a_call_waits_for_counts_once(
    opened: Open, ask: Callable[[kit.Client], None]
) -> None:
    client = kit.Client(opened(json_reply(QUEUED), json_reply(DONE)).url, model="m")
    ask(client)
    client.retrieve("resp_1")
    assert asked("input", "cost") == [(100, 0.25)]


def test_one_whose_wait_was_too_short_counts_when_it_is_fetched(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = kit.Client(opened(json_reply(QUEUED), json_reply(DONE)).url, model="m")
    monkeypatch.setattr(following, "FIRST_SECONDS", 1_000.0)
    with pytest.raises(errors.TimedOut):
        client.respond("hi", timeout=2.0)
    assert rows() == []
    client.retrieve("resp_1")
    assert asked("model") == [("m-1",)]


def test_one_of_an_earlier_kernel_counts_if_it_ran_in_the_background(opened: Open) -> None:
    known = {**DONE, "background": True, "created_at": 1_000, "completed_at": 1_090.5}
    client = kit.Client(opened(json_reply(DONE), json_reply(known)).url, model="m")
    client.retrieve("resp_1")
    assert rows() == [], "it was asked and counted elsewhere"
    client.retrieve("resp_1")
    assert asked("input", "seconds") == [(100, 90.5)]


def test_a_gateway_that_gives_every_answer_one_id_is_counted_right(opened: Open) -> None:
    client = kit.Client(opened(json_reply(CHAT)).url, model="m")
    for _ in range(3):
        client.chat("hi")
    assert asked("model", "input") == [("m-2", 7)] * 3


# -- what failed ---------------------------------------------------------------------------------

FAILED = {**DONE, "status": "failed", "output": [], "error": {"message": "no"}}


@pytest.mark.parametrize(
    ("reply", "options", "counts"),
    [
        (json_reply(FAILED), {}, True),
        (json_reply({**FAILED, "usage": None}), {}, False),
        (json_reply({**DONE, "output": [], "usage": None}), {}, False),
        (json_reply(DONE), {"schema": {"type": "object"}}, True),
        (json_reply({"error": {"message": "no"}}, status="400 Bad Request"), {}, False),
        (json_reply("<html>"), {}, False),
    ],
    ids=["failed", "failed for nothing", "hollow", "misses its schema", "refused", "a page"],
)
def test_a_call_that_failed_counts_where_it_says_what_it_took(
    opened: Open, reply: bytes, options: Json, counts: bool
) -> None:
    client = kit.Client(opened(reply).url, model="m", retries=0)
    with pytest.raises(errors.KitError):
        client.respond("hi", **options)
    assert asked("input", "cost") == ([(100, 0.25)] if counts else [])


def test_a_stream_that_failed_counts_where_its_end_says_what_it_took(opened: Open) -> None:
    there = opened(stream_reply({"type": "response.failed", "response": FAILED}))
    with pytest.raises(errors.KitError):
        list(kit.Client(there.url, model="m").stream("hi"))
    assert asked("input") == [(100,)]


def test_a_stream_that_breaks_off_is_not_counted(opened: Open) -> None:
    there = opened(stream_reply({"type": "response.output_text.delta", "delta": "Hel"}))
    with pytest.raises(errors.StreamInterrupted):
        list(kit.Client(there.url, model="m").stream("hi"))
    assert rows() == []


# -- what is kept --------------------------------------------------------------------------------


def test_nothing_of_a_prompt_an_answer_or_a_key_is_kept(opened: Open) -> None:
    said = {**MESSAGE, "content": [{"type": "output_text", "text": "the-answer"}]}
    there = opened(json_reply({**DONE, "output": [said]}))
    kit.Client(there.url, "sk-the-key-0123456789", model="m").respond("the-question")
    kept = repr([connect.ledger.calls(), vars(connect.ledger), rows()])
    for word in ("the-answer", "the-question", "sk-the-key"):
        assert word not in kept


def test_of_many_calls_the_last_are_kept() -> None:
    ledger = Ledger(0.0, most=100)
    for number in range(1_000):
        queued = answer_of({**QUEUED, "id": f"resp_q{number}"})
        ledger.note(queued, "responses", "g", now=number)
        done = answer_of({**DONE, "id": f"resp_{number}"})
        ledger.note(done, "responses", "g", now=number)
    assert [call.asked for call in ledger.calls()] == [float(one) for one in range(900, 1_000)]
    assert max(map(len, (one for one in vars(ledger).values() if hasattr(one, "__len__")))) == 100


def test_threads_count_beside_each_other() -> None:
    ledger = Ledger(0.0)
    start = threading.Barrier(8)

    def ask(thread: int) -> None:
        start.wait()
        for number in range(200):
            done = answer_of({**DONE, "id": f"resp_{number}"})
            ledger.note(done, "responses", f"g{thread}", now=1.0)
            ledger.note(done, "responses", f"g{thread}", now=1.0, fetched=True)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
    assert len(ledger.calls()) == 1_600


@pytest.mark.parametrize(
    "told",
    [
        {"model": "m" * 100_000},
        {"model": "\x1b[2J\u202em"},
        {"id": "r" * 100_000},
        {"usage": {"input_tokens": 10**40, "output_tokens": 1}},
        {"usage": {"input_tokens": 1, "cost": 1.7e308}},
        {"id": "resp_2", "background": True, "created_at": 10**400, "completed_at": "soon"},
        {"id": "resp_2", "background": True, "created_at": 10**400, "completed_at": 1.5},
    ],
    ids=[
        *("long name", "steering name", "long id", "endless tokens", "endless cost"),
        *("no times", "odd times"),
    ],
)
def test_what_a_gateway_makes_up_breaks_no_call_and_no_table(opened: Open, told: Json) -> None:
    client = kit.Client(opened(json_reply({**DONE, **told})).url, model="m")
    client.respond("hi")
    client.respond("hi")
    client.retrieve("resp_1")
    for row in rows():
        assert len(row["model"]) <= 100
        assert row["model"].isprintable()
    assert repr(kit.usage_chart())


# -- research ------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    with Elsewhere(tmp_path / "relay") as there:
        yield there.known_to(monkeypatch)


def test_research_counts_with_what_is_known_of_it(elsewhere: Elsewhere) -> None:
    run = elsewhere.research(model="deep-thinker")
    assert asked("what", "model", "input", "cost") == [("research", "deep-thinker", None, None)]
    elsewhere.complete(run)
    run.wait()
    assert asked("what", "model", "input", "output", "searches", "cost", "gateway") == [
        ("research", "deep", 10, 5, 2, 0.25, elsewhere.url)
    ]
    assert rows()[0]["seconds"] >= 0


def test_a_look_asks_no_relay(elsewhere: Elsewhere) -> None:
    elsewhere.research()
    before = len(elsewhere.heard)
    assert len(kit.usage()) == 1
    assert len(elsewhere.heard) == before


def test_research_of_before_this_process_began_and_what_was_never_sent_do_not_count() -> None:
    book = book_of(load())
    book.write(entry(key="0" * 31 + "1", asked=connect.ledger.began - 1))
    book.write(entry(key="0" * 31 + "2", asked=time.time(), id=None, token=None))
    assert rows() == []


def test_what_another_program_wrote_into_the_book_breaks_no_table() -> None:
    book = book_of(load())
    book.write(entry(asked=time.time()))
    [file] = book.folder.iterdir()
    odd = {"asked": 2**52, "usage": {"input_tokens": "many", "output_tokens": -1}, "seconds": []}
    odd |= {"searches": 1e300, "model": ["m"], "arguments": {"model": 5}}
    file.write_text(json.dumps({**json.loads(file.read_text()), **odd}))
    assert asked("model", "input", "seconds", "searches") == [("", 0, None, None)]
