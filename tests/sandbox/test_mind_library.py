"""The library finds the page a question is about, in two languages, or says that it has none."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from kit.sandbox.library import Library
from kit.sandbox.mind import answer
from kit.sandbox.steps import Ask, Say, Turn
from tests.growth import assert_cheap

LIBRARY = Library.open()
Open = Callable[..., Library]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens a library over folders; it is closed after the test."""
    with ExitStack() as stack:
        yield lambda *folders: stack.enter_context(closing(Library.open(folders)))


FINDS = [
    ("짜장면의 역사를 웹 검색으로 정리해줘", "ko-jajangmyeon"),
    ("짜장면이 처음 만들어진 연도를 한 줄로", "ko-jajangmyeon"),
    ("자장면 유래", "ko-jajangmyeon"),
    ("짜쟝면 역사", "ko-jajangmyeon"),
    ("공화춘", "ko-jajangmyeon"),
    ("jajangmyun", "jajangmyeon"),
    ("history of black bean noodles", "jajangmyeon"),
    ("한글은 누가 만들었나요?", "ko-hangul"),
    ("세종대왕의 업적", "ko-sejong"),
    ("Who created the Korean alphabet?", "hangul"),
    ("김치", "ko-kimchi"),
    ("서울", "ko-seoul"),
    ("부산 가볼 만한 곳 알려줘", "ko-busan"),
    ("한라산 높이는?", "ko-jeju"),
    ("BTS는 언제 데뷔했어?", "ko-bts"),
    ("when did BTS debut", "kpop-bts"),
    ("kpop origins", "kpop-bts"),
    ("한국의 출산율은 얼마야", "ko-economy"),
    ("반도체가 뭐야?", "ko-semiconductor"),
    ("who invented the transistor?", "semiconductors"),
    ("전고체 배터리란?", "ko-battery"),
    ("LFP vs NMC", "ev-batteries"),
    ("챗GPT는 언제 나왔어", "ko-ai"),
    ("Transformer가 뭐야?", "ko-transformer"),
    ("what is self-attention", "transformer"),
    ("파이썬은 누가 만들었어", "ko-python"),
    ("when was python created", "python-history"),
    ("pandas leading zeros", "pandas"),
    ("주피터 노트북 매직 명령", "ko-jupyter"),
    ("WAL mode", "sqlite"),
    ("pgvector", "postgresql"),
    ("how do server sent events work", "http-sse"),
    ("LiteLLM이 뭐야", "ko-openai-api"),
    ("what does BM25 do", "web-search-citations"),
    ("기후변화의 원인", "ko-climate"),
    ("global warming", "climate-change"),
    ("태양광 발전의 원리", "ko-solar"),
    ("cost of solar panels", "solar-energy"),
    ("largest coffee producer", "coffee"),
    ("녹차와 홍차의 차이", "tea"),
    ("Deep Blue Kasparov", "chess"),
    ("first winter olympics", "olympic-games"),
    ("달에 처음 간 사람", "ko-moon"),
    ("who walked on the moon first", "moon-landing"),
    ("제임스 웹 망원경 언제 발사됐지?", "james-webb"),
    ("mRNA vaccines", "vaccines"),
    ("via appia", "roman-roads"),
    ("gutenberg", "printing-press"),
    ("Is the Great Wall visible from space?", "great-wall"),
    ("how tall is the Eiffel Tower", "paris"),
    ("도쿄의 역사", "tokyo"),
    ("광합성 두 단계", "ko-photosynthesis"),
    ("plate techtonics", "plate-tectonics"),
    ("p-value", "ab-testing"),
    ("AB test mistakes", "ab-testing"),
    ("least squares", "regression"),
    ("Reinhart Rogoff spreadsheet", "spreadsheet-errors"),
    ("tidy data", "data-cleaning"),
    ("daylight saving time", "time-zones"),
    ("TLS 1.3", "tls-encryption"),
    ("좋은 비밀번호 만드는 법", "ko-security"),
    ("거북선", "ko-yi-sunsin"),
]


@pytest.mark.parametrize(("question", "slug"), FINDS)
def test_the_first_hit_is_the_page_the_question_is_about(question: str, slug: str):
    hits = LIBRARY.search(question)
    assert hits, question
    assert slug == hits[0].url.rsplit("/", 1)[-1]


ITSELF = [
    ("How do I keep my key out of notebooks?", "Never write a key into a cell"),
    ("what does -c do in %%responses", "last cell's conversation"),
    ("where does kit look for LITELLM_BASE_URL", "four places"),
    ("how do I stop a running cell", "Press ■"),
    ("how do I search the web from a cell?", "--web-search"),
    ("what is the sandbox?", "no language model"),
    ("What does --background do and how do I fetch the result?", "kit.Client().retrieve(id)"),
    ("Which Python versions are supported?", "3.11, 3.12 and 3.13"),
    ("--background는 뭐야? 결과는 어떻게 받아?", "kit.Client().retrieve(id)"),
    ("어떤 파이썬 버전을 지원해?", "3.11, 3.12, 3.13"),
    ("키를 노트북에 남기지 않으려면?", "키는 셀에 적지 않는다"),
    ("샌드박스가 뭐야?", "언어 모델은 없다"),
    ("웹 검색은 어떻게 켜?", "--web-search"),
    ("모델을 바꾸려면?", "%kit model"),
    ("설치는 어떻게 해?", "make lab"),
    ("실행 중인 셀을 멈추려면?", "커널 중단"),
    ("What is kit.tool for?", "@kit.tool"),
    ("How do I find a research run again after a restart?", "kit.run(id)"),
    ("모델이 내 함수를 부르게 하려면?", "@kit.tool"),
    ("How do I start a research run?", "%%research -o run"),
    ("커널을 다시 시작한 뒤 조사를 찾으려면?", "kit.runs()"),
]


@pytest.mark.parametrize(("question", "holds"), ITSELF)
def test_the_toolkit_can_be_asked_about_itself(question: str, holds: str):
    assert holds in " ".join(
        one.text for one in LIBRARY.passages_of(LIBRARY.search(question)[0].url)
    )
    last = answer(Ask((Turn("user", question),)), LIBRARY)[-1]
    assert isinstance(last, Say) and holds in last.text


@pytest.mark.parametrize("question", ["timeline of python", "history of the Moon landings", "key"])
def test_examples_of_the_toolkit_are_no_sources_about_the_world(question: str):
    assert not [hit for hit in LIBRARY.search(question) if "00-start" in hit.url]


@pytest.mark.parametrize(
    "question",
    [
        "What is the capital of Liechtenstein?",
        "tell me about honeybees",
        "why is the sky blue?",
        "What is the median of a list?",
        "Tell me about toffee",
        "바나나 빵 만드는 법",
        "메타버스가 뭐야?",
        "asdfgh",
        "????",
        "",
        "'; TRUNCATE shelf; --",
    ],
)
def test_what_no_page_is_about_finds_nothing(question: str):
    assert LIBRARY.search(question) == []


@pytest.mark.parametrize(
    ("slip", "slug"), [("cofee", "coffee"), ("panads", "pandas"), ("Gutenburg", "printing-press")]
)
def test_a_slip_of_the_hand_is_mended(slip: str, slug: str):
    assert LIBRARY.search(slip)[0].url.endswith(slug)


@pytest.mark.parametrize(
    "question", ['" OR "*" NEAR(', "title: coffee AND (", "coffee*", "a" * 9000]
)
def test_the_index_language_is_no_language_of_questions(question: str):
    """Whatever is asked is looked up as words; nothing raises."""
    assert isinstance(LIBRARY.search(question), list)


def test_every_page_of_the_corpus_has_a_title_a_summary_and_a_short_text():
    pages = {passage.page for passage in LIBRARY._passages if passage.page.shelf == "corpus"}
    assert len(pages) >= 40
    for page in pages:
        assert page.title and page.summary and page.language in ("en", "ko")
        assert 200 < len(page.text) < 2500


def test_opening_again_is_quick(opened: Open):
    assert_cheap(opened, 3)


def test_a_folder_of_documents_is_read_and_comes_first(opened: Open, tmp_path: Path):
    (tmp_path / "notes.md").write_text("# Coffee in our office\n\nThe machine is on floor seven.\n")
    (tmp_path / "더하기.txt").write_text("출장비 규정\n\n출장비는 사흘 안에 신청한다.\n")
    (tmp_path / "sales.csv").write_text("city,amount\nOslo,12\nBergen,7\n")
    cells = [{"cell_type": "markdown", "source": ["# Churn model\n", "Trees won."]}]
    (tmp_path / "model.ipynb").write_text(json.dumps({"cells": cells}))
    library = opened(tmp_path)
    assert library.search("coffee office machine")[0].url.endswith("/folder/notes.md")
    assert library.search("출장비 신청")[0].title == "출장비 규정"
    assert "Bergen" in library.search("Bergen amount")[0].text
    assert library.search("churn model")[0].title == "Churn model"


def test_a_changed_document_is_read_again(opened: Open, tmp_path: Path):
    note = tmp_path / "note.md"
    note.write_text("# Zebra\n\nStripes.\n")
    library = opened(tmp_path)
    note.write_text("# Quokka\n\nA small marsupial that smiles.\n")
    os.utime(note, ns=(1, 1))
    assert library.search("quokka") and not library.search("zebra stripes")
    note.unlink()
    assert not library.search("quokka")


def test_links_out_of_the_folder_are_not_followed_and_broken_files_are_passed_over(
    opened: Open, tmp_path: Path
):
    secret = tmp_path / "secret.md"
    secret.write_text("# Zanzibar\n\nHidden.\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.md").symlink_to(secret)
    (folder / "dir").symlink_to(tmp_path)
    (folder / ".hidden.md").write_text("# Zanzibar\n\nHidden.\n")
    (folder / "broken.ipynb").write_text("{not json")
    (folder / "binary.txt").write_bytes(b"Zanzibar\0\1\2")
    (folder / "good.md").write_text("# Walrus\n\nTusks.\n")
    library = opened(folder, tmp_path / "missing")
    assert library.search("walrus") and not library.search("zanzibar")


def test_markup_of_a_document_does_not_survive_a_quotation(opened: Open, tmp_path: Path):
    (tmp_path / "x.md").write_text(
        "# Gadgets\n\n<img src=x onerror=alert(1)> ![p](http://evil.example/p.png) A gadget"
        " [beeps](javascript:alert(1)) at noon.\n"
    )
    text = opened(tmp_path).search("gadgets")[0].text
    assert text == "A gadget beeps at noon."
