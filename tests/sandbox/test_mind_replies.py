"""What the sandbox says: quotations with sources that hold, and plainly that it is no model."""

import re

import pytest

from kit.sandbox.library import Library
from kit.sandbox.mind import answer
from kit.sandbox.steps import Ask, OpenPage, Say, Search, Turn, count_tokens
from tests.growth import assert_cheap

LIBRARY = Library.open()


def say(*turns: str, web_search: bool = False, instructions: str = "", limit: int | None = None):
    """The answer to the last of turns that a person and the sandbox took by turns."""
    roles = ("user", "assistant")
    spoken = tuple(Turn(roles[number % 2], text) for number, text in enumerate(turns))
    ask = Ask(spoken, instructions, web_search=web_search, max_output_tokens=limit)
    last = answer(ask, LIBRARY)[-1]
    assert isinstance(last, Say)
    return last


EXACT = [
    ("Reply with exactly: OK", "OK"),
    ('Reply with exactly: "OK"', "OK"),
    ("Respond with only the word PONG", "PONG"),
    ('Say exactly "hello world"', "hello world"),
    ("Answer only with yes", "yes"),
    ("Say foo and nothing else", "foo"),
    ("Output only the following text: a b\nc", "a b\nc"),
    ("Repeat after me: I love tea.", "I love tea."),
    ("Please reply with the single word banana.", "banana"),
    ("please answer just 42", "42"),
    ("You are a tester. Reply with exactly: 안녕 👋", "안녕 👋"),
    ("정확히 OK라고만 답해", "OK"),
    ('"안녕"이라고 말해줘', "안녕"),
    ("'예'만 출력하세요", "예"),
    ("OK라고만 답해줘", "OK"),
    ("다음 문장을 그대로 출력해: 하늘은 푸르다", "하늘은 푸르다"),
    ("따라 말해: 가나다", "가나다"),
    ("다른 말 없이 네 라고만 대답해 주세요", "네"),
]


@pytest.mark.parametrize(("prompt", "text"), EXACT)
def test_words_to_repeat_are_repeated_and_nothing_else(prompt: str, text: str):
    assert say(prompt).text == text
    assert say(prompt, web_search=True).text == text


@pytest.mark.parametrize(
    "prompt",
    [
        "Answer in one sentence: what is tea?",
        "Respond with one word: what is the capital of Japan?",
        "Reply with exactly one sentence about tea",
        "한국어로만 답해줘: what is coffee",
        "What did Armstrong say when he landed on the moon?",
    ],
)
def test_a_question_about_form_is_not_repeated(prompt: str):
    assert say(prompt).text not in prompt


@pytest.mark.parametrize("prompt", ["hi", "Hello there!", "안녕하세요!", "hello, how are you?"])
def test_a_greeting_is_answered_by_a_sandbox_that_says_so(prompt: str):
    text = say(prompt).text
    assert ("not a language model" in text) or ("언어 모델이 아니라" in text)
    assert len(text) < 400


@pytest.mark.parametrize(
    "prompt", ["who are you?", "너는 누구야?", "뭘 할 수 있어?", "what can you do"]
)
def test_asked_about_itself_it_says_what_it_can_do(prompt: str):
    assert re.search("without a language|언어 모델이 없는", say(prompt).text)


@pytest.mark.parametrize(
    ("prompt", "holds"),
    [
        ("BTS는 언제 데뷔했어?", "2013년 6월 13일"),
        ("when did BTS debut", "13 June 2013"),
        ("한라산 높이는?", "1,947미터"),
        ("짜장면이 처음 만들어진 연도를 한 줄로", "1905년"),
        ("How many people walked on the moon?", "Twelve people"),
        ("what is a p-value", "probability of a difference"),
        ("세종은 몇 년 동안 다스렸어?", "32년"),
        ("한국의 출산율은 얼마야", "0.72명"),
        ("largest coffee producer", "Brazil"),
        ("LFP랑 NCM 배터리 차이", "리튬인산철(LFP)"),
        ("how do i stop my pandas from dropping leading zeros", "dtype=str"),
        ("who invented the transistor", "John Bardeen"),
        ("서울 지하철 언제 개통", "1974년 8월 15일"),
        ("한산도 대첩은 언제였어?", "1592년 한산도에서"),
        ("What happened in Seoul in 1974?", "15 August 1974"),
    ],
)
def test_the_sentence_that_answers_is_quoted(prompt: str, holds: str):
    assert holds in say(prompt).text


@pytest.mark.parametrize(
    "prompt",
    [
        "짜장면의 역사를 웹 검색으로 정리해줘",
        "Tell me about coffee",
        "Compare tea and coffee",
        "김치 👍 역사",
    ],
)
def test_every_citation_covers_a_link_and_every_link_is_cited(prompt: str):
    """Offsets count code points; the range covers the rendered Markdown link."""
    answered = say(prompt, web_search=True)
    assert answered.citations
    for citation in answered.citations:
        covered = answered.text[citation.start : citation.end]
        assert re.fullmatch(rf"\(?\[[^\]]+\]\({re.escape(citation.url)}\)\)?", covered)
        assert LIBRARY.page(citation.url)
    assert len(answered.citations) == answered.text.count("](https://")


def test_every_quoted_sentence_stands_on_the_page_that_is_cited():
    answered = say("Tell me about the printing press")
    page = LIBRARY.page(answered.citations[0].url)
    quoted = re.findall(r"^> (.+?) \(\[", answered.text, re.M)
    assert page and quoted
    for line in quoted:
        assert all(sentence in page.text for sentence in re.split(r"(?<=\.) (?=[A-Z])", line))


def test_a_web_search_shows_the_search_and_the_page_it_opened():
    turns = (Turn("user", "짜장면의 역사를 웹 검색으로 정리해줘"),)
    search, opened, spoken = answer(Ask(turns, web_search=True), LIBRARY)
    assert isinstance(search, Search) and search.queries[0] == "짜장면의 역사"
    assert isinstance(opened, OpenPage) and opened.url == search.sources[0].url
    assert isinstance(spoken, Say) and spoken.citations


def test_a_comparison_quotes_both_pages():
    pages = {citation.url.rsplit("/", 1)[-1] for citation in say("tea vs coffee").citations}
    assert {"tea", "coffee"} <= pages


@pytest.mark.parametrize(
    "prompt",
    [
        "capital of Liechtenstein?",
        "메타버스가 뭐야?",
        "asdfgh",
        "highest mountain in South Korea",
        "오늘 서울 날씨 어때?",
        "Who is the president of France?",
    ],
)
def test_nothing_found_is_said_plainly(prompt: str):
    answered = say(prompt, web_search=True)
    assert re.search("holds nothing|글이 없습니다", answered.text) and not answered.citations


@pytest.mark.parametrize(
    ("prompt", "count"),
    [
        ("Explain vaccines in two sentences", 2),
        ("백신을 한 문장으로 설명해줘", 1),
        ("tea, in one line", 1),
    ],
)
def test_so_many_sentences_as_were_asked_for(prompt: str, count: int):
    answered = say(prompt)
    assert len(answered.citations) == count and "\n" not in answered.text


@pytest.mark.parametrize(
    ("prompt", "count"),
    [("three bullet points on vaccines", 3), ("세종대왕의 업적을 3가지로 정리해줘", 3)],
)
def test_so_many_points_as_were_asked_for(prompt: str, count: int):
    assert count == len(re.findall(r"^- ", say(prompt).text, re.M))


def test_instructions_shape_the_answer_too():
    assert "\n" not in say("coffee", instructions="Answer in one sentence.").text
    assert "글이 없습니다" in say("asdfgh", instructions="Always answer in Korean.").text


@pytest.mark.parametrize(
    ("prompt", "value"),
    [
        ("What's 15% of 240?", "36"),
        ("what is 2+2?", "4"),
        ("12 곱하기 3은?", "36"),
        ("12 plus 30", "42"),
        ("7/2 =", "3.5"),
    ],
)
def test_a_sum_is_computed(prompt: str, value: str):
    assert say(prompt).text.split("\n")[0] == value


@pytest.mark.parametrize("prompt", ["9**9**9**9", "1/0", "2^999999", "(" * 90 + "1" + ")" * 90])
def test_a_sum_that_is_none_is_not_computed(prompt: str):
    assert say(prompt).text


@pytest.mark.parametrize(
    "prompt",
    [
        "Translate this to French: hello",
        "write a python function to sort a list",
        "시 한 편 써줘",
        "what is in this image?",
    ],
)
def test_what_needs_a_model_is_declined(prompt: str):
    assert re.search("no language model|언어 모델이 없어서", say(prompt).text)


def test_a_text_that_came_with_the_prompt_is_shortened_by_its_own_sentences():
    text = (
        "Otters live along rivers. Otters eat fish and crabs every day. The museum opens at nine."
        " Sea otters use stones as tools to open shells. Rivers with otters tend to be clean. "
        "Some otters live in the sea and hold hands while they sleep."
    )
    answered = say(f"Summarize in two sentences:\n\n{text}").text
    quoted = re.findall(r"^> (.+)$", answered, re.M)
    assert len(quoted) == 2 and all(line in text for line in quoted)


def test_a_limit_on_tokens_cuts_the_text_and_says_so():
    whole = say("Tell me about coffee")
    cut = say("Tell me about coffee", limit=40)
    assert cut.truncated and not whole.truncated
    assert whole.text.startswith(cut.text) and count_tokens(cut.text) <= 40
    assert all(citation.end <= len(cut.text) for citation in cut.citations)


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "   ",
        "\0",
        "????",
        "🙂",
        "<script>alert(1)</script>",
        "a" * 100_000,
        "[x](javascript:1)",
    ],
)
def test_whatever_is_sent_gets_a_short_answer(prompt: str):
    text = say(prompt, web_search=True).text
    assert text and len(text) < 3000 and "<script" not in text and "](javascript" not in text


def test_the_same_question_gets_the_same_answer():
    assert say("history of tea") == say("history of tea")


@pytest.mark.parametrize(
    "piece", ['"', "(", "search the web ", "정확히 ", "what is my ", "1+", "\n- "]
)
def test_a_prompt_of_any_length_is_answered_in_a_moment(piece: str):
    """Rules are patterns, and a pattern over hostile text must not take for ever."""
    assert_cheap(lambda: say("hi", piece * 20_000, piece * 20_000, web_search=True), 60)


def test_a_question_after_a_long_text_is_found():
    assert (
        "1905"
        in say("Otters sleep. " * 900 + "\n\nWhen was jajangmyeon first sold in Incheon?").text
    )


@pytest.mark.parametrize("web_search", [False, True])
def test_asking_for_sources_changes_nothing_of_the_answer(web_search: bool):
    question = "What is known about the history of coffee?"
    text = say(f"{question} Name your sources.", web_search=web_search).text
    assert text == say(question, web_search=web_search).text
    assert "15th century" in text and "/corpus/coffee" in text
    assert "closest" not in text and "/toolkit/" not in text
