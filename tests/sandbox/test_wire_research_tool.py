"""`deep_research` as a function, over HTTP on both APIs: the call, and the answer to its report."""

import json

import httpx
import pytest

from kit.relay.research_tool import TOOL
from kit.sandbox.app import open_sandbox
from kit.serving import serve_in_thread

KOREAN, ENGLISH = (
    "짜장면의 역사와 기원에 대해 상세히 조사해줘",
    "Research the history of noodles in detail.",
)
NOTICES = {KOREAN: "언어 모델은 없습니다", ENGLISH: "no language model"}
LINKS = [
    ("([Noodles](https://a.example/wiki/Noodle_(food)))", "Noodles"),
    ("[공화춘](https://b.example/incheon?x=1&y=%20)", "공화춘"),
    ('[Titled](https://c.example/t "A title")', "Titled"),
    ("([[4]](https://d.example/four))", "4"),
    ("https://e.example/bare", "https://e.example/bare"),
]
REPORT = (
    "# 국수의 역사 👩‍👩‍👧‍👦\n\n## Summary\n\n"
    + "".join(f"- Claim {number}. {link}.\n" for number, (link, _) in enumerate(LINKS))
    + "\n![A picture](https://f.example/p.png)\n\n| year | what |\n|---|---|\n| 1905 | sold |\n"
    + "\n## Details\n\n"
    + "A long paragraph of findings that nobody shortens. " * 200
)
OUTPUTS = {
    "text": REPORT,
    "json": json.dumps({"id": "r1", "status": "completed", "text": REPORT}),
    "nested": json.dumps({"status": "completed", "result": {"cost": 1.2, "output_text": REPORT}}),
}


@pytest.fixture(scope="module")
def real():
    """The sandbox as users have it."""
    served = serve_in_thread(open_sandbox(pace=0.0))
    with httpx.Client(base_url=f"{served.url}/v1", trust_env=False, timeout=30) as client:
        yield client
    served.stop()


def respond(real, prompt, output=None):
    """The text, its citations and the calls of an answer; with `output`, of the second turn."""
    items = [{"role": "user", "content": prompt}]
    body = {"model": "sandbox", "tools": [TOOL]}
    found = real.post("/responses", json={**body, "input": items}).json()["output"]
    if output is not None:
        result = {
            "type": "function_call_output",
            "call_id": found[0]["call_id"],
            "output": output,
        }
        found = real.post("/responses", json={**body, "input": [*items, *found, result]}).json()[
            "output"
        ]
    parts = [part for item in found for part in item.get("content", ())]
    calls = [(item["name"], item["arguments"]) for item in found if "arguments" in item]
    notes = [note for part in parts for note in part["annotations"]]
    return "".join(part["text"] for part in parts), notes, calls


def complete(real, prompt, output=None):
    messages = [{"role": "user", "content": prompt}]
    function = {key: value for key, value in TOOL.items() if key != "type"}
    body = {"model": "sandbox", "tools": [{"type": "function", "function": function}]}

    def said(sent):
        answer = real.post("/chat/completions", json={**body, "messages": sent}).json()
        return answer["choices"][0]["message"]

    found = said(messages)
    if output is not None:
        call = found["tool_calls"][0]["id"]
        found = said([*messages, found, {"role": "tool", "tool_call_id": call, "content": output}])
    calls = [one["function"] for one in found.get("tool_calls", ())]
    notes = [note["url_citation"] for note in found["annotations"]]
    return found["content"], notes, [(one["name"], one["arguments"]) for one in calls]


both = pytest.mark.parametrize("ask", [respond, complete])


@both
@pytest.mark.parametrize("prompt", [KOREAN, ENGLISH])
def test_a_question_for_research_is_called_with(real, ask, prompt):
    ((name, arguments),) = ask(real, prompt)[2]
    assert (name, json.loads(arguments)) == ("deep_research", {"research_question": prompt})


@both
@pytest.mark.parametrize("prompt", ["안녕하세요!", "What is kimchi?", "고마워요, 잘 읽었어요"])
def test_what_is_none_is_answered_at_once(real, ask, prompt):
    text, _, calls = ask(real, prompt)
    assert text and calls == []


@both
@pytest.mark.parametrize("prompt", [KOREAN, ENGLISH])
@pytest.mark.parametrize("form", OUTPUTS)
def test_the_report_is_the_answer_with_its_links_cited(real, ask, prompt, form):
    """Each citation covers its link as written, in code points; a picture is no source."""
    text, notes, calls = ask(real, prompt, OUTPUTS[form])
    assert calls == [] and text.startswith(REPORT.strip())
    assert NOTICES[prompt] in text.removeprefix(REPORT.strip())
    covered = [(text[note["start_index"] : note["end_index"]], note["title"]) for note in notes]
    assert covered == LINKS
    assert all(
        note["url"].rstrip(")") in link for note, (link, _) in zip(notes, LINKS, strict=True)
    )
    assert notes[0]["url"] == "https://a.example/wiki/Noodle_(food)"


@both
def test_a_report_that_is_too_long_is_cut_between_lines_and_says_so(real, ask):
    row = "A line of the report with a source. [Source](https://a.example/source)\n"
    text, notes, _ = ask(real, ENGLISH, row * 2000)
    shown, _, rest = text.partition("\n\n…\n\n")
    assert rest.startswith("*Sandbox") and len(shown) <= 60_000 and shown.endswith(")")
    assert len(notes) == shown.count("[Source]") > 800


@both
def test_the_clarifying_questions_come_over_the_wire(real, ask):
    """Structured output of both APIs, here with the question of a research run."""
    properties = {
        "needs_clarification": {"type": "boolean"},
        "questions": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
    }
    closed = {"required": list(properties), "additionalProperties": False}
    schema = {"type": "object", "properties": properties, **closed}
    asked = [{"role": "user", "content": "Research question: 김치의 역사"}]
    named = {"name": "open_questions", "schema": schema}
    if ask is respond:
        body = {"input": asked, "text": {"format": {"type": "json_schema", **named}}}
        answer = real.post("/responses", json={"model": "sandbox", **body}).json()
        text = answer["output"][-1]["content"][0]["text"]
    else:
        shape = {"type": "json_schema", "json_schema": named}
        body = {"messages": asked, "response_format": shape}
        answer = real.post("/chat/completions", json={"model": "sandbox", **body}).json()
        text = answer["choices"][0]["message"]["content"]
    found = json.loads(text)
    assert found["needs_clarification"] is True and len(found["questions"]) == 3
