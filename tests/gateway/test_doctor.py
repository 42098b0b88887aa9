"""What the doctor says of gateways that lie: one row for each lie.

Every gateway here is the sandbox, which does all that the doctor asks for, but for its lie.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from kit.gateway.doctor import DEAR_NAMES
from kit.sandbox.app import open_sandbox
from kit.settings import Endpoint
from tests.gateway.lying import (
    Asked,
    Json,
    Lie,
    Reply,
    as_json,
    examined,
    lines,
    lying,
    refused,
    responses_in,
    without,
)

pytestmark = [pytest.mark.once, pytest.mark.anyio]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Any]:
    yield open_sandbox(pace=0)


# -- the lies ------------------------------------------------------------------------------------


def bridge(asked: Asked) -> Asked | Reply:
    """LiteLLM before a provider without the responses API."""
    if asked.path.startswith("/v1/responses/"):
        return refused("Response not found", 404)
    body = {k: v for k, v in asked.body.items() if k not in _FORGOTTEN}
    items = body.get("input")
    if isinstance(items, list) and all(one.get("type") == "function_call_output" for one in items):
        names = {"name": "kit_number", "arguments": "{}"}
        call = {"type": "function_call", "call_id": items[0]["call_id"], **names}
        body["input"] = [call, *items]  # LiteLLM has kept the call, and not the question
    return replace(asked, body=body)


_FORGOTTEN = ("previous_response_id", "background", "include", "store")


def nameless(frame: str) -> str:
    """LiteLLM's streams: no `event:`, no numbers."""
    data = next(line for line in frame.split("\n") if line.startswith("data:")) if frame else ""
    if not data or data == "data: [DONE]":
        return data
    found = json.loads(data[5:])
    found.pop("sequence_number", None)
    return f"data: {json.dumps(found)}"


def polled(asked: Asked) -> Asked | Reply:
    """LiteLLM with Redis: JSON where a stream was asked for, and a cancel that is none."""
    if asked.path.endswith("/cancel"):
        return as_json({**_POLL, "status": "cancelled"})
    if "litellm_poll_" in asked.path:
        return as_json({**_POLL, "status": "completed"})
    return as_json(_POLL) if asked.body.get("background") else asked


_POLL: Json = {"id": "litellm_poll_1", "object": "response", "status": "queued", "output": []}


def not_for(path: str, status: int = 404) -> Lie:
    return Lie(lambda asked: refused("Not Found", status) if asked.path == path else asked)


def where(found: Any, reply: Reply) -> Lie:
    return Lie(lambda asked: reply if found(asked.body) else asked)


def finished(change: Any) -> Any:
    """Change the response in a stream's last event, and a whole one."""

    def answer(asked: Asked, reply: Reply) -> Reply:
        if not reply.streamed:
            if asked.path.endswith("/responses") and reply.status == 200:
                return replace(reply, content=json.dumps(change(reply.object)).encode())
            return reply
        return lines(lambda frame: _finished(frame, change))(asked, reply)

    return answer


def _finished(frame: str, change: Any) -> str:
    head, mark, data = frame.partition("data: ")
    if '"response.completed"' not in frame or not mark:
        return frame
    event = json.loads(data)
    return f"{head}{mark}{json.dumps({**event, 'response': change(event['response'])})}"


def said(text: str) -> Json:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "role": "assistant", "content": [part]}


def unsourced(frame: str) -> str | None:
    return None if "annotation.added" in frame else frame


def priced(asked: Asked, reply: Reply) -> Reply:
    return replace(reply, headers={} if reply.streamed else {"x-litellm-response-cost": "0.001"})


def has_outputs(body: Json) -> bool:
    items = body.get("input") or body.get("messages")
    return isinstance(items, list) and any(
        one.get("type") == "function_call_output" or one.get("role") == "tool" for one in items
    )


def whole(asked: Asked) -> Asked:
    return replace(asked, body={k: v for k, v in asked.body.items() if k[:6] != "stream"})


def in_one_piece(body: Json) -> bool:
    return "model" in body and not body.get("stream")


def always_streamed(asked: Asked) -> Asked:
    wished = {"stream": True} if "model" in asked.body else {}
    return replace(asked, body={**asked.body, **wished})


def from_memory(asked: Asked) -> Asked:
    """A search that is dropped: the model answers alone."""
    if "web_search" not in str(asked.body.get("tools")):
        return asked
    return replace(without("tools")(asked), body={**asked.body, "tools": [], "input": "Say hi"})


SEARCH_LESS = Lie(from_memory)
FORMLESS = Lie(without("text", "response_format"))
NO_DONE = Lie(answer=lines(lambda frame: None if "[DONE]" in frame else frame))
GAP = Lie(answer=lines(lambda frame: None if "content_part.added" in frame else frame))
CUT = Lie(answer=lines(lambda frame: None if "completed" in frame or "DONE" in frame else frame))
LATE_SOURCES = Lie(answer=lines(unsourced))
ALONE = "This model only support stream mode, please enable the stream parameter."
LOST = refused("Not Found", 404)
BUDGET = refused("Budget has been exceeded", 429, "budget_exceeded")
NO_DATABASE = refused("No connected db.", 400, "no_db_connection")
WRONG_KEY = refused("Incorrect API key", 401, "invalid_api_key")
BARE = Reply(b"Internal Server Error", 500, "text/plain")

YES: Any = dict.fromkeys(("history", "tools", "schema", "retrieve"), ("yes", ""))
YES |= {"tools by id": ("yes", "counted")}

STREAMS_ONLY: Any = {
    **dict.fromkeys(("chat", "responses"), ("partly", "streams only")),
    **dict.fromkeys(("chat stream", "responses stream", "chat tools"), ("yes", "")),
    **dict.fromkeys(("chat schema", "encrypted", "key"), ("yes", "")),
}

CHEAP_LIES = [
    ("nothing", Lie(), {**YES, "chat": ("yes", ""), "chat stream": ("yes", "")}),
    (
        "a bridge",
        Lie(bridge, lines(nameless)),
        {
            "history": ("no", "forgotten"),
            "tools by id": ("no", "forgotten"),
            "tools": ("yes", ""),
            "retrieve": ("no", "refused"),
            "responses stream": ("yes", ""),
        },
    ),
    (
        "an id is refused",
        where(lambda body: body.get("previous_response_id"), refused("unsupported")),
        {"history": ("no", "refused"), "tools by id": ("no", "refused"), "tools": ("yes", "")},
    ),
    (
        "the second turn fails",
        where(has_outputs, refused("unknown role")),
        {"tools": ("partly", "second turn"), "chat tools": ("partly", "second turn")},
    ),
    (
        "functions are refused",
        where(lambda body: body.get("tools"), refused("no tools")),
        {"tools": ("no", "refused"), "chat tools": ("no", "refused")},
    ),
    (
        "functions are dropped",
        Lie(without("tools", "tool_choice")),
        {"tools": ("unknown", "not called")},
    ),
    (
        "the form is ignored",
        FORMLESS,
        {"schema": ("no", "ignored"), "chat schema": ("no", "ignored")},
    ),
    (
        "the form is refused",
        where(lambda body: body.get("text"), refused("text.format")),
        {"schema": ("no", "refused"), "chat schema": ("yes", "")},
    ),
    ("no end of the stream", CUT, {"responses stream": ("no", "cut"), "responses": ("yes", "")}),
    ("no [DONE]", NO_DONE, {"responses stream": ("yes", ""), "chat stream": ("yes", "")}),
    ("a gap in the count", GAP, {"responses stream": ("yes", "")}),
    (
        "no stream",
        Lie(whole),
        {"responses stream": ("partly", "whole"), "chat stream": ("partly", "whole")},
    ),
    (
        "a stream is a 500",
        where(lambda body: body.get("stream"), BARE),
        {"responses stream": ("no", "cut"), "chat stream": ("no", "cut"), "tools": ("yes", "")},
    ),
    (
        "no responses",
        not_for("/v1/responses"),
        {"responses": ("no", "refused"), "chat": ("yes", "")},
    ),
    ("no chat", not_for("/v1/chat/completions"), {"chat": ("no", "refused"), **YES}),
    ("no list of models", not_for("/v1/models"), {"models": ("no", ""), "key": ("yes", "")}),
    (
        "encrypted reasoning is refused",
        where(lambda body: body.get("include"), refused("include")),
        {"encrypted": ("no", "refused")},
    ),
    ("a cost in a header", Lie(answer=priced), {"cost": ("partly", "whole")}),
    ("only streams", where(in_one_piece, refused(ALONE)), {**YES, **STREAMS_ONLY}),
    (
        "only streams, as a provider's failure",
        where(in_one_piece, refused(f"litellm.APIConnectionError: {ALONE}", 500)),
        {**YES, **STREAMS_ONLY},
    ),
    (
        "only streams, without a word",
        where(in_one_piece, refused("Bad request")),
        {**YES, **STREAMS_ONLY},
    ),
    ("always streams", Lie(always_streamed), {**YES, **STREAMS_ONLY}),
    (
        "only chat, and only streams",
        Lie(lambda asked: LOST if "responses" in asked.path else always_streamed(asked)),
        {"chat": ("partly", "streams only"), "responses": ("no", "refused")},
    ),
]


@pytest.mark.parametrize(
    ("lie", "expected"), [row[1:] for row in CHEAP_LIES], ids=[r[0] for r in CHEAP_LIES]
)
async def test_a_lie_is_seen(sandbox: Any, lie: Lie, expected: Any) -> None:
    with lying(lie, sandbox) as (endpoint, _):
        report = await examined(endpoint)
    assert {name: (report[name].verdict, report[name].how) for name in expected} == expected
    assert report.usable


DEAR_LIES = [
    (
        "nothing",
        Lie(),
        {
            "background": ("yes", ""),
            "cursor": ("yes", ""),
            "web search": ("yes", ""),
            "citations": ("yes", ""),
        },
    ),
    (
        "background is ignored",
        Lie(bridge, lines(nameless)),
        {
            "background": ("no", "ignored"),
            "cursor": ("unknown", "no background"),
            "cancel": ("unknown", "no background"),
        },
    ),
    (
        "background is refused",
        where(lambda body: body.get("background"), refused("background")),
        {"background": ("no", "refused"), "cancel": ("unknown", "no background")},
    ),
    (
        "background cannot be streamed",
        where(lambda body: body.get("background") and body.get("stream"), refused("stream")),
        {"background": ("partly", "polled")},
    ),
    (
        "background is polled",
        Lie(polled),
        {
            "background": ("partly", "polled"),
            "cursor": ("no", "polled"),
            "cancel": ("partly", "goes on"),
        },
    ),
    (
        "a search is dropped",
        SEARCH_LESS,
        {"web search": ("no", "dropped"), "citations": ("unknown", "")},
    ),
    (
        "a search is refused",
        where(lambda body: "web_search" in str(body.get("tools")), refused("web_search")),
        {"web search": ("no", "refused")},
    ),
    (
        "sources come at the end",
        LATE_SOURCES,
        {"citations": ("partly", "final"), "web search": ("yes", "")},
    ),
]


@pytest.mark.parametrize(
    ("lie", "expected"), [row[1:] for row in DEAR_LIES], ids=[r[0] for r in DEAR_LIES]
)
async def test_a_lie_about_what_may_cost_is_seen(sandbox: Any, lie: Lie, expected: Any) -> None:
    with lying(lie, sandbox) as (endpoint, _):
        report = await examined(endpoint, dear=True)
    assert {name: (report[name].verdict, report[name].how) for name in expected} == expected


@pytest.mark.parametrize(
    ("reply", "key", "how", "says"),
    [
        (WRONG_KEY, True, "refused", "not accepted"),
        (NO_DATABASE, True, "no database", "400 instead of 401"),
        (BARE, False, "missing", "none is configured"),
    ],
)
async def test_a_wrong_key_is_told_apart(
    sandbox: Any, reply: Reply, key: bool, how: str, says: str
) -> None:
    with lying(Lie(lambda asked: reply), sandbox) as (endpoint, liar):
        report = await examined(endpoint if key else replace(endpoint, api_key=None))
    assert (report["key"].verdict, report["key"].how) == ("no", how)
    assert says in report["key"].means
    assert report["models"].means == "Not tried: that takes a key that is accepted."
    assert report["models"].advice == "", "the key's own advice is enough"
    assert report["reachable"].verdict == "yes" and not report.usable
    assert {asked.path for asked in liar.asked} == {"/v1/models"}, "nothing else is asked"


async def test_a_list_for_anybody_says_nothing_of_the_key(sandbox: Any) -> None:
    lie = Lie(lambda asked: asked if asked.path == "/v1/models" else WRONG_KEY)
    with lying(lie, sandbox) as (endpoint, _):
        report = await examined(endpoint)
    assert report["key"].verdict == "no" and not report.usable


async def test_a_model_that_ends_soon_is_named() -> None:
    soon, later = date.today() + timedelta(days=15), date.today() + timedelta(days=400)
    listed = {"data": [{"id": "sandbox", "shutdown_date": str(soon)}, {"id": "b"}]}
    info = {"data": [{"model_name": "b", "model_info": {"deprecation_date": str(later)}}]}
    told = {"/v1/models": as_json(listed), "/v1/model/info": as_json(info)}
    with lying(Lie(lambda asked: told.get(asked.path, asked))) as (endpoint, _):
        report = await examined(endpoint)
    assert report["models"].how == "shutdown"
    assert f"sandbox ends on {soon}." in report["models"].means
    assert "b ends" not in report["models"].means


async def test_one_model_need_not_be_named(sandbox: Any) -> None:
    with lying(Lie(), sandbox) as (endpoint, _):
        report = await examined(replace(endpoint, model=None))
    assert report.model == "sandbox" and report.usable


async def test_of_several_models_none_is_asked() -> None:
    listed = as_json({"data": [{"id": "a"}, {"id": "b"}]})
    with lying(Lie(lambda asked: listed)) as (endpoint, liar):
        report = await examined(replace(endpoint, model=None))
    assert report["models"].how == "choose" and not report.usable
    assert all("model" in asked.path for asked in liar.asked)


async def test_nobody_there_is_said() -> None:
    report = await examined(Endpoint("http://127.0.0.1:9/v1", model="m"))
    assert report["reachable"].verdict == "no"
    assert "refused" in report["reachable"].means
    assert not report.usable


async def test_what_was_refused_for_the_moment_is_not_known(sandbox: Any) -> None:
    lie = Lie(lambda asked: BUDGET if asked.method == "POST" else asked)
    with lying(lie, sandbox) as (endpoint, _):
        report = await examined(endpoint)
    assert report["chat"].verdict == report["responses"].verdict == "unknown"
    assert "budget" in report["chat"].means.lower() and not report.usable


async def test_what_may_cost_is_asked_only_where_it_is_wanted(sandbox: Any) -> None:
    with lying(Lie(), sandbox) as (endpoint, liar):
        report = await examined(endpoint)
    assert {report[name].how for name in DEAR_NAMES} == {"dear"}
    assert not any(asked.body.get("background") for asked in liar.asked)
    assert "web_search" not in json.dumps([asked.body for asked in liar.asked])


async def test_the_cheap_probes_take_a_few_hundred_tokens(sandbox: Any) -> None:
    with lying(Lie(), sandbox) as (endpoint, liar):
        report = await examined(endpoint)
    bounds = [
        asked.body.get("max_output_tokens") or asked.body.get("max_tokens")
        for asked in liar.asked
        if asked.method == "POST"
    ]
    assert all(bound and bound <= 64 for bound in bounds)
    assert report.tokens is not None and report.tokens < 700
    assert report.calls == len(liar.asked)


async def test_more_tokens_than_before_prove_no_memory_of_a_turn_with_functions() -> None:
    """A prompt with functions is longer by what `tool_choice` says: another turn's count lies."""

    def longer(asked: Asked, reply: Reply) -> Reply:
        chosen = asked.body.get("tool_choice") == "required"
        more = 0 if chosen or not asked.body.get("tools") else 300
        return finished(lambda response: _counted(response, more))(asked, reply)

    with lying(Lie(bridge, longer)) as (endpoint, _):
        report = await examined(endpoint)
    assert report["tools by id"].verdict != "yes"


def _counted(response: Json, more: int) -> Json:
    usage = response.get("usage")
    calls = [one for one in response["output"] if one["type"] == "function_call"]
    if usage:
        usage = {**usage, "input_tokens": usage["input_tokens"] + more}
    return {**response, "output": calls or [said("Eh?")], "usage": usage}


async def test_a_background_that_is_only_echoed_is_none(sandbox: Any) -> None:
    """It says `background: true`, answers at once, and knows nothing of it afterwards."""

    def ask(asked: Asked) -> Any:
        if asked.path.startswith("/v1/responses/"):
            return refused("Not found", 404)
        return replace(asked, body={k: v for k, v in asked.body.items() if k != "background"})

    def echo(asked: Asked, reply: Reply) -> Reply:
        if not asked.body.get("background"):
            return reply
        return lines(responses_in(lambda one: {**one, "background": True}))(asked, reply)

    with lying(Lie(ask, echo), sandbox) as (endpoint, _):
        report = await examined(endpoint, dear=True)
    assert (report["background"].verdict, report["background"].how) == ("no", "unfetchable")
    assert report["cursor"].how == "no background"


async def test_a_model_that_thinks_longer_than_it_may_is_asked_again(sandbox: Any) -> None:
    """OpenAI refuses a bound that is used up before a word is said."""

    def ask(asked: Asked) -> Any:
        if asked.path.endswith("/chat/completions") and asked.body["max_tokens"] < 100:
            words = "Could not finish the message because max_tokens or model output limit was"
            return refused(f"{words} reached. Please try again with higher max_tokens.")
        return asked

    with lying(Lie(ask), sandbox) as (endpoint, liar):
        report = await examined(endpoint)
    assert report["chat"].verdict == report["chat stream"].verdict == "yes"
    short = [one for one in liar.asked if (one.body.get("max_tokens") or 100) < 100]
    assert len(short) == 1, "then it is known"


async def test_where_there_are_only_streams_it_says_what_that_means(sandbox: Any) -> None:
    with lying(where(in_one_piece, refused(ALONE)), sandbox) as (endpoint, _):
        report = await examined(endpoint, dear=True)
    assert "as a stream alone" in report["chat"].means
    assert "reads them to their end" in report["chat"].instead
    assert report["background"].verdict == "yes", "the dear probes are asked too"
    assert report.cause == "" and report.ending[-1].startswith("It can be used.")


@pytest.mark.parametrize("frames", [CUT, Lie(answer=lines(lambda frame: None))])
async def test_only_streams_that_break_off_are_no_use(sandbox: Any, frames: Lie) -> None:
    """Over either API: what is refused in one piece never comes to its end."""

    def ask(asked: Asked) -> Asked | Reply:
        return refused("not in one piece") if in_one_piece(asked.body) else asked

    chat_is_cut = lines(lambda frame: None if '"stop"' in frame or "DONE" in frame else frame)

    def answer(asked: Asked, reply: Reply) -> Reply:
        return frames.answer(asked, chat_is_cut(asked, reply))

    with lying(Lie(ask, answer), sandbox) as (endpoint, _):
        report = await examined(endpoint)
    assert not report.usable and report.cause == "refused"
    assert "not in one piece" in report["chat"].means


async def test_a_stream_that_is_refused_once_is_not_refused(sandbox: Any) -> None:
    refusals = [refused("for the moment"), refused("for the moment")]

    def ask(asked: Asked) -> Any:
        return refusals.pop() if asked.body.get("stream") and refusals[1:] else asked

    with lying(Lie(ask), sandbox) as (endpoint, _):
        report = await examined(endpoint)
    assert report["chat stream"].verdict == "yes"


@pytest.mark.parametrize(
    ("no", "how"),
    [
        (refused("The server is overloaded", 503, "server_is_overloaded"), "failed"),
        (refused("Overloaded", 529), "failed"),
        (refused("Bad gateway", 502), "failed"),
        (refused("Upstream timed out", 504), "failed"),
        (refused("litellm.APIError: OpenAIException - Connection error.", 500), "failed"),
        (refused("slow down", 429), "busy"),
    ],
    ids=["503", "529", "502", "504", "out of reach", "429"],
)
async def test_what_a_stream_is_refused_for_at_the_moment_is_no_word_about_streams(
    sandbox: Any, no: Reply, how: str
) -> None:
    """A "no" would have every answer come in one piece for a day."""
    soon = replace(no, headers={"retry-after-ms": "1"})
    with lying(where(lambda body: body.get("stream"), soon), sandbox) as (endpoint, _):
        report = await examined(endpoint)
    for api in ("chat", "responses"):
        found = report[f"{api} stream"]
        assert (found.verdict, found.how) == ("unknown", how) and found.means
    assert report.usable


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ("yes", "")),
        ({"id": "resp_renamed"}, ("yes", "")),
        ({"usage": None}, ("yes", "")),
        ({"output": [], "usage": None}, ("no", "empty")),
        ({"output": []}, ("no", "empty")),
        ({"id": "resp_other", "output": [], "usage": None}, ("no", "empty")),
        ({"id": "resp_other", "output": [said("Of somebody else.")]}, ("no", "empty")),
    ],
    ids=["as it was", "renamed", "uncounted", "hollow", "no output", "both", "another"],
)
async def test_what_is_fetched_has_to_be_the_answer(
    sandbox: Any, change: Any, expected: Any
) -> None:
    """LiteLLM names a response anew at each look: what it says is what tells it."""

    def changed(asked: Asked, reply: Reply) -> Reply:
        if asked.method != "GET" or "/responses/" not in asked.path or reply.status != 200:
            return reply
        return as_json({**reply.object, **change})

    with lying(Lie(answer=changed), sandbox) as (endpoint, _):
        report = await examined(endpoint)
    assert (report["retrieve"].verdict, report["retrieve"].how) == expected


async def test_the_words_of_a_model_prove_nothing() -> None:
    """A model that says nothing of use: what the gateway counted decides."""

    def mute(response: Json) -> Json:
        calls = [one for one in response["output"] if one["type"] == "function_call"]
        return {**response, "output": calls or [said("Eh?")]}

    def uncounted(response: Json) -> Json:
        return {**mute(response), "usage": None}

    with lying(Lie(answer=finished(mute))) as (endpoint, _):
        counted = await examined(endpoint)
    with lying(Lie(answer=finished(uncounted))) as (endpoint, _):
        unknown = await examined(endpoint)
    assert (counted["history"].verdict, counted["history"].how) == ("yes", "counted")
    assert unknown["history"].verdict == "unknown"
    assert unknown["tools by id"].verdict == "unknown"
