"""The clients people make: every argument optional, and what answers when nothing is set."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import json
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio.from_thread
import pytest

import kit
from kit import connect, errors
from kit.connect import AsyncClient, Client
from kit.connect_compatible import LiteLLMClient
from kit.gateway.events import TextDelta
from tests.gateway.gateways import (
    KEY,
    STREAM_HEAD,
    Gateway,
    Reply,
    frame,
    gateway,
    json_reply,
    stream_reply,
)
from tests.waiting import until

DONE = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "model": "m",
    "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}],
}
CHAT = {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}
DELTA = {"type": "response.output_text.delta", "output_index": 0, "delta": "Hel"}
END = {"type": "response.completed", "response": DONE}


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "_chosen", connect._Chosen())
    monkeypatch.setattr(connect, "_shared", None)


Open = Callable[..., Gateway]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens gateways in a thread of their own, so that blocking calls can reach them."""
    with anyio.from_thread.start_blocking_portal() as portal, contextlib.ExitStack() as stack:

        def open_gateway(*replies: Reply) -> Gateway:
            return stack.enter_context(portal.wrap_async_context_manager(gateway(*replies)))

        yield open_gateway


# -- with nothing set --------------------------------------------------------------------------


def test_with_nothing_set_the_sandbox_answers() -> None:
    with Client() as client:
        assert client.endpoint.identity == "sandbox"
        assert client.endpoint.base_url.startswith("http://127.0.0.1:")
        assert client.chat("Reply with exactly: OK").text == "OK"
        assert client.respond("Reply with exactly: OK").text == "OK"
        assert client.models() == ["sandbox"]


def test_the_sandbox_streams_and_keeps_background_runs() -> None:
    with Client() as client:
        with client.stream("Reply with exactly: one two three") as stream:
            text = "".join(event.text for event in stream if isinstance(event, TextDelta))
        assert text == stream.answer.text == "one two three"
        submitted = client.submit("Reply with exactly: later")
        assert submitted.id
        while (answer := client.retrieve(submitted.id)).status != "completed":
            time.sleep(0.02)
        assert answer.text == "later"
        assert client.delete(submitted.id) is True
        with pytest.raises(errors.NotFound):
            client.retrieve(submitted.id)


def test_the_asynchronous_client_needs_no_argument_either() -> None:
    async def ask() -> str:
        async with AsyncClient() as client:
            return (await client.chat("Reply with exactly: OK")).text

    assert asyncio.run(ask()) == "OK"


def test_the_compatible_client_needs_no_argument_either() -> None:
    client = LiteLLMClient()
    assert client.create_chat_completion("Reply with exactly: OK") == "OK"
    assert client.create_response("Reply with exactly: OK") == "OK"
    raw = json.loads(client.create_response("Reply with exactly: OK", background=True))
    assert raw["id"]
    assert raw["status"] in ("queued", "in_progress", "completed")


def test_one_sandbox_serves_all_clients_of_a_process() -> None:
    assert Client().endpoint == Client().endpoint == connect.client().endpoint


@pytest.mark.parametrize("made", [Client, AsyncClient, LiteLLMClient])
def test_every_argument_is_optional(made: type) -> None:
    parameters = inspect.signature(made).parameters.values()
    assert all(one.default is not one.empty for one in parameters)


def test_the_names_are_public() -> None:
    assert (kit.Client, kit.AsyncClient, kit.LiteLLMClient) == (Client, AsyncClient, LiteLLMClient)


# -- with something set ------------------------------------------------------------------------


def test_arguments_name_the_gateway(opened: Open) -> None:
    there = opened(json_reply(DONE))
    with Client(f"{there.url}/responses", KEY, "m", headers={"x-team": "t"}, timeout=5) as client:
        answer = client.respond("hi", system="s", max_tokens=5)
    assert answer.text == "Hello"
    [request] = there.requests
    assert request.path == "/v1/responses"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["x-team"] == "t"
    assert (request.body["model"], request.body["instructions"]) == ("m", "s")
    assert KEY not in repr(client) + repr(client.endpoint)


def test_the_environment_names_the_gateway(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    there = opened(json_reply(CHAT))
    monkeypatch.setenv("LITELLM_BASE_URL", there.url)
    monkeypatch.setenv("LITELLM_API_KEY", KEY)
    monkeypatch.setenv("LITELLM_MODEL", "m")
    monkeypatch.setenv("LITELLM_CHAT_MODEL", "c")
    client = Client()
    assert client.chat("hi").text == "Hello"
    with contextlib.suppress(errors.KitError):
        client.respond("hi")
    assert [one.body["model"] for one in there.requests] == ["c", "m"]
    status = connect.status()
    assert (status.kind, status.address, status.model) == ("gateway", there.url, "m")
    assert status.key_source == "environment"
    assert KEY not in repr(status)


def test_a_key_of_the_environment_does_not_follow_a_folders_address(
    opened: Open, monkeypatch: pytest.MonkeyPatch, fresh_home: Path
) -> None:
    """A cloned folder could otherwise have the key sent to its author."""
    there = opened(json_reply(DONE))
    (fresh_home / "project").mkdir()
    (fresh_home / "project" / ".env").write_text(f"LITELLM_BASE_URL={there.url}\n")
    monkeypatch.chdir(fresh_home / "project")
    monkeypatch.setenv("LITELLM_API_KEY", KEY)
    with pytest.raises(errors.KeyWithheld) as caught:
        Client()
    assert KEY not in str(caught.value)
    assert there.requests == []


def test_a_gateway_that_is_away_is_one_line_and_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_BASE_URL", "https://gateway.invalid")
    with pytest.raises(errors.ConnectionFailed) as caught:
        Client(model="m", retries=0).chat("hi")
    assert len(str(caught.value).splitlines()) == 1


def test_the_compatible_client_sends_what_scripts_pass(opened: Open) -> None:
    queued = {**DONE, "status": "queued", "output": []}
    there = opened(json_reply(CHAT), json_reply(DONE), json_reply(queued))
    client = LiteLLMClient(there.url, KEY, model="gpt-4o", timeout=30.0)
    tools = [{"type": "web_search_preview"}]
    assert client.create_chat_completion("hi") == "Hello"
    assert client.create_response("hi", tools=tools) == "Hello"
    assert json.loads(client.create_response("hi", background=True)) == queued
    chat, response, background = there.requests
    assert chat.body == {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
    assert response.body == {"model": "gpt-4o", "input": "hi", "tools": tools}
    assert background.body["background"] is True


# -- what a process chooses --------------------------------------------------------------------


def test_the_magics_share_one_client_until_something_changes() -> None:
    first = connect.client()
    assert connect.client() is first
    connect.forget_client()
    second = connect.client()
    assert second is not first
    connect.choose_model("other")
    assert connect.client() is not second
    assert connect.client().endpoint.model == "other"
    assert connect.status().model == "other"
    connect.choose_model(None)
    assert connect.status().model == "sandbox"


def test_using_the_sandbox_wins_over_a_configured_gateway(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = opened(json_reply(CHAT))
    monkeypatch.setenv("LITELLM_BASE_URL", there.url)
    connect.use("sandbox")
    assert connect.status().kind == "sandbox"
    assert connect.client().chat("Reply with exactly: OK").text == "OK"
    assert Client().endpoint.identity == "sandbox"
    assert Client(there.url).endpoint.base_url == there.url  # an argument wins over the choice
    connect.use("gateway")
    assert connect.status().kind == "gateway"
    assert there.requests == []


def test_a_chosen_model_is_for_the_chosen_gateway_alone() -> None:
    connect.choose_model("special")
    assert connect.client().endpoint.model == "special"
    assert Client(model="mine").endpoint.model == "mine"
    assert Client("http://127.0.0.1:9").endpoint.model is None
    connect.use("sandbox")
    assert connect.client().endpoint.model == "sandbox"


@pytest.mark.parametrize(
    ("kind", "kind_of_error", "says"),
    [
        ("gateway", errors.ConfigError, "No gateway is configured. Set LITELLM_BASE_URL"),
        ("moon", errors.InputError, "sandbox, local or gateway"),
        ("", errors.InputError, "sandbox, local or gateway"),
    ],
)
def test_what_is_not_there_cannot_be_used(
    kind: str, kind_of_error: type[errors.KitError], says: str
) -> None:
    before = connect.client()
    with pytest.raises(kind_of_error) as caught:
        connect.use(kind)
    assert says in str(caught.value)
    assert connect.client() is before


def test_a_local_model_that_is_not_there_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KIT_LOCAL_MODEL", "/nowhere/model.gguf")
    with pytest.raises(errors.ConfigError, match=r"KIT_LOCAL_MODEL|pip install"):
        connect.use("local")
    assert connect.status().kind == "sandbox"


# -- the blocking face -------------------------------------------------------------------------


def test_it_works_inside_a_running_loop(opened: Open) -> None:
    there = opened(json_reply(CHAT))

    async def cell() -> str:
        return Client(there.url, model="m").chat("hi").text

    assert asyncio.run(cell()) == "Hello"


def test_many_threads_may_share_a_client(opened: Open) -> None:
    there = opened(json_reply(CHAT))
    client, texts = Client(there.url, model="m"), []
    threads = [
        threading.Thread(target=lambda: texts.append(client.chat("hi").text)) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert texts == ["Hello"] * 16


def test_threads_that_start_together_get_the_same_shared_client() -> None:
    together, found = threading.Barrier(8), []

    def take() -> None:
        together.wait(300)
        found.append(connect.client())

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


def test_choosing_anew_does_not_break_a_call_under_way(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = opened([STREAM_HEAD, frame(DELTA), 0.3, frame(END)])
    monkeypatch.setenv("LITELLM_BASE_URL", there.url)
    stream = connect.client().stream("hi", model="m")
    assert stream.poll(5)
    connect.choose_model("other")
    assert list(stream)
    assert stream.answer.text == "Hello"


def test_a_stream_can_be_polled(opened: Open) -> None:
    there = opened([STREAM_HEAD, frame(DELTA), 0.2, frame(END)])
    stream = Client(there.url, model="m").stream("hi")
    seen: list[Any] = []
    while (batch := stream.poll(0.02)) is not None:
        seen.append(len(batch))
    assert 0 in seen
    assert sum(seen) == 2
    assert stream.poll(0.02) is None
    assert stream.answer.text == "Hello"


def test_leaving_a_loop_closes_the_connection(opened: Open) -> None:
    def endless() -> Iterator[bytes | float]:
        yield STREAM_HEAD
        while True:
            yield frame(DELTA)
            yield 0.005

    there = opened(endless())
    for event in Client(there.url, model="m").stream("hi"):
        assert isinstance(event, TextDelta)
        break
    gc.collect()
    until(there.left.is_set)


@pytest.mark.parametrize("call", ["chat", "respond", "stream"])
def test_a_stop_ends_the_request(opened: Open, call: str) -> None:
    """Ctrl-C and ■ are a SIGINT in the main thread; the gateway sees the connection go."""
    there = opened([STREAM_HEAD, frame(DELTA), 1_000.0] if call == "stream" else [1_000.0])
    client = Client(there.url, model="m")
    stream = client.stream("hi")

    def stop() -> None:
        """As soon as the gateway is waited for."""
        until(lambda: there.requests if call != "stream" else stream.partial)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        threading.Thread(target=stop).start()
        if call == "stream":
            for _ in stream:
                pass
        else:
            getattr(client, call)("hi")
    until(there.left.is_set)
    if call == "stream":
        assert stream.partial.text == "Hel"


def test_after_a_stop_the_client_goes_on(opened: Open) -> None:
    there = opened([1_000.0], json_reply(CHAT))
    client = Client(there.url, model="m")

    def stop() -> None:
        until(lambda: there.requests)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        threading.Thread(target=stop).start()
        client.chat("hi")
    assert client.chat("hi").text == "Hello"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_goes_on_alone(opened: Open) -> None:
    there = opened(json_reply(CHAT))
    client = Client(there.url, model="m")
    assert client.chat("hi").text == "Hello"
    sandbox = connect.client()
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(BaseException):
            fine = client.chat("hi").text == "Hello" and bool(connect.client().models())
            code = 0 if fine else 2
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert client.chat("hi").text == "Hello"
    assert sandbox.models() == ["sandbox"]


def test_a_client_is_not_written_into_a_file() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Client("http://127.0.0.1:9", KEY))


def test_errors_of_blocking_calls_are_the_same(opened: Open) -> None:
    there = opened(stream_reply(DELTA))
    client = Client(there.url, model="m")
    with pytest.raises(errors.StreamInterrupted) as caught:
        list(client.stream("hi"))
    assert caught.value.answer.text == "Hel"
    with pytest.raises(errors.InputError):
        client.chat("")


def test_help_shows_the_options_by_name() -> None:
    for method in (Client.chat, Client.respond, Client.stream, Client.submit, AsyncClient.chat):
        parameters = inspect.signature(method).parameters
        assert {"prompt", "system", "schema", "web_search", "timeout"} <= set(parameters)
        assert not any(one.kind is one.VAR_KEYWORD for one in parameters.values())
        assert inspect.getdoc(method)


def test_the_shared_client_follows_what_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """`%env LITELLM_BASE_URL=...` in a running kernel counts from the next cell on."""
    first = connect.client()
    assert connect.client() is first
    monkeypatch.setenv("LITELLM_BASE_URL", "http://127.0.0.1:9")
    assert connect.client().endpoint.base_url == "http://127.0.0.1:9/v1"
    assert connect.status().kind == "gateway"
    monkeypatch.delenv("LITELLM_BASE_URL")
    assert connect.status().kind == "sandbox"


def test_the_status_says_when_the_address_comes_from_a_login() -> None:
    connect.use("gateway", address="https://gateway.example")
    try:
        assert connect.status().sources["LITELLM_BASE_URL"] == "%kit login"
    finally:
        connect.forget_client(logged_out="https://gateway.example")
