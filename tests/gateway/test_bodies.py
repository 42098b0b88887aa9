"""Options a person knows become the bodies of the two APIs; what was not given is not sent."""

from __future__ import annotations

import base64
import inspect
import os
from pathlib import Path
from typing import Any

import pytest

from kit.errors import InputError
from kit.gateway import attachments
from kit.gateway.client import AsyncClient
from kit.gateway.wire import Api, Options, body_of
from tests.gateway.gateways import USAGE, gateway, json_reply

Wire = dict[str, Any]

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
PNG_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()
FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object"}}
TOOL = {"type": "function", **FUNCTION}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
STRICT = {**SCHEMA, "additionalProperties": False}


def body(api: Api, given: Any = "hi", **options: Any) -> Wire:
    made = body_of(api, given, "m", Options(**options))
    assert made.pop("model") == "m"
    return made


@pytest.mark.parametrize(
    ("options", "responses", "chat"),
    [
        ({}, {}, {}),
        ({"system": "be brief"}, {"instructions": "be brief"}, None),
        ({"tool_choice": "auto"}, {"tool_choice": "auto"}, {"tool_choice": "auto"}),
        (
            {"tool_choice": {"type": "function", "name": "f"}},
            {"tool_choice": {"type": "function", "name": "f"}},
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        ),
        (
            {"tools": [{**TOOL, "strict": True}]},
            {"tools": [{**TOOL, "strict": True}]},
            {"tools": [{"type": "function", "function": {**FUNCTION, "strict": True}}]},
        ),
        (
            {"web_search": True},
            {"tools": [{"type": "web_search"}]},
            {"web_search_options": {}},
        ),
        ({"web_search": False}, {}, {}),
        (
            {"web_search": {"search_context_size": "low"}},
            {"tools": [{"type": "web_search", "search_context_size": "low"}]},
            {"web_search_options": {"search_context_size": "low"}},
        ),
        (
            {"web_search": {"type": "web_search_preview"}},
            {"tools": [{"type": "web_search_preview"}]},
            {"web_search_options": {}},
        ),
        (
            {"web_search": {"user_location": {"type": "approximate", "city": "Seoul"}}},
            {
                "tools": [
                    {
                        "type": "web_search",
                        "user_location": {"type": "approximate", "city": "Seoul"},
                    }
                ]
            },
            {
                "web_search_options": {
                    "user_location": {"type": "approximate", "approximate": {"city": "Seoul"}}
                }
            },
        ),
        (
            {"schema": SCHEMA},
            {
                "text": {
                    "format": {
                        "type": "json_schema",
                        "name": "answer",
                        "strict": True,
                        "schema": STRICT,
                    }
                }
            },
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "strict": True, "schema": STRICT},
                }
            },
        ),
        ({"effort": "low"}, {"reasoning": {"effort": "low"}}, {"reasoning_effort": "low"}),
        ({"summary": "auto"}, {"reasoning": {"summary": "auto"}}, {}),
        ({"max_tokens": 7}, {"max_output_tokens": 7}, {"max_tokens": 7}),
        ({"temperature": 0.0}, {"temperature": 0.0}, {"temperature": 0.0}),
        ({"top_p": 0.5}, {"top_p": 0.5}, {"top_p": 0.5}),
        ({"include": ["x"]}, {"include": ["x"]}, InputError),
        ({"include": ()}, {}, {}),
        ({"metadata": {"a": "b"}}, {"metadata": {"a": "b"}}, {"metadata": {"a": "b"}}),
        ({"previous_response_id": "r"}, {"previous_response_id": "r"}, InputError),
        ({"store": False}, {"store": False}, {"store": False}),
        ({"timeout": 5.0}, {}, {}),
        ({"extra": {"seed": 1}}, {"seed": 1}, {"seed": 1}),
        ({"extra": {"input": "x", "messages": []}}, None, None),
    ],
)
def test_every_option_has_its_place(options: Wire, responses: Any, chat: Any) -> None:
    for api, start, expected in (
        ("responses", {"input": "hi"}, responses),
        ("chat", {"messages": [{"role": "user", "content": "hi"}]}, chat),
    ):
        if expected is InputError:
            with pytest.raises(InputError, match=next(iter(options))):
                body(api, **options)
        elif expected is not None:
            assert body(api, **options) == {**start, **expected}


def test_no_option_is_forgotten_here() -> None:
    """Each has its row above or a test of its own below, and shows in the signature."""
    source = inspect.getsource(inspect.getmodule(body) or body)
    for name in Options.__annotations__:
        assert f'"{name}"' in source or f"{name}=" in source
        assert name in inspect.signature(AsyncClient.respond).parameters


@pytest.mark.parametrize("name", list(Options.__annotations__))
def test_none_is_the_same_as_not_given(name: str) -> None:
    for api in ("responses", "chat"):
        assert body(api, **{name: None}) == body(api)


def test_a_system_text_stands_before_a_chat() -> None:
    first, second = body("chat", system="be brief")["messages"]
    assert first == {"role": "system", "content": "be brief"}
    assert second["role"] == "user"


# -- prompts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["", "  \n", [], (), None, 7, b"hi", ["hi"], {"role": "user"}])
@pytest.mark.parametrize("api", ["responses", "chat"])
def test_an_empty_or_odd_prompt_is_refused_before_it_is_sent(given: Any, api: Api) -> None:
    with pytest.raises(InputError, match=r"[Pp]rompt"):
        body(api, given)


def test_a_huge_prompt_is_refused() -> None:
    with pytest.raises(InputError, match="20,000,000 characters"):
        body("chat", "x" * 20_000_001)


def test_text_stays_text_and_is_not_changed() -> None:
    text = "  Hi {{x}}\n\n짜장면 🌟 \u2028 "
    assert body("responses", text)["input"] == text
    assert body("chat", text)["messages"][0]["content"] == text


def test_items_are_sent_as_they_are() -> None:
    items = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "1"},
        {"type": "reasoning", "encrypted_content": "e", "summary": []},
        {"type": "acme:thing", "x": 1},
    ]
    assert body("responses", items)["input"] == items


def test_history_stands_before_the_prompt() -> None:
    history = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    now = {"role": "user", "content": "hi"}
    assert body("responses", history=history)["input"] == [*history, now]
    assert body("chat", history=history)["messages"] == [*history, now]


def test_items_become_messages_for_chat() -> None:
    items = [
        {"role": "user", "content": "a"},
        {"type": "reasoning", "summary": []},
        {
            "type": "message",
            "role": "assistant",
            "id": "m",
            "phase": "final_answer",
            "content": [{"type": "output_text", "text": "b"}, {"type": "refusal", "refusal": "c"}],
        },
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "g", "arguments": ""},
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
        {
            "type": "function_call_output",
            "call_id": "c2",
            "output": [{"type": "input_text", "text": "2"}],
        },
        {"type": "web_search_call", "id": "w"},
    ]
    call = {"type": "function", "function": {"name": "f", "arguments": "{}"}}
    other = {"type": "function", "function": {"name": "g", "arguments": "{}"}}
    assert body("chat", items)["messages"] == [
        {"role": "user", "content": "a"},
        {
            "role": "assistant",
            "content": "bc",
            "tool_calls": [{"id": "c1", **call}, {"id": "c2", **other}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
        {"role": "tool", "tool_call_id": "c2", "content": "2"},
    ]


def test_chat_messages_pass_as_they_are() -> None:
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]},
        {"role": "tool", "tool_call_id": "c", "content": "1"},
        {"role": "user", "content": [{"type": "text", "text": "x"}], "name": "Kim"},
    ]
    made = body("chat", messages)["messages"]
    assert made[:2] == messages[:2]
    assert made[2] == {"role": "user", "content": "x", "name": "Kim"}


def test_nested_tools_are_flat_for_responses_and_strictness_is_said() -> None:
    """Without `strict` the responses API would make optional arguments mandatory."""
    nested = {"type": "function", "function": {"name": "f", "parameters": {}}}
    [tool] = body("responses", tools=[nested])["tools"]
    assert tool == {"type": "function", "name": "f", "parameters": {}, "strict": False}
    [flat] = body("responses", tools=[TOOL])["tools"]
    assert flat == {**TOOL, "strict": False}
    [same] = body("chat", tools=[nested])["tools"]
    assert same == nested


def test_hosted_tools_pass_beside_the_search() -> None:
    tools = [{"type": "file_search", "vector_store_ids": ["v"]}, {"type": "mcp", "x": 1}]
    made = body("responses", tools=tools, web_search=True)["tools"]
    assert made == [*tools, {"type": "web_search"}]


@pytest.mark.parametrize(
    ("name", "hint"), [("max_token", "`max_tokens`"), ("sytem", "`system`"), ("zzz", "extra=")]
)
def test_an_unknown_option_names_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(InputError, match=f"no option `{name}`") as caught:
        body("responses", **{name: 1})
    assert hint in str(caught.value)


def test_the_callers_values_are_not_changed() -> None:
    given = [{"role": "user", "content": "x"}]
    tools, metadata, extra = [dict(TOOL)], {"a": "b"}, {"metadata": {"c": "d"}}
    made = body("responses", given, tools=tools, metadata=metadata, extra=extra, web_search=True)
    made["input"][0]["role"] = "changed"
    made["tools"].append(1)
    assert given == [{"role": "user", "content": "x"}]
    assert (tools, metadata, extra) == ([TOOL], {"a": "b"}, {"metadata": {"c": "d"}})


# -- pictures and files ------------------------------------------------------------------------


class Drawn:
    def _repr_png_(self) -> bytes:
        return PNG


class DrawnWithMetadata:
    def _repr_png_(self) -> tuple[str, dict[str, int]]:
        return base64.b64encode(PNG).decode(), {"width": 1}


class Displayed:
    data = PNG

    def _repr_png_(self) -> None:
        return None


class Figure:
    def savefig(self, file: Any, format: str) -> None:
        assert format == "png"
        file.write(PNG)


@pytest.mark.parametrize(
    "image", [PNG, bytearray(PNG), Drawn(), DrawnWithMetadata(), Displayed(), Figure(), PNG_URL]
)
def test_whatever_draws_itself_is_an_image(image: Any) -> None:
    [message] = body("responses", images=[image])["input"]
    assert message["content"] == [
        {"type": "input_image", "image_url": PNG_URL, "detail": "auto"},
        {"type": "input_text", "text": "hi"},
    ]
    [message] = body("chat", images=[image])["messages"]
    assert message["content"] == [
        {"type": "image_url", "image_url": {"url": PNG_URL, "detail": "auto"}},
        {"type": "text", "text": "hi"},
    ]


def test_an_address_is_passed_on_and_not_fetched() -> None:
    url = "https://nowhere.invalid/a.png"
    [message] = body("responses", images=[url])["input"]
    assert message["content"][0]["image_url"] == url


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "png"),
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"GIF89a", "gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "webp"),
    ],
)
def test_a_path_is_read_and_its_kind_seen(tmp_path: Path, content: bytes, kind: str) -> None:
    file = tmp_path / "picture.bin"
    file.write_bytes(content)
    for name in (file, str(file)):
        [message] = body("responses", images=[name])["input"]
        assert message["content"][0]["image_url"].startswith(f"data:image/{kind};base64,")


def test_a_file_is_sent_with_its_name_and_kind(tmp_path: Path) -> None:
    file = tmp_path / "report.pdf"
    file.write_bytes(b"%PDF-1.7")
    data = "data:application/pdf;base64," + base64.b64encode(b"%PDF-1.7").decode()
    [message] = body("responses", files=[file])["input"]
    assert message["content"][0] == {
        "type": "input_file",
        "filename": "report.pdf",
        "file_data": data,
    }
    [message] = body("chat", files=[str(file)])["messages"]
    assert message["content"][0] == {
        "type": "file",
        "file": {"filename": "report.pdf", "file_data": data},
    }


@pytest.mark.parametrize(
    "image",
    [
        b"plain text",
        b"",
        b"RIFF\0\0\0\0WAVEfmt ",
        b"<svg onload=alert(1)>",
        7,
        None,
        "no such file.png",
        "x" * 100_000,
        "nul\0byte",
        Path("/"),
        {"a": 1},
    ],
)
def test_what_is_no_image_is_refused_in_a_line(image: Any) -> None:
    with pytest.raises(InputError) as caught:
        body("responses", images=[image])
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("path", ["none.csv", ".", "nul\0byte", "x" * 5000])
def test_a_file_that_cannot_be_read_is_named(path: str) -> None:
    with pytest.raises(InputError, match="cannot be read") as caught:
        body("responses", files=[path])
    assert path[:20].split("\0")[0] in str(caught.value)
    assert len(str(caught.value)) < 400


def test_attachments_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "MAX_ATTACHMENT_BYTES", 2**20)
    large = tmp_path / "large.csv"
    large.write_bytes(b"x" * (2**20 + 1))
    for options in ({"files": [large]}, {"images": [PNG + b"\0" * 2**20]}):
        with pytest.raises(InputError, match="larger than 1 MiB"):
            body("responses", **options)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/stdin"])
def test_a_device_is_no_file(device: str) -> None:
    """It has no size, and no end."""
    if os.path.exists(device):
        with pytest.raises(InputError, match="cannot be read"):
            body("responses", files=[device])


def test_attachments_belong_to_a_text_prompt(tmp_path: Path) -> None:
    """A list of messages holds its own; beside it they would be lost without a word."""
    messages = [{"role": "user", "content": "x"}]
    for options in ({"images": [PNG]}, {"files": [tmp_path / "x"]}):
        with pytest.raises(InputError, match="text prompt"):
            body("responses", messages, **options)


# -- what cannot be written --------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), b"x"])
async def test_what_json_cannot_hold_is_refused_before_it_is_sent(value: Any) -> None:
    async with gateway(json_reply({})) as there, there.client() as client:
        with pytest.raises(InputError, match="cannot be sent as JSON"):
            await client.respond("hi", extra={"x": value})
        with pytest.raises(InputError, match="cannot be sent as JSON"):
            async for _ in client.stream("hi", extra={"x": value}):
                pass
    assert there.requests == []


@pytest.mark.anyio
async def test_half_a_character_is_sent_all_the_same() -> None:
    done = {"id": "r", "object": "response", "status": "completed", "output": [], "usage": USAGE}
    async with gateway(json_reply(done)) as there, there.client() as client:
        await client.respond("broken \ud83d copy")
    assert there.requests[0].body["input"] == "broken \ud83d copy"


@pytest.mark.anyio
async def test_a_stream_of_a_chat_asks_for_its_usage_and_may_say_otherwise() -> None:
    async with gateway(json_reply({"choices": []})) as there, there.client(retries=0) as client:
        for options in ({}, {"extra": {"stream_options": {"include_usage": False}}}):
            stream = client.stream("hi", api="chat", **options)
            with pytest.raises(Exception, match="is empty"):
                async for _ in stream:
                    pass
    assert [one.body["stream_options"] for one in there.requests] == [
        {"include_usage": True},
        {"include_usage": False},
    ]
