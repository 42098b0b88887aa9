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
