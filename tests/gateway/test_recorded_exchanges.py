"""53 exchanges recorded with a live gateway, served again byte for byte to the real client.

Each file in tests/data/wire has a row here that says what it must come to; a file without a row
fails. The reads of the recording (their sizes, not their waits) are kept.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kit import errors
from kit.gateway.answer import Answer, answer_of
from kit.gateway.client import AsyncClient
from kit.gateway.events import error_of
from kit.gateway.failures import error_from
from kit.settings import Endpoint, Secret
from tests.gateway.loopback import Reader, Writer, read_request, serving

pytestmark = pytest.mark.anyio

WIRE = Path(__file__).parents[1] / "data" / "wire"
NAMES = sorted(path.name.removesuffix(".response.http") for path in WIRE.glob("*.response.http"))
KEYS = ("sk-test-1234", "sk-wrong")
PARIS = "The capital of France is Paris."
MESSAGE = ("message",)
SEARCHED = ("web_search_call", "message")


@dataclass(frozen=True)
class Answered:
    """What an exchange's answer must say. `text`: its beginning, "=…" for the whole."""

    status: str
    text: str = "="
    model: str | None = None
    tokens: int | None = None
    cost: float | None = None
    citations: int = 0
    searches: int = 0
    items: tuple[str, ...] = MESSAGE
    incomplete: str | None = None


@dataclass(frozen=True)
class Refused:
    """What the error of an exchange must be; `says` and `hides` are parts of its message."""

    kind: type[errors.GatewayError]
    says: tuple[str, ...]
    hides: tuple[str, ...] = ("litellm.", "LiteLLM: model group", "http://")
    status: int | None = None
    code: str | None = None
    partial: str | None = None


REPORT = Answered("completed", "=Report [1].", "o3-deep-research", 1500, 0.03, 1, 1, SEARCHED)
PENDING = Answered("queued", items=())

EXPECTED: Mapping[str, Answered | Refused | bool] = {
    "chat-aim-stream-usage": Answered("completed", "=Hello from aimock!", "gpt-4o", 7, 0.000055),
    "chat-smol": Answered("completed", "I'm Hugging Face, and", "smol", 60),
    "chat-smol-stream": Answered(
        "incomplete", "🌟 Hi there! 😃🌟 I'm your AI", "smol", 62, incomplete="max_output_tokens"
    ),
    "err-400-unknown-model-chat": Refused(
        errors.ModelUnknown, ("does not offer the model 'the-model'", "%kit"), status=400
    ),
    "err-400-unknown-model-responses": Refused(
        errors.ModelUnknown, ("does not offer the model 'the-model'", "%kit"), status=400
    ),
    "err-401-badkey": Refused(
        errors.AuthenticationFailed,
        ("does not accept the key", "LITELLM_API_KEY", "%kit login"),
        ("No connected db",),
        status=400,
    ),
    "err-401-nokey": Refused(
        errors.AuthenticationFailed,
        ("wants a key and none is configured", "LITELLM_API_KEY"),
        ("Internal Server Error",),
        status=500,
    ),
    "err-404-path": Refused(
        errors.NotFound, ("no /responses here", "LITELLM_BASE_URL"), status=404
    ),
    "err-404-unknown-response-get": Refused(
        errors.NotFound, ("does not know that response id",), ("model=None",), status=400
    ),
    "err-bridge-context": Refused(
        errors.BadRequest, ("longer than the model takes", "context window"), status=400
    ),
    "err-bridge-quota": Refused(
        errors.QuotaExceeded, ("used up", "waiting does not help", "current quota"), status=429
    ),
    "err-dead-upstream": Refused(
        errors.ServerFailed,
        ("cannot reach the provider", "4294a5a7-7bc4-4549-862e-67906ab7888c"),
        ("may have taken", "Cannot connect", "REDACTED", "ssl:"),
        status=500,
    ),
    "err-dead-upstream-chat": Refused(
        errors.ServerFailed,
        ("cannot reach the provider",),
        ("may have taken", "Connection error"),
        status=500,
    ),
    "err-upstream-key": Refused(
        errors.AuthenticationFailed,
        ("provider of the model", "the gateway's own key", "whoever runs the gateway"),
        ("LITELLM_API_KEY", "%kit login"),
        status=401,
        code="invalid_api_key",
    ),
    "err-invalid-json": Refused(
        errors.BadRequest, ("status 400", "Invalid JSON payload: unexpected end"), status=400
    ),
    "err-mock-429-chat": Refused(
        errors.RateLimited, ("too many requests", "this is a mock rate limit error"), status=429
    ),
    "err-mock-500-chat": Refused(
        errors.ServerFailed,
        ("status 500", "not sent again", "115d63e0-9472-41a8-ac22-68f32003f14a"),
        status=500,
    ),
    "err-real-ctx-overflow-smol-chat": Refused(
        errors.BadRequest,
        ("longer than the model takes", "6031 tokens", "4096 tokens"),
        ("fallbacks", "OpenAIException", "docs.litellm"),
        status=400,
    ),
    "fake-nativebg-1-create": Answered("queued", model="fake-bg", items=()),
    "fake-nativebg-2-get-0": Answered("queued", model="o3-deep-research", items=()),
    "fake-nativebg-2-get-3": REPORT,
    "fake-nativebg-4-cancel": Answered("cancelled", model="o3-deep-research", items=()),
    "fake-nativebg-8-bgstream": REPORT,
    "fake-nonstream": Answered("completed", "=Report [1].", "fake-bg", 1500, 0.03, 1, 1, SEARCHED),
    "fake-stream-CUT": Refused(
        errors.ResponseFailed,
        ("The model's response failed", "closed the responses stream"),
        code="server_error",
        partial="Report ",
    ),
    "fake-stream-FAIL": Refused(
        errors.ResponseFailed,
        ("The model's response failed: The model had an error",),
        code="server_error",
        partial="Report ",
    ),
    "fake-stream-websearch": REPORT,
    "poll-1-create": PENDING,
    "poll-11-get-failed": Answered("failed", items=()),
    "poll-2-get-00": Answered("in_progress", items=()),
    "poll-2-get-05": Answered("in_progress", "=In the heart of a bustling market square"),
    "poll-2-get-29": Answered("in_progress", "In the heart of a bustling market square, a maj"),
    "poll-3-create-for-cancel": PENDING,
    "poll-4-cancel": Answered("cancelled", items=()),
    **dict.fromkeys(
        (
            *("poll-429-get-failed", "poll-quota-get-failed", "poll-context-get-failed"),
            *("poll-unknown-model-get-failed", "poll-upstream-key-get-failed"),
        ),
        Answered("failed", items=()),
    ),
    "poll-6-delete": True,
    "poll-8-get-unknown": Refused(
        errors.NotFound, ("does not know that response id", "not found or expired"), status=404
    ),
    "poll-9-bg-stream": PENDING,
    "resp-func-smol-chat": Answered(
        "incomplete", "Paris, the City of Light", "smol-chat", 117, incomplete="max_output_tokens"
    ),
    "resp-func-stream-qwen-chat": Answered(
        "completed", '```json\n{\n  "name": "get_weather"', "qwen2.5-coder-1.5b", 207
    ),
    "resp-jsonschema-smol-chat": Answered(
        "completed", '={\n  "name": "Shelter",\n  "age": 25\n}', "smol-chat", 60
    ),
    "resp-mock-ok-stream": Refused(
        errors.ServerFailed, ("status 500", "Error processing stream start"), status=500
    ),
    "resp-prev-smol-chat": Answered(
        "incomplete", "I'm glad you're", "smol-chat", 68, incomplete="max_output_tokens"
    ),
    "resp-smol-bridge-stream": Answered("completed", "=" + PARIS, "smollm2-135m", 35),
    "resp-smol-chat": Answered("completed", "=" + PARIS, "smol-chat", 35),
    "resp-smol-chat-stream": Answered("completed", "=" + PARIS, "smollm2-135m", 35),
    "resp-smol-stream": Answered("completed", "=" + PARIS, "smollm2-135m", 35),
    "resp-turn1-smol-chat": Answered(
        "incomplete", "I'm glad you remember me.", "smol-chat", 68, incomplete="max_output_tokens"
    ),
    "resp-turn2-smol-chat": Answered(
        "incomplete", "Your name is: Ember", "smol-chat", 65, incomplete="max_output_tokens"
    ),
}


@pytest.mark.parametrize("name", NAMES)
async def test_a_recorded_exchange_comes_to_what_it_says(name: str) -> None:
    """No row for a file is a failure, so that a new recording cannot be forgotten."""
    expected = EXPECTED[name]
    async with _replayed(name) as port:
        try:
            came = await _call(name, port)
        except errors.GatewayError as error:
            assert isinstance(expected, Refused), error
            _check_error(error, expected)
        else:
            assert not isinstance(expected, Refused)
            if isinstance(came, Answer) and isinstance(expected, Answered):
                _check_answer(came, expected)
            else:
                assert came is expected


def test_every_row_has_its_recording() -> None:
    assert sorted(EXPECTED) == NAMES


def test_a_polled_failure_says_why_without_an_address() -> None:
    """A failed response is returned by `retrieve`; what it says holds nothing of the inside."""
    error = answer_of(_response_of("poll-11-get-failed")).error
    assert error is not None
    assert error.startswith("Cannot connect to host …")
    assert "127.0.0.1" not in error
    assert "SSLContext" not in error


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("poll-429-get-failed", errors.RateLimited, "Rate limit reached for requests."),
        ("poll-quota-get-failed", errors.QuotaExceeded, "You exceeded your current quota"),
    ],
)
def test_a_refusal_that_was_polled_is_what_it_was_at_the_upstream(
    name: str, kind: type[errors.GatewayError], words: str
) -> None:
    """LiteLLM gives it one code of its own, and its text as JSON within the message."""
    raw = _response_of(name)
    error = error_from(error_of(raw))
    assert type(error) is kind
    said = answer_of(raw).error
    assert said is not None and said.startswith(words)
    assert words in str(error) and "{" not in str(error)


def _check_answer(answer: Answer, expected: Answered) -> None:
    whole = expected.text.startswith("=")
    assert answer.text.startswith(expected.text.removeprefix("="))
    assert not whole or answer.text == expected.text[1:]
    assert (answer.status, answer.model, answer.incomplete) == (
        expected.status,
        expected.model,
        expected.incomplete,
    )
    assert (answer.usage.total_tokens if answer.usage else None) == expected.tokens
    assert answer.cost == expected.cost
    assert (len(answer.citations), len(answer.searches)) == (expected.citations, expected.searches)
    assert tuple(item["type"] for item in answer.output) == expected.items
    assert answer.id
    for citation in answer.citations:
        assert answer.text[citation.start : citation.end] == "[1]"


def _check_error(error: errors.GatewayError, expected: Refused) -> None:
    message = str(error)
    assert type(error) is expected.kind, message
    for words in expected.says:
        assert words in message
    for words in (*expected.hides, *KEYS):
        assert words not in message
    assert 1 <= len(message.splitlines()) <= 3
    assert (error.status, error.code) == (expected.status, expected.code)
    assert (error.answer.text if error.answer else None) == expected.partial


async def _call(name: str, port: int) -> Answer | bool:
    """The call of the client that makes the recorded request."""
    method, path, body = _request_of(name)
    key = None if name == "err-401-nokey" else Secret(KEYS[0])
    endpoint = Endpoint(f"http://127.0.0.1:{port}/v1", key, "the-model")
    async with AsyncClient(endpoint, retries=0) as client:
        if method == "GET":
            return await client.retrieve(path.rpartition("/")[2])
        if method == "DELETE":
            return await client.delete(path.rpartition("/")[2])
        if path.endswith("/cancel"):
            return await client.cancel(path.split("/")[-2])
        if body.get("stream"):
            api = "chat" if path.endswith("/chat/completions") else "responses"
            extra = {"background": True} if body.get("background") else None
            async with client.stream("hi", api=api, extra=extra) as stream:
                text = "".join([getattr(event, "text", "") async for event in stream])
            assert stream.answer.text == text
            return stream.answer
        if path.endswith("/chat/completions"):
            return await client.chat("hi")
        return await (client.submit if body.get("background") else client.respond)("hi")


def _request_of(name: str) -> tuple[str, str, dict[str, Any]]:
    head, _, body = (WIRE / f"{name}.request.http").read_bytes().partition(b"\r\n\r\n")
    method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
    try:
        return method, path, json.loads(body)
    except ValueError:
        return method, path, {}


def _response_of(name: str) -> Any:
    return json.loads((WIRE / f"{name}.response.http").read_bytes().partition(b"\r\n\r\n")[2])


def _replayed(name: str) -> Any:
    """A server that answers its one request with the recorded bytes, read by read."""
    content = (WIRE / f"{name}.response.http").read_bytes()
    timing = json.loads((WIRE / f"{name}.timing.json").read_text())

    async def handle(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        async for piece in _pieces(content, [size for _, size in timing["recv"]]):
            writer.write(piece)
            await writer.drain()
        writer.close()

    return serving(handle)


async def _pieces(content: bytes, sizes: list[int]) -> AsyncIterator[bytes]:
    assert sum(sizes) == len(content)
    for size in sizes:
        yield content[:size]
        content = content[size:]
        await asyncio.sleep(0)
