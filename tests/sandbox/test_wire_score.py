"""Which event comes when, as pure functions; no server."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.sandbox.conversation import read_input
from kit.sandbox.fields import Fields
from kit.sandbox.outcome import Outcome, outcome_of, usage_of
from kit.sandbox.response_object import response_of
from kit.sandbox.response_request import read_request
from kit.sandbox.score import at_second, pieces, write_score
from kit.sandbox.steps import OpenPage, Say, Search, Source, Think
from tests.growth import assert_cheap

ROUND = (
    Think("**Planning** the next search, with a few words about why."),
    Search(("kimchi history",), (Source("https://example.com/a", "A"),)),
    OpenPage("https://example.com/a"),
)


def response(steps, *, background=False):
    body = {"model": "a-research", "input": "x", "background": background}
    outcome = outcome_of(steps)
    return response_of(read_request(Fields(body)), outcome, usage_of("x", outcome.items), 1000.0)


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_pieces_add_up(text):
    assert "".join(pieces(text)) == text


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=200))
def test_no_piece_starts_in_the_middle_of_a_character(text):
    for piece in list(pieces(text))[1:]:
        first = piece[0]
        assert not unicodedata.combining(first)
        assert first not in "\u200d\ufe0f"


@pytest.mark.parametrize(
    "character",
    ["👩‍👩‍👧‍👦", "🇰🇷", "e\u0301", "👍🏽", "❤️", "\u1112\u1161\u11ab", "नि"],
    ids=["family", "flag", "accent", "skin", "heart", "jamo", "vowel sign"],
)
def test_what_is_read_as_one_character_stays_one(character):
    text = f"some words {character * 30} and {character} more" * 3
    for piece in pieces(text):
        rest = piece.replace(character, "")
        assert rest.isascii(), piece


def test_pieces_are_of_the_size_of_words():
    sizes = [len(piece) for piece in pieces("The quick brown fox jumps over the lazy dog. " * 20)]
    assert min(sizes[:-1]) >= 5
    assert max(sizes) <= 20
    assert max(len(piece) for piece in pieces("x" * 100)) == 20


@pytest.mark.parametrize("rounds", [1, 4, 12, 40])
def test_research_takes_between_twenty_and_forty_seconds(rounds):
    score = write_score(response([*ROUND * rounds, Say("x" * 3000)]), 1.0, research=True)
    assert 20 <= round(score[-1].at, 6) <= 40


def test_talk_runs_at_sixty_deltas_a_second_and_pace_stretches_it():
    talk = response([Say("word " * 120)])
    quick, slow = (write_score(talk, pace, research=False)[-1].at for pace in (1.0, 2.0))
    assert quick == pytest.approx(120 * 5 / 5 / 60 / 1, rel=0.6)
    assert slow == pytest.approx(2 * quick)
    assert write_score(talk, 0.0, research=False)[-1].at == 0


def test_the_same_response_gives_the_same_score():
    final = response(ROUND * 3)
    assert write_score(final, 0.7, research=True) == write_score(final, 0.7, research=True)


def test_a_response_only_grows_until_it_is_whole():
    final = response([*ROUND * 3, Say("The end.")], background=True)
    score = write_score(final, 1.0, research=True)
    end = score[-1].at
    states = [at_second(final, score, end * step / 50) for step in range(51)]
    sizes = [len(state["output"]) for state in states]
    assert sizes == sorted(sizes)
    assert states[0]["status"] == "queued"
    assert states[25]["status"] == "in_progress"
    assert states[-1] == final


def test_a_long_run_is_read_off_the_clock_quickly():
    final = response([*ROUND * 30, Say("words of a report " * 1000)])
    assert_cheap(lambda: write_score(final, 1.0, research=True), 5)


def test_an_outcome_without_items_still_begins_and_ends():
    empty = response_of(
        read_request(Fields({"model": "sandbox", "input": "x"})), Outcome(()), {}, 0.0
    )
    names = [due.event["type"] for due in write_score(empty, 0.0, research=False)]
    assert names == ["response.created", "response.in_progress", "response.completed"]


def test_items_get_ids_and_keep_their_own():
    given_items = [{"role": "user", "content": "a"}, {"role": "user", "content": "b", "id": "mine"}]
    first, second = read_input(Fields({"input": given_items}))
    assert first["id"].startswith("msg_")
    assert second["id"] == "mine"
