"""What goes wrong for a person, and the words they get: written out, so that they can be read."""

from __future__ import annotations

from typing import Any

import pytest

from kit import errors
from kit.gateway.client import AsyncClient
from kit.gateway.wire import Api
from kit.settings import Endpoint
from tests.gateway.gateways import USAGE, Reply, gateway, json_reply, stream_reply
from tests.gateway.loopback import reply
from tests.ports import free_port

pytestmark = pytest.mark.anyio

PAGE = b"<!DOCTYPE html><html><body>502 Bad Gateway <a href='http://inner.corp'>x</a></body></html>"
HTML = "content-type: text/html"
DELTA = {
    "type": "response.output_text.delta",
    "output_index": 0,
    "content_index": 0,
    "delta": "Hel",
}
KEY_REFUSED = "The gateway does not accept the key. Check LITELLM_API_KEY, or run %kit login."
NO_KEY = "The gateway wants a key and none is configured. Set LITELLM_API_KEY, or run %kit login."
NOT_AGAIN = (
    "It may have taken the request, so it was not sent again; "
    "try again if a second run does no harm."
)
A_PAGE = (
    "The gateway answered with a web page where JSON belongs. Check that LITELLM_BASE_URL is the "
    "gateway itself and not a page or a login before it."
)


async def test_what_a_terminal_obeys_is_in_no_message() -> None:
    page = reply(b"x", "content-type: text/\x1b[31mred")
    cut = {"object": "response", "status": "incomplete", "output": [], "usage": USAGE}
    cut["incomplete_details"] = {"reason": "\x1b[31m" + "a" * 5_000}
    async with gateway(page, json_reply(cut)) as there, there.client() as client:
        with pytest.raises(errors.KitError) as caught:
            await client.respond("hi")
        answer = await client.respond("hi")
    assert "\x1b" not in str(caught.value)
    assert answer.incomplete is not None
    assert "\x1b" not in answer.incomplete
    assert len(answer.incomplete) <= 100


def refusal(status: int, error: Any, *headers: str) -> bytes:
    return json_reply({"error": error}, *headers, status=f"{status} No")


REFUSALS: list[tuple[str, bytes, type[errors.KitError], str]] = [
    (
        "wrong key",
        refusal(401, {"message": "Incorrect API key provided: sk-te**cdef.", "code": "invalid"}),
        errors.AuthenticationFailed,
        KEY_REFUSED + " The gateway says: Incorrect API key provided: ***",
    ),
    (
        "wrong key behind LiteLLM with a database",
        refusal(
            401,
            {
                "message": "Authentication Error, Invalid proxy server token passed. Received API "
                "Key = sk-...cdef, Key Hash (Token) =" + "0af1" * 16 + ". Unable to find token",
                "type": "token_not_found_in_db",
                "code": "401",
            },
        ),
        errors.AuthenticationFailed,
        KEY_REFUSED + " The gateway says: Authentication Error, Invalid proxy server token passed. "
        "Received API Key = ***, Key Hash (Token) =…. Unable to find token",
    ),
    (
        "not allowed",
        refusal(403, {"message": "Team may not use this model"}),
        errors.AuthenticationFailed,
        "The gateway does not allow this with this key. "
        "The gateway says: Team may not use this model",
    ),
    (
        "unknown model",
        refusal(404, {"message": "The model `m` does not exist", "code": "model_not_found"}),
        errors.ModelUnknown,
        "The gateway does not offer the model 'm'; %kit models lists what it does. "
        "The gateway says: The model `m` does not exist",
    ),
    (
        "no responses API",
        json_reply({"detail": "Not Found"}, status="404 Not Found"),
        errors.NotFound,
        "The gateway has no /responses here: try %%chat, or check LITELLM_BASE_URL.",
    ),
    (
        "bad option",
        refusal(400, {"message": "Unknown parameter", "param": "text.format", "code": None}),
        errors.BadRequest,
        "The gateway refused the request with status 400 (about `text.format`). "
        "The gateway says: Unknown parameter",
    ),
    (
        "too long",
        refusal(400, {"message": "too many tokens", "code": "context_length_exceeded"}),
        errors.BadRequest,
        "The prompt is longer than the model takes; shorten it. The gateway says: too many tokens",
    ),
    (
        "too many requests",
        refusal(429, {"message": "Rate limit reached"}, "retry-after: 30"),
        errors.RateLimited,
        "The gateway has too many requests; wait 30 s and try again. "
        "The gateway says: Rate limit reached",
    ),
    (
        "no money",
        refusal(429, {"message": "Budget has been exceeded!", "type": "budget_exceeded"}),
        errors.QuotaExceeded,
        "A budget or quota at the gateway is used up; waiting does not help. "
        "The gateway says: Budget has been exceeded!",
    ),
    (
        "a page of a proxy",
        reply(PAGE, HTML, status="502 Bad Gateway"),
        errors.ServerFailed,
        f"The gateway failed with status 502. {NOT_AGAIN}",
    ),
    (
        "plain 500 with a request id",
        reply(b"Internal Server Error", "x-request-id: req_1", status="500 No"),
        errors.ServerFailed,
        f"The gateway failed with status 500. {NOT_AGAIN}\nRequest id: req_1",
    ),
    (
        "overloaded",
        refusal(503, {"message": "Overloaded"}),
        errors.ServerFailed,
        "The gateway is overloaded or down (status 503); try later. The gateway says: Overloaded",
    ),
    (
        "nothing said",
        reply(b"", status="418 I'm a teapot"),
        errors.BadRequest,
        "The gateway refused the request with status 418.",
    ),
    (
        "a redirect",
        reply(b"", "location: http://elsewhere.example/v1/responses", status="307 No"),
        errors.ProtocolError,
        "The gateway redirects (status 307), which is not followed with a key. "
        "Set LITELLM_BASE_URL to its final address.",
    ),
    ("a web page", reply(PAGE, HTML), errors.ProtocolError, A_PAGE),
    ("a web page called JSON", json_reply(PAGE.decode()), errors.ProtocolError, A_PAGE),
    (
        "half a JSON",
        json_reply('{"id": "r", "output": ['),
        errors.ProtocolError,
        "The gateway answered with application/json that cannot be read where JSON belongs. "
        "Check that LITELLM_BASE_URL is the gateway itself and not a page or a login before it.",
    ),
    (
        "some other program",
        json_reply({"hello": "world"}),
        errors.ProtocolError,
        "The gateway answered with JSON that is no answer of a model. "
        "Check that LITELLM_BASE_URL is the gateway itself.",
    ),
    (
        "an error with status 200",
        json_reply({"error": {"message": "out of order"}}),
        errors.ResponseFailed,
        "The model's response failed: out of order",
    ),
    (
        "completed and empty",
        json_reply({"object": "response", "status": "completed", "output": [], "usage": None}),
        errors.ProtocolError,
        "The gateway says `completed` but sent no answer and no usage; ask again, and tell whoever "
        "runs the gateway.",
    ),
]


@pytest.mark.parametrize(
    ("answer", "kind", "words"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_refusal_says_what_happened_and_what_to_do(
    answer: bytes, kind: type[errors.KitError], words: str, streamed: bool
) -> None:
    """The words are the same whether a stream was asked for or not."""
    async with gateway(answer) as there, there.client(retries=0) as client:
        with pytest.raises(errors.KitError) as caught:
            if streamed:
                async for _ in client.stream("hi"):
                    pass
            else:
                await client.respond("hi")
    assert str(caught.value) == words
    assert caught.type is kind


async def test_without_a_key_it_says_so() -> None:
    no = refusal(401, {"message": "No api key passed in."})
    async with gateway(no) as there, there.client(key=None, retries=0) as client:
        with pytest.raises(errors.AuthenticationFailed) as caught:
            await client.respond("hi")
    assert str(caught.value) == NO_KEY + " The gateway says: No api key passed in."


@pytest.mark.parametrize("prompt", ["", "   \n\t "])
@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_an_empty_prompt_is_not_sent(prompt: str, api: Api) -> None:
    async with gateway(json_reply({})) as there, there.client() as client:
        with pytest.raises(errors.InputError, match=r"^The prompt is empty\.$"):
            await (client.chat if api == "chat" else client.respond)(prompt)
        with pytest.raises(errors.InputError, match="empty"):
            async for _ in client.stream(prompt, api=api):
                pass
    assert there.requests == []


async def test_a_gateway_that_is_down_is_named() -> None:
    port = free_port()
    async with AsyncClient(Endpoint(f"http://127.0.0.1:{port}/v1", model="m"), retries=0) as client:
        with pytest.raises(errors.ConnectionFailed) as caught:
            await client.chat("hi")
    assert str(caught.value) == (
        f"No gateway answers at http://127.0.0.1:{port} (connection refused). Check "
        "LITELLM_BASE_URL and that the gateway runs; %kit use sandbox needs none."
    )


async def test_a_name_that_nobody_has_is_named() -> None:
    async with AsyncClient(Endpoint("http://gateway.invalid/v1", model="m"), retries=0) as client:
        with pytest.raises(errors.ConnectionFailed) as caught:
            await client.chat("hi")
    assert str(caught.value).startswith(
        "No gateway answers at http://gateway.invalid (there is no host of that name)."
    )


async def test_a_cut_stream_keeps_what_had_come() -> None:
    async with gateway(stream_reply(DELTA)) as there, there.client() as client:
        with pytest.raises(errors.StreamInterrupted) as caught:
            async for _ in client.stream("hi"):
                pass
    assert str(caught.value) == (
        "The stream broke off before the answer's end; 3 characters had arrived and are kept."
    )
    assert caught.value.answer.text == "Hel"


@pytest.mark.parametrize(
    ("offered", "words"),
    [
        (
            ["a", "b"],
            "The gateway offers several models: a, b.\nChoose one: set LITELLM_MODEL, or model=…",
        ),
        ([], "The gateway lists no model. Name one: set LITELLM_MODEL, or model=…"),
    ],
)
async def test_without_a_model_it_says_which_there_are(offered: list[str], words: str) -> None:
    listed = json_reply({"data": [{"id": name} for name in offered]})
    async with gateway(listed) as there, there.client(model=None) as client:
        with pytest.raises(errors.ModelMissing) as caught:
            await client.respond("hi")
    assert str(caught.value) == words


async def test_the_only_model_is_taken_and_asked_for_once() -> None:
    done = {"object": "response", "status": "completed", "output": [], "usage": USAGE}
    replies: list[Reply] = [json_reply({"data": [{"id": "only"}]}), json_reply(done)]
    async with gateway(*replies) as there, there.client(model=None) as client:
        await client.respond("hi")
        await client.respond("hi")
    assert [one.path for one in there.requests] == ["/v1/models", *["/v1/responses"] * 2]
    assert there.requests[1].body["model"] == "only"


@pytest.mark.parametrize("id", ["", None])
async def test_an_empty_id_is_not_sent(id: Any) -> None:
    """It would fetch the list of all responses."""
    async with gateway(json_reply({})) as there, there.client() as client:
        for call in (client.retrieve, client.cancel, client.delete):
            with pytest.raises(errors.InputError, match="id"):
                await call(id)
    assert there.requests == []


@pytest.mark.parametrize(
    "id", ["../models", "a/b", "?x=1", "#", "%2e%2e", "가", "x" * 500, ".", ".."]
)
async def test_an_id_is_opaque_and_stays_one_step_of_the_path(id: str) -> None:
    done = {"object": "response", "status": "completed", "output": [], "usage": USAGE}
    async with gateway(json_reply(done)) as there, there.client() as client:
        if id in (".", ".."):
            with pytest.raises(errors.InputError, match="id"):
                await client.retrieve(id)
            return
        await client.retrieve(id)
    [request] = there.requests
    assert request.path.startswith("/v1/responses/")
    assert request.path.count("/") == 3
    assert "?" not in request.path


@pytest.mark.parametrize(
    "headers", [{"x-a": "b\r\nx-evil: 1"}, {"x-a": "김"}, {"x a": "b"}, {"x-a": 7}, {"": "b"}]
)
async def test_headers_that_cannot_be_sent_are_refused(headers: Any) -> None:
    async with gateway(json_reply({})) as there:
        with pytest.raises(errors.InputError, match="header"):
            async with there.client(headers=headers) as client:
                await client.respond("hi")
    assert there.requests == []


async def test_several_broken_things_do_not_hide_each_other() -> None:
    """A refusal whose body breaks off is still told by its status."""
    half = b'HTTP/1.1 401 No\r\ncontent-length: 999\r\nconnection: close\r\n\r\n{"error"'
    async with gateway([half]) as there, there.client(retries=0) as client:
        with pytest.raises(errors.AuthenticationFailed) as caught:
            await client.respond("hi")
    assert str(caught.value) == KEY_REFUSED
