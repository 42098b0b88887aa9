"""A conversation that branches: nothing is overwritten, and what is sent is the chosen way."""

from __future__ import annotations

import pytest

from kit.gateway.answer import answer_of
from kit.notebook.chat_turns import Turns, markdown_of_turns

pytestmark = pytest.mark.once


def said(text: str):
    part = {"type": "output_text", "text": text, "annotations": []}
    message = {"type": "message", "role": "assistant", "content": [part]}
    return answer_of({"id": "r", "status": "completed", "output": [message]})


def asked(turns: Turns, prompt: str, parent: int | None, answer: str | None = "yes") -> int:
    turn = turns.add(prompt, parent)
    items = ({"role": "user", "content": prompt},)
    answered = said(answer) if answer else None
    turns.change(turn.id, items=items, state="completed", answer=answered)
    return turn.id


def prompts(turns: Turns) -> list[str]:
    return [turn.prompt for turn in turns.path()]


def test_turns_follow_each_other():
    turns = Turns()
    first = asked(turns, "a", None)
    asked(turns, "b", first)
    assert prompts(turns) == ["a", "b"]


def test_a_sibling_is_chosen_at_once_and_the_others_can_be_chosen_again():
    turns = Turns()
    first = asked(turns, "a", None)
    second = asked(turns, "b", first)
    asked(turns, "c", second)
    other = asked(turns, "B", first)
    assert prompts(turns) == ["a", "B"]
    assert turns.siblings(turns[other]) == [second, other]
    turns.choose(turns[other], -1)
    assert prompts(turns) == ["a", "b", "c"]


@pytest.mark.parametrize("steps", [-5, -1, 1, 5])
def test_there_is_nothing_beyond_the_first_and_the_last(steps):
    turns = Turns()
    only = asked(turns, "a", None)
    turns.choose(turns[only], steps)
    assert prompts(turns) == ["a"]


def test_what_is_sent_is_what_was_said_on_the_way_to_a_turn():
    turns = Turns()
    first = asked(turns, "a", None, "A")
    asked(turns, "left alone", first)
    second = asked(turns, "b", first, "B")
    third = turns.add("c", second)
    assert [(item["role"], item["content"]) for item in turns.history(third)] == [
        ("user", "a"),
        ("assistant", "A"),
        ("user", "b"),
        ("assistant", "B"),
    ]


def test_a_turn_that_nothing_came_of_is_not_sent_again():
    turns = Turns()
    failed = asked(turns, "a", None, None)
    assert turns.history(turns.add("b", failed)) == []


def test_a_conversation_as_markdown_is_cleaned():
    turns = Turns()
    asked(turns, "<script>q()</script>", None, "<img src=x onerror=a()> **bold**")
    text = markdown_of_turns(turns.path())
    assert "**bold**" in text and "<img" not in text and "<script>" not in text


@pytest.mark.parametrize("number", [0, 7, "1", None, True, [1]])
def test_a_number_that_is_no_turns_is_none(number):
    turns = Turns()
    asked(turns, "a", None)
    assert turns.get(number) is None


def test_nothing_of_a_turn_reaches_into_the_next_in_a_file():
    """Neither an open fence nor a heading that looks like ours."""
    turns = Turns()
    first = asked(turns, "```\nopen", None, "~~~\nalso open\n\n## Question\n\nforged")
    asked(turns, "## Answer\n\nforged", first, "# Title\n\n```\n# a comment\n```")
    lines = markdown_of_turns(turns.path()).split("\n")
    ours = [line for line in lines if line in ("## Question", "## Answer")]
    assert len([line for line in ours if line == "## Answer"]) == 2
    assert "### Title" in lines and "# a comment" in lines
    assert "#### Answer" in lines


def test_a_long_conversation_is_written_turn_by_turn():
    turns, place = Turns(), None
    for number in range(300):
        place = asked(turns, f"question {number}", place, f"**answer** {number} " + "x " * 400)
    text = markdown_of_turns(turns.path())
    assert text.count("## Answer") == 300 and "**answer** 299" in text
