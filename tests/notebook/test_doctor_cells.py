"""`%kit doctor` in a real kernel: a table, what it may take, and what is done with what it saw."""

import json

import pytest

pytestmark = pytest.mark.once

KEY = "sk-mnopqrstuvwx"


def test_it_says_what_it_asks_before_it_asks_and_then_shows_a_table(kernel):
    cell = kernel.run("%kit doctor")
    assert cell.error is None
    first, second = cell.printed.splitlines()
    assert first.startswith("Asking sandbox about sandbox: ") and "tokens" in first
    assert "may cost: --all asks for them as well" in second
    assert max(len(first), len(second)) <= 80
    (bundle,) = cell.displays
    assert [one.get("name", "table") for one in cell.outputs] == ["stdout", "table"]
    assert set(bundle) == {"text/plain", "text/markdown", "text/html"}
    assert "✓ yes      previous_response_id is remembered." in bundle["text/plain"]
    assert "✓ yes      Nothing: it runs on this machine." in bundle["text/plain"]
    assert "It asks for no key." in bundle["text/plain"]
    assert "Not asked, since it may cost (--all asks): " in bundle["text/plain"]
    assert "<script" not in bundle["text/html"]


def test_what_may_cost_is_asked_with_all(kernel):
    cell = kernel.run("%kit doctor --all")
    assert "their price is not known before" in cell.printed
    shown = cell.displays[0]["text/plain"]
    assert "✓ yes      A response goes on by itself" in shown and "Not asked" not in shown


def test_another_model_can_be_examined(kernel):
    cell = kernel.run("%kit doctor --model sandbox:background-ignored --all")
    shown = cell.displays[0]["text/plain"]
    assert "model sandbox:background-ignored" in shown
    assert "✕ no       background is ignored" in shown
    assert "Not asked, since there is no background: streams taken up again, " in shown


def test_the_cells_go_by_what_it_saw_until_it_is_forgotten(kernel):
    kernel.run("%kit doctor")
    seen = "kit.connect.client().inner.known('sandbox').verdict('history')"
    assert kernel.value(seen) == "yes"
    assert " usable (" in kernel.run("%kit").printed
    assert "is forgotten" in kernel.run("%kit doctor --forget").printed
    assert kernel.value(seen) == "unknown"
    assert "usable" not in kernel.run("%kit").printed


def test_the_same_is_a_value_in_code(kernel):
    cell = kernel.run("report = kit.doctor()\nreport.usable, list(report.frame.columns)")
    assert cell.error is None
    shown = cell.displays[0]["text/plain"]
    assert shown == "(True, ['name', 'verdict', 'how', 'means', 'instead', 'advice'])"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%kit doctor --al", "has no --al. Did you mean --all?"),
        ("%kit doctor --frob", "It is written %kit doctor [--all] [--model NAME] [--forget]"),
        ("%kit doctor sandbox", "has no sandbox. A model's name stands behind --model."),
        ("%kit doctor --model", "--model needs the name of a model behind it"),
        ("%kit doctor --model --all", "--model needs the name of a model behind it"),
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
    status = kernel.run("%kit").printed
    kernel.run(
        "for name in ('BASE_URL', 'API_KEY', 'MODEL'): del os.environ['LITELLM_' + name]\n"
        "%kit use sandbox"
    )
    assert cell.error is None
    shown = cell.displays[0]["text/plain"]
    assert "✕ no       No gateway answers at http://127.0.0.1:9 (connection refused)." in shown
    assert shown.splitlines()[-1].startswith("It cannot be used: No gateway answers at http://")
    assert "not usable: not reachable (" in status
    assert KEY not in json.dumps(cell.outputs)


def test_help_is_help(kernel):
    cell = kernel.run("%kit doctor --help")
    assert cell.error is None and "--forget        forget" in cell.printed


LISTENED = """
import kit.connect_doctor as desk
desk.LOOK_SECONDS = 0.0
"""


def test_while_it_asks_a_line_says_how_far_it_is_and_the_table_takes_its_place(kernel):
    kernel.run(LISTENED)
    lines = []

    def look(cell):
        lines.extend(one["text/plain"].splitlines()[0] for one in cell.displays)

    cell = kernel.run("%kit doctor", meanwhile=look)
    kernel.run("desk.LOOK_SECONDS = 0.5")
    assert any(line.startswith("Asking: ") for line in lines)
    (bundle,) = cell.displays
    assert bundle["text/plain"].startswith("sandbox, model sandbox (")
    assert cell.updates > 0 and "Asking" not in bundle["text/html"]


def test_a_stop_leaves_no_line_that_says_it_goes_on(kernel):
    kernel.run(LISTENED)
    cell = kernel.run("%kit doctor", stop_when=lambda cell: bool(cell.displays))
    kernel.run("desk.LOOK_SECONDS = 0.5")
    assert cell.error is not None and cell.error["ename"] == "Interrupted"
    assert [one["text/plain"] for one in cell.displays] == [""]


def test_a_captured_cell_holds_the_table_alone(kernel):
    kernel.run(LISTENED + "from IPython.utils.capture import capture_output")
    code = "with capture_output() as held:\n    get_ipython().run_line_magic('kit', 'doctor')"
    kernel.run(code + "\nkinds = [sorted(one.data) for one in held.outputs]")
    kernel.run("desk.LOOK_SECONDS = 0.5")
    assert kernel.value("kinds") == [["text/html", "text/markdown", "text/plain"]]
