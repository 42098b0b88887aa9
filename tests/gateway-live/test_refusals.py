"""How a LiteLLM says no, and what a person reads of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kit import errors
from kit.connect import Client
from living import NewClient, Proxy

pytestmark = pytest.mark.gateway_live

QUESTION = "What is kimchi?"
WAYS = ("native", "bridged")


def respond(client: Client) -> None:
    client.respond(QUESTION)


def chat(client: Client) -> None:
    client.chat(QUESTION)


def stream(client: Client) -> None:
    assert [*client.stream(QUESTION)]


def submit(client: Client) -> None:
    client.submit(QUESTION)


Face = Callable[[Client], None]
FACES = (respond, chat, stream, submit)


@pytest.mark.parametrize("face", FACES)
def test_a_wrong_key_is_said_to_be_one(face: Face, client: NewClient) -> None:
    """Without a database it is a 400."""
    with pytest.raises(errors.AuthenticationFailed, match="does not accept the key") as caught:
        face(client("native", key="sk-of-somebody-else"))
    assert caught.value.status == 400
    assert "database" not in str(caught.value) and "db" not in str(caught.value)


@pytest.mark.parametrize("face", FACES)
def test_a_missing_key_is_said_to_be_missing(face: Face, client: NewClient) -> None:
    """Without a database it is a 500 in plain text."""
    with pytest.raises(errors.AuthenticationFailed, match="wants a key") as caught:
        face(client("native", key=""))
    assert caught.value.status == 500


def test_a_missing_key_is_a_500_in_plain_text(plain: Proxy) -> None:
    answer = plain.ask("POST", "/responses", {"model": "native", "input": "hi"}, authorization="")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")


@pytest.mark.parametrize("face", FACES)
def test_an_unknown_model_is_named(face: Face, client: NewClient) -> None:
    with pytest.raises(errors.ModelUnknown, match="does not offer the model 'nobody'") as caught:
        face(client("nobody"))
    assert caught.value.status == 400


@pytest.mark.parametrize("act", ["retrieve", "cancel", "delete"])
def test_an_unknown_id_is_a_400_and_said_to_be_unknown(act: str, client: NewClient) -> None:
    with pytest.raises(errors.NotFound, match="does not know that response id") as caught:
        getattr(client("native"), act)("resp_unknown")
    assert caught.value.status == 400


@pytest.mark.parametrize("face", [respond, stream, submit])
@pytest.mark.parametrize("way", WAYS)
def test_too_many_requests_are_waited_for(way: str, face: Face, client: NewClient) -> None:
    """The upstream's `retry-after` comes as `llm_provider-retry-after` alone."""
    with pytest.raises(errors.RateLimited) as caught:
        face(client(f"{way}:429"))
    assert not isinstance(caught.value, errors.QuotaExceeded)
    assert (caught.value.status, caught.value.retry_after) == (429, 1.0)


@pytest.mark.parametrize("face", [respond, stream])
@pytest.mark.parametrize("way", WAYS)
def test_a_quota_is_not_waited_for(way: str, face: Face, client: NewClient) -> None:
    """On the bridge its code is lost, and its words remain."""
    with pytest.raises(errors.QuotaExceeded, match="waiting does not help"):
        face(client(f"{way}:429-quota"))


def test_a_quota_is_not_waited_for_over_chat(client: NewClient) -> None:
    with pytest.raises(errors.QuotaExceeded):
        chat(client("native:429-quota"))


@pytest.mark.parametrize("face", FACES)
def test_a_dead_upstream_is_said_to_be_out_of_reach(face: Face, client: NewClient) -> None:
    with pytest.raises(errors.ServerFailed, match="cannot reach the provider") as caught:
        face(client("dead"))
    assert caught.value.status == 500
    assert "ssl" not in str(caught.value) and "REDACTED" not in str(caught.value)


def test_a_key_that_the_upstream_refuses_is_not_the_persons(client: NewClient) -> None:
    with pytest.raises(errors.AuthenticationFailed, match="the gateway's own key") as caught:
        respond(client("refused-upstream-key"))
    assert "LITELLM_API_KEY" not in str(caught.value)


@pytest.mark.parametrize("face", [respond, stream])
@pytest.mark.parametrize("way", WAYS)
def test_an_upstream_that_failed_may_have_taken_it(way: str, face: Face, client: NewClient) -> None:
    with pytest.raises(errors.ServerFailed, match="may have taken the request") as caught:
        face(client(f"{way}:500"))
    assert caught.value.request_id is not None and caught.value.request_id in str(caught.value)


@pytest.mark.parametrize(
    "model", ["native:400-context", "bridged:400-context", "native-model", "bridged-model"]
)
@pytest.mark.parametrize("api", ["responses", "chat"])
def test_a_prompt_that_is_too_long_is_said_to_be(model: str, api: str, client: NewClient) -> None:
    if api == "chat" and model.startswith("bridged:"):
        model = "native:400-context"  # the bridge is of the responses API alone
    ask = client(model, timeout=200).chat if api == "chat" else client(model, timeout=200).respond
    with pytest.raises(errors.BadRequest, match="longer than the model takes"):
        ask("word " * 6000)


# -- in the middle of a stream -------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["error-first", "error-then-failed", "failed", "cut"])
def test_whatever_breaks_a_stream_ends_it_as_failed(fault: str, client: NewClient) -> None:
    """An `error`, a `response.failed` and a cut socket look alike behind it."""
    with pytest.raises(errors.ResponseFailed) as caught:
        stream(client(f"native:{fault}"))
    assert caught.value.answer is not None and caught.value.answer.status == "failed"
    assert bool(caught.value.answer.text) == (fault != "error-first")


@pytest.mark.parametrize("fault", ["error-first", "error-then-failed"])
def test_an_error_in_a_stream_of_the_bridge_ends_it_as_failed(
    fault: str, client: NewClient
) -> None:
    with pytest.raises(errors.ResponseFailed, match="hung up"):
        stream(client(f"bridged:{fault}"))


@pytest.mark.parametrize(("model", "api"), [("bridged:cut", "responses"), ("native:cut", "chat")])
def test_half_a_chat_is_called_completed(model: str, api: str, client: NewClient) -> None:
    """LiteLLM ends a chat that broke off as if it were whole: nobody behind it can tell."""
    broken = client(model).stream(QUESTION, api=api)
    assert [*broken] and broken.answer.status == "completed"
    assert len(broken.answer.text) < len(client("native").respond(QUESTION).text)


def test_an_empty_answer_is_none(client: NewClient) -> None:
    with pytest.raises(errors.ProtocolError, match="sent no answer"):
        respond(client("native:empty-output"))


def test_an_end_without_output_is_filled_from_the_stream(client: NewClient) -> None:
    whole = client("native:empty-output").stream(QUESTION)
    assert [*whole] and "kimchi" in whole.answer.text.lower()


def test_a_stalled_upstream_is_silence(client: NewClient) -> None:
    """No keep-alive comes from the proxy: the time-out is the client's own."""
    with pytest.raises(errors.TimedOut, match="sent nothing for 8 s") as caught:
        stream(client("native:slow", idle_timeout=8.0))
    assert caught.value.answer is not None and caught.value.answer.text
