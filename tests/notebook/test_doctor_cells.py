"""`%kit doctor` in a real kernel: a table, what it may take, and what is done with what it saw."""

import json

import pytest

pytestmark = pytest.mark.once

KEY = "sk-mnopqrstuvwx"


def test_it_says_what_it_asks_before_it_asks_and_then_shows_a_table(kernel):
    cell = kernel.run("%kit doctor")
    assert cell.error is None
    (line,) = cell.printed.splitlines()
    assert line.startswith("Asking sandbox about sandbox: ") and "tokens" in line
    assert "--all asks for those as well, and may cost" in line
    (bundle,) = cell.displays
    assert [one.get("name", "table") for one in cell.outputs] == ["stdout", "table"]
    assert set(bundle) == {"text/plain", "text/markdown", "text/html"}
    assert "history           yes" in bundle["text/plain"]
    assert "Not asked, since it may cost (--all asks): " in bundle["text/plain"]
    assert "<script" not in bundle["text/html"]


def test_what_may_cost_is_asked_with_all(kernel):
    cell = kernel.run("%kit doctor --all")
    assert "whose price is not known before" in cell.printed
    shown = cell.displays[0]["text/plain"]
    assert "background        yes" in shown and "Not asked" not in shown


def test_another_model_can_be_examined(kernel):
    cell = kernel.run("%kit doctor --model sandbox:background-ignored --all")
    shown = cell.displays[0]["text/plain"]
    assert "model sandbox:background-ignored" in shown
    assert "background        no       background is ignored" in shown


def test_the_cells_go_by_what_it_saw_until_it_is_forgotten(kernel):
    kernel.run("%kit doctor")
    seen = "kit.connect.client().inner.known('sandbox').verdict('history')"
    assert kernel.value(seen) == "yes"
    assert "%kit doctor saw it" in kernel.run("%kit").printed
    assert "is forgotten" in kernel.run("%kit doctor --forget").printed
    assert kernel.value(seen) == "unknown"
    assert "%kit doctor saw it" not in kernel.run("%kit").printed


def test_the_same_is_a_value_in_code(kernel):
    cell = kernel.run("report = kit.doctor()\nreport.usable, list(report.frame.columns)")
    assert cell.error is None
    shown = cell.displays[0]["text/plain"]
    assert shown == "(True, ['name', 'verdict', 'means', 'instead'])"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%kit doctor --al", "%kit doctor [--all] [--model NAME] [--forget]"),
        ("%kit doctor sandbox", "%kit doctor [--all] [--model NAME] [--forget]"),
        ("%kit doctor --model", "%kit doctor [--all] [--model NAME] [--forget]"),
        ("%kit doctor --model --all", "%kit doctor [--all] [--model NAME] [--forget]"),
        ("%kit doctor --all --forget", "--all goes not with it"),
        ("%kit doctr", "did you mean %kit doctor?"),
    ],
)
def test_a_wrong_line_is_said_and_nothing_is_asked(kernel, line, says):
    cell = kernel.run(line)
    assert cell.error is not None and says in cell.error["evalue"]
    assert cell.outputs == [cell.error]


def test_a_gateway_that_is_not_there_is_a_finding_and_no_error(kernel):
    kernel.run(
        "import os\nos.environ |= {'LITELLM_BASE_URL': 'http://127.0.0.1:9', "
        f"'LITELLM_API_KEY': '{KEY}', 'LITELLM_MODEL': 'm'}}\n%kit use gateway"
    )
    cell = kernel.run("%kit doctor --all")
    kernel.run(
        "for name in ('BASE_URL', 'API_KEY', 'MODEL'): del os.environ['LITELLM_' + name]\n"
        "%kit use sandbox"
    )
    assert cell.error is None
    assert "reachable  no " in cell.displays[0]["text/plain"]
    assert "It cannot be used as it is" in cell.displays[0]["text/plain"]
    assert KEY not in json.dumps(cell.outputs)
