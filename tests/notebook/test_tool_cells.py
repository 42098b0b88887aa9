"""A cell whose model calls functions: what is called, what is shown, who is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kit.sandbox.app import open_sandbox
from kit.serving import serve_in_thread

pytestmark = pytest.mark.once

RESEARCH = "짜장면의 역사와 기원에 대해 상세히 조사해줘"

DEFINE = '''
@kit.tool
def total_sales(region: str, year: int) -> int:
    """The total sales of a region in one year.

    Args:
        region: the sales region, such as north
        year: the calendar year
    """
    import threading
    global called_in
    called_in = threading.current_thread() is threading.main_thread()
    return 120

@kit.tool
def share_price(company: str) -> float:
    """The share price of a company.

    Args:
        company: its name
    """
    raise ConnectionError("<b>closed</b> sk-secret0123456789")
'''
QUESTION = "What were the total sales in the region north in 2024?"


@pytest.fixture(scope="module")
def paid(kernel: Any) -> Iterator[str]:
    """A gateway that costs money, as far as anybody can tell: a sandbox at an address."""
    served = serve_in_thread(open_sandbox(pace=0.0))
    yield served.url
    served.stop()


@pytest.fixture(autouse=True)
def tools(kernel: Any) -> None:
    assert kernel.run(DEFINE).error is None


@pytest.fixture
def at_a_paid_gateway(kernel: Any, paid: str) -> Iterator[None]:
    kernel.run(
        f"import os; os.environ.update(LITELLM_BASE_URL={paid!r}, LITELLM_MODEL='sandbox', "
        "LITELLM_RESEARCH_MODEL='sandbox-research')"
    )
    yield
    kernel.run(
        "for name in ('BASE_URL', 'MODEL', 'RESEARCH_MODEL'): os.environ.pop(f'LITELLM_{name}')\n"
        "%config KitMagics.approve = 'paid'"
    )


@pytest.mark.parametrize("magic", ["chat", "responses"])
def test_the_model_calls_a_function_of_the_notebook(kernel: Any, magic: str) -> None:
    cell = kernel.run(f"%%{magic} --tools total_sales -o answer\n{QUESTION}")
    assert cell.error is None
    (shown,) = cell.displays
    assert shown["text/plain"].startswith("total_sales: region: north, year: 2024\n  120")
    assert "total_sales" in shown["text/html"] and "total&#95;sales" in shown["text/markdown"]
    assert kernel.value("[one.output for one in answer.tool_calls]") == ["120"]
    assert kernel.value("called_in") is True


def test_a_function_that_is_only_defined_works_by_its_name(kernel: Any) -> None:
    kernel.run(
        'def population(city: str) -> int:\n    """The population of a city."""\n    return 9\n'
    )
    cell = kernel.run("%%responses --tools population -o answer\nWhat is the population of Seoul?")
    assert cell.error is None
    assert kernel.value("[one.output for one in answer.tool_calls]") == ["9"]


def test_a_function_that_was_defined_anew_is_the_one_that_is_called(kernel: Any) -> None:
    """Without the decorator: the registered one is the older."""
    function = 'def population(city: str) -> str:\n    """People."""\n    return "the {age} one"\n'
    kernel.run(f"@kit.tool\n{function.format(age='old')}")
    kernel.run(function.format(age="new"))
    asked = "%%responses --tools population -o answer\nWhat is the population of Seoul?"
    assert kernel.run(asked).error is None
    assert kernel.value("[one.output for one in answer.tool_calls]") == ["the new one"]
    kernel.run("del population")
    assert kernel.run(asked).error is None
    assert kernel.value("[one.output for one in answer.tool_calls]") == ["the old one"]
    kernel.run("kit.tools.forget('population')")


def test_what_has_a_registered_name_and_cannot_be_a_tool_is_refused(kernel: Any) -> None:
    kernel.run("def share_price(company): ...")
    cell = kernel.run("%%responses --tools share_price\nWhat is the share price of Acme?")
    assert cell.error is not None
    assert "--tools share_price: share_price is not the function" in cell.error["evalue"]
    assert "`del share_price` to offer the registered one" in cell.error["evalue"]


def test_what_a_function_raised_is_told_without_markup_and_keys(kernel: Any) -> None:
    cell = kernel.run("%%responses --tools share_price -o answer\nWhat is the share price of Acme?")
    assert cell.error is None
    (shown,) = cell.displays
    assert "ConnectionError" in shown["text/plain"]
    assert "<b>closed" not in shown["text/html"]
    assert "sk-secret" not in str(shown)
    assert kernel.value("answer.tool_calls[0].error") == "ConnectionError"


def test_the_model_itself_starts_research_and_small_talk_starts_none(kernel: Any) -> None:
    cell = kernel.run(f"%%responses --auto-tool-call -o answer\n{RESEARCH}")
    assert cell.error is None
    (shown,) = cell.displays
    assert shown["text/plain"].startswith(f"deep_research: {RESEARCH}\n  completed")
    assert kernel.value("answer.tool_calls[0].run.status") == "completed"
    ids = kernel.value(
        "[answer.response_id, answer.previous_response_id, answer.tool_call_id, "
        "answer.invocation_id, answer.upstream_response_id]"
    )
    assert all(ids) and len({*ids}) == 5
    assert kernel.value("answer.invocation_token == answer.tool_calls[0].run.token") is True
    assert kernel.value("answer.invocation_token in repr(answer.tool_calls)") is False
    hello = kernel.run("%%responses --auto-tool-call -o hello\n안녕하세요!")
    assert hello.error is None
    assert kernel.value("len(hello.tool_calls)") == 0


def test_a_paid_run_is_asked_for_with_its_arguments(kernel: Any, at_a_paid_gateway: None) -> None:
    cell = kernel.run(f"%%responses --auto-tool-call -o answer\n{RESEARCH}", typed="n")
    assert cell.error is None
    assert kernel.value("[one.error for one in answer.tool_calls]") == ["declined"]
    assert kernel.value("answer.tool_calls[0].run is None") is True
    cell = kernel.run(f"%%responses --auto-tool-call -o answer\n{RESEARCH}", typed="y")
    assert kernel.value("answer.tool_calls[0].run.status") == "completed"


def test_nobody_to_ask_is_an_error_that_says_what_to_add(
    kernel: Any, at_a_paid_gateway: None
) -> None:
    before = kernel.value("len(kit.runs())")
    cell = kernel.run(f"%%responses --auto-tool-call\n{RESEARCH}")
    assert cell.error is not None
    assert cell.error["ename"] == "ConsentMissing"
    for way in ("--yes", "--budget", "KitMagics.approve"):
        assert way in cell.error["evalue"]
    assert len(cell.error["traceback"]) <= 3
    assert kernel.value("len(kit.runs())") == before


@pytest.mark.parametrize(
    ("beforehand", "options"), [("", "--yes"), ("%config KitMagics.approve = 'always'", "")]
)
def test_a_yes_beforehand_asks_nobody(
    kernel: Any, at_a_paid_gateway: None, beforehand: str, options: str
) -> None:
    if beforehand:
        assert kernel.run(beforehand).error is None
    cell = kernel.run(f"%%responses --auto-tool-call {options} -o answer\n{RESEARCH}")
    assert cell.error is None, cell.error
    assert kernel.value("answer.tool_calls[0].run.status") == "completed"


def test_a_budget_that_cannot_be_kept_is_refused_with_the_reason(
    kernel: Any, at_a_paid_gateway: None
) -> None:
    """This gateway names no prices."""
    cell = kernel.run(f"%%responses --auto-tool-call --budget 2\n{RESEARCH}")
    assert cell.error is not None
    assert "does not say what its research model costs" in cell.error["evalue"]


def test_every_call_is_asked_for_where_that_is_configured(kernel: Any) -> None:
    assert kernel.run("%config KitMagics.approve = 'ask'").error is None
    declined = kernel.run(f"%%responses --tools total_sales -o answer\n{QUESTION}", typed="")
    assert declined.error is None
    assert kernel.value("answer.tool_calls[0].error") == "declined"
    kernel.run(f"%%responses --tools total_sales -o answer\n{QUESTION}", typed="예")
    assert kernel.value("answer.tool_calls[0].output") == "120"
    kernel.run("%config KitMagics.approve = 'paid'")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--tools total_saels", "did you mean total_sales?"),
        ("--tools ,", "needs the names of functions"),
        ("--budget much --auto-tool-call", "US dollars above 0"),
        ("--budget 2", "add --auto-tool-call"),
        ("--yes", "add --auto-tool-call"),
        ("--auto-tool-call --no-stream", "exclude each other"),
        ("--auto-tool-call --background", "--background and --auto-tool-call exclude each other"),
        ("--tools total_sales --background", "--background and --tools exclude each other"),
        ("--tools total_sales --no-stream", "--no-stream and --tools exclude each other"),
    ],
)
def test_a_wrong_line_says_what_to_write(kernel: Any, line: str, says: str) -> None:
    cell = kernel.run(f"%%responses {line}\nHello")
    assert cell.error is not None
    assert says in cell.error["evalue"]


def test_a_stopped_cell_says_where_its_research_goes_on(kernel: Any) -> None:
    kernel.run("import os; os.environ['KIT_SANDBOX_PACE'] = '0'")
    slow = "import time\n@kit.tool\ndef wait_long(reason: str) -> str:\n"
    slow += '    """Wait a long time for a reason."""\n    time.sleep(1_000)\n    return "done"\n'
    kernel.run(slow)
    cell = kernel.run(
        "%%responses --tools wait_long -o answer\nWait long, for the reason: tea",
        stop_when=lambda cell: "wait_long" in str(cell.displays),
    )
    assert cell.error is not None
    assert cell.error["ename"] == "Interrupted"
    assert kernel.value("[one.name for one in answer.tool_calls]") == ["wait_long"]


def test_tab_knows_the_functions(kernel: Any) -> None:
    assert "total_sales" in kernel.complete("%%responses --tools tot")
    assert "--auto-tool-call" in kernel.complete("%%responses --au")
