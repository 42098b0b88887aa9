"""The official SDK against the sandbox: everything it does with the real service."""

from typing import Literal

import openai
import pytest
from pydantic import BaseModel

pytestmark = pytest.mark.once

SEARCH = [{"type": "web_search"}]


class Person(BaseModel):
    name: str
    year: int


@pytest.fixture
def sdk(gateway, official):
    return official(gateway)


def test_it_lists_the_models(sdk):
    assert [model.id for model in sdk.models.list()] == ["sandbox"]


def test_it_creates_a_response(sdk):
    response = sdk.responses.create(model="sandbox", input="Hi", instructions="Be brief.")
    assert (response.status, response.output_text) == ("completed", "1: Hi")
    assert response._request_id.startswith("req_")


def test_it_streams_a_response_event_by_event(sdk):
    stream = sdk.responses.create(model="sandbox", input="kimchi", tools=SEARCH, stream=True)
    events = list(stream)
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert events[-1].response.output_text == text


def test_its_strict_stream_helper_agrees(sdk):
    """The helper raises on a missing `created`, a changed id, an unfinished item."""
    with sdk.responses.stream(model="a-research", input="x", tools=SEARCH) as stream:
        final = stream.until_done().get_final_response()
    assert [item.type for item in final.output][-1] == "message"


def test_it_parses_structured_output(sdk):
    parsed = sdk.responses.parse(model="sandbox", input="who", text_format=Person)
    assert parsed.output_parsed == Person(name="김치", year=1999)
    chat = sdk.chat.completions.parse(
        model="sandbox", messages=[{"role": "user", "content": "who"}], response_format=Person
    )
    assert chat.choices[0].message.parsed == Person(name="김치", year=1999)


def test_it_submits_polls_and_resumes_a_background_run(sdk):
    stream = sdk.responses.create(
        model="a-research", input="x", tools=SEARCH, background=True, stream=True
    )
    first = [next(stream) for _ in range(5)]
    stream.close()
    run = first[0].response.id
    rest = list(sdk.responses.retrieve(run, stream=True, starting_after=first[-1].sequence_number))
    assert rest[0].sequence_number == 5
    assert rest[-1].response == sdk.responses.retrieve(run)
    assert next(iter(sdk.responses.input_items.list(run))).content[0].text == "x"


def test_it_cancels_and_deletes(serve, official):
    sdk = official(serve(pace=1.0))
    run = sdk.responses.create(model="a-research", input="x", background=True)
    assert run.status == "queued"
    assert sdk.responses.cancel(run.id).status == "cancelled"
    assert sdk.responses.retrieve(run.id).status == "cancelled"
    sdk.responses.delete(run.id)
    with pytest.raises(openai.NotFoundError):
        sdk.responses.retrieve(run.id)


def test_it_chats_and_streams_a_chat(sdk):
    messages: list = [{"role": "user", "content": "Hi"}]
    whole = sdk.chat.completions.create(model="sandbox", messages=messages)
    stream = sdk.chat.completions.create(
        model="sandbox", messages=messages, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content == "1: Hi"
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("nope", openai.NotFoundError),
        ("sandbox:429-quota", openai.RateLimitError),
        ("sandbox:403", openai.PermissionDeniedError),
        ("sandbox:html-502", openai.InternalServerError),
        ("sandbox:400-context", openai.BadRequestError),
    ],
)
@pytest.mark.parametrize("api", ["responses", "chat"])
def test_errors_arrive_as_their_class(sdk, model, error, api: Literal["responses", "chat"]):
    with pytest.raises(error):
        if api == "chat":
            sdk.chat.completions.create(model=model, messages=[{"role": "user", "content": "x"}])
        else:
            sdk.responses.create(model=model, input="x")


def test_a_wrong_key_is_an_authentication_error(sdk):
    with pytest.raises(openai.AuthenticationError):
        sdk.with_options(api_key="sk-wrong").models.list()


def test_an_async_client_leaves_a_stream_early(gateway):
    import asyncio

    async def leave() -> None:
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="x") as client:
            stream = await client.responses.create(model="sandbox:slow", input="x", stream=True)
            async for _event in stream:
                break
            await stream.close()

    asyncio.run(leave())  # and does not wait for what is slow
