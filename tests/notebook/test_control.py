"""`%kit` in a real kernel: what is configured, and how to change it."""

import json

import pytest

from kit import connect
from kit.errors import Interrupted
from kit.notebook.control import control
from kit.notebook.edge import at_the_edge
from kit.notebook.session import Session

pytestmark = pytest.mark.once


def test_it_says_who_answers_and_what_to_do_next(kernel):
    cell = kernel.run("%kit")
    assert cell.error is None
    assert "the sandbox on this machine" in cell.printed
    assert "no language model" in cell.printed
    assert cell.printed.splitlines()[-1].startswith("Next: ")


def test_a_key_without_an_address_is_said_by_status_and_by_the_first_cell(kernel):
    setting = "import os\nos.environ['LITELLM_API_KEY'] = 'sk-abcdefghijkl'"
    kernel.run(f"{setting}\nkit.connect.forget_client()")
    says = "LITELLM_API_KEY (environment) is not used: there is no LITELLM_BASE_URL"
    assert says in kernel.run("%kit").printed
    forget = "from kit.notebook.session import current\ncurrent.told_of_key = False"
    kernel.run(forget)
    assert [says in kernel.run("%%chat -f text\nhi").printed for _ in "ab"] == [True, False]
    kernel.run("del os.environ['LITELLM_API_KEY']\nkit.connect.forget_client()")


@pytest.fixture
def status(monkeypatch, fresh_home):
    """What `%kit` says where these variables are set."""

    def say(**variables):
        for name, value in {"LITELLM_BASE_URL": "https://gateway.example", **variables}.items():
            monkeypatch.setenv(name, value)
        connect.forget_client()
        said = control("", Session())
        return dict(line.split(maxsplit=1) for line in said.splitlines() if "  " in line)

    yield say
    connect.forget_client()


def test_it_says_which_relay_does_the_research_and_where_that_is_set(status):
    said = status(RELAY_BASE_URL="https://relay.example/api/v1", RELAY_API_KEY="sk-relay-mnopqr")
    assert said["relay"] == "https://relay.example"
    assert said["RELAY_BASE_URL"] == "from environment"
    assert "mnopqr" not in json.dumps(said)


def test_without_a_relays_address_no_relay_is_named(status):
    assert not {"relay", "RELAY_BASE_URL"} & {*status()}


def test_a_relay_that_is_set_wrongly_hides_nothing_else(status):
    said = status(RELAY_BASE_URL="ftp://relay.example")
    assert said["gateway"] == "https://gateway.example/v1"
    assert said["relay"].startswith("RELAY_BASE_URL (environment) is no relay's address")


def test_models_are_listed_and_then_complete(kernel):
    assert kernel.run("%kit models").printed == "sandbox\n"
    assert kernel.complete("%%chat -m sand") == ["sandbox"]


def test_a_model_is_chosen_for_the_cells_that_follow(kernel):
    assert "The cells ask nobody from now on" in kernel.run("%kit model nobody").printed
    error = kernel.run("%%chat\nhi").error
    assert error is not None and error["ename"] == "ModelUnknown"
    assert kernel.run("%kit use sandbox\n").error is None
    assert kernel.run("%%chat -q\nhi").error is None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%kit use", "That is written %kit use sandbox|local|gateway"),
        ("%kit use moon", "there are sandbox, local, gateway"),
        ("%kit use gateway", "LITELLM_BASE_URL"),
        ("%kit modls", "did you mean %kit models?"),
        ("%kit model", "That is written %kit model NAME"),
        ("%kit login", "No gateway is configured: name its address"),
        ("%kit login sk-abcdefghijkl", "delete it from the cell"),
        ("%kit login gateway", "is no address: one looks like https://gateway.example.com"),
        ("%kit login hunter2", "delete it from the cell"),
        ("%kit login abcdefghijklmnopqrstuvw", "delete it from the cell"),
        ("%kit login https://gateway.example sk-abcdefghijkl", "delete it from the cell"),
        ("%kit login ftp://gateway.example", "ftp://gateway.example"),
        ("%kit trust", ".env"),
        ("%kit 'open", "A quote is never closed"),
    ],
)
def test_what_does_not_work_is_said_in_few_lines(kernel, line, says):
    error = kernel.run(line).error
    assert error is not None
    assert says in error["evalue"]
    assert len(error["traceback"]) <= 3
    assert "sk-abcdefghijkl" not in json.dumps(error)


def test_what_help_says_stands_in_one_column():
    lines = control("help", Session()).splitlines()
    assert len({line.index(line.split("  ", 1)[1].strip()) for line in lines}) == 1


def test_help_lists_every_subcommand(kernel):
    printed = kernel.run("%kit help").printed
    names = kernel.value("list(kit.notebook.control.SUBCOMMANDS)")
    for name in set(names) - {"status", "help"}:
        assert f"%kit {name}" in printed


def test_a_key_is_asked_for_without_echo_and_never_shown(kernel):
    key = "sk-mnopqrstuvwx"
    cell = kernel.run("%kit login https://gateway.example", typed=key)
    assert cell.error is None
    assert "is kept in memory" in cell.printed
    assert kernel.value("kit.keys.recall('https://gateway.example/v1')") == key
    history = "[line for _, _, line in get_ipython().history_manager.get_range()]"
    assert key not in kernel.run(f"print({history})").printed
    shown = kernel.run(
        "import os\nos.environ['LITELLM_BASE_URL'] = 'https://gateway.example'\n"
        "%kit use gateway\n%kit\nprint(kit.connect.client())"
    )
    assert shown.error is None
    assert "memory" in shown.printed
    assert key not in json.dumps([cell.outputs, shown.outputs])
    assert "is forgotten" in kernel.run("%kit logout").printed
    assert "No key is kept" in kernel.run("%kit logout").printed
    kernel.run("del os.environ['LITELLM_BASE_URL']\n%kit use sandbox")


def test_the_cells_talk_to_the_gateway_one_logged_in_to(kernel):
    cell = kernel.run("%kit login https://gateway.example", typed="sk-mnopqrstuvwx")
    assert "LITELLM_BASE_URL=https://gateway.example" in cell.printed
    assert kernel.value("kit.connect.status().address") == "https://gateway.example/v1"
    assert "memory" in kernel.run("%kit").printed
    kernel.run("%kit use sandbox")
    assert kernel.value("kit.connect.status().kind") == "sandbox"
    kernel.run("%kit use gateway")
    assert kernel.value("kit.connect.status().address") == "https://gateway.example/v1"
    kernel.run("%kit logout\n%kit use sandbox")


@pytest.mark.parametrize(
    "typed", ["sk-good\u2019key1234", "sk-good key1234", "sk-good\tkey1234", "sk-good\x1bkey1234"]
)
def test_a_badly_copied_key_is_refused_and_nothing_changes(kernel, typed):
    error = kernel.run("%kit login https://copied.example", typed=typed).error
    assert error is not None
    assert "cannot be sent" in error["evalue"]
    assert "good" not in json.dumps(error)
    assert kernel.value("kit.keys.recall('https://copied.example/v1')") is None
    assert kernel.value("kit.connect.status().kind") == "sandbox"


def test_a_kept_key_that_does_not_work_can_be_replaced_and_forgotten(kernel):
    bad = "kit.keys.remember('https://kept.example/v1', 'sk-bad\u2019key')"
    kernel.run(bad)
    assert "is forgotten" in kernel.run("%kit logout https://kept.example").printed
    kernel.run(bad)
    cell = kernel.run("%kit login https://kept.example", typed="Bearer sk-mnopqrstuvwx")
    assert cell.error is None
    assert kernel.value("kit.keys.recall('https://kept.example/v1')") == "sk-mnopqrstuvwx"
    kernel.run(bad)
    assert "https://kept.example/v1 is forgotten" in kernel.run("%kit logout").printed
    assert kernel.run("%kit use sandbox").error is None


def test_where_nobody_can_type_a_key_it_says_where_to_put_it(kernel):
    error = kernel.run("%kit login https://gateway.example").error
    assert error is not None
    assert "Set LITELLM_API_KEY" in error["evalue"]


def test_a_prompt_for_a_key_that_is_stopped_says_that_nothing_is_kept(monkeypatch):
    def stopped(prompt):
        raise KeyboardInterrupt

    monkeypatch.setattr("getpass.getpass", stopped)
    with pytest.raises(Interrupted, match=r"No key was given; nothing is kept\."):
        at_the_edge(lambda: control("login https://stopped.example", Session()), Session())


def test_a_folder_is_trusted_by_hand_only(kernel):
    kernel.run(
        "from pathlib import Path\nimport os\nPath('work').mkdir()\nos.chdir('work')\n"
        "Path('.env').write_text('LITELLM_BASE_URL=https://folder.example\\n')\n"
        "os.environ['LITELLM_API_KEY'] = 'sk-abcdefghijkl'\nkit.connect.forget_client()"
    )
    error = kernel.run("%%chat\nhi").error
    assert error is not None
    assert error["ename"] == "KeyWithheld"
    assert "%kit trust" in error["evalue"]
    assert "https://folder.example" in kernel.run("%kit trust").printed
    assert kernel.run("%kit use gateway").error is None
    status = kernel.run("%kit")
    assert status.error is None
    assert "https://folder.example/v1" in status.printed
    assert "sk-abcdefghijkl" not in status.printed
    kernel.run("os.chdir('..')\ndel os.environ['LITELLM_API_KEY']\n%kit use sandbox")


def test_nest_makes_asyncio_run_work_in_cells(kernel):
    assert "asyncio.run() works in cells now" in kernel.run("%kit nest").printed
    assert kernel.value("__import__('asyncio').run(__import__('asyncio').sleep(0, 'ran'))") == "ran"
    assert kernel.run("%%chat -q\nReply with exactly: still").error is None
