"""A completion that came whole is an answer, or a failure that says what the gateway says."""

from __future__ import annotations

from typing import Any

import pytest

from kit import errors
from tests.gateway.gateways import gateway, json_reply

pytestmark = pytest.mark.anyio

BROKEN = {"message": "No credits left", "code": 402}
SAID = {"index": 0, "finish_reason": "stop", "message": {"content": "Half"}}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("whole", "kind", "words"),
    [
        ({"choices": [], "error": BROKEN}, errors.ResponseFailed, "No credits left"),
        ({"choices": None, "error": "No credits left"}, errors.ResponseFailed, "No credits left"),
        ({"choices": [SAID], "error": BROKEN}, errors.ResponseFailed, "No credits left"),
        ({"choices": [{**SAID, "error": BROKEN}]}, errors.ResponseFailed, "No credits left"),
        ({"choices": [{"finish_reason": "error"}]}, errors.ResponseFailed, "response failed."),
        ({"choices": []}, errors.ProtocolError, "empty and does not say why"),
        ({"choices": [None]}, errors.ProtocolError, "empty and does not say why"),
        ({"choices": [], "error": None}, errors.ProtocolError, "empty and does not say why"),
        ({"object": "chat.completion"}, errors.ProtocolError, "empty and does not say why"),
    ],
)
async def test_a_chat_with_an_error_or_without_a_choice_is_a_failure(
    whole: dict[str, Any], kind: type[errors.KitError], words: str, streamed: bool
) -> None:
    """Tokens were counted, so nothing but the body says that there is no answer."""
    whole = {"id": "c", **whole, "usage": {"prompt_tokens": 5, "completion_tokens": 7}}
    async with gateway(json_reply(whole)) as there, there.client() as client:
        with pytest.raises(kind, match=words) as caught:
            if streamed:
                async for _ in client.stream("hi", api="chat"):
                    pass
            else:
                await client.chat("hi")
    answer = caught.value.answer
    assert answer is not None
    assert answer.usage is not None
    assert answer.text in ("", "Half")
    assert (answer.error or "No credits left") == "No credits left"


@pytest.mark.parametrize("error", [None, {}, "", False, {"message": "", "code": None}])
async def test_an_error_that_says_nothing_fails_no_answer(error: Any) -> None:
    for whole in (
        {"choices": [SAID], "error": error},
        {"choices": [{**SAID, "error": error}]},
    ):
        async with gateway(json_reply(whole)) as there, there.client() as client:
            answer = await client.chat("hi")
        assert (answer.text, answer.status, answer.error) == ("Half", "completed", None)


@pytest.mark.parametrize("reason", [None, "", "null", "stop"])
async def test_a_chat_without_content_needs_a_finish_reason(reason: str | None) -> None:
    message = {"role": "assistant", "content": None}
    choice = {"index": 0, "finish_reason": reason, "message": message}
    whole = {"object": "chat.completion", "choices": [choice], "usage": {"prompt_tokens": 1}}
    async with gateway(json_reply(whole)) as there, there.client() as client:
        if reason == "stop":
            assert (await client.chat("hi")).text == ""
        else:
            with pytest.raises(errors.ProtocolError, match="empty"):
                await client.chat("hi")
