"""What is saved to a file holds nothing that steers a terminal or turns a line around."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas
import pytest

from kit.gateway.answer import Answer, Citation, ToolCall
from kit.notebook.chat_display import kept_bundle
from kit.notebook.chat_file import write_conversation
from kit.notebook.chat_turns import Turns, markdown_of_turns
from kit.notebook.export_run import export_markdown, export_notebook
from kit.relay.report import markdown_of, save_report

pytestmark = pytest.mark.once

UNSEEN = ["\x1b[31m", "\x07", "\u202e", "\u2066", "\x9b31m", "\x85", "\x7f", "\x00"]
URL = "https://a.example/x"


def report_with(words: str, text: str = "") -> str:
    """A report in which everything that is not ours is these words."""
    source = Citation(URL, words, 0, 1, 1)
    answer = Answer(text or f"A {words} report", words, words, words, citations=(source,))
    return markdown_of(words, answer, "inv_1")


def of_json(words: str) -> str:
    return report_with(words, json.dumps({"title": words, "words": words}, ensure_ascii=False))


def markdown_file(words: str, folder: Path) -> str:
    return save_report(folder / "a.md", report_with(words), {}).read_text("utf-8")


def json_in_markdown(words: str, folder: Path) -> str:
    return save_report(folder / "a.md", of_json(words), {}).read_text("utf-8")


def page_file(words: str, folder: Path) -> str:
    facts = {"question": words}
    return save_report(folder / "a.html", report_with(words), facts).read_text("utf-8")


def a_run(words: str) -> Any:
    sources = [{"title": words, "url": URL, "opened": True, "cited": True}]
    return SimpleNamespace(
        id="inv_1",
        question=words,
        sources=pandas.DataFrame(sources),
        to_markdown=lambda: report_with(words),
    )


def copy_as_markdown(words: str, folder: Path) -> str:
    return export_markdown(a_run(words), folder).read_text("utf-8")


def copy_as_notebook(words: str, folder: Path) -> str:
    cells = json.loads(export_notebook(a_run(words), folder).read_text("utf-8"))["cells"]
    return "\n".join(cell["source"] for cell in cells)


def conversation(words: str) -> Turns:
    call = ToolCall(words, json.dumps({"a": words}), "c1", words, words, 2.0, note=words)
    source = Citation(URL, words, 0, 1, 1)
    turns = Turns()
    first = turns.add(words, None, (words,))
    answer = Answer(words, words, "completed", words, citations=(source,), tool_calls=(call,))
    turns.change(first.id, state="completed", answer=answer)
    second = turns.add(words, first.id)
    turns.change(second.id, state="failed", problem=words)
    return turns


def chat_file(words: str, folder: Path) -> str:
    markdown = markdown_of_turns(conversation(words).path())
    return write_conversation(markdown, folder / "chat.md").read_text("utf-8")


def chat_kept(words: str, folder: Path) -> str:
    return "\n".join(kept_bundle(conversation(words).path()).values())


SAVED = [
    *(markdown_file, json_in_markdown, page_file, copy_as_markdown, copy_as_notebook),
    *(chat_file, chat_kept),
]


@pytest.mark.parametrize("unseen", UNSEEN, ids=ascii)
@pytest.mark.parametrize("saved", SAVED)
def test_a_saved_copy_has_the_words_and_nothing_unseen(
    tmp_path: Path, saved: Callable[[str, Path], str], unseen: str
) -> None:
    content = saved(f"before{unseen}after", tmp_path)
    assert "before" in content and "after" in content
    assert unseen[0] not in content
