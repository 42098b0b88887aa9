"""Faults in the calling of functions, by what a client's tool loop meets on both APIs."""

import itertools
import json
from dataclasses import dataclass, field

import pytest

from kit.relay.research_tool import TOOL
from kit.sandbox.fault_streams import ENDLESS_BYTES, ENDLESS_SECONDS, endless
from kit.sandbox.frames import data_frame, event_frame
from kit.sandbox.score import Due

pytestmark = pytest.mark.once

QUESTION = "김치의 기원을 심층 조사해줘"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"type": "function", "name": "get_weather", "description": "Weather", "parameters": CITY}
BOUNDS = {"low": {"type": "integer", "minimum": 3}, "name": {"type": "string"}}
ROWS = {"type": "object", "properties": BOUNDS, "required": ["low", "name"]}
COUNT = {"type": "function", "name": "count_rows", "description": "Counts.", "parameters": ROWS}
SEOUL = {"city": "Seoul"}


@dataclass
class Said:
    """One answer: its text, its calls as name and arguments, and what to send back of it."""

    text: str
    calls: list[tuple[str, str]]
    ids: list[str]
    items: list[dict] = field(repr=False)


class Responses:
    """A conversation over `/responses`, everything sent each time."""

    def __init__(self, http, read_stream):
        self.http, self.read_stream, self.address = http, read_stream, "/responses"

    def body(self, fault, items, tools, **options):
        return {"model": f"sandbox:{fault}", "input": items, "tools": list(tools), **options}

    def ask(self, fault, items, *, tools=(WEATHER,), streamed=False, **options) -> Said:
        body = self.body(fault, items, tools, stream=streamed, **options)
        answer = self.http.post(self.address, json=body)
        whole = self.read_stream(answer.text)[-1]["response"] if streamed else answer.json()
        assert whole["status"] == "completed"
        calls = [item for item in whole["output"] if item["type"] == "function_call"]
        messages = [item for item in whole["output"] if item["type"] == "message"]
        return Said(
            "".join(part["text"] for item in messages for part in item["content"]),
            [(call["name"], call["arguments"]) for call in calls],
            [call["call_id"] for call in calls],
            whole["output"],
        )

    def output(self, call_id, text):
        return {"type": "function_call_output", "call_id": call_id, "output": text}


class Chat:
    """The same over `/chat/completions`."""

    def __init__(self, http, read_stream):
        self.http, self.address = http, "/chat/completions"

    def body(self, fault, items, tools, **options):
        nested = [
            {"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}}
            for tool in tools
        ]
        return {"model": f"sandbox:{fault}", "messages": items, "tools": nested, **options}

    def ask(self, fault, items, *, tools=(WEATHER,), streamed=False, **options) -> Said:
        body = self.body(fault, items, tools, stream=streamed, **options)
        answer = self.http.post(self.address, json=body)
        message = self._assembled(answer) if streamed else answer.json()["choices"][0]["message"]
        calls = message.get("tool_calls", [])
        return Said(
            message["content"] or "",
            [(call["function"]["name"], call["function"]["arguments"]) for call in calls],
            [call["id"] for call in calls],
            [message],
        )

    def output(self, call_id, text):
        return {"role": "tool", "tool_call_id": call_id, "content": text}

    def _assembled(self, answer) -> dict:
        message = {"role": "assistant", "content": None}
        calls: dict[int, dict] = {}
        for frame in answer.text.removesuffix("\n\n").split("\n\n")[:-1]:
            delta = json.loads(frame.removeprefix("data: "))["choices"][0]["delta"]
            if delta.get("content"):
                message["content"] = (message["content"] or "") + delta["content"]
            for piece in delta.get("tool_calls", []):
                call = calls.setdefault(piece["index"], piece)
                if call is not piece:
                    call["function"]["arguments"] += piece["function"]["arguments"]
        return {**message, "tool_calls": list(calls.values())} if calls else message


@pytest.fixture(params=[Responses, Chat])
def api(request, http, read_stream):
    return request.param(http, read_stream)


streamed_or_not = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


def asked(prompt=QUESTION) -> list[dict]:
    return [{"role": "user", "content": prompt}]


def answered(api, items, said: Said, text="sunny") -> list[dict]:
    return [*items, *said.items, *(api.output(call, text) for call in said.ids)]


# -- the same call, again and again ----------------------------------------------------------------


@streamed_or_not
@pytest.mark.parametrize("fault", ["same-call", "same-call-always"])
def test_same_call(api, fault, streamed):
    """Whatever it returns, and whatever the client says to it on the way."""
    items, calls = asked(), []
    for output in ("", "sunny", '{"error": "You have called this before."}', "x" * 5000):
        said = api.ask(fault, items, tools=[TOOL, WEATHER], streamed=streamed)
        calls += said.calls
        nudge = {"role": "user", "content": "Do not call it again, answer."}
        items = [*answered(api, items, said, output), nudge]
    assert (
        calls
        == [("deep_research", json.dumps({"research_question": QUESTION}, ensure_ascii=False))] * 4
    )


@streamed_or_not
def test_same_call_ends_when_nothing_may_be_called(api, streamed):
    items = asked()
    for output in ("sunny", "still sunny"):
        items = answered(api, items, api.ask("same-call", items, streamed=streamed), output)
    for options in ({"tool_choice": "none"}, {"tools": ()}):
        said = api.ask("same-call", items, streamed=streamed, **options)
        assert (said.text, said.calls) == ("The functions said: sunny; still sunny", [])


@streamed_or_not
def test_same_call_always(api, streamed):
    """It overlooks that nothing may be called, and only ends where nothing can be."""
    items = asked()
    first = api.ask("same-call-always", items, streamed=streamed, tool_choice="none")
    items = answered(api, items, first)
    again = api.ask("same-call-always", items, streamed=streamed, tool_choice="none")
    assert again.calls == first.calls == [("get_weather", json.dumps(SEOUL))]
    said = api.ask("same-call-always", items, streamed=streamed, tools=())
    assert (said.text, said.calls) == ("The functions said: sunny", [])


def test_a_new_question_is_another_call(api):
    items = asked("weather in Paris")
    said = api.ask("same-call", items)
    items = answered(api, items, said)
    last = api.ask("same-call", items, tool_choice="none")
    again = api.ask("same-call", [*items, *last.items, *asked("weather in Oslo")])
    assert [json.loads(one.calls[0][1]) for one in (said, again)] == [
        {"city": "Paris"},
        {"city": "Oslo"},
    ]


# -- calls that are wrong, once --------------------------------------------------------------------


@streamed_or_not
def test_unknown_tool(api, streamed):
    items = asked()
    called = api.ask("unknown-tool", items, tools=[TOOL], streamed=streamed)
    ((name, arguments),) = called.calls
    assert name not in (TOOL["name"], "get_weather")
    assert json.loads(arguments) == {"research_question": QUESTION}
    said = api.ask("unknown-tool", answered(api, items, called, "no such tool"), tools=[TOOL])
    assert (said.text, said.calls) == ("The functions said: no such tool", [])


def test_an_unknown_tool_is_unknown_whatever_is_offered(api):
    named = {**WEATHER, "name": "no_such_function"}
    ((name, _),) = api.ask("unknown-tool", asked(), tools=[named]).calls
    assert name != "no_such_function"


@streamed_or_not
@pytest.mark.parametrize(
    ("tools", "arguments"),
    [([TOOL], {"research_question": QUESTION}), ([WEATHER], SEOUL), ([], SEOUL)],
    ids=["filled", "not in the prompt", "nothing offered"],
)
def test_double_encoded_args(api, streamed, tools, arguments):
    items = asked()
    called = api.ask("double-encoded-args", items, tools=tools, streamed=streamed)
    ((_, text),) = called.calls
    inner = json.loads(text)
    assert isinstance(inner, str) and json.loads(inner) == arguments
    said = api.ask("double-encoded-args", answered(api, items, called), tools=tools)
    assert (said.text, said.calls) == ("The functions said: sunny", [])


@streamed_or_not
@pytest.mark.parametrize(
    ("prompt", "why"), [(QUESTION, "답하려면 `deep_research`"), ("tea", "To answer this I need")]
)
def test_call_and_text(api, streamed, prompt, why):
    """One answer says why it calls, and calls; the next one is the answer."""
    items = asked(prompt)
    called = api.ask("call-and-text", items, tools=[TOOL], streamed=streamed)
    assert called.text.startswith(why)
    assert [(name, json.loads(text)) for name, text in called.calls] == [
        ("deep_research", {"research_question": prompt})
    ]
    said = api.ask("call-and-text", answered(api, items, called), tools=[TOOL], streamed=streamed)
    assert (said.text, said.calls) == ("The functions said: sunny", [])


@pytest.mark.parametrize("fault", ["unknown-tool", "double-encoded-args", "call-and-text"])
def test_what_forbids_calls_is_heeded(api, fault):
    assert api.ask(fault, asked(), tool_choice="none").calls == []


def test_arguments_that_the_prompt_lacks_still_fit_the_function(api):
    """As for a caller who insists: the least number there may be, and the prompt for a text."""
    ((_, text),) = api.ask("same-call", asked("loop"), tools=[COUNT]).calls
    assert json.loads(text) == {"low": 3, "name": "loop"}


def test_the_function_that_is_insisted_on_is_called(api):
    choice = {"type": "function", "name": "deep_research"}
    choice = choice if isinstance(api, Responses) else {**choice, "function": choice}
    said = api.ask("same-call", asked(), tools=[WEATHER, TOOL], tool_choice=choice)
    assert [name for name, _ in said.calls] == ["deep_research"]


# -- arguments without end -------------------------------------------------------------------------


def test_endless_args(api):
    """In one piece: megabytes of a text that is never closed."""
    items = asked()
    called = api.ask("endless-args", items, tools=[TOOL])
    ((_, text),) = called.calls
    assert text.startswith(f'{{"research_question": "{QUESTION}", "more": "and so on, and')
    assert 3_000_000 < len(text) <= 4 * 1024 * 1024
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)
    said = api.ask("endless-args", answered(api, items, called), tools=[TOOL])
    assert (said.text, said.calls) == ("The functions said: sunny", [])


def test_endless_args_streamed(api):
    """They come until the reader hangs up; then the gateway has time for others at once."""
    body = api.body("endless-args", asked(), [TOOL], stream=True)
    found = b""
    with api.http.stream("POST", api.address, json=body) as answer:
        for chunk in answer.iter_raw():
            found += chunk
            if len(found) > 3_000_000:
                break
    frames = [line[6:] for line in found.splitlines()[:-1] if line.startswith(b"data: ")]
    texts = [arguments_in(json.loads(frame)) for frame in frames[:-1]]
    text = "".join(texts)
    assert text.startswith(f'{{"research_question": "{QUESTION}", "more": "and so on, ')
    assert len(text) > 2_000_000 and len(texts) > 100
    assert api.ask("call-and-text", asked()).calls


def test_after_endless_args_an_output_is_answered_in_a_stream(api):
    items = asked()
    called = api.ask("call-and-text", items, tools=[TOOL])
    said = api.ask("endless-args", answered(api, items, called), tools=[TOOL], streamed=True)
    assert (said.text, said.calls) == ("The functions said: sunny", [])


def arguments_in(event: dict) -> str:
    """The piece of arguments that an event or a chunk brings."""
    if "choices" not in event:
        return event["delta"] if event["type"].endswith("arguments.delta") else ""
    calls = event["choices"][0]["delta"].get("tool_calls", [])
    return "".join(call["function"]["arguments"] for call in calls)


DELTA = {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "delta": '{"a'}
PIECE = {"index": 0, "function": {"arguments": '{"a'}}
CHUNK = {"choices": [{"index": 0, "delta": {"tool_calls": [PIECE]}, "finish_reason": None}]}


@pytest.mark.parametrize(
    ("event", "encode"),
    [({**DELTA, "sequence_number": 0}, event_frame), (CHUNK, data_frame)],
    ids=["responses", "chat"],
)
@pytest.mark.parametrize("wait", [0.0, 0.5])
def test_what_is_endless_is_bounded_all_the_same(event, encode, wait):
    """By bytes where it comes fast, by time where it comes slowly; and it ends without an end."""
    score = [Due(0.0, event), Due(wait, {**event, "sequence_number": 1})]
    frames = list(endless(score, encode))
    times = [at for at, _ in frames]
    size = sum(len(frame) for _, frame in frames)
    assert times == sorted(times) and times[-1] <= ENDLESS_SECONDS and size <= ENDLESS_BYTES
    if wait:
        assert times[-1] > ENDLESS_SECONDS - 1 and 100 < len(frames) <= 121
    else:
        assert size > ENDLESS_BYTES - 10_000
        assert all(after - before >= 0.0009 for before, after in itertools.pairwise(times[1:]))
    assert b"[DONE]" not in frames[-1][1]
