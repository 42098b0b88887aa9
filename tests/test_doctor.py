"""The doctor for whoever is configured: in a shell, in code, and for the cells that follow."""

from __future__ import annotations

import json
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import kit
from kit import connect
from kit.__main__ import main
from kit.connect_doctor import seen_last
from kit.gateway import capabilities_file
from kit.gateway.capabilities import Seen
from kit.sandbox.app import open_sandbox
from kit.sources import user_folder
from tests.gateway.lying import KEY, Asked, Liar, Lie, lying, refused

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def sandbox() -> Any:
    return open_sandbox(pace=0)


@pytest.fixture
def there(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Lie], tuple[str, Liar]]]:
    """Configures a gateway that tells this lie."""
    from contextlib import ExitStack

    with ExitStack() as opened:

        def configure(lie: Lie) -> tuple[str, Liar]:
            endpoint, liar = opened.enter_context(lying(lie, sandbox))
            monkeypatch.setenv("LITELLM_BASE_URL", endpoint.base_url)
            monkeypatch.setenv("LITELLM_API_KEY", KEY)
            monkeypatch.setenv("LITELLM_MODEL", "sandbox")
            return endpoint.base_url, liar

        yield configure
    connect.forget_client()


def files() -> list[Path]:
    return [one for one in (user_folder() / "gateways").rglob("*") if one.is_file()]


def test_a_usable_gateway_is_status_0(there: Any, capsys: Any) -> None:
    there(Lie())
    assert main(["--doctor"]) == 0
    done = capsys.readouterr()
    assert "✓ yes      The responses API answers." in done.out
    assert done.err.startswith("Asking http://127.0.0.1:") and done.err.count("\n") == 2
    assert "min at most" in done.err
    assert KEY not in done.out + done.err


@pytest.mark.parametrize(
    "reply", [refused("No connected db.", 400, "no_db_connection"), refused("No such key", 401)]
)
def test_an_unusable_one_is_status_1(there: Any, capsys: Any, reply: Any) -> None:
    there(Lie(lambda asked: reply))
    assert main(["--doctor", "--all"]) == 1
    done = capsys.readouterr()
    assert "✕ no       The key is" in done.out
    assert done.out.splitlines()[-1].startswith("It cannot be used: The key is")
    assert files() == [], "what says nothing of the gateway is not remembered"


@pytest.mark.parametrize(
    "words",
    [
        ["--all", "hi"],
        ["--forget", "hi"],
        ["--doctor", "hi"],
        ["--doctor", "--all", "--forget"],
        ["--doctor", "--stream"],
        ["--doctor", "--timeout", "3"],
        ["--doctor", "--target", "relay"],
    ],
)
def test_a_wrong_command_line_is_status_2(there: Any, capsys: Any, words: list[str]) -> None:
    _, liar = there(Lie())
    assert main(words) == 2
    assert liar.asked == [] and capsys.readouterr().out == ""


def test_all_is_asked_only_where_it_is_wanted(there: Any, capsys: Any) -> None:
    _, liar = there(Lie())
    assert main(["--doctor"]) == 0
    assert not any(one.body.get("background") for one in liar.asked)
    assert main(["--doctor", "--all"]) == 0
    assert any(one.body.get("background") for one in liar.asked)


def test_it_is_remembered_privately_and_without_the_key(there: Any) -> None:
    address, _ = there(Lie())
    kit.doctor()
    (file,) = files()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = json.loads(file.read_text())
    assert (kept["gateway"], kept["model"]) == (address, "sandbox")
    assert KEY not in file.read_text()
    names = {one["name"] for one in kept["findings"]}
    assert "history" in names and not {"key", "reachable", "models"} & names


def test_the_loop_goes_by_what_was_seen(there: Any) -> None:
    """The next turn names the one before where that was seen to hold, and only there."""

    @kit.tool
    def seen_number() -> int:
        """Gives a number."""
        return 7

    def names(liar: Liar) -> list[bool]:
        liar.asked.clear()
        kit.Client().run_tools("Call seen_number.", tools=[seen_number], tool_choice="required")
        return ["previous_response_id" in one.body for one in liar.asked]

    def forgetting(asked: Asked) -> Any:
        return refused("no") if asked.body.get("previous_response_id") else asked

    _, honest = there(Lie())
    assert names(honest) == [False, False], "nothing is known yet"
    kit.doctor()
    assert names(honest) == [False, True]
    _, liar = there(Lie(forgetting))
    connect.forget_client()
    kit.doctor()
    assert names(liar) == [False, False]


def test_what_it_saw_of_streams_is_used_by_every_client(there: Any) -> None:
    def unstreamed(asked: Asked) -> Any:
        return refused("stream is broken", 400) if asked.body.get("stream") else asked

    there(Lie(unstreamed))
    report = kit.doctor()
    assert report["responses stream"].verdict == "no" and report.usable
    with kit.Client().stream("Reply with exactly: OK") as stream:
        for _ in stream:
            pass
    assert stream.answer.text == "OK"


def test_a_gateway_that_only_streams_is_usable_and_answers_in_one_piece_too(
    there: Any, capsys: Any
) -> None:
    """What was seen saves the request that would be refused, also the next kernel's."""

    def ask(asked: Asked) -> Any:
        alone = "model" in asked.body and not asked.body.get("stream")
        return refused("Bad request") if alone else asked

    _, liar = there(Lie(ask))
    assert main(["--doctor"]) == 0
    assert "◐ partly" in capsys.readouterr().out
    assert (seen_last() or "").startswith("usable (")
    liar.asked.clear()
    assert kit.Client().chat("Say hi").text and kit.Client().respond("Say hi").text
    assert [asked.body.get("stream") for asked in liar.asked] == [True, True]


def test_what_is_kept_of_one_that_only_streams_is_said_to_be_usable(there: Any) -> None:
    """By a kernel that did not ask it itself."""
    there(Lie())
    seen = {"chat": Seen("partly", "streams only", time.time())}
    capabilities_file.remember(user_folder(), connect.client().endpoint.identity, "sandbox", seen)
    assert (seen_last() or "").startswith("usable (")


def test_forgetting_asks_nobody(there: Any, capsys: Any) -> None:
    _, liar = there(Lie())
    kit.doctor()
    liar.asked.clear()
    assert main(["--doctor", "--forget"]) == 0
    assert "is forgotten (1 model)" in capsys.readouterr().out
    assert main(["--doctor", "--forget", "--model", "x"]) == 0
    assert "Nothing is kept of x at http" in capsys.readouterr().out
    assert liar.asked == [] and files() == []


def test_forgetting_one_model_does_not_sound_like_all(there: Any, capsys: Any) -> None:
    there(Lie())
    kit.doctor()
    assert main(["--doctor", "--forget", "--model", "sandbox"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("What the doctor saw of sandbox at http") and "(1 model)" not in told


def test_each_wrong_command_line_is_told_its_own_mistake(there: Any, capsys: Any) -> None:
    there(Lie())
    main(["--doctor", "hi"])
    assert "--forget" not in capsys.readouterr().err
    main(["--doctor", "--all", "--forget"])
    assert "prompt" not in capsys.readouterr().err


def test_whoever_wants_to_hears_how_far_it_is(there: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the thread that asked: what it does may need that one."""
    monkeypatch.setattr("kit.connect_doctor.LOOK_SECONDS", 0.0)
    there(Lie())
    heard: list[tuple[str, str]] = []
    kit.doctor(progress=lambda line: heard.append((line, threading.current_thread().name)))
    assert all(line.startswith("Asking: ") and " of 12), " in line for line, _ in heard)
    assert any("chat with functions (" in line for line, _ in heard)
    assert {thread for _, thread in heard} == {threading.current_thread().name}


def test_what_a_listener_raises_ends_it(there: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.connect_doctor.LOOK_SECONDS", 0.0)
    _, liar = there(Lie())

    def enough(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kit.doctor(progress=enough)
    asked = len(liar.asked)
    kit.Client().chat("hi")
    assert len(liar.asked) <= asked + 2, "nothing goes on behind it"


def test_a_finding_of_no_such_name_says_which_there_are(there: Any) -> None:
    there(Lie())
    with pytest.raises(KeyError, match=r"no finding 'nosuch'; there are: reachable, .*history"):
        kit.doctor()["nosuch"]


def test_the_last_run_is_what_is_said_of_it(there: Any) -> None:
    """One that found the gateway unusable too, though nothing of it is kept."""
    there(Lie())
    assert seen_last() is None
    kit.doctor()
    assert (seen_last() or "").startswith("usable (")
    there(Lie(lambda asked: refused("No such key", 401)))
    kit.doctor()
    assert (seen_last() or "").startswith("not usable: the key (")


def test_a_folder_that_takes_no_file_is_no_failure(there: Any) -> None:
    there(Lie())
    folder = user_folder()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gateways").write_text("in the way")
    assert kit.doctor().usable


def test_what_it_asks_is_counted(there: Any) -> None:
    there(Lie())
    before = len(connect.ledger.calls())
    report = kit.doctor()
    noted = connect.ledger.calls()[before:]
    assert sum(one.usage.total_tokens for one in noted if one.usage) == report.tokens


def test_the_relay_goes_by_what_was_seen(there: Any) -> None:
    """A run is sent without what was seen to be refused, and so is not refused first."""

    def foreground(asked: Asked) -> Any:
        return refused("background is not supported") if asked.body.get("background") else asked

    def sent(liar: Liar) -> list[bool]:
        liar.asked.clear()
        run = kit.research("What is kimchi?", model="sandbox-research").wait()
        assert run.status == "completed"
        return ["background" in one.body for one in liar.asked if one.method == "POST"]

    _, liar = there(Lie(foreground))
    assert kit.doctor("sandbox-research", all=True)["background"].how == "refused"
    assert sent(liar) == [False]


def test_it_says_of_which_models_it_does_not_tell(
    there: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was seen is of one model; chat and research may ask others."""
    there(Lie())
    assert "--model" not in str(kit.doctor())
    monkeypatch.setenv("LITELLM_RESEARCH_MODEL", "sandbox-research")
    monkeypatch.setenv("LITELLM_CHAT_MODEL", "sandbox-chat")
    connect.forget_client()
    shown = str(kit.doctor())
    assert "%%chat asks sandbox-chat: %kit doctor --model sandbox-chat looks at it.\n" in shown
    assert (
        "Research asks sandbox-research: %kit doctor --all --model sandbox-research looks at it.\n"
    ) in shown
    assert "looks at it" not in str(kit.doctor("sandbox-research"))
