"""Tab on a magic's line."""

import pytest

from kit.notebook.completion import offers
from kit.notebook.session import Session

SESSION = Session()
SESSION.models.update({"openai/gpt-big", "openai/gpt-small", "sandbox"})
VARIABLES = ["frame", "figure", "_private", "결과"]


def tab(text: str):
    lines = text.split("\n")
    return offers(text, len(lines) - 1, len(lines[-1]), VARIABLES, SESSION)


@pytest.mark.parametrize(
    ("text", "fragment", "words"),
    [
        ("%%chat --mo", "--mo", ["--model"]),
        ("%%chat --max", "--max", ["--max-tokens"]),
        ("%%responses --web", "--web", ["--web-search"]),
        ("%%responses -f ", "", ["markdown", "text", "json", "code"]),
        ("%%responses -f j", "j", ["json"]),
        ("%%chat --format=m", "m", ["markdown"]),
        ("%%chat --effort hi", "hi", ["high"]),
        ("%%chat -m openai/gpt-s", "openai/gpt-s", ["openai/gpt-small"]),
        ("%%chat -q --model ", "", ["openai/gpt-big", "openai/gpt-small", "sandbox"]),
        ("%%chat -o f", "f", ["figure", "frame"]),
        ("%%chat --image fr", "fr", ["frame"]),
        ("%%chat --schema ", "", ["figure", "frame", "결과"]),
        ("%%chat -m x\nSummarise {{fr", "fr", ["frame"]),
        ("%%chat -m x\nSummarise {{", "", ["figure", "frame", "결과"]),
        ("%kit u", "u", ["use"]),
        ("%kit use ", "", ["sandbox", "local", "gateway"]),
        ("x = 1\n%kit model sand", "sand", ["sandbox"]),
    ],
)
def test_tab_offers(text, fragment, words):
    assert tab(text) == (fragment, words)


def test_every_long_option_is_offered_where_nothing_is_written():
    fragment, words = tab("%%chat ")
    assert fragment == ""
    assert "--model" in words and "--web-search" not in words and "-m" not in words


@pytest.mark.parametrize(
    "text", ["import os", "%%chat -m x\nhello --mo", "%%time\n%%chat {{f", "%chatter --mo", "x {{f"]
)
def test_tab_leaves_other_text_alone(text):
    assert tab(text) is None


def test_paths_are_left_to_ipython():
    assert tab("%%chat --file rep") is None
