"""Functions are called for what their name and description say, with arguments from the prompt."""

import json
from typing import Any

import pytest

from kit.sandbox.library import Library
from kit.sandbox.mind import answer
from kit.sandbox.steps import Ask, Call, FunctionTool, Say, Turn

LIBRARY = Library.open()
S: dict[str, Any] = {"type": "string"}
N: dict[str, Any] = {"type": "number"}
I: dict[str, Any] = {"type": "integer"}  # noqa: E741 a short name reads best in the table


def tool(name: str, description: str, optional: tuple[str, ...] = (), **properties: Any):
    required = [one for one in properties if one not in optional]
    schema = {"type": "object", "properties": properties, "required": required}
    return FunctionTool(name, description, {**schema, "additionalProperties": False})


TOOLS = {
    one.name: one
    for one in (
        tool("get_weather", "Get the current weather for a city", city=S),
        tool("add", "Add two numbers", a=N, b=N),
        tool(
            "deep_research",
            "Run a thorough research on a question and return a report with citations",
            optional=("deliverable_format",),
            research_question=S,
            deliverable_format={"type": "string", "enum": ["markdown_brief", "json_outline"]},
        ),
        tool("get_stock_price", "Get the latest price of a stock", ticker=S),
        tool("send_email", "Send an email to a recipient", to=S, subject=S, body=S),
        tool(
            "convert_currency",
            "Convert an amount from one currency to another",
            amount=N,
            from_currency=S,
            to_currency=S,
        ),
        tool("calculator", "Evaluate a mathematical expression", expression=S),
        tool(
            "search_products",
            "Search the product catalogue",
            optional=("max_price", "category"),
            query=S,
            max_price=N,
            category={"type": "string", "enum": ["electronics", "books", "clothing"]},
        ),
        tool("set_timer", "Set a countdown timer", minutes=I),
        tool("book_flight", "Book a flight", origin=S, destination=S, date=S),
        tool("get_order_status", "Look up the status of an order", order_id=S),
        tool("get_time", "Get the current time in a city", city=S),
        tool("mean", "Compute the average of numbers", numbers={"type": "array", "items": N}),
        tool("translate_text", "Translate text", text=S, target_language=S),
        tool(
            "set_light",
            "Turn a light on or off in a room",
            room=S,
            state={"type": "string", "enum": ["on", "off"]},
        ),
    )
}


def calls(prompt: str, *tools: FunctionTool, choice: str = "auto", before: tuple[Turn, ...] = ()):
    functions = tools or tuple(TOOLS.values())
    ask = Ask((*before, Turn("user", prompt)), functions=functions, tool_choice=choice)
    steps = answer(ask, LIBRARY)
    return [(one.name, json.loads(one.arguments)) for one in steps if isinstance(one, Call)]


ASKED_FOR = [
    ("What is the weather in Paris right now?", "get_weather", {"city": "Paris"}),
    ("what's the weather like in new york today?", "get_weather", {"city": "new york"}),
    ("서울 날씨 알려줘", "get_weather", {"city": "서울"}),
    ("내일 부산은 비가 올까?", "get_weather", {"city": "부산"}),
    ("Do I need an umbrella in London?", "get_weather", {"city": "London"}),
    ("what is 12 plus 30", "add", {"a": 12, "b": 30}),
    ("What is 12 times (3+4)?", "calculator", {"expression": "12 * (3+4)"}),
    ("How much is AAPL? I need its stock price", "get_stock_price", {"ticker": "AAPL"}),
    ("convert 100 USD to EUR", "convert_currency", {"amount": 100, "to_currency": "EUR"}),
    ("100달러를 원화로 환전하면 얼마야?", "convert_currency", {"from_currency": "USD"}),
    (
        "find me books under 20 dollars about gardening",
        "search_products",
        {"query": "gardening", "max_price": 20, "category": "books"},
    ),
    ("set a timer for 10 minutes", "set_timer", {"minutes": 10}),
    ("타이머 5분 맞춰줘", "set_timer", {"minutes": 5}),
    (
        "Book a flight from Seoul to Tokyo on March 3, 2026",
        "book_flight",
        {"origin": "Seoul", "destination": "Tokyo", "date": "March 3, 2026"},
    ),
    (
        "서울에서 도쿄까지 3월 5일 항공권 예약해줘",
        "book_flight",
        {"origin": "서울", "destination": "도쿄", "date": "3월 5일"},
    ),
    ("where is my order #A-1234?", "get_order_status", {"order_id": "A-1234"}),
    ("주문번호 4521 배송 상태 조회해줘", "get_order_status", {"order_id": "4521"}),
    ("What time is it in Tokyo?", "get_time", {"city": "Tokyo"}),
    ("average of 3, 5 and 10", "mean", {"numbers": [3, 5, 10]}),
    ("turn off the light in the kitchen", "set_light", {"room": "kitchen", "state": "off"}),
    ("거실 불 꺼줘", "set_light", {"room": "거실", "state": "off"}),
    (
        "Translate 'good morning' to French",
        "translate_text",
        {"text": "good morning", "target_language": "French"},
    ),
    (
        "Send an email to bob@example.com with subject Lunch saying see you at noon",
        "send_email",
        {"to": "bob@example.com", "subject": "Lunch", "body": "see you at noon"},
    ),
]


@pytest.mark.parametrize(("prompt", "name", "arguments"), ASKED_FOR)
def test_a_prompt_calls_the_function_it_asks_for(prompt: str, name: str, arguments: dict[str, Any]):
    (found,) = calls(prompt)
    assert name == found[0]
    assert arguments.items() <= found[1].items()


@pytest.mark.parametrize(
    "prompt",
    [
        "짜장면의 역사와 기원에 대해 상세히 조사해줘",
        "짜장면의 역사를 자세히 알려줘",
        "반도체 산업을 심층 분석해줘",
        "전기차 시장 보고서 작성해줘",
        "Write an in-depth report on solid-state batteries",
        "deep dive into the history of jazz",
        "Please investigate thoroughly how tea came to Europe",
        "I need comprehensive research about urban heat",
    ],
)
def test_words_of_research_call_research_with_the_question(prompt: str):
    ((name, arguments),) = calls(prompt, TOOLS["deep_research"])
    assert name == "deep_research" and arguments["research_question"] == prompt


@pytest.mark.parametrize(
    "prompt",
    [
        "안녕하세요!",
        "hi",
        "thanks a lot!",
        "What is the capital of France?",
        "what is deep research?",
        "조사가 뭐야?",
        "tell me about kimchi",
        "Why does weather change with altitude?",
        "Reply with exactly: weather in Paris",
        "Do not use any tools: what is the weather in Oslo?",
        "한글은 누가 만들었어?",
    ],
)
def test_what_is_no_function_s_business_calls_none(prompt: str):
    assert calls(prompt) == []


def test_two_values_are_two_calls():
    both = [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})]
    assert both == calls("What is the weather in Paris and Rome?")
    assert [one for _, one in calls("파리와 로마 날씨 알려줘")] == [
        {"city": "파리"},
        {"city": "로마"},
    ]


def test_two_questions_are_two_functions():
    prompt = "What's the weather in Paris and what time is it in Tokyo?"
    expected = [("get_weather", {"city": "Paris"}), ("get_time", {"city": "Tokyo"})]
    assert expected == calls(prompt)


def test_a_follow_up_calls_the_function_again_for_the_new_value():
    before = (Turn("user", "What is the weather in Paris?"), Turn("assistant", "Sunny."))
    assert calls("And in London?", before=before) == [("get_weather", {"city": "London"})]


FRESH = [
    (
        tool(
            "find_restaurants",
            "Find restaurants near a location",
            optional=("cuisine", "max_results"),
            location=S,
            cuisine=S,
            max_results=I,
        ),
        "Find Italian restaurants near Shibuya, top 3",
        {"location": "Shibuya", "max_results": 3},
    ),
    (
        tool(
            "create_calendar_event",
            "Create an event in the calendar",
            optional=("attendees",),
            title=S,
            date=S,
            attendees={"type": "array", "items": S},
        ),
        "create an event titled Standup on 2026-03-01 with bob@x.com and amy@x.com",
        {"title": "Standup", "date": "2026-03-01", "attendees": ["bob@x.com", "amy@x.com"]},
    ),
    (
        tool("get_distance", "Distance between two cities", from_city=S, to_city=S),
        "How far is Berlin from Munich?",
        {"from_city": "Munich", "to_city": "Berlin"},
    ),
    (tool("get_user", "Fetch a user by id", user_id=I), "42번 사용자 정보 조회", {"user_id": 42}),
    (
        tool("calculate_bmi", "Calculate body mass index", weight_kg=N, height_m=N),
        "my weight is 70 kg and height 1.75 m, what is my bmi?",
        {"weight_kg": 70, "height_m": 1.75},
    ),
    (
        tool("set_temperature", "Set the thermostat temperature", room=S, degrees=N),
        "set the living room to 21 degrees",
        {"room": "living room", "degrees": 21},
    ),
    (
        tool("population", "The population of a city", ("year",), city=S, year=I),
        "What was the population of Busan in 1998?",
        {"city": "Busan", "year": 1998},
    ),
]


@pytest.mark.parametrize(("offered", "prompt", "arguments"), FRESH)
def test_arguments_of_every_kind_are_read(
    offered: FunctionTool, prompt: str, arguments: dict[str, Any]
):
    assert calls(prompt, offered) == [(offered.name, arguments)]


def test_an_optional_argument_is_null_where_the_schema_demands_it():
    unit = {"type": ["string", "null"], "enum": ["celsius", "fahrenheit", None]}
    strict = tool("get_weather", "Get the weather", city=S, unit=unit)
    assert calls("weather in Oslo", strict) == [("get_weather", {"city": "Oslo", "unit": None})]
    (named,) = calls("weather in Oslo in fahrenheit", strict)
    assert named[1]["unit"] == "fahrenheit"


def test_nested_arguments_are_filled():
    address = {
        "type": "object",
        "properties": {"city": S, "country": {"anyOf": [S, {"type": "null"}]}},
        "required": ["city", "country"],
    }
    weather = tool("weather_at", "Weather at an address", address=address)
    ((_, arguments),) = calls("weather in Lima", weather)
    assert arguments["address"]["city"] == "Lima"


def test_tool_choice_none_required_and_named():
    assert calls("weather in Paris", choice="none") == []
    assert calls("hello", TOOLS["add"], choice="required")[0][0] == "add"
    assert calls("hello", choice="get_time")[0][0] == "get_time"


def test_an_argument_that_is_missing_is_asked_for():
    (say,) = answer(Ask((Turn("user", "set a timer"),), functions=(TOOLS["set_timer"],)), LIBRARY)
    assert isinstance(say, Say) and "`minutes`" in say.text


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ('{"temp_c": 21, "sky": "clear"}', "- **temp c**: 21\n- **sky**: clear"),
        ('[{"a": 1}, {"a": 2}]', "| a |\n| --- |\n| 1 |\n| 2 |"),
        ("42", "42"),
        ("plain words", "plain words"),
        ("", "(empty)"),
        ('{"error": "no such city"}', "- **error**: no such city"),
    ],
)
def test_an_output_is_shown_readably_and_the_function_is_not_called_again(output: str, shown: str):
    turns = (Turn("user", "weather in Paris"), Turn("tool", output, "get_weather"))
    (say,) = answer(Ask(turns, functions=(TOOLS["get_weather"],)), LIBRARY)
    assert isinstance(say, Say) and say.text.startswith(shown)


def test_a_report_of_a_function_keeps_its_links_as_citations():
    report = json.dumps({"id": "r1", "text": "# R\n\n" + "word " * 60 + "[s](https://a.example/x)"})
    turns = (Turn("user", "research tea in depth"), Turn("tool", report, "deep_research"))
    (say,) = answer(Ask(turns), LIBRARY)
    assert isinstance(say, Say) and say.text.startswith("# R")
    (citation,) = say.citations
    assert say.text[citation.start : citation.end] == "[s](https://a.example/x)"


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"type": "object"},
        {"type": "object", "properties": {"a": {}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "required": ["a"]},
        {"type": "object", "properties": {"a": True}, "required": ["a", "b"]},
        {"properties": {"a": {"type": "object", "properties": {"b": {"$ref": "#"}}}}},
        {"type": "object", "properties": None, "required": None},
    ],
)
def test_a_strange_schema_is_no_reason_to_fail(parameters: dict[str, Any]):
    odd = FunctionTool("get_weather", "weather", parameters)
    for choice in ("auto", "required"):
        assert answer(
            Ask((Turn("user", "weather in Oslo"),), functions=(odd,), tool_choice=choice), LIBRARY
        )
