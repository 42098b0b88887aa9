"""A conversation goes on: what a prompt refers back to, what has been said, what is remembered."""

import re

import pytest

from kit.sandbox.library import Library
from kit.sandbox.mind import answer
from kit.sandbox.steps import Ask, Say, Turn

LIBRARY = Library.open()


def say(*turns: str) -> Say:
    """The answer to the last of turns that a person and the sandbox took by turns."""
    roles = ("user", "assistant")
    spoken = tuple(Turn(roles[number % 2], text) for number, text in enumerate(turns))
    last = answer(Ask(spoken), LIBRARY)[-1]
    assert isinstance(last, Say)
    return last


FOLLOW_UPS = [
    (("Tell me about coffee", "…", "and when was that?"), "century"),
    (("한글에 대해 알려줘", "…", "그건 언제 만들어졌어?"), "1443년"),
    (("서울에 대해 알려줘", "…", "인구는?"), "940만"),
    (("What is SQLite?", "…", "who made it?"), "Hipp"),
    (("BTS 알려줘", "…", "멤버는 누구야?"), "정국"),
    (("Tell me about Paris", "…", "what about Tokyo?"), "Tokyo is the capital"),
    (("Tell me about Paris", "…", "how tall is the tower there?"), "330 metres"),
    (("Tell me about Tokyo", "…", "population?"), "14 million people"),
    (("who invented the transistor", "…", "and the integrated circuit?"), "Kilby"),
]


@pytest.mark.parametrize(("turns", "holds"), FOLLOW_UPS)
def test_a_follow_up_is_about_what_was_spoken_of(turns: tuple[str, ...], holds: str):
    assert holds in say(*turns).text


def test_more_says_what_has_not_been_said():
    first = say("Tell me about TLS").text
    more = say("Tell me about TLS", first, "tell me more").text
    said = {line for line in re.findall(r"^> (.+?) \(\[", first, re.M)}
    assert said and said.isdisjoint(re.findall(r"^> (.+?) \(\[", more, re.M))


@pytest.mark.parametrize(
    ("told", "asked"),
    [("My name is Alice.", "What is my name?"), ("내 이름은 민수야", "내 이름이 뭐야?")],
)
def test_what_the_person_said_is_remembered_in_their_words(told: str, asked: str):
    assert told in say(told, "OK", asked).text


PANDAS = "What is pandas?"
NO_SUBJECT = [
    ("Shorter, please", "pandas is a Python library"),
    ("Make it shorter", "pandas is a Python library"),
    ("in Korean please", "판다스는 파이썬에서"),
    ("Where did it come from?", "McKinney"),
    ("Who made it?", "McKinney"),
    ("tell me more", "pandas"),
    ("Summarise that in one sentence", "pandas is a Python library"),
    ("what else?", "pandas"),
    ("as a list", "- pandas is a Python library"),
    ("더 짧게", "판다스"),
]


def conversation(*prompts: str) -> list[str]:
    """The answers to prompts that are asked one after another."""
    turns: list[str] = []
    for prompt in prompts:
        turns.append(prompt)
        turns.append(say(*turns).text)
    return turns[1::2]


@pytest.mark.parametrize(("prompt", "holds"), NO_SUBJECT)
@pytest.mark.parametrize("opening", [PANDAS, "pandas?"])
def test_a_prompt_without_a_subject_speaks_of_the_former_one(opening: str, prompt: str, holds: str):
    answer_to_it = conversation(opening, prompt)[1]
    assert holds in answer_to_it and "closest" not in answer_to_it


def test_the_subject_outlives_many_follow_ups():
    answers = conversation(PANDAS, *(prompt for prompt, _ in NO_SUBJECT))
    for given, (_, holds) in zip(answers[2:], NO_SUBJECT[1:], strict=False):
        assert holds in given or "pandas" in given


def test_the_subject_outlives_a_question_that_found_nothing():
    answers = conversation(PANDAS, "What is zorblax?", "Shorter, please", "Who made it?")
    assert "nothing about" in answers[1]
    assert "pandas" in answers[2] and "McKinney" in answers[3]


def test_what_is_asked_of_a_subject_nobody_knows_is_not_answered_with_another():
    answers = conversation(PANDAS, "What is zorblax?", "And how heavy are its engines?")
    assert "nothing about" in answers[2]


def test_a_new_subject_in_a_follow_up_is_the_one_that_is_followed_up():
    assert "Coffee" in conversation(PANDAS, "What about coffee?", "tell me more")[2]


def test_shorter_is_shorter_and_answers_the_same_question():
    long, short = conversation("When was SQLite made?", "Shorter, please")
    assert "2000" in short and len(short) < len(long)


@pytest.mark.parametrize(
    ("asked", "wish", "holds"),
    [
        (("서울에 대해 알려줘", "인구는?"), "한 줄로", "940만"),
        (("Tell me about Seoul", "population?"), "Shorter", "9.4 million"),
        (("한글은 누가 만들었어?",), "더 짧게", "세종"),
        ((PANDAS, "Who made it?"), "Say it more briefly", "McKinney"),
        ((PANDAS, "make that a table"), "give me a shorter version", "pandas is a Python"),
    ],
)
def test_another_form_is_of_the_last_answer(asked: tuple[str, ...], wish: str, holds: str):
    assert holds in conversation(*asked, wish)[-1]


@pytest.mark.parametrize("prompt", ["Repeat that", "say that again, please", "다시 말해줘"])
def test_the_last_answer_is_repeated_with_its_citations(prompt: str):
    first = say(PANDAS)
    again = say(PANDAS, first.text, prompt)
    assert (again.text, again.citations) == (first.text, first.citations)
