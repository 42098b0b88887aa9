"""Research is called for when it is asked for; to speak of it, or to give thanks, is not to ask."""

import json

import pytest

from kit.relay.research_tool import TOOL
from kit.sandbox.library import Library
from kit.sandbox.mind import answer
from kit.sandbox.steps import Ask, Call, FunctionTool, Say, Turn
from tests.growth import assert_cheap

LIBRARY = Library.open()
RESEARCH = FunctionTool(TOOL["name"], TOOL["description"], TOOL["parameters"])
WEATHER = FunctionTool(
    "get_weather",
    "Get the weather of a city",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


def steps(prompt: str, *functions: FunctionTool, before: tuple[Turn, ...] = ()):
    turns = (*before, Turn("user", prompt))
    return answer(Ask(turns, functions=functions or (RESEARCH,)), LIBRARY)


def calls(prompt: str, *functions: FunctionTool, before: tuple[Turn, ...] = ()):
    found = steps(prompt, *functions, before=before)
    return [(one.name, json.loads(one.arguments)) for one in found if isinstance(one, Call)]


ASKS = """
짜장면의 역사와 기원에 대해 상세히 조사해줘
김치의 기원을 심층 조사해줘
전기차 배터리 시장을 깊이 있게 분석한 보고서를 써줘
가야금의 기원을 조사해서 정리해줘
우리나라 지하철 요금 변천사를 자세히 조사해 주시겠어요?
중세 유럽의 길드에 대해 깊이 있는 보고서를 만들어 주세요
온돌의 원리와 역사를 파헤쳐줘!
사해 문서에 대해 최대한 자세히 알려줘
한국 웹툰 산업 조사해줄 수 있어?
북극 항로의 경제성을 리서치해 주면 고맙겠어
독도 영유권 논쟁의 역사를 연구해 볼래?
우리나라 최저임금 변화를 조사하고 싶어
한국 드라마 수출에 대한 심층 분석
고려청자에 관한 상세한 보고서가 필요합니다
고마워요. 이번에는 녹차의 역사를 조사해줘
Research the history of coffee in detail.
Investigate in depth how Roman roads were built
Please do a thorough study of bamboo as a building material
Could you investigate the origins of tango for me?
I need you to research electric aviation
We need an in-depth analysis of rice prices in Asia
Write me a detailed report on the history of vaccines
Deep dive into the economics of streaming music
A detailed report on Korean demographics, please.
Explain thoroughly how the Dutch reclaimed land
Hey, look into how Iceland uses geothermal power
What were the causes of the Bronze Age collapse? I need a thorough analysis.
Thanks! Now research the history of tea.
Make a thorough comparison of nuclear and wind power
""".strip().splitlines()


@pytest.mark.parametrize("prompt", ASKS)
def test_who_asks_for_research_gets_one_run_with_the_whole_question(prompt: str):
    ((name, arguments),) = calls(prompt)
    assert (name, arguments["research_question"]) == ("deep_research", prompt)


SPEAKS = """
안녕하세요!
조사 결과가 아주 좋네요
조사는 언제 끝나?
심층 조사는 얼마나 걸려?
아까 조사한 거 요약해줘
보고서를 메일로 보내줘
조사 중단해줘
심층 조사를 취소하고 싶어
조사하지 마
더 조사하지 않아도 돼
조사를 멈추려면 어떻게 해?
연구소 위치가 어디야?
이 도구로 조사를 시작하는 방법은?
떡볶이가 뭐야?
What is kimchi?
How do I stop a cell?
How do I cancel a research run?
How long does deep research take?
Where is the report saved?
Send me the report by email
Don't research this, just tell me: what is tea?
Please stop researching
I did research on bees last year
My research question is not clear yet
How deep is the ocean?
Who was the first to study bees?
How do I analyze a DataFrame?
Excellent investigation!
Does the study cover Asia?
""".strip().splitlines()


@pytest.mark.parametrize("prompt", SPEAKS)
def test_who_speaks_of_research_or_of_something_else_gets_none(prompt: str):
    assert calls(prompt) == []


THANKS = """
고마워요, 잘 읽었어요
조사해 줘서 고마워!
심층 조사 감사합니다
보고서 잘 받았습니다, 수고하셨어요
자세히 알려줘서 고마워
정말 고맙습니다. 많은 도움이 되었어요!
고마워, 아주 자세하네
Thanks for the research!
Thank you, the report was great
Great research, thanks
Thanks a lot, this is a very detailed report.
Wow, thank you so much for your help
Cheers for the deep dive
""".strip().splitlines()


@pytest.mark.parametrize("prompt", THANKS)
def test_thanks_are_answered_as_thanks(prompt: str):
    (say,) = steps(prompt)
    assert isinstance(say, Say) and say.text in ("천만에요.", "You are welcome.")


@pytest.mark.parametrize(
    "prompt",
    [
        "Thanks, but what is tea?",
        "Thanks and tell me about coffee",
        "고마워 그리고 커피에 대해 알려줘",
        "감사의 뜻이 뭐야?",
        "Thanks to penicillin many lives were saved",
        "good coffee in Seoul",
    ],
)
def test_thanks_that_go_on_are_read_on(prompt: str):
    say = steps(prompt)[-1]
    assert isinstance(say, Say) and say.text not in ("천만에요.", "You are welcome.")


def test_a_question_of_several_clauses_is_one_run():
    prompt = (
        "Research the history of tea. Then analyse how it changed trade, and investigate ports."
    )
    assert [arguments["research_question"] for _, arguments in calls(prompt)] == [prompt]


def test_research_beside_another_function_is_a_call_of_its_own():
    prompt = "Research the history of tea and what's the weather in Oslo?"
    assert {name for name, _ in calls(prompt, RESEARCH, WEATHER)} == {
        "deep_research",
        "get_weather",
    }


def test_research_on_what_was_spoken_of_before_is_called_with_it():
    before = (Turn("user", "What is kimchi?"), Turn("assistant", "Kimchi is a food."))
    ((_, arguments),) = calls("Research it in depth.", before=before)
    assert "kimchi" in arguments["research_question"]


@pytest.mark.parametrize(
    ("prompt", "form"),
    [
        ("Write a detailed report on tidal energy", "markdown_report"),
        ("Research tidal energy and write a brief on it", "markdown_brief"),
        ("조력 발전에 대한 심층 보고서를 써줘", None),
        ("Investigate tidal energy in depth", None),
    ],
)
def test_a_choice_is_taken_where_the_prompt_names_one(prompt: str, form: str | None):
    """Two choices that the prompt fits equally well are none."""
    ((_, arguments),) = calls(prompt)
    assert arguments.get("deliverable_format") == form


@pytest.mark.parametrize(
    "piece", ["please ", "a, ", "in depth ", "thanks ", "조사 ", "!!! ", "깊이 ", "write a "]
)
def test_a_prompt_of_any_length_is_read_in_a_moment(piece: str):
    assert_cheap(lambda: steps(piece * 20_000), 60)
