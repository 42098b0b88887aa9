"""The magics over the living gateways, in a real kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from living import KEY, Proxy, Upstream
from tests.notebook.conftest import Cell, Kernel

pytestmark = pytest.mark.gateway_live

QUESTION = "What is kimchi?"
RESEARCH = "짜장면의 역사와 기원에 대해 상세히 조사해줘"
SALES = "What were the total sales in the region north in 2024?"

DEFINE = '''
@kit.tool
def total_sales(region: str, year: int) -> int:
    """The total sales of a region in one year.

    Args:
        region: the sales region, such as north
        year: the calendar year
    """
    return 120
'''

FETCH = """
import time
with kit.Client() as client:
    while (fetched := client.retrieve(begun.id)).status in ("queued", "in_progress"):
        time.sleep(0.1)
print(fetched.text)
"""

Ask = Callable[..., Cell]


@pytest.fixture(scope="module")
def notebook(plain: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel whose gateway is the plain proxy."""
    home = str(tmp_path_factory.mktemp("notebook"))
    places = {"XDG_DATA_HOME": home, "XDG_CACHE_HOME": home, "XDG_CONFIG_HOME": home}
    kernel = Kernel(
        {
            **{"HOME": home, "LITELLM_BASE_URL": plain.base_url, "LITELLM_API_KEY": KEY},
            **{"LITELLM_MODEL": "native", "LITELLM_RESEARCH_MODEL": "native-research"},
            **places,
        }
    )
    assert kernel.run(DEFINE).error is None
    yield kernel
    kernel.close()


@pytest.fixture
def ask(notebook: Kernel) -> Ask:
    """Run a cell that must not fail."""

    def ask(line: str, text: str = QUESTION) -> Cell:
        cell = notebook.run(f"{line}\n{text}")
        assert cell.error is None, cell.error
        return cell

    return ask


# -- answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("magic", "model"),
    [(magic, model) for magic in ("chat", "responses") for model in ("native", "bridged")],
)
@pytest.mark.parametrize("option", ["", "--no-stream"])
def test_a_cell_is_answered(
    magic: str, model: str, option: str, ask: Ask, notebook: Kernel
) -> None:
    cell = ask(f"%%{magic} -m {model} {option} -o said")
    (shown,) = cell.displays
    assert "kimchi" in shown["text/plain"].lower()
    assert notebook.value("[said.status, said.usage.output_tokens > 0]") == ["completed", True]


@pytest.mark.parametrize("model", ["native-model", "bridged-model"])
def test_a_real_model_answers_a_cell(model: str, ask: Ask, notebook: Kernel) -> None:
    cell = ask(f"%%responses -m {model} --max-tokens 16 -o said", "Say hello.")
    assert len(cell.displays) == 1
    assert notebook.value("said.usage.output_tokens") <= 16


@pytest.mark.parametrize("model", ["native", "bridged"])
def test_a_search_has_numbered_sources(model: str, ask: Ask) -> None:
    (shown,) = ask(f"%%responses --web-search -m {model}").displays
    assert "sandbox.invalid" in shown["text/html"]


def test_an_object_is_bound(notebook: Kernel, ask: Ask) -> None:
    notebook.run("import pydantic\nclass Food(pydantic.BaseModel):\n    name: str")
    for model in ("native", "bridged"):
        ask(f"%%responses --schema Food -m {model} -o food")
        assert notebook.value("isinstance(food.parsed, Food)") is True


def test_a_conversation_goes_on_where_the_gateway_forgets(ask: Ask, notebook: Kernel) -> None:
    """Earlier cells are said again; no id is trusted."""
    ask("%%responses -m bridged", "Reply with exactly: 김치")
    ask("%%responses -m bridged -c -o again", "What did you just say?")
    assert "김치" in notebook.value("again.text")


def test_a_background_cell_comes_back(ask: Ask, notebook: Kernel, quick: Upstream) -> None:
    """With an id by which the answer is fetched."""
    question = f"{QUESTION} (in the background of a cell)"
    ask("%%responses --background -o begun", question)
    (sent,) = quick.submissions(question)
    assert sent.body["background"] is True
    fetched = notebook.run(FETCH)
    assert fetched.error is None and "kimchi" in fetched.printed.lower()


# -- tools ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("magic", "model"),
    [(magic, model) for magic in ("chat", "responses") for model in ("native", "bridged")],
)
def test_the_model_calls_a_function(magic: str, model: str, ask: Ask, notebook: Kernel) -> None:
    (shown,) = ask(f"%%{magic} -m {model} --tools total_sales -o answer", SALES).displays
    assert shown["text/plain"].startswith("total_sales: region: north, year: 2024\n  120")
    assert notebook.value("[one.output for one in answer.tool_calls]") == ["120"]
    assert "120" in notebook.value("answer.text")


@pytest.mark.parametrize("model", ["native", "bridged"])
def test_the_model_starts_research_by_itself(model: str, ask: Ask, notebook: Kernel) -> None:
    """On the bridge too, where an id would make the second turn forget the question."""
    ask(f"%%responses --auto-tool-call --yes -m {model} -o answer", RESEARCH)
    assert notebook.value("[one.name for one in answer.tool_calls]") == ["deep_research"]
    assert notebook.value("answer.tool_calls[0].run.status") == "completed"
    assert notebook.value("answer.status") == "completed"
    assert notebook.value("bool(answer.text)") is True


def test_a_research_cell_ends_with_its_report(ask: Ask, notebook: Kernel) -> None:
    ask("%%research -o run", RESEARCH)
    assert notebook.value("run.wait().status") == "completed"
    assert notebook.value("'산둥' in run.text") is True


# -- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "kind", "words"),
    [
        ("nobody", "ModelUnknown", "%kit models"),
        ("native:429-quota", "QuotaExceeded", "waiting does not help"),
        ("bridged:400-context", "BadRequest", "longer than the model takes"),
        ("dead", "ServerFailed", "cannot reach the provider"),
        ("native:cut", "ResponseFailed", "response failed"),
    ],
)
def test_a_refusal_is_one_sentence(model: str, kind: str, words: str, notebook: Kernel) -> None:
    cell = notebook.run(f"%%responses -m {model}\n{QUESTION}")
    assert cell.error is not None
    assert cell.error["ename"] == kind and words in cell.error["evalue"]
    assert len(cell.error["traceback"]) <= 3


@pytest.mark.parametrize(("key", "words"), [("sk-wrong-one", "does not accept"), ("", "wants a")])
def test_a_key_that_is_none_is_said_to_be(key: str, words: str, notebook: Kernel) -> None:
    notebook.run(f"import os; os.environ['LITELLM_API_KEY'] = {key!r}")
    cell = notebook.run(f"%%chat\n{QUESTION}")
    notebook.run(f"os.environ['LITELLM_API_KEY'] = {KEY!r}")
    assert cell.error is not None and cell.error["ename"] == "AuthenticationFailed"
    assert words in cell.error["evalue"]
